"""The text of long lists, of which one item is new and a thousand are the very same as the last time.

In: a JSON value. Out: its canonical text. What an item of a long list was written as is remembered for as long as
the item is the same value in memory; stored objects are never changed in place, so it says the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

LONG = 16
"""How many items a list has at least whose items are remembered."""
MOST = 16_384
"""So many items are remembered before all are forgotten."""
HOLDERS = frozenset(("Endpoints", "EndpointSlice"))
"""Kinds that hold a list of what there is and are written anew when one of it changes."""
_dumps: Callable[[Any], str] = json.JSONEncoder(separators=(",", ":"), sort_keys=True, ensure_ascii=False).encode


class Items:
    """What items of long lists were written as."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Any, str]] = {}
        self.written = 0
        """How many items were written out; tests hold it against how many are new."""

    def text(self, value: Any) -> str:
        """Return the canonical JSON of a value."""
        if type(value) is list:
            write = self._item if len(value) >= LONG else self.text
            return f"[{','.join([write(item) for item in value])}]"
        if type(value) is dict:
            return f"{{{','.join([f'{_dumps(name)}:{self.text(value[name])}' for name in sorted(value)])}}}"
        return _dumps(value)

    def _item(self, item: Any) -> str:
        known = self._known.get(id(item))
        if known is not None and known[0] is item:
            return known[1]
        if len(self._known) >= MOST:
            self._known.clear()
        text = _dumps(item)
        self.written += 1
        self._known[id(item)] = (item, text)  # which keeps the item, so that no other gets its id
        return text
