"""Text in, documents out: the values kubectl would read, with the place of every field.

Nothing here raises: whatever the bytes are, :func:`load` returns the documents that could be
read and a :class:`Problem` for each thing that is wrong. After a syntax error reading goes on
at the next ``---``.

Limits: a file has at most 32 MiB, a document 3 MiB (what kube-apiserver takes in one request;
a List may be as large as the file), nesting is at most 200 deep, and aliases may not multiply
a document (go-yaml's rule and message).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from kctl.api.garbage import uncollected
from kctl.gitops.positions import Place, Positions, Tree

MAX_FILE: Final = 32 << 20
MAX_DOCUMENT: Final = 3 << 20
MAX_DEPTH: Final = 200
MAX_PROBLEMS: Final = 20
"""After this many problems the rest of a file is not read."""
BOM: Final = b"\xef\xbb\xbf"
LFS: Final = b"version https://git-lfs."
MAX_POINTER: Final = 1024
OURS: Final = b"<<<<<<< "


class Problem(NamedTuple):
    """One thing wrong with the text; line and column count from 1."""

    line: int
    column: int
    message: str


class Document(NamedTuple):
    """One document that is not empty: where its value begins, the value, the places in it."""

    line: int
    column: int
    value: Any
    positions: Positions


class Loaded(NamedTuple):
    """What a text holds."""

    documents: list[Document]
    problems: list[Problem]


def load(data: bytes) -> Loaded:
    """Read a text of YAML documents, or of JSON objects one after another."""
    problem = _unreadable(data)
    if problem:
        return Loaded([], [problem])
    data = data.removeprefix(BOM)
    if _may_be_json(data):
        from kctl.gitops import json_text

        documents = json_text.read(data)
        if documents is not None:
            return Loaded(documents, [])
    from kctl.gitops import yaml

    with uncollected():
        return yaml.read(data)


def positions_of(start: Place, index: int, read: Callable[[], bytes]) -> Positions:
    """Return the places in document number ``index`` of a text that is read when asked."""

    def tree() -> Tree | None:
        try:
            return trees(read())[index]
        except (OSError, IndexError):
            return None

    return Positions(start, tree)


def trees(data: bytes) -> list[Tree | None]:
    """Return the places of the documents that are not empty, in order."""
    from kctl.gitops import json_text, yaml

    data = data.removeprefix(BOM)
    slices = json_text.slices(data) if _may_be_json(data) else None
    if slices is None:
        return yaml.trees(data)
    return [(yaml.trees(part) or [None])[0] for part in slices]


def _may_be_json(data: bytes) -> bool:
    return data.lstrip(b" \t\r\n").startswith(b"{")


def is_too_large(value: Any, size: int) -> bool:
    """Say whether a document of ``size`` characters is more than the API server would take."""
    return size > MAX_DOCUMENT and not (isinstance(value, dict) and str(value.get("kind", "")).endswith("List"))


def place_at(data: bytes, offset: int) -> Place:
    """Return the place of a byte offset; columns count characters."""
    start = data.rfind(b"\n", 0, offset) + 1
    return Place(data.count(b"\n", 0, offset) + 1, len(data[start:offset].decode(errors="replace")) + 1)


def _unreadable(data: bytes) -> Problem | None:
    """Say why bytes are no text at all."""
    if len(data) > MAX_FILE:
        return Problem(1, 1, f"larger than {MAX_FILE >> 20} MiB")
    for mark, name in ((b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16"), (b"\0\0\xfe\xff", "UTF-32")):
        if data.startswith(mark):
            return Problem(1, 1, f"the text is {name}: save it as UTF-8")
    if data.startswith(LFS) and len(data) < MAX_POINTER:
        return Problem(1, 1, "a pointer of Git LFS: the content itself is not here")
    conflict = _conflict(data)
    if conflict >= 0:
        return Problem(*place_at(data, conflict), "a conflict marker: the merge was never finished")
    at = data.find(b"\0")
    if at >= 0:
        return Problem(*place_at(data, at), "the text contains a NUL byte")
    try:
        data.decode()
    except UnicodeDecodeError as error:
        shown = data[error.start : error.start + 1].hex()
        return Problem(*place_at(data, error.start), f"the text is not UTF-8 (byte 0x{shown})")
    return None


def _conflict(data: bytes) -> int:
    """Return where git's marks of a conflict begin, -1 when there are none; all three must be there."""
    at = 0 if data.startswith(OURS) else data.find(b"\n" + OURS) + 1
    if not data.startswith(OURS, at):
        return -1
    middle = data.find(b"\n=======", at)
    return at if middle >= 0 and data.find(b"\n>>>>>>> ", middle) >= 0 else -1
