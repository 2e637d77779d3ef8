"""What a disk holds after the power went: durable bytes, and some of what was on its way.

In: the steps of :mod:`disk`, in order. Out: images, that is the bytes of every file as they may
be found after a cut behind the last step. Durable is what a ``sync`` of that very file or, for
names, of that very folder has covered. Of the rest each 512-byte sector may have arrived or not,
in any order (``torn``), every write whole or not at all (``some``), all of it (``kept``: that is also what kill -9
leaves) or nothing (``dropped``). Names arrive in order, as in a journalling file system.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.store.faults.disk import Step

SECTOR = 512
MODES = ("kept", "dropped", "some", "torn")

Image = dict[str, bytes]


class _Pending(NamedTuple):
    """A write (or, without data, a truncation) that no sync has covered."""

    offset: int
    data: bytes | None


class _File:
    def __init__(self, content: bytes = b"") -> None:
        self.durable = bytearray(content)
        self.pending: list[_Pending] = []

    def sync(self) -> None:
        for pending in self.pending:
            _apply(self.durable, pending)
        self.pending = []


class _Name(NamedTuple):
    """A change of names that no sync of the folder has covered."""

    kind: str
    path: str
    to: str
    file: _File | None


class Platter:
    """A folder's files as the disk has them; starts with everything durable."""

    def __init__(self, root: Path) -> None:
        self._files = {str(path): _File(path.read_bytes()) for path in sorted(root.rglob("*")) if path.is_file()}
        self._now = dict(self._files)
        self._names: list[_Name] = []

    def take(self, step: Step) -> None:
        """Let one step happen; it is not durable before its sync."""
        kind, path = step.kind, step.path
        if kind == "sync":
            if path in self._now:
                self._now[path].sync()
            else:
                self._sync_names(path)
        elif kind in ("write", "truncate"):
            if path in self._now:
                self._now[path].pending.append(_Pending(step.offset, step.data if kind == "write" else None))
        elif kind == "create":
            self._name(_Name(kind, path, "", _File()))
        elif kind in ("delete", "rename", "link"):
            self._name(_Name(kind, path, step.to, self._now.get(path)))

    def _name(self, change: _Name) -> None:
        self._names.append(change)
        _rename(self._now, change)

    def _sync_names(self, folder: str) -> None:
        rest = []
        for change in self._names:
            if folder in (os.path.dirname(change.path), os.path.dirname(change.to)):  # noqa: PTH120
                _rename(self._files, change)
            else:
                rest.append(change)
        self._names = rest

    def image(self, mode: str, dice: random.Random) -> Image:
        """Return one image that a cut at this moment may leave."""
        names = dict(self._files)
        arrived = {"kept": len(self._names), "dropped": 0}.get(mode, dice.randint(0, len(self._names)))
        for change in self._names[:arrived]:
            _rename(names, change)
        return {path: self._content(file, mode, dice) for path, file in sorted(names.items())}

    def _content(self, file: _File, mode: str, dice: random.Random) -> bytes:
        if mode == "dropped" or not file.pending:
            return bytes(file.durable)
        content = bytearray(file.durable)
        for pending in file.pending:
            if mode == "kept" or (mode == "some" and dice.random() < 0.5):
                _apply(content, pending)
            elif mode == "torn":
                for part in _sectors(pending):
                    if dice.random() < 0.5:
                        _apply(content, part)
        return bytes(content)


def _sectors(pending: _Pending) -> Iterator[_Pending]:
    """Cut a write where the disk's sectors end."""
    if pending.data is None:
        yield pending
        return
    start, end = pending.offset, pending.offset + len(pending.data)
    while start < end:
        stop = min(end, (start // SECTOR + 1) * SECTOR)
        yield _Pending(start, pending.data[start - pending.offset : stop - pending.offset])
        start = stop


def _apply(content: bytearray, pending: _Pending) -> None:
    offset, data = pending
    if data is None:
        del content[offset:]
        content.extend(bytes(offset - len(content)))
        return
    if offset > len(content):
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data


def _rename(files: dict[str, _File], change: _Name) -> None:
    if change.kind == "create" and change.file is not None:
        files[change.path] = change.file
    elif change.kind == "link" and change.file is not None:
        files[change.to] = change.file
    elif change.kind == "delete":
        files.pop(change.path, None)
    elif change.kind == "rename":
        files.pop(change.path, None)
        if change.file is not None:
            files[change.to] = change.file


def write(image: Image, root: Path, to: Path) -> None:
    """Lay an image down in another folder."""
    for path, content in image.items():
        place = to / Path(path).relative_to(root)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
