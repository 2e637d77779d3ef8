"""The text of long lists, of which one item is new and a thousand are the very same as the last time.

In: a JSON value. Out: its canonical text. What an item of a long list was written as is remembered for as long as
the item is the same value in memory; stored objects are never changed in place, so it says the same.
"""

from __future__ import annotations

from typing import Any

from kctl.api.jsontext import canonical

LONG = 16
"""How many items a list has at least whose items are remembered."""
MOST = 16_384
"""So many items are remembered before all are forgotten."""
HOLDERS = frozenset(("Endpoints", "EndpointSlice"))
"""Kinds that hold a list of what there is and are written anew when one of it changes."""


class Items:
    """What items of long lists were written as."""

    def __init__(self) -> None:
        self._texts: dict[int, str] = {}
        self._kept: list[Any] = []
        """The items themselves, so that no others get their ids."""
        self.written = 0
        """How many items were written out; tests hold it against how many are new."""

    def text(self, value: Any) -> str:
        """Return the canonical JSON of a value."""
        if type(value) is list:
            texts = self._long(value) if len(value) >= LONG else [self.text(item) for item in value]
            return f"[{','.join(texts)}]"
        if type(value) is dict:
            return f"{{{','.join([f'{canonical(name)}:{self.text(value[name])}' for name in sorted(value)])}}}"
        return canonical(value)

    def _long(self, items: list[Any]) -> list[str]:
        """Return the texts of the items of a long list: nearly all are there, and asking for them is all it costs."""
        found: list[Any] = list(map(self._texts.get, map(id, items)))
        at = -1
        for _ in range(found.count(None)):
            at = found.index(None, at + 1)
            found[at] = self._written(items[at])
        return found

    def _written(self, item: Any) -> str:
        if len(self._kept) >= MOST:
            self._texts.clear()
            self._kept.clear()
        text = canonical(item)
        self.written += 1
        self._texts[id(item)] = text
        self._kept.append(item)
        return text
