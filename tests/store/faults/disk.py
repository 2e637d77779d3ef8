"""Every step that changes a file, seen from below: SQLite's and Python's.

In: a callable that is told each :class:`Step` before it happens and may let it pass (return
None), fail it (return an errno) or never return (kill the process). Out: nothing; the steps go
to the real disk.

SQLite's steps come through a copy of its own unix VFS, registered as the default one with
``xWrite``, ``xSync``, ``xTruncate``, ``xDelete`` and ``xOpen`` replaced; it is reached with
ctypes in the very library that the standard ``sqlite3`` module is linked to, so nothing needs
to be installed and the product's own connections are what is watched. Python's steps are the
functions of ``os`` that change a file. Not here: what the steps are used for.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

OPEN_CREATE, OPEN_WAL, OPEN_JOURNALS = 0x4, 0x80000, 0x800 | 0x4000 | 0x80000
IOERR_WRITE, IOERR_FSYNC, IOERR_TRUNCATE, IOERR_DELETE, CANTOPEN, FULL, READONLY = 778, 1034, 1546, 2570, 14, 13, 8
PATCHED = (
    "open",
    "pwrite",
    "write",
    "ftruncate",
    "truncate",
    "fsync",
    "fdatasync",
    "rename",
    "replace",
    "unlink",
    "mkdir",
    "rmdir",
    "link",
)


class Step(NamedTuple):
    """One change of one file, about to happen."""

    kind: str
    """open (of what is there), create, write, truncate, sync, delete, rename, link, mkdir.

    ``sync`` of a folder makes its names durable.
    """
    path: str
    offset: int = 0
    data: bytes = b""
    to: str = ""


Watch = Callable[[Step], int | None]


class _Method(ctypes.Structure):
    """The start of every open file: a pointer to its functions."""

    _fields_ = [("methods", ctypes.c_void_p)]


_file = ctypes.POINTER(_Method)
_int, _long, _ptr, _str = ctypes.c_int, ctypes.c_int64, ctypes.c_void_p, ctypes.c_char_p
_WRITE = ctypes.CFUNCTYPE(_int, _ptr, _ptr, _int, _long)
_TRUNCATE = ctypes.CFUNCTYPE(_int, _ptr, _long)
_SYNC = ctypes.CFUNCTYPE(_int, _ptr, _int)
_CLOSE = ctypes.CFUNCTYPE(_int, _ptr)
_OPEN = ctypes.CFUNCTYPE(_int, _ptr, _ptr, _ptr, _int, ctypes.POINTER(_int))
_DELETE = ctypes.CFUNCTYPE(_int, _ptr, _str, _int)


class _Files(ctypes.Structure):
    """sqlite3_io_methods, as far as it is replaced."""

    _fields_ = [
        ("version", _int),
        ("close", _CLOSE),
        ("read", _ptr),
        ("write", _WRITE),
        ("truncate", _TRUNCATE),
        ("sync", _SYNC),
        *((name, _ptr) for name in ("size", "lock", "unlock", "reserved", "control", "sector", "device")),
        *((name, _ptr) for name in ("shm_map", "shm_lock", "shm_barrier", "shm_unmap", "fetch", "unfetch")),
    ]


class _Vfs(ctypes.Structure):
    """sqlite3_vfs."""

    _fields_ = [
        ("version", _int),
        ("size", _int),
        ("longest", _int),
        ("next", _ptr),
        ("name", _str),
        ("data", _ptr),
        ("open", _OPEN),
        ("delete", _DELETE),
        *((name, _ptr) for name in ("access", "full", "dlopen", "dlerror", "dlsym", "dlclose", "random", "sleep")),
        *((name, _ptr) for name in ("time", "error", "time64", "set_call", "get_call", "next_call")),
    ]


def _library() -> Any:
    """Return the SQLite that the standard module uses; skip where it cannot be reached."""
    try:
        import _sqlite3

        found = ctypes.CDLL(_sqlite3.__file__)
        found.sqlite3_vfs_find.restype = ctypes.POINTER(_Vfs)
        found.sqlite3_vfs_register.argtypes = [ctypes.POINTER(_Vfs), _int]
        found.sqlite3_vfs_unregister.argtypes = [ctypes.POINTER(_Vfs)]
    except (AttributeError, OSError) as error:
        pytest.skip(f"this Python's SQLite hides its functions: {error}")
    return found


class Disk:
    """The watched disk; steps outside ``root`` pass unseen."""

    def __init__(self, root: Path, watch: Watch) -> None:
        self._root = str(root.resolve()) + os.sep
        self._watch = watch
        self._paths: dict[int, tuple[str, bool]] = {}
        self._tables: dict[int, tuple[_Files, _Files]] = {}
        self._library = _library()
        self._below = self._library.sqlite3_vfs_find(None)
        self._vfs = _Vfs.from_buffer_copy(self._below.contents)
        self._name = f"watched{id(self)}".encode()
        self._vfs.name, self._vfs.next = self._name, None
        self._vfs.open, self._vfs.delete = _OPEN(self._open), _DELETE(self._delete)
        self._callbacks = _CLOSE(self._close), _WRITE(self._write), _TRUNCATE(self._truncate), _SYNC(self._sync)

    @contextmanager
    def watched(self) -> Iterator[Disk]:
        """Tell every step inside; connections opened outside are not seen."""
        real = {name: getattr(os, name) for name in PATCHED}
        self._library.sqlite3_vfs_register(ctypes.byref(self._vfs), 1)
        for name in PATCHED:
            setattr(os, name, getattr(self, f"_os_{name}", None) or self._told(name, real[name]))
        self._real = real
        try:
            yield self
        finally:
            for name, function in real.items():
                setattr(os, name, function)
            self._library.sqlite3_vfs_register(self._below, 1)
            self._library.sqlite3_vfs_unregister(ctypes.byref(self._vfs))

    def tell(self, step: Step) -> int:
        """Tell one step and return 0, or the errno it is to fail with."""
        if not step.path.startswith(self._root):
            return 0
        return self._watch(step) or 0

    # SQLite's steps

    def _open(self, _vfs: int, name: int | None, file: int, flags: int, out: Any) -> int:
        path = os.fsdecode(ctypes.string_at(name)) if name else ""
        is_there = os.path.exists(path)  # noqa: PTH110
        is_new = bool(path) and bool(flags & OPEN_CREATE) and not is_there
        if (is_new or is_there) and (bad := self.tell(Step("create" if is_new else "open", path))):
            return READONLY if bad == errno.EROFS else CANTOPEN
        code = self._below.contents.open(ctypes.addressof(self._vfs), name, file, flags, out)
        if code == 0 and path:
            self._paths[file] = path, bool(flags & OPEN_CREATE and flags & OPEN_JOURNALS)
            head = _Method.from_address(file)
            head.methods = ctypes.addressof(self._table(head.methods)[0])
        return code

    def _table(self, below: int) -> tuple[_Files, _Files]:
        """Return the functions of a kind of file, ours and SQLite's."""
        if below not in self._tables:
            theirs = _Files.from_address(below)
            ours = _Files.from_buffer_copy(theirs)
            ours.close, ours.write, ours.truncate, ours.sync = self._callbacks
            self._tables[below] = ours, theirs
            self._tables[ctypes.addressof(ours)] = ours, theirs
        return self._tables[below]

    def _theirs(self, file: int) -> _Files:
        return self._tables[_Method.from_address(file).methods][1]

    def _close(self, file: int) -> int:
        self._paths.pop(file, None)
        return self._theirs(file).close(file)

    def _write(self, file: int, data: int, size: int, offset: int) -> int:
        path = self._paths[file][0]
        bad = self.tell(Step("write", path, offset, ctypes.string_at(data, size)))
        if bad:
            return FULL if bad == errno.ENOSPC else IOERR_WRITE
        return self._theirs(file).write(file, data, size, offset)

    def _truncate(self, file: int, size: int) -> int:
        if self.tell(Step("truncate", self._paths[file][0], size)):
            return IOERR_TRUNCATE
        return self._theirs(file).truncate(file, size)

    def _sync(self, file: int, flags: int) -> int:
        path, names_too = self._paths[file]
        if self.tell(Step("sync", path)):
            return IOERR_FSYNC
        code = self._theirs(file).sync(file, flags)
        if code == 0 and names_too:  # as unixSync: the first one of a journal also syncs its folder
            self._paths[file] = path, False
            self.tell(Step("sync", os.path.dirname(path)))  # noqa: PTH120
        return code

    def _delete(self, _vfs: int, name: bytes, sync: int) -> int:
        path = os.fsdecode(name)
        if os.path.exists(path) and self.tell(Step("delete", path)):  # noqa: PTH110
            return IOERR_DELETE
        code = self._below.contents.delete(ctypes.addressof(self._vfs), name, sync)
        if code == 0 and sync:
            self.tell(Step("sync", os.path.dirname(path)))  # noqa: PTH120
        return code

    # Python's steps

    def _told(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            step = self._step(name, args)
            if step is not None and (bad := self.tell(step)):
                raise OSError(bad, os.strerror(bad), step.path)
            return real(*args, **kwargs)

        return call

    def _step(self, name: str, args: tuple[Any, ...]) -> Step | None:
        """Return what a call of ``os`` is about to change, None when nothing."""
        path = _path(args[0])
        if name == "open":
            is_there = os.path.exists(path)  # noqa: PTH110
            if is_there:
                return Step("truncate", path, 0) if args[1] & os.O_TRUNC else Step("open", path)
            return Step("create", path) if args[1] & os.O_CREAT else None
        if name == "pwrite":
            return Step("write", path, args[2], bytes(args[1]))
        if name == "write":
            return Step("write", path, os.lseek(args[0], 0, os.SEEK_CUR), bytes(args[1])) if path else None
        if name in ("ftruncate", "truncate"):
            return Step("truncate", path, args[1])
        if name in ("fsync", "fdatasync"):
            return Step("sync", path)
        if name in ("rename", "replace", "link"):
            return Step("link" if name == "link" else "rename", path, to=_path(args[1]))
        if name == "mkdir":
            return Step("mkdir", path)
        return Step("delete", path) if os.path.lexists(path) else None


def _path(what: Any) -> str:
    """Return the path of a file named or open; "" when it has none."""
    if isinstance(what, int):
        try:
            found = os.readlink(f"/proc/self/fd/{what}")  # noqa: PTH115
        except OSError:
            return ""
        return found if found.startswith("/") else ""
    return os.path.abspath(os.fsdecode(what))  # noqa: PTH100


def reachable() -> bool:
    """Return whether this Python's SQLite can be watched."""
    try:
        _library()
    except pytest.skip.Exception:
        return False
    return sqlite3.threadsafety > 0
