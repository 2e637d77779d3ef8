"""One converger at a time: a file lock that names its holder.

The kernel frees the lock when its holder dies, so there is no timeout to wait for and nothing
to clean up after ``kill -9``.
"""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from kctl.api.errors import KctlError


class Busy(KctlError):
    """Another process is converging this cluster."""

    hint = "its result will be there when it ends; run the command again"


class ConvergerLock:
    """An exclusive lock on a state folder."""

    def __init__(self, path: Path, command: str) -> None:
        self._path = path
        self._command = command
        self._file = -1

    def __enter__(self) -> ConvergerLock:
        try:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise KctlError(f"{self._path}: cannot lock: {error.strerror}") from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise KctlError(f"{self._path}: cannot lock: {error.strerror}") from None
            self._wait()
        with suppress(OSError):  # the note is a courtesy: a full disk is reported by the write that matters
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, f"{os.getpid()} {self._command}\n".encode(), 0)
        return self

    def _wait(self) -> None:
        """Wait for the holder: it works on virtual time, so it ends by itself."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX)
        except KeyboardInterrupt:
            holder = os.pread(self._file, 200, 0).decode(errors="replace").strip() or "unknown"
            os.close(self._file)
            raise Busy(f"stopped waiting for the process that is converging this cluster: {holder}") from None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            os.ftruncate(self._file, 0)
        os.close(self._file)
