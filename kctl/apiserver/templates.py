"""What many objects have in common, written once: a template, and what each object fills in.

In: an example and the places where objects like it differ. Out: :meth:`Template.read` tells an
object apart into the values of those places, and :meth:`Template.make` puts it together again.
Both are exact: an object that differs in any other place, be it only ``1`` for ``true``, is not
of the template, and what is made is the same JSON. What is made shares everything but the
places with all others of its template; objects are never changed in place.

Not here: which objects are tried with which template, and where templates are kept.
"""

from __future__ import annotations

import json
import marshal
from collections.abc import Callable, Iterable, Sequence
from json.encoder import encode_basestring
from operator import itemgetter
from typing import Any, NamedTuple

from kctl.api.jsontext import canonical
from kctl.api.objects import Obj

Places = dict[Any, "Places"]
"""Where objects differ: a step of the path (a field or an index) to what lies below; ``HOLE`` ends it."""
HOLE: Places = {}
"""A place that is filled in, whole."""
ABSENT: Any = object()
EXACT = 2
"""The format of ``marshal`` that tells apart what is different JSON, and nothing but the order of fields besides."""
MAX_FORMS = 8
MOST_ITEMS = 256
"""Longer lists fill a place whole."""
TEXT = frozenset((str,))
MAX_MADE = 4096
"""So many parts are remembered of one template."""
SHARED_AT = 3
"""How deep they begin: an object is 1, its spec 2, the spec's containers 3."""

Path = tuple[Any, ...]
Getter = Callable[[Any], Any] | None


class Node(NamedTuple):
    """A dict or list of a template that has places in it; ``parent`` is the number of the one it is in.

    ``alike`` are its children that ``==`` compares exactly, ``numbers`` those for which the type
    counts too, ``closed`` dicts and lists with such children somewhere below.
    """

    parent: int
    step: Any
    value: Any
    kind: Any
    size: int
    holes: tuple[Any, ...]
    alike: Getter
    alike_values: Any
    numbers: Getter
    number_values: Any
    closed: tuple[tuple[Any, Closed], ...]


class Closed:
    """A part without places, and the forms it was met in that are it exactly."""

    __slots__ = ("_forms", "_last", "value")

    def __init__(self, value: Any) -> None:
        self.value = self._last = value
        self._forms: set[bytes] = set()

    def is_in(self, other: Any) -> bool:
        """Say whether ``other`` is the same JSON as this part."""
        if other is self._last:
            return True
        if other != self.value or not self._is_exactly(other):
            return False
        self._last = other
        return True

    def _is_exactly(self, other: Any) -> bool:
        """Say whether an equal value is also of the same types."""
        try:
            form = marshal.dumps(other, EXACT)
        except ValueError:  # a frozen object
            return is_same(self.value, other)
        if form in self._forms:
            return True
        if not is_same(self.value, other):
            return False
        if len(self._forms) < MAX_FORMS:
            self._forms.add(form)
        return True


class Template:
    """An example object with holes."""

    __slots__ = ("_made", "_nodes", "_spans", "example", "places", "text")

    def __init__(self, example: Obj, places: Places, text: bytes) -> None:
        self.example = example
        self.places = places
        self.text = text
        self._nodes: list[Node] = []
        self._spans: list[Span | None] = []
        self._made: dict[tuple[Any, ...], Any] = {}
        """Parts that were made, by what was filled in: objects read one by one share them as those made together do."""

    @classmethod
    def of(cls, example: Obj, places: Places) -> Template:
        """Return the template of an object with holes in these places."""
        _open_floats(example, places)
        emptied = _emptied(example, places)
        paths = [list(path) for path in _paths(places)]
        return cls(emptied, places, canonical({"holes": paths, "object": emptied}).encode())

    @classmethod
    def parse(cls, text: bytes) -> Template:
        """Read a template back from its text."""
        found = json.loads(text)
        places: Places = {}
        for path in found["holes"]:
            _open(places, path)
        return cls(found["object"], places, text)

    def _all(self) -> list[Node]:
        """Return the nodes, made when first needed: most templates of a store are only looked through."""
        if not self._nodes:
            _flatten(self._nodes, 0, None, self.example, self.places)
            self._spans = _spans(self._nodes)
        return self._nodes

    def read(self, obj: Obj) -> list[Any] | None:
        """Return what ``obj`` has in the holes, None when it is not of this template."""
        values: list[Any] = []
        parts: list[Any] = [{None: obj}]
        try:
            for parent, step, _, kind, size, holes, alike, same, numbers, exact, closed in self._all():
                part = parts[parent][step]
                if len(part) != size or not isinstance(part, kind):
                    return None
                for hole in holes:
                    values.append(part[hole])  # noqa: PERF401 - a comprehension costs more than what it does
                if alike is not None and alike(part) != same:
                    return None
                if numbers is not None and _typed(numbers(part)) != exact:
                    return None
                for below, want in closed:
                    if not want.is_in(part[below]):
                        return None
                parts.append(part)
        except (KeyError, IndexError, TypeError):  # what should be there is not, or is of another kind
            return None
        return values

    def make(self, values: Sequence[Any]) -> Obj:
        """Return the object that :meth:`read` tells apart into ``values``."""
        nodes, known = self._all(), self._made
        spans = self._spans
        parts: list[Any] = [{}]
        n = at = 0
        while at < len(nodes):
            node = nodes[at]
            span = spans[at]
            if span is not None:
                filled = values[n : n + span.holes]
                if TEXT.issuperset(map(type, filled)):  # other values may be equal and not the same
                    place = (at, *filled)
                    part = known.get(place)
                    if part is None:
                        if len(known) >= MAX_MADE:
                            known.clear()
                        part = known[place] = self._part(at, span.behind, filled)
                else:
                    part = self._part(at, span.behind, filled)
                parts[node[0]][node[1]] = part
                parts += (None,) * (span.behind - at)
                n, at = n + span.holes, span.behind
                continue
            part = node[2].copy()
            parts[node[0]][node[1]] = part
            for hole in node[5]:
                part[hole] = values[n]
                n += 1
            parts.append(part)
            at += 1
        made: Obj = parts[1]
        return made

    def _part(self, at: int, behind: int, values: Sequence[Any]) -> Any:
        """Return what is made of one node and those below it."""
        made: list[Any] = []
        n = 0
        for node in self._nodes[at:behind]:
            part = node[2].copy()
            if made:
                made[node[0] - at - 1][node[1]] = part
            for hole in node[5]:
                part[hole] = values[n]
                n += 1
            made.append(part)
        return made[0]


def differences(example: Any, other: Any, places: Places) -> bool:
    """Add to ``places`` where ``other`` is not the same; False when they are not of one form.

    Two of one form are both dicts of the same fields, or both lists of the same length; then what
    differs lies below.
    """
    if isinstance(example, dict):
        if not isinstance(other, dict) or example.keys() != other.keys():
            return False
        steps: Iterable[Any] = example
    elif isinstance(example, list):
        if not isinstance(other, list) or len(example) != len(other):
            return False
        steps = range(len(example))
    else:
        return False
    for step in steps:
        below = places.get(step)
        if below is not None and not below:
            continue
        one, two = example[step], other[step]
        if one is not two and not (one == two and is_same(one, two)):
            into = below or {}
            places[step] = into if _is_large(one) and differences(one, two, into) else HOLE
    return True


def _is_large(value: Any) -> bool:
    """Say whether there is so much in a part that its differences are worth telling apart: not in ``[{"ip": ...}]``.

    Nor in lists of hundreds, where all items move up when one comes.
    """
    if not isinstance(value, list) or len(value) != 1:
        return not isinstance(value, list) or len(value) <= MOST_ITEMS
    return isinstance(value[0], dict | list) and len(value[0]) > 1


def is_same(one: Any, other: Any) -> bool:
    """Say whether two values are the same JSON; Python's own ``==`` takes ``1`` for ``True``."""
    if one is other:
        return True
    if isinstance(one, dict):
        return (
            isinstance(other, dict)
            and one.keys() == other.keys()
            and all(is_same(value, other[name]) for name, value in one.items())
        )
    if isinstance(one, list):
        return (
            isinstance(other, list)
            and len(one) == len(other)
            and all(is_same(value, found) for value, found in zip(one, other, strict=True))
        )
    return type(one) is type(other) and one == other and (type(one) is not float or repr(one) == repr(other))


def written(name: str, values: Sequence[Any], text: Callable[[Any], str] = canonical) -> bytes:
    """Return the stored value of an object of the template called ``name``: what it has in the places.

    ``text`` writes what is no string.
    """
    texts = [encode_basestring(value) if type(value) is str else text(value) for value in values]
    return f'["{name}",{",".join(texts)}]'.encode() if texts else f'["{name}"]'.encode()


def _paths(places: Places, before: Path = ()) -> list[Path]:
    found: list[Path] = []
    for step in sorted(places):
        below = places[step]
        found += _paths(below, (*before, step)) if below else [(*before, step)]
    return found


def _open(places: Places, path: Sequence[Any]) -> None:
    for step in path[:-1]:
        places = places.setdefault(step, {})
    places[path[-1]] = HOLE


def _emptied(value: Any, places: Places) -> Any:
    """Return a copy with null in the holes; what holds none is shared, dicts have their fields in order."""
    if isinstance(value, dict):
        names = sorted(value)
        return {name: _filled(value[name], places.get(name)) for name in names}
    return [_filled(child, places.get(n)) for n, child in enumerate(value)]


def _filled(value: Any, below: Places | None) -> Any:
    if below is None:
        return value
    return _emptied(value, below) if below else None


def _open_floats(value: Any, places: Places) -> None:
    """Make a place of every fraction: equal ones need not be written alike."""
    for step, child in value.items() if isinstance(value, dict) else enumerate(value):
        below = places.get(step)
        if isinstance(child, float):
            places[step] = HOLE
        elif isinstance(child, dict | list) and (below is None or below):
            into = below or {}
            _open_floats(child, into)
            if into:
                places[step] = into


def _flatten(nodes: list[Node], parent: int, step: Any, value: Any, places: Places) -> None:
    """Add a part that has places in it, and those below it."""
    alike, numbers, closed, parts, holes = [], [], [], [], []
    for name, child in value.items() if isinstance(value, dict) else enumerate(value):
        below = places.get(name)
        if below:
            parts.append((name, child, below))
        elif below is not None:
            holes.append(name)
        elif isinstance(child, str) or _is_plain(child):
            alike.append((name, child))
        elif isinstance(child, dict | list):
            closed.append((name, Closed(child)))
        else:
            numbers.append((name, child))
    same, exact = _values(alike), _typed(_values(numbers)) if numbers else ()
    kind = dict if isinstance(value, dict) else list
    getters = _getter(alike), _getter(numbers)
    nodes.append(
        Node(parent, step, value, kind, len(value), tuple(holes), getters[0], same, getters[1], exact, tuple(closed))
    )
    number = len(nodes)
    for name, child, below in parts:
        _flatten(nodes, number, name, child, below)


class Span(NamedTuple):
    """A node whose whole part may be shared: the number behind the last node in it, and its holes."""

    behind: int
    holes: int


def _spans(nodes: Sequence[Node]) -> list[Span | None]:
    """Return for each node the span that begins there: for the fields of metadata, spec and status."""
    depths = [0]
    for node in nodes:
        depths.append(depths[node.parent] + 1)
    out: list[Span | None] = []
    for n in range(len(nodes)):
        behind = next((m for m in range(n + 1, len(nodes)) if depths[m + 1] <= depths[n + 1]), len(nodes))
        holes = sum(len(node.holes) for node in nodes[n:behind])
        out.append(Span(behind, holes) if depths[n + 1] == SHARED_AT else None)
    return out


def getter_of(steps: Sequence[Any]) -> Callable[[Any], tuple[Any, ...]]:
    """Return what gets the values at steps, as a tuple however many they are."""
    if len(steps) > 1:
        return itemgetter(*steps)
    return lambda part: tuple(part[step] for step in steps)


def _getter(children: Sequence[tuple[Any, Any]]) -> Getter:
    return itemgetter(*(name for name, _ in children)) if children else None


def _values(children: Sequence[tuple[Any, Any]]) -> Any:
    """Return what the getter of the children returns: a tuple, of one the child itself."""
    return children[0][1] if len(children) == 1 else tuple(child for _, child in children)


def _typed(values: Any) -> Any:
    """Return values with their types, which tell ``1`` from ``True``."""
    return (values, tuple(map(type, values))) if type(values) is tuple else (values, type(values))


def _is_plain(value: Any) -> bool:
    """Say whether there are only texts in a value, so that ``==`` compares it exactly."""
    if isinstance(value, dict):
        return all(map(_is_plain, value.values()))
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return isinstance(value, str)
