"""The writer lock: one writer per replica folder, and a name for whoever holds it.

``flock`` on a file beside the log. The kernel lets go of it when the holder dies, whatever
the death. The holder writes its process id and command into the file, so that who waits too
long can be told whom it waited for.

This is the one place of the store that waits on the machine's own clock.
"""

from __future__ import annotations

import fcntl
import os
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import takewhile
from pathlib import Path

from kctl.store.errors import Locked, ReadOnlyStore


def pause() -> None:
    """Let a writer that is in the midst of committing go on."""
    time.sleep(STEP)


WAIT = 10.0
"""How many seconds a writer waits for another one before it gives up."""
STEP = 0.002
COARSE = 50_000_000
"""Nanoseconds within which two writes may leave a file with one time."""


class WriterLock:
    """The lock file of one folder; held inside a ``with``."""

    def __init__(self, path: Path, wait: float = WAIT) -> None:
        self._path = path
        self._name = str(path)
        self._wait = wait
        self._fd = -1
        self._file = (0, 0)
        self._note = b""
        self._noted = 0

    def __enter__(self) -> WriterLock:
        while True:
            if self._fd < 0:
                self._fd = self._open()
            if not self._try():
                self._poll()
            changed = self._changed()
            if changed:
                break
            self.close()  # the folder was replaced meanwhile: others would lock another file
        if changed != self._noted:
            self._sign(changed)
        return self

    def _sign(self, changed: int) -> None:
        """Write who holds the lock into its file, unless it says so.

        A file that says so and is older than the file system's clock is coarse need not be read again.
        """
        try:
            if os.pread(self._fd, 501, 0) != self._note:
                os.ftruncate(self._fd, 0)
                os.pwrite(self._fd, self._note, 0)
            elif time.time_ns() - changed > COARSE:
                self._noted = changed
        except OSError:
            pass  # the note is a courtesy: a full disk is reported by the write that matters

    def __exit__(self, *exc: object) -> None:
        if self._fd >= 0:
            fcntl.flock(self._fd, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
            self._noted = 0

    def _open(self) -> int:
        self._note = f"{os.getpid()} {' '.join(_command(sys.argv))}"[:499].encode(errors="replace")[:499] + b"\n"
        try:
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ReadOnlyStore(f"cannot write in {self._path.parent}: {error.strerror}") from error
        mine = os.fstat(fd)
        self._file = (mine.st_dev, mine.st_ino)
        return fd

    def _changed(self) -> int:
        """Return when the file was last written, 0 when it is no longer the one that others would lock."""
        try:
            there = os.stat(self._name)  # noqa: PTH116 - on the path of every commit
        except OSError:
            return 0
        return there.st_mtime_ns if (there.st_dev, there.st_ino) == self._file else 0

    def _try(self) -> bool:
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _poll(self) -> None:
        deadline = time.monotonic() + self._wait
        while not self._try():
            if time.monotonic() >= deadline:
                raise Locked(
                    f"another process has been writing to {self._path.parent} for {self._wait:g} s: {self._holder()}",
                    hint="wait for it, or end it, and run the command again",
                )
            time.sleep(STEP)

    def _holder(self) -> str:
        text = os.pread(self._fd, 500, 0).decode(errors="replace").strip()
        pid, _, command = text.partition(" ")
        return f"process {pid} ({command})" if pid else "an unknown process"


def _command(args: Sequence[str]) -> Iterator[str]:
    """Yield the words of a command up to its first option: the value of one may be a secret."""
    return takewhile(lambda word: not word.startswith("-"), args)
