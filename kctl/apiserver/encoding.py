"""Objects as the store keeps them: canonical JSON, in which what many objects share stands once.

In: the objects of a batch. Out: a value each, and the templates that became worth having. A value
is the object itself, the same bytes as ``json.dumps`` with sorted keys gives, or a list of the
name of a template and what the object has in its places. A template is a value of its own
under ``/templates.kctl.dev//NAME``, named by its content and written once; what is referred to
by a state that can be read is never removed (see :mod:`kctl.apiserver.sweep`).

Not here: revisions, and what may be read. Values of resources that may be sealed
(:mod:`kctl.apiserver.encryption`) never share anything.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple

from kctl.api.jsontext import canonical
from kctl.api.objects import Obj
from kctl.apiserver.items import HOLDERS, Items
from kctl.apiserver.kin import Batch, Families, Family, Member, as_object, enlist, members_of
from kctl.apiserver.steps import Filled
from kctl.apiserver.templates import Places, Template, differences, written

if TYPE_CHECKING:
    from kctl.store.api import Store

TEMPLATES = "templates.kctl.dev"
"""The resource of templates: keys of the store, not objects of the API."""
PLACE = f"/{TEMPLATES}//"
MIN_ALIKE = 32
"""So many objects of one form are many; fewer are kept as they are, for people to read."""
MIN_CLOSE, MIN_WIDE = 4, 8
"""Of many, so many make a template worth it: of one owner, of different ones."""
SAMPLES = 8
"""So many are compared to find where they differ; those that differ elsewhere are compared once more."""
MAX_TEMPLATES = 6
"""So many templates a family has at most; objects of none of them are kept as they are."""
MENTIONS = 4096
"""So many answers about words in templates are remembered."""
GAIN = 2
"""A template must make its objects so many times shorter."""

SHARED_IN = ("metadata", "spec")
"""Where objects share what they hold in memory; a status is its own."""


class Encoded(NamedTuple):
    """The values of a batch, in its order, and the templates they need that are not stored yet."""

    values: list[bytes]
    fresh: dict[str, Template]


class Encoder:
    """Writes whole objects. It remembers the text of what they share, so what it has written must not go away."""

    def __init__(self) -> None:
        self._known: dict[int, str] = {}

    def encode(self, obj: Obj) -> bytes:
        """Return the canonical JSON of an object."""
        parts = []
        for name in sorted(obj):
            value = obj[name]
            text = self._struct(value) if name in SHARED_IN and type(value) is dict else canonical(value)
            parts.append(f"{canonical(name)}:{text}")
        return f"{{{','.join(parts)}}}".encode()

    def _struct(self, value: Obj) -> str:
        """Write a struct whose parts may be shared; what is not is written together."""
        known = self._known
        parts = []
        for name in sorted(value):
            child = value[name]
            kind = type(child)
            if kind is str or kind is int or not child:
                text = canonical(child)
            elif name == "managedFields":
                text = f"[{','.join([self._shared(entry) for entry in child])}]"
            else:
                text = known.get(id(child)) or self._shared(child)
            parts.append(f"{canonical(name)}:{text}")
        return f"{{{','.join(parts)}}}"

    def _shared(self, value: Any) -> str:
        text = self._known.get(id(value))
        if text is None:
            text = self._known[id(value)] = canonical(value)
        return text


class Codec:
    """Writes and reads the values of one store, with the templates that are in it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._texts: dict[str, bytes] | None = None
        self._parsed: dict[str, Template] = {}
        self._mentions: dict[tuple[bytes, tuple[bytes, ...]], bool] = {}
        """Whether words stand in templates, by the name of the template."""
        self._families: Families | None = None
        self._waiting: dict[Family, list[Obj]] = {}
        self._items = Items()
        self._in_vain: dict[Family, int] = {}
        """How many of a family were compared and gained nothing: twice as many are compared next."""

    # reading

    def decode(self, value: bytes) -> Obj:
        """Return the object that a value holds; Corrupt when its template is not there."""
        if value[:1] != b"[":
            obj: Obj = json.loads(value)
            return obj
        name, *values = json.loads(value)
        return (self._parsed.get(name) or self._template(name)).make(values)

    def may_mention(self, value: bytes, words: tuple[bytes, ...]) -> bool:
        """Say whether one of the words stands in a value or in its template."""
        if any(word in value for word in words):
            return True
        if value[:1] != b"[":
            return False
        place = (value[2 : value.index(b'"', 2)], words)
        found = self._mentions.get(place)
        if found is None:
            if len(self._mentions) >= MENTIONS:
                self._mentions.clear()
            text = self._stored().get(place[0].decode())
            found = self._mentions[place] = text is None or any(word in text for word in words)
        return found

    def _template(self, name: str) -> Template:
        text = self._stored().get(name)
        if text is None:
            found = self._store.get(PLACE + name)  # another process may have made it since
            if found is None:
                from kctl.store.errors import Corrupt

                raise Corrupt(f"the template {name} is missing, which objects in the log are written with")
            text = self._stored()[name] = found.value
        template = self._parsed[name] = Template.parse(text)
        return template

    def _stored(self) -> dict[str, bytes]:
        if self._texts is None:
            found = sorted(self._store.list(PLACE).items, key=lambda kv: kv.mod_revision)
            self._texts = {kv.key.removeprefix(PLACE): kv.value for kv in found}
        return self._texts

    def forget(self) -> None:
        """Read the templates anew when they are next needed: others may have changed them."""
        self._texts, self._families = None, None
        self._parsed.clear()
        self._mentions.clear()

    # writing

    def encode(self, batch: Batch) -> Encoded:
        """Return the values of (resource, object) pairs; what is fresh is known once it was kept."""
        values: list[bytes | None] = [None] * len(batch)
        fresh: dict[str, Template] = {}
        left = members_of(batch)
        if left:
            left = self._by_known(left, values)
        left = self._many(left)
        for field, least in (("close", MIN_CLOSE), ("wide", MIN_WIDE)):
            groups: dict[int, list[Member]] = {}  # a family is one object in a batch
            for member in left:
                groups.setdefault(id(getattr(member, field)), []).append(member)
            left = []
            for members in groups.values():
                left += self._by_new(getattr(members[0], field), least, members, values, fresh)
        for member in left:
            self._wait(member)
        whole = Encoder().encode
        out = [whole(as_object(obj)) if v is None else v for v, (_, obj) in zip(values, batch, strict=True)]
        return Encoded(out, fresh)

    @property
    def count(self) -> int:
        """How many templates are stored."""
        return len(self._stored())

    def keep(self, fresh: dict[str, Template]) -> None:
        """Know templates that are stored now."""
        for name, template in fresh.items():
            self._stored()[name] = template.text
            self._parsed[name] = template
            if self._families is not None:
                enlist(self._families, name, template)

    def _by_known(self, members: list[Member], values: list[bytes | None]) -> list[Member]:
        """Write what known templates fit and return the rest."""
        families = self._known_families()
        if not families:
            return members
        left = []
        tried: dict[int, list[tuple[str, Template]]] = {}
        for member in members:
            known = tried.get(id(member.close))
            if known is None:
                known = [*families.get(member.wide, ()), *families.get(member.close, ())][::-1]
                tried[id(member.close)] = known
            for name, template in known:
                value = self._read(member.object, name, template)
                if value is not None:
                    values[member.number] = value
                    break
            else:
                left.append(member)
        return left

    def _read(self, obj: Obj | Filled, name: str, template: Template) -> bytes | None:
        """Return the value of an object written with a template, None when it is not of it."""
        if isinstance(obj, Filled):
            way = obj.cohort.way(name, template)
            return way.write(obj.values) if way is not None else None
        found = template.read(obj)
        if found is None:
            return None
        return written(name, found, self._items.text if obj.get("kind") in HOLDERS else canonical)

    def _many(self, members: list[Member]) -> list[Member]:
        """Return those that are one of many; the others are remembered until they are."""
        counts = Counter([id(member.wide) for member in members])
        wides = {id(member.wide): member.wide for member in members}
        families, waiting = self._families or {}, self._waiting
        many = {
            id_
            for id_, count in counts.items()
            if wides[id_] in families or count + len(waiting.get(wides[id_], ())) >= MIN_ALIKE
        }
        for member in members:
            if id(member.wide) not in many:
                self._wait(member)
        return [member for member in members if id(member.wide) in many]

    def _by_new(
        self,
        family: Family,
        least: int,
        members: Sequence[Member],
        values: list[bytes | None],
        fresh: dict[str, Template],
    ) -> list[Member]:
        """Make templates for the members of a family while it is worth it; return who fits none."""
        known = list(self._known_families().get(family, ()))
        waiting = self._waiting.get(family, [])
        left = list(members)
        tried = self._in_vain.get(family, 0)
        while len(left) + len(waiting) >= max(least, 2 * tried) and len(known) < MAX_TEMPLATES:
            objects = [*waiting, *[member.object for member in left]]
            template = _derived(objects, known[-1][1] if known else None)
            name = blake2b(template.text, digest_size=8).hexdigest() if template is not None else ""
            if template is None or self._stored().get(name, template.text) != template.text:
                self._in_vain[family] = len(objects)
                break
            rest = []
            for member in left:
                value = self._read(member.object, name, template)
                if value is None:
                    rest.append(member)
                else:
                    values[member.number] = value
            if len(rest) == len(left):
                break
            left, waiting = rest, []
            known.append((name, template))
            if name not in self._stored():
                fresh[name] = template
        if len(left) < len(members):
            self._waiting.pop(family, None)
        return left

    def _wait(self, member: Member) -> None:
        """Remember an object until there are enough of its family."""
        waiting = self._waiting.setdefault(member.wide, [])
        if len(waiting) < MIN_ALIKE:
            waiting.append(as_object(member.object))

    def _known_families(self) -> Families:
        if self._families is None:
            self._families = {}
            for name in self._stored():
                enlist(self._families, name, self._parsed.get(name) or self._template(name))
        return self._families


def _derived(objects: Sequence[Obj | Filled], known: Template | None) -> Template | None:
    """Return a template that fits objects, a wider one than the one known; None when it gains nothing."""
    samples = [as_object(obj) for obj in (*objects[:2], *objects[2 :: max(1, len(objects) // SAMPLES)])]
    template = _widened(known, samples) if known is not None else None
    if template is None:
        places: Places = {}
        example = samples[0]
        if not all(differences(example, other, places) for other in samples[1:]):
            return None
        template = Template.of(example, places)
    found = template.read(samples[0])
    if found is None or len(Encoder().encode(samples[0])) < GAIN * len(written("", found)):
        return None
    return template


def _widened(known: Template, samples: Sequence[Obj]) -> Template | None:
    places = _copied(known.places)
    if all(differences(known.example, other, places) for other in samples):
        return Template.of(known.example, places)
    return None


def _copied(places: Places) -> Places:
    return {step: _copied(below) for step, below in places.items()}
