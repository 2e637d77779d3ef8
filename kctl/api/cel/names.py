"""Names of properties that are no names in CEL: how they are written in expressions.

As k8s.io/apiserver pkg/cel/escaping.go: ``a.b`` is ``a__dot__b``, and words CEL keeps for itself get
underscores around them.
"""

from __future__ import annotations

import re
from functools import lru_cache

from kctl.api.cel import lexer

ESCAPES = {"__": "__underscores__", ".": "__dot__", "-": "__dash__", "/": "__slash__"}
BACK = {escaped: plain for plain, escaped in ESCAPES.items()}
RESERVED = lexer.KEYWORDS | lexer.RESERVED
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")


@lru_cache(maxsize=1024)
def unescape(name: str) -> str:
    """Return the property that a name in an expression means."""
    if "__" not in name:
        return name
    if name.startswith("__") and name.endswith("__") and name[2:-2] in RESERVED:
        return name[2:-2]
    return re.sub("__(?:underscores|dot|dash|slash)__", lambda found: BACK[found.group()], name)


@lru_cache(maxsize=1024)
def escape(name: str) -> str | None:
    """Return how a property is written in expressions, None when it cannot be."""
    if not NAME.fullmatch(name):
        return None
    if name in RESERVED:
        return f"__{name}__"
    return re.sub(r"__|[./-]", lambda found: ESCAPES[found.group()], name)
