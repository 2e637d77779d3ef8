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


class WriterLock:
    """The lock file of one folder; held inside a ``with``."""

    def __init__(self, path: Path, wait: float = WAIT) -> None:
        self._path = path
        self._wait = wait
        self._fd = -1
        self._note = b""

    def __enter__(self) -> WriterLock:
        while True:
            if self._fd < 0:
                self._fd = self._open()
            if not self._try():
                self._poll()
            if self._is_in_place():
                break
            self.close()  # the folder was replaced meanwhile: others would lock another file
        try:
            if os.pread(self._fd, 501, 0) != self._note:
                os.ftruncate(self._fd, 0)
                os.pwrite(self._fd, self._note, 0)
        except OSError:
            pass  # the note is a courtesy: a full disk is reported by the write that matters
        return self

    def __exit__(self, *exc: object) -> None:
        if self._fd >= 0:
            fcntl.flock(self._fd, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _open(self) -> int:
        self._note = f"{os.getpid()} {' '.join(_command(sys.argv))}"[:499].encode(errors="replace")[:499] + b"\n"
        try:
            return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ReadOnlyStore(f"cannot write in {self._path.parent}: {error.strerror}") from error

    def _is_in_place(self) -> bool:
        """Say whether the open file is still the one that others would lock."""
        try:
            there, mine = os.stat(self._path), os.fstat(self._fd)  # noqa: PTH116 - on the path of every commit
        except OSError:
            return False
        return (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino)

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
