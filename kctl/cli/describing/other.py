"""Any other kind: every field by its name, as kubectl describes kinds it has no own form for."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from kctl.api.objects import Obj
from kctl.cli.describing import layout
from kctl.cli.describing.layout import Page

HIDDEN = {"managedFields", "name", "namespace", "labels", "annotations"}
ACRONYMS = {"API", "URL", "UID", "GUID"}


def describe(obj: Obj, now: float, events: Sequence[Obj]) -> str:
    """Return every field of an object, and the events about it, as GenericDescriber."""
    page, meta = Page(), obj["metadata"]
    page.field(0, "Name", meta["name"])
    page.field(0, "Namespace", meta.get("namespace", ""))
    layout.metadata(page, obj)
    _fields(page, 0, {**obj, "metadata": {name: value for name, value in meta.items() if name not in HIDDEN}})
    layout.events(page, events, now)
    return page.text()


def _fields(page: Page, level: int, value: dict[str, Any]) -> None:
    """Add a map's fields by name, nested maps and lists indented, as printUnstructuredContent."""
    for name, found in sorted(value.items()):
        if isinstance(found, dict):
            page.line(level, f"{title(name)}:")
            _fields(page, level + 1, found)
        elif isinstance(found, list):
            page.line(level, f"{title(name)}:")
            for item in found:
                if isinstance(item, dict):
                    _fields(page, level + 1, item)
                else:
                    page.line(level + 1, _scalar(item))
        else:
            page.field(level, title(name), _scalar(found))


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "<nil>" if value is None else str(value)


def title(name: str) -> str:
    """Write ``apiVersion`` as ``API Version``, as smartLabelFor; what has other signs in it stays."""
    if not all(sign.isalpha() or sign == "-" for sign in name):
        return name
    words = [word for word in _camel(name) if word != "_"]
    return " ".join(_word(word) for word in words)


def _word(word: str) -> str:
    if word.upper() in ACRONYMS:
        return word.upper()
    return word[:1].upper() + word[1:] if word == word.lower() else word


def _camel(name: str) -> list[str]:
    """Split a name as camelcase.Split: at changes of case, of several capitals the last opens the next word."""
    words = [["".join(run), kind] for kind, run in itertools.groupby(name, key=_case)]
    for one, after in itertools.pairwise(words):
        if one[1] == "upper" and after[1] == "lower":
            after[0] = one[0][-1] + after[0]
            one[0] = one[0][:-1]
    return [word for word, _ in words if word]


def _case(sign: str) -> str:
    return "upper" if sign.isupper() else "lower" if sign.islower() else "other"
