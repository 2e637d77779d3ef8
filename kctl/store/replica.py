"""One SQLite file: making it, opening it, and saying what is wrong with it.

In: a folder. Out: connections with the settings that make an acknowledged commit durable
(write-ahead log, ``synchronous=FULL``, both read back) and that keep SQLite from checkpointing
on its own: versions before 3.51.3 can lose a write when a checkpoint and a writer meet, so
only who holds the writer lock checkpoints.

A new file is made under another name and renamed, so a log is there whole or not at all.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from kctl.store import chain, facts
from kctl.store.ddl import DDL, FORMAT, OLDEST
from kctl.store.errors import (
    NONSENSE,
    Corrupt,
    DiskFull,
    Locked,
    NoStore,
    OutcomeUnknown,
    ReadOnlyStore,
    StoreError,
    Unreadable,
    WrongFormat,
)
from kctl.store.facts import Facts

FILE, LOCK, HEAD, UNSYNCED = "log.db", "writer.lock", "head", "unsynced"
APPLICATION_ID = 0x6B63746C  # "kctl"
BUSY = 5.0
CHECKPOINT_FRAMES = 1000
FREE_PAGES = 1000
CACHE = 32_000
"""Kilobytes of pages that a reader keeps at most, so that a list reads each page once.

A writer fares better with SQLite's two megabytes, which stay in the processor's own cache.
"""
MAX_PATH = 500
"""Bytes of a path that SQLite opens at most, its own suffixes left out."""


def prepare(folder: Path) -> None:
    """Make the folder with mode 0700 when it is not there."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError as error:
        raise Unreadable(f"{folder} is not a folder") from error
    except OSError as error:
        raise ReadOnlyStore(f"cannot make {folder}: {error.strerror}") from error


Fill = Callable[[sqlite3.Connection], None]
"""Writes what a new file holds, in the transaction that made its tables."""


def draft(path: Path, fill: Fill) -> Path:
    """Write a whole log beside ``path``, durably, and return where; the caller holds the writer lock."""
    fresh = path.with_name(f"{path.name}.new")
    _discard(fresh)  # of a process that died here
    try:
        os.close(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise ReadOnlyStore(f"cannot write in {path.parent}: {error.strerror}") from error
    try:
        db = sqlite3.connect(fresh, isolation_level=None)
        try:
            db.execute("PRAGMA auto_vacuum=INCREMENTAL")  # only possible before the first table
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=FULL")
            db.executescript(f"BEGIN;\nPRAGMA application_id={APPLICATION_ID};\nPRAGMA user_version={FORMAT};\n{DDL}")
            fill(db)
            db.execute("COMMIT")
        finally:
            db.close()
        _check_whole(fresh, path)
    except BaseException as error:
        _discard(fresh)
        if isinstance(error, sqlite3.Error):
            raise explain(error, path) from error
        raise
    return fresh


def _discard(fresh: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        fresh.with_name(fresh.name + suffix).unlink(missing_ok=True)


def put_in_place(path: Path, *, head_too: bool = True) -> None:
    """Make the draft beside ``path`` the log, with nothing left of a former one.

    ``head_too`` is False for a copy of the same log, whose end was acknowledged all the same.
    """
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    if head_too:
        path.with_name(HEAD).unlink(missing_ok=True)
    path.with_name(f"{path.name}.new").rename(path)
    sync_folder(path.parent)


def drain(path: Path) -> None:
    """Move all of the write-ahead log into the file, so that the file alone is the log; Locked when somebody reads it.

    Before the only replica is put in place anew: between taking away the old write-ahead log and
    the rename, the old file must still have everything.
    """
    try:
        db = _open(path, "?mode=rw")
        try:
            db.execute("PRAGMA synchronous=FULL")
            busy = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        finally:
            db.close()
    except sqlite3.Error as error:
        raise explain(error, path) from error
    if busy:
        raise Locked(
            f"{path} is being read by another process", hint="wait for it, or end it, and run the command again"
        )


def begin_log(found: Facts, now: float) -> Fill:
    """Return what fills the file of a new log: entry 0, which names the cluster."""

    def fill(db: sqlite3.Connection) -> None:
        facts.write(db, found)
        base = (0, 1, 0, 0, chain.CONFIG_ENTRY, found.cluster, now, "created", None, chain.NO_OPS, bytes(32))
        values = (*base, chain.genesis(found.cluster, now), None)
        db.execute("INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)

    return fill


def is_old(db: sqlite3.Connection) -> bool:
    """Say whether a file is of an older format; its tables are the same."""
    return bool(db.execute("PRAGMA user_version").fetchone()[0] != FORMAT)


def stamp(db: sqlite3.Connection) -> None:
    """Give a file of an older format the present one, inside the open transaction."""
    db.execute(f"PRAGMA user_version={FORMAT}")


def _check_whole(fresh: Path, path: Path) -> None:
    """Raise DiskFull when closing left pages in a write-ahead log: renamed without it the log would be damaged."""
    if _has_wal(fresh):
        raise DiskFull(f"no space is left to write {path}")


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def connect(path: Path, *, write: bool) -> sqlite3.Connection:
    """Open the log to read or to write.

    A read-only connection never checkpoints and never takes the writer lock. On a read-only file
    system SQLite cannot make the shared index beside a write-ahead log; without a log there is
    nothing to share and the file is read as it is.
    """
    if not path.exists():
        raise missing(path)
    mode = "rw" if write else "ro"
    try:
        db = _open(path, f"?mode={mode}")
        try:
            _settings(db, path, write=write)
        except sqlite3.OperationalError as error:
            db.close()
            if write or not error.sqlite_errorname.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY")):
                raise
            if _has_wal(path) or not os.access(path, os.R_OK):
                raise Unreadable(
                    f"cannot read {path}: {error}", hint="make the folder writable once, so that its log can be read"
                ) from error
            db = _open(path, "?mode=ro&immutable=1")
            _check_format(db, path)
        except BaseException:
            db.close()
            raise
    except sqlite3.Error as error:
        raise explain(error, path) from error
    except UnicodeDecodeError as error:  # SQLite quotes the damaged bytes, and sqlite3 stumbles over them
        raise Corrupt(f"{path} is damaged: its tables cannot be read") from error
    return db


def _open(path: Path, query: str) -> sqlite3.Connection:
    uri = path.absolute().as_uri() + query
    return sqlite3.connect(uri, uri=True, timeout=BUSY, isolation_level=None, check_same_thread=False)


def _settings(db: sqlite3.Connection, path: Path, *, write: bool) -> None:
    _check_format(db, path)
    if not write:
        db.execute(f"PRAGMA cache_size={-CACHE}")
        return
    db.execute("PRAGMA synchronous=FULL")
    db.execute("PRAGMA wal_autocheckpoint=0")
    db.execute("PRAGMA secure_delete=ON")  # what is forgotten leaves no bytes; not the default of every build
    mode, level = db.execute("PRAGMA journal_mode").fetchone()[0], db.execute("PRAGMA synchronous").fetchone()[0]
    if mode != "wal" or level != 2:
        raise WrongFormat(f"{path} cannot be written durably: journal_mode={mode}, synchronous={level}")


def _check_format(db: sqlite3.Connection, path: Path) -> None:
    """Refuse what kctl did not write; also the first read, which finds most open errors."""
    if not path.stat().st_size:
        raise Corrupt(f"{path} is empty")
    if db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise WrongFormat(f"{path} is an SQLite database, but not a log of kctl")
    found = db.execute("PRAGMA user_version").fetchone()[0]
    if not OLDEST <= found <= FORMAT:
        raise WrongFormat(f"{path} has format {found}; this version of kctl reads formats {OLDEST} to {FORMAT}")


def _has_wal(path: Path) -> bool:
    wal = path.with_name(path.name + "-wal")
    return wal.exists() and wal.stat().st_size > 0


def missing(path: Path) -> StoreError:
    """Return the error of a log that is not there or may not be seen."""
    try:
        path.stat()
    except PermissionError as error:
        return Unreadable(f"cannot read {path}: {error.strerror}")
    except OSError:
        pass
    return NoStore(f"there is no log in {path.parent}")


def identity(path: str) -> tuple[int, int]:
    """Return what tells the file from another one of the same name."""
    try:
        found = os.stat(path)  # noqa: PTH116 - on the path of every read and commit
    except OSError as error:
        raise NoStore(f"the log in {os.path.dirname(path)} was removed while in use") from error  # noqa: PTH120
    return found.st_dev, found.st_ino


def replaced(folder: Path) -> NoStore:
    """Return the error of a file that has another one in its place now."""
    return NoStore(f"the log in {folder} was replaced while in use", hint="run the command again")


def give_back(db: sqlite3.Connection) -> None:
    """Return free pages to the file system when there are many; the caller holds the writer lock.

    Outside a transaction: this pragma frees one page a step, and only a script steps to the end.
    """
    free = db.execute("PRAGMA freelist_count").fetchone()[0]
    if free > FREE_PAGES:
        db.executescript(f"PRAGMA incremental_vacuum({free - FREE_PAGES // 2});")


def checkpoint(db: sqlite3.Connection, path: Path) -> int:
    """Move the write-ahead log into the file when it has grown; the caller holds the writer lock.

    Returns how many frames are left waiting.
    """
    frames = waiting_frames(path)
    if frames < CHECKPOINT_FRAMES:
        return frames
    db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
    return 0


def is_unsynced(path: Path) -> bool:
    """Say whether a sync of this log failed and nobody has made good for it yet."""
    return os.path.exists(f"{os.path.dirname(path)}/{UNSYNCED}")  # noqa: PTH110, PTH120 - whenever a log is opened


def note_unsynced(path: Path) -> None:
    """Note beside the log that a sync failed, for whoever writes next."""
    with suppress(OSError):  # on a failing disk; the process knows
        os.close(os.open(path.with_name(UNSYNCED), os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))


def sync_again(path: Path) -> None:
    """Write the write-ahead log's bytes anew and sync them; the caller holds the writer lock. Unreadable.

    After a sync that failed the kernel takes what it has in memory for written: only what is written
    again reaches the disk with the next one. The bytes are the same, so a reader notices nothing.
    """
    try:
        fd = os.open(path.with_name(f"{path.name}-wal"), os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        fd = -1
    except OSError as error:
        raise Unreadable(f"{path} cannot be made good for a sync that failed: {error.strerror}") from error
    try:
        if fd >= 0:
            at = 0
            while part := os.pread(fd, 1 << 20, at):
                at += os.pwrite(fd, part, at)
            os.fsync(fd)
        path.with_name(UNSYNCED).unlink(missing_ok=True)
    except OSError as error:
        raise Unreadable(
            f"the disk failed while {path} was written: {error.strerror}", hint="check the disk"
        ) from error
    finally:
        if fd >= 0:
            os.close(fd)


def waiting_frames(path: Path) -> int:
    """Return how many frames the write-ahead log holds since it was last begun anew.

    Its size says nothing, since it is written again from its start without shrinking: the frames in
    use are those with the header's salt, and they come first (sqlite.org/fileformat2.html, section 4).
    Only the log itself may be opened here. Closing any descriptor of the database or of its shared
    index drops the locks that SQLite holds there for this process, and other processes then cut
    the index off under its feet.
    """
    wal = path.with_name(path.name + "-wal")
    try:
        fd = os.open(wal, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return 0
    try:
        return _frames(fd)
    finally:
        os.close(fd)


def _frames(fd: int) -> int:
    head = os.pread(fd, 32, 0)
    if len(head) < 32:
        return 0
    salt, frame = head[16:24], 24 + int.from_bytes(head[8:12], "big")
    low, high = 0, (os.fstat(fd).st_size - 32) // frame
    while low < high:
        middle = (low + high + 1) // 2
        if os.pread(fd, 8, 32 + (middle - 1) * frame + 8) == salt:
            low = middle
        else:
            high = middle - 1
    return low


def explain(error: sqlite3.Error, path: Path, *, committing: bool = False) -> StoreError:
    """Say what an SQLite error means for the user."""
    name = getattr(error, "sqlite_errorname", "") or ""
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_FORMAT")):
        return Corrupt(f"{path} is damaged: {error}")
    if name.startswith("SQLITE_FULL"):
        return DiskFull(f"no space is left to write {path}")
    if name.startswith(("SQLITE_READONLY", "SQLITE_PERM")):
        return ReadOnlyStore(f"cannot write {path}: {error}")
    if name.startswith("SQLITE_IOERR"):
        if committing:
            return OutcomeUnknown(f"the disk failed while {path} was written: {error}")
        return Unreadable(f"the disk failed while {path} was read or written: {error}", hint="check the disk")
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return Locked(f"{path} is locked by another process", hint="wait for it and run the command again")
    if name.startswith("SQLITE_CANTOPEN") and len(os.fsencode(path.absolute())) > MAX_PATH:
        return Unreadable(f"cannot open {path}: its path is too long", hint="name a shorter one with --state")
    if name.startswith("SQLITE_CANTOPEN"):
        return Unreadable(f"cannot open {path}: {error}")
    return Corrupt(f"{path} cannot be used as a log: {error}")


def explained(error: BaseException, path: Path) -> BaseException:
    """Return what an error means for the user when it came of the file; else the error itself."""
    if isinstance(error, sqlite3.Error):
        return explain(error, path)
    if isinstance(error, NONSENSE):
        return Corrupt(f"{path} is damaged: {error}")
    return error
