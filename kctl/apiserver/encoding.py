"""Objects as the store keeps them: canonical JSON, where what objects share is written once.

In: objects, one after another. Out: bytes, the same as ``json.dumps`` with sorted keys gives. Pods of one
template share most of their spec, and objects written alike share their managedFields; an
:class:`Encoder` remembers their text for as long as it lives, which is one batch: what it has
written must not go away meanwhile.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from kctl.api.objects import Obj

SHARED_IN = ("metadata", "spec")
"""Where objects share what they hold; a status is its own."""


class Encoder:
    """Writes the objects of one batch."""

    def __init__(self) -> None:
        self._dumps: Callable[[Any], str] = json.JSONEncoder(
            separators=(",", ":"), sort_keys=True, ensure_ascii=False
        ).encode
        self._known: dict[int, str] = {}

    def encode(self, obj: Obj) -> bytes:
        """Return the canonical JSON of an object."""
        dumps = self._dumps
        parts = []
        for name in sorted(obj):
            value = obj[name]
            text = self._struct(value) if name in SHARED_IN and type(value) is dict else dumps(value)
            parts.append(f"{dumps(name)}:{text}")
        return f"{{{','.join(parts)}}}".encode()

    def _struct(self, value: Obj) -> str:
        """Write a struct whose parts may be shared; what is not is written together."""
        dumps, known = self._dumps, self._known
        parts = []
        for name in sorted(value):
            child = value[name]
            kind = type(child)
            if kind is str or kind is int or not child:
                text = dumps(child)
            elif name == "managedFields":
                text = f"[{','.join([self._shared(entry) for entry in child])}]"
            else:
                text = known.get(id(child)) or self._shared(child)
            parts.append(f"{dumps(name)}:{text}")
        return f"{{{','.join(parts)}}}"

    def _shared(self, value: Any) -> str:
        text = self._known.get(id(value))
        if text is None:
            text = self._known[id(value)] = self._dumps(value)
        return text
