"""One line of progress on a terminal, for what takes longer than half a second."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self, TextIO

AFTER = 0.5
EVERY = 0.1


class Reporter:
    """Rewrites one line and takes it away at the end.

    The only place that reads the machine's clock: people wait in real time.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._started = self._last = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._last > self._started:
            took = "" if error else f"took {time.monotonic() - self._started:.1f} s\n"
            self._stream.write(f"\r\033[K{took}")
            self._stream.flush()

    def report(self, virtual: float, steps: int) -> None:
        """Show how far convergence has come."""
        now = time.monotonic()
        if now - self._started < AFTER or now - self._last < EVERY:
            return
        self._last = now
        self._stream.write(f"\r\033[Kconverging: {virtual:,.0f} s virtual, {steps:,} steps")
        self._stream.flush()
