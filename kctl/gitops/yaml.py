"""YAML as kubectl reads it, on the event stream of libyaml.

With ``emitter.py`` the only module that knows PyYAML. It takes the *events* of its C parser and builds the values
itself: PyYAML's own loader has other scalar rules (see ``scalars.py``), loses duplicate keys,
refuses anchors that are used again and ``=`` as a value, and is slower. Two rules differ from
kubectl on purpose: a duplicate key is an error, and so is UTF-16.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from yaml.cyaml import CParser  # type: ignore[attr-defined]  # missing in types-PyYAML
from yaml.error import YAMLError
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from kctl.gitops import scalars
from kctl.gitops.documents import (
    MAX_DEPTH,
    MAX_DOCUMENT,
    MAX_PROBLEMS,
    Document,
    Loaded,
    Problem,
    is_too_large,
    place_at,
)
from kctl.gitops.positions import Place, Positions, Tree

EXCESSIVE: Final = "document contains excessive aliasing"
WANT_MAP: Final = "map merge requires map or sequence of maps as the value"
MAX_ALIASED: Final = 16 << 20
"""Characters that aliases may add to a document."""
TOO_DEEP: Final = f"nested more than {MAX_DEPTH} deep"
MEMO_TEXT: Final = 40
"""Scalars up to this length are resolved once per text."""
NO_KEY: Final = object()
MERGE: Final = object()
UNSEEN: Final = object()


def read(data: bytes) -> Loaded:
    """Return the documents of a text and what is wrong with it."""
    documents: list[Document] = []
    problems: list[Problem] = []
    for built in _builders(data):
        problems += built.problems
        if not built.problems and built.value is not None:
            start = Place(built.line + 1, built.column + 1)
            documents.append(Document(*start, built.value, Positions(start, built.places)))
        if len(problems) >= MAX_PROBLEMS:
            break
    return Loaded(documents, problems)


def dump(value: Any) -> str:
    """Write a JSON value as ``kubectl get -o yaml`` does."""
    from kctl.gitops.emitter import dump as emit

    return emit(value)


def trees(data: bytes) -> list[Tree | None]:
    """Return the places of the documents that are not empty, in order."""
    # YAML refuses the escapes of JSON's surrogate pairs; for places any letter will do.
    data = re.sub(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}", rb"\\u0020", data)
    return [built.places() for built in _builders(data) if not built.problems and built.value is not None]


def _builders(data: bytes) -> Iterator[Builder]:
    """Yield each document as it was built; after a syntax error go on at the next ``---``."""
    memo = Memo({}, {})
    rest: bytes | None = data
    while rest is not None:
        parser = CParser(rest)
        builder = Builder(parser, memo)
        try:
            while True:
                builder = Builder(parser, memo)
                if not builder.build():
                    return
                yield builder
        except TooDeep as stop:
            line = stop.line
        except YAMLError as error:
            problem = _syntax_problem(error, rest)
            builder.problems.append(problem)
            line = problem.line
        yield builder
        rest = _next_document(rest, line)


def _syntax_problem(error: Any, data: bytes) -> Problem:
    """Say what libyaml did not understand, and where."""
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        offset = getattr(error, "position", None)
        place = place_at(data, offset) if isinstance(offset, int) else Place(1, 1)
        return Problem(*place, str(getattr(error, "reason", error)).splitlines()[0])
    lines = data.split(b"\n", mark.line + 1)
    text = lines[mark.line].decode(errors="replace") if mark.line < len(lines) else ""
    if "\t" in text[: mark.column + 1] and not text[: mark.column].strip():
        return Problem(mark.line + 1, mark.column + 1, "a tab character cannot indent YAML: use spaces")
    message = str(error.problem or error.context)
    opened = error.context_mark
    if opened is not None and opened.line != mark.line and error.context:
        message += f" ({error.context} that began in line {opened.line + 1})"
    return Problem(mark.line + 1, mark.column + 1, message)


def _next_document(data: bytes, line: int) -> bytes | None:
    """Return the text from the next ``---`` at or below ``line`` on, with blank lines before it."""
    at = 0
    for _ in range(line - 1):
        at = data.find(b"\n", at) + 1
        if at == 0:
            return None
    begun = len(data) - len(data.lstrip(b"\n"))  # the ``---`` we started from is not the next
    found = re.compile(rb"\n---(?=[ \t\r\n]|\Z)").search(data, max(at - 1, begun))
    if found is None:
        return None
    return b"\n" * data.count(b"\n", 0, found.start() + 1) + data[found.start() + 1 :]


class TooDeep(Exception):
    """A document is nested too deep; libyaml would take ever longer to read what follows."""

    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


class Memo(NamedTuple):
    """Plain scalars resolved so far: as values, and as keys."""

    values: dict[str, Any]
    keys: dict[str, Any]


class Frame:
    """A mapping or sequence being built, and the tree of places beside it.

    ``key`` is what waits for a value (NO_KEY: a key must come; None: a sequence), ``mark`` the
    place of that key, or of the item that is being built.
    """

    __slots__ = ("key", "mark", "tree", "value")

    def __init__(self, value: Any, tree: Any, key: Any) -> None:
        self.value = value
        self.tree = tree
        self.key = key
        self.mark: Any = None


class Anchored(NamedTuple):
    """What an anchor names, and what using it costs: nodes, characters, depth."""

    value: Any
    tree: Any
    nodes: int
    weight: int
    height: int


class Builder:
    """Builds one document out of the parser's events.

    The root frame is a list that will hold the document's value. A fatal problem sets
    ``broken``: the events up to the document's end are then read and forgotten.
    """

    def __init__(self, parser: Any, memo: Memo) -> None:
        self.problems: list[Problem] = []
        self.line = self.column = 0
        self.frame = Frame([], [], None)
        self._parser = parser
        self._memo = memo
        self._stack: list[Frame] = []
        self._anchors: dict[str, Anchored | None] = {}
        self._open_anchors: dict[int, tuple[str, int, int]] = {}
        self._merged: dict[int, set[str]] = {}
        self._nodes = 0
        self._aliased = 0
        self._weight = 0
        self._broken = False

    @property
    def value(self) -> Any:
        """The document's value; None for an empty one."""
        return self.frame.value[0] if self.frame.value else None

    def places(self) -> Tree | None:
        """Return the tree of places beside the value."""
        entry = self.frame.tree[0] if self.frame.tree else None
        return entry[1] if isinstance(entry, tuple) else None

    def build(self) -> bool:
        """Read one document; False when the stream ends instead."""
        get_event, scalar = self._parser.get_event, ScalarEvent
        values, keys = self._memo
        frame, nodes = self.frame, 0
        while True:
            event = get_event()
            nodes += 1
            if type(event) is scalar and frame.key is NO_KEY and event.tag is None and event.anchor is None:
                text = event.value
                key = text if event.style else keys.get(text, UNSEEN)
                if key is UNSEEN:
                    key = self._plain_key(text, event.start_mark)
                mark = event.start_mark
                if key in frame.tree:
                    self._check_key(frame, key, mark)
                event = get_event()
                nodes += 1
                if type(event) is scalar and key is not MERGE and event.tag is None and event.anchor is None:
                    text = event.value
                    value = text if event.style else values.get(text, UNSEEN)
                    if value is UNSEEN:
                        value = self._plain_value(text, event.start_mark)
                    frame.value[key] = value
                    frame.tree[key] = mark
                    continue
                frame.key = key
                frame.mark = mark
            self._nodes += nodes
            nodes = 0
            more = self._take(event)
            if more is not None:
                return more
            frame = self.frame

    def _take(self, event: Any) -> bool | None:
        """Take in any event: True at the document's end, False at the stream's."""
        kind = type(event)
        if self._broken:
            self.frame = Frame([], [], None)  # what follows is read and forgotten
            return True if kind is DocumentEndEvent else None
        if kind is MappingEndEvent or kind is SequenceEndEvent:
            done = self.frame
            outer = self.frame = self._stack.pop()
            if self._open_anchors:
                self._name(done, event)
            if outer.key is None:
                outer.value.append(done.value)
                outer.tree.append((outer.mark, done.tree))
            else:
                self._put(outer, done.value, done.tree, outer.mark)
        elif kind is MappingStartEvent:
            self._open(Frame({}, {}, NO_KEY), event)
        elif kind is ScalarEvent:
            self._scalar(event)
        elif kind is SequenceStartEvent:
            self._open(Frame([], [], None), event)
        elif kind is AliasEvent:
            self._alias(event)
        elif kind is DocumentEndEvent:
            self._end(event)
            return True
        elif event is None or kind is StreamEndEvent:
            return False
        return None

    def _problem(self, mark: Any, message: str, *, fatal: bool = False) -> None:
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(Problem(mark.line + 1, mark.column + 1, message))
        self._broken = self._broken or fatal

    # Scalars

    def _plain_value(self, text: str, mark: Any) -> Any:
        try:
            value = scalars.json_value(scalars.resolve(text))
        except scalars.ScalarError as error:
            self._problem(mark, str(error))
            return None
        if len(text) <= MEMO_TEXT:
            self._memo.values[text] = value
        return value

    def _plain_key(self, text: str, mark: Any) -> Any:
        if text == "<<":
            return MERGE
        try:
            key = scalars.key_text(scalars.resolve(text))
        except scalars.ScalarError as error:
            self._problem(mark, str(error))
            return text
        if len(text) <= MEMO_TEXT:
            self._memo.keys[text] = key
        return key

    def _scalar(self, event: Any) -> None:
        """Take in an item, the value of a merge key, or what has a tag or an anchor."""
        mark, tag, text, frame = event.start_mark, event.tag, event.value, self.frame
        if tag is None and event.anchor is None:
            value = text if event.style else self._memo.values.get(text, UNSEEN)
            self._put(frame, self._plain_value(text, mark) if value is UNSEEN else value, None, mark)
            return
        try:
            if tag is not None:
                resolved = scalars.tagged(tag, text)
            else:
                resolved = text if event.style else scalars.resolve(text)
            if event.anchor is not None:
                self._anchors[event.anchor] = Anchored(resolved, None, 1, len(text), 0)
            if frame.key is not NO_KEY:
                self._put(frame, scalars.json_value(resolved), None, mark)
            elif text == "<<" and (tag == scalars.MERGE or (tag is None and not event.style)):
                self._begin(frame, MERGE, mark)
            else:
                self._begin(frame, scalars.key_text(resolved), mark)
        except scalars.ScalarError as error:
            self._problem(mark, str(error), fatal=True)

    # Mappings and sequences

    def _begin(self, frame: Frame, key: Any, mark: Any) -> None:
        """Take in a key."""
        if key in frame.tree:
            self._check_key(frame, key, mark)
        frame.key = key
        frame.mark = mark

    def _check_key(self, frame: Frame, key: Any, mark: Any) -> None:
        """Refuse a key that is there already, unless a merge brought it."""
        merged = self._merged.get(id(frame.tree))
        if merged and key in merged:
            merged.discard(key)
            return
        first = frame.tree[key]
        first = first[0] if isinstance(first, tuple) else first
        self._problem(mark, f'duplicate key "{key}", first in line {first.line + 1}')

    def _put(self, frame: Frame, value: Any, tree: Any, mark: Any) -> None:
        """Take in a value: the next item, or what the waiting key leads to."""
        key = frame.key
        if key is None:
            frame.value.append(value)
            frame.tree.append(mark if tree is None else (mark, tree))
        elif key is MERGE:
            self._merge(frame, value, tree, mark)
        else:
            frame.value[key] = value
            frame.tree[key] = frame.mark if tree is None else (frame.mark, tree)
            frame.key = NO_KEY

    def _merge(self, frame: Frame, value: Any, tree: Any, mark: Any) -> None:
        """Lay a mapping (or several, the first wins) over the frame, as go-yaml v2 does.

        Fields that stand before the ``<<`` are overridden too; those behind it win.
        """
        frame.key = NO_KEY
        sources = [(value, tree)]
        if isinstance(value, list):
            sources = [(v, t[1] if isinstance(t, tuple) else None) for v, t in zip(value, tree, strict=True)]
        merged = self._merged.setdefault(id(frame.tree), set())
        for source, places in reversed(sources):
            if not isinstance(source, dict):
                self._problem(mark, WANT_MAP, fatal=True)
                return
            frame.value.update(source)
            merged.update(key for key in source if key not in frame.tree)
            frame.tree.update(places)

    def _open(self, frame: Frame, event: Any) -> None:
        outer = self.frame
        if outer.key is None:
            outer.mark = event.start_mark
        elif outer.key is NO_KEY:
            self._problem(event.start_mark, "a key must be a scalar", fatal=True)
            return
        stack = self._stack
        stack.append(outer)
        if len(stack) > MAX_DEPTH:
            self._problem(event.start_mark, TOO_DEEP, fatal=True)
            raise TooDeep(event.start_mark.line + 1)
        self.frame = frame
        if event.anchor is not None:
            self._anchors[event.anchor] = None
            self._open_anchors[len(stack)] = (event.anchor, self._nodes, self._weight - event.start_mark.index)

    def _name(self, done: Frame, event: Any) -> None:
        """Remember what an anchor names, when it is a mapping or sequence that ends here."""
        opened = self._open_anchors.pop(len(self._stack) + 1, None)
        if opened is not None:
            name, nodes, weight = opened
            weight = self._weight + event.end_mark.index - weight
            height = _height(done.value, {})
            self._anchors[name] = Anchored(done.value, done.tree, self._nodes - nodes, weight, height)

    # Aliases

    def _alias(self, event: Any) -> None:
        """Take in what the anchor names, and what that costs."""
        mark, name, frame = event.start_mark, event.anchor, self.frame
        if name not in self._anchors:
            self._problem(mark, f"unknown anchor '{name}' referenced", fatal=True)
            return
        found = self._anchors[name]
        if found is None:
            self._problem(mark, f"anchor '{name}' value contains itself", fatal=True)
            return
        if self._costs_too_much(found):
            self._problem(mark, EXCESSIVE, fatal=True)
            return
        if len(self._stack) + found.height > MAX_DEPTH:
            self._problem(mark, TOO_DEEP, fatal=True)
            return
        is_scalar = found.tree is None
        if frame.key is NO_KEY and not is_scalar:
            self._problem(mark, "a key must be a scalar", fatal=True)
            return
        if frame.key is MERGE and not isinstance(found.value, dict):
            self._problem(mark, WANT_MAP, fatal=True)
            return
        try:
            if frame.key is NO_KEY:
                self._begin(frame, scalars.key_text(found.value), mark)
            else:
                self._put(frame, scalars.json_value(found.value) if is_scalar else found.value, found.tree, mark)
        except scalars.ScalarError as error:
            self._problem(mark, str(error))

    def _costs_too_much(self, found: Anchored) -> bool:
        """Count an alias as if it had been written out, and compare as go-yaml's decoder does."""
        self._nodes += found.nodes
        self._aliased += found.nodes
        self._weight += found.weight
        if self._weight > MAX_ALIASED:
            return True
        if self._aliased <= 100 or self._nodes <= 1000:
            return False
        return self._aliased / self._nodes > _allowed_ratio(self._nodes)

    def _end(self, event: Any) -> None:
        if self.frame.value:
            start = self.frame.tree[0]
            start = start[0] if isinstance(start, tuple) else start
            if is_too_large(self.value, event.start_mark.index - start.index):
                self._problem(start, f"the document is larger than {MAX_DOCUMENT >> 20} MiB")
            self.line, self.column = start.line, start.column


def _height(value: Any, known: dict[int, int]) -> int:
    """Return how deep a value is nested; shared parts are looked at once."""
    if not isinstance(value, dict | list):
        return 0
    height = known.get(id(value))
    if height is None:
        parts = value.values() if isinstance(value, dict) else value
        height = known[id(value)] = 1 + max((_height(part, known) for part in parts), default=0)
    return height


def _allowed_ratio(nodes: int) -> float:
    """Return which share of a document aliases may make up, as go-yaml's allowedAliasRatio."""
    low, high = 400_000, 4_000_000
    if nodes <= low:
        return 0.99
    if nodes >= high:
        return 0.10
    return 0.99 - 0.89 * (nodes - low) / (high - low)
