"""Who owns what after a write, found once for all moments.

In: managedFields before a write, its outline, who writes when; what works it out. Out: the managedFields after
it. Of times it only matters which are before which: that is where an entry stands, and the writer's entry has the
moment of the write. So what followed from a write follows from one alike at another moment, with other times.
An address that is an object's own is left out of account as :class:`kctl.api.patch.outline.Memo` does, which
asks here what it does not know.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from kctl.api.jsontext import as_given
from kctl.api.likeness import is_moment
from kctl.api.objects import Obj
from kctl.api.patch.outline import Drawn, Memo, Outcome, addressed, located

LIMIT = 4096
"""So many outcomes are remembered, and so many field sets that differ from another in their address alone."""
MOST = 8
"""Longer lists are worked out: upstream merges the oldest entries of those."""
Entries = list[Obj] | None


class Form(NamedTuple):
    """A list of managedFields but for its times and its own address."""

    key: tuple[Any, ...]
    fields: tuple[Obj, ...]
    """The field sets whose ids are in the key."""
    times: tuple[str, ...]
    address: str


class Part(NamedTuple):
    """One entry after a write: ``old`` says which one before it is, ``new`` is one that was made.

    ``time`` says which entry's time it has, -1 for the moment of the write.
    """

    old: int
    new: Obj
    time: int


class Known(NamedTuple):
    """What followed from a write. It keeps the field sets before, so that no others get the ids in its key."""

    fields: tuple[Obj, ...]
    parts: tuple[Part, ...] | None
    """None where the list stayed the very same."""
    made: Outcome


class Timeless:
    """What followed from writes; one beside each :class:`Memo`."""

    def __init__(self, memo: Memo) -> None:
        self._memo = memo
        self._known: dict[tuple[Any, ...], Known] = {}
        self._first: dict[int, tuple[Obj, Obj, str]] = {}
        """Field sets with an address of their own: itself, the first of its kind, the address."""
        self._sets: dict[str, Obj] = {}
        """Field sets by what they say."""
        self.worked_out = 0
        """How many outcomes were not known; tests hold it against how many there were."""

    def updated(
        self, before: Entries, drawn: Drawn, how: tuple[Any, ...], at: str, make: Callable[[], Entries]
    ) -> Entries:
        """Return the managedFields after a write at a moment; ``how`` says who writes."""
        form = self._form(before or [])
        if form is None or not is_moment(at) or len(drawn.addresses) > 1 or (form.address and drawn.addresses):
            return make()
        address = drawn.address or form.address
        moments = sorted({*form.times, at})
        order = tuple([moments.index(time) for time in form.times]), moments.index(at)
        key = (form.key, order, drawn.steps, bool(address), how)
        known = self._known.get(key)
        if known is not None:
            return self._played(known, before, form.times, at, address)
        self.worked_out += 1
        made = self._shared(make(), before)
        learned = _learned(form, before, made, at, address)
        if learned is not None:
            if len(self._known) >= LIMIT:
                self._known.clear()
            self._known[key] = learned
        return made

    def _shared(self, made: Entries, before: Entries) -> Entries:
        """Return the list with field sets that say what others said as those: what is known is known of the same ones."""
        if made is before or not made:
            return made
        if len(self._sets) >= LIMIT:
            self._sets.clear()
        old = {id(entry) for entry in before or ()}
        return [entry if id(entry) in old else self._with_shared(entry) for entry in made]

    def _with_shared(self, entry: Obj) -> Obj:
        fields = self._sets.setdefault(as_given(entry["fieldsV1"]), entry["fieldsV1"])
        return entry if fields is entry["fieldsV1"] else {**entry, "fieldsV1": fields}

    def _form(self, entries: list[Obj]) -> Form | None:
        """Return the form of a list, None of one that is not as it is always written."""
        if len(entries) > MOST:
            return None
        own = self._memo.own_fields(entries)
        key, kept, times, address = [], [], [], ""
        for n, entry in enumerate(entries):
            fields, time = entry.get("fieldsV1"), entry.get("time")
            if type(fields) is not dict or type(time) is not str or not is_moment(time):
                return None
            known = self._like(fields)
            if known is None and own is not None and own[0] == n:
                known = self._like(own[1]) or own
                known = (known[0], known[1], own[2])
            if known is not None:
                if address:
                    return None
                fields, address = known[1], known[2]
            key.append((tuple([entry.get(name) for name in NAMES]), id(fields)))
            kept.append(fields)
            times.append(time)
        return Form(tuple(key), tuple(kept), tuple(times), address)

    def _like(self, fields: Obj) -> tuple[Any, Obj, str] | None:
        """Return, after the field set itself, the first that is like it but for its address, and that; if it is known."""
        known = self._first.get(id(fields))
        return known if known is not None and known[0] is fields else None

    def _played(self, known: Known, before: Entries, times: tuple[str, ...], at: str, address: str) -> Entries:
        """Return what followed, at other times and with another address."""
        if known.parts is None:
            return before
        out = []
        place = known.made
        for n, (old, new, time) in enumerate(known.parts):
            if old >= 0 and before is not None:
                out.append(before[old])
                continue
            entry = {**new, "time": at if time < 0 else times[time]}
            if place.address and place.entry == n and place.address != address:
                entry["fieldsV1"] = addressed(new["fieldsV1"], place, address)
                if len(self._first) >= LIMIT:
                    self._first.clear()
                self._first[id(entry["fieldsV1"])] = (entry["fieldsV1"], new["fieldsV1"], address)
            out.append(entry)
        return out


NAMES = ("manager", "operation", "apiVersion", "subresource", "fieldsType")


def _learned(form: Form, before: Entries, made: Entries, at: str, address: str) -> Known | None:
    """Return what can be said of other moments, None when that is not known."""
    times = form.times
    if made is before:
        return Known(form.fields, None, Outcome(None))
    place = located(made, address)
    if not made or len(made) > MOST or place is None:
        return None
    parts = []
    for entry in made:
        old = next((n for n, one in enumerate(before or ()) if one is entry), -1)
        same = [n for n, one in enumerate(before or ()) if all(one.get(name) == entry.get(name) for name in NAMES)]
        time = next((n for n in same if times[n] == entry.get("time")), -1)
        if old < 0 and time < 0 and entry.get("time") != at:
            return None
        parts.append(Part(old, entry, -1 if entry.get("time") == at and old < 0 else time))
    return Known(form.fields, tuple(parts), place)


def beside(memo: Memo) -> Timeless:
    """Return what is remembered beside a memo."""
    found: Timeless | None = memo.beside
    if found is None:
        found = memo.beside = Timeless(memo)
    return found
