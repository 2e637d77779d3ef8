"""Convergence of one plane: the lock, the lease, the loops, the converged mark.

The mark says at which revision everything was quiet; converging that revision again is a
comparison. It is a note beside the log, not an entry in it: losing it costs a run.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast

from kctl.api.clock import FixedClock
from kctl.api.errors import KctlError
from kctl.api.garbage import uncollected
from kctl.apiserver.expiry import expire
from kctl.client.client import WatchEvent
from kctl.client.local import LocalClient
from kctl.plane import tally
from kctl.runtime.converge import End, Outcome, Timeline, converge
from kctl.runtime.lease import ConvergerLease
from kctl.runtime.manager import Manager
from kctl.store.errors import HeadMoved

if TYPE_CHECKING:
    from kctl.apiserver.server import APIServer
    from kctl.apiserver.storage import Event

MANAGER_USER = "system:kube-controller-manager"
MARK = "converged"
ROUND = "round"
"""Under which name is noted what was found to go round and round for ever."""
MAX_RELOADS = 100
WARNINGS = "events"
Progress = Callable[[float, int], None]


class Listener(Protocol):
    """Who is told what happened in a run."""

    def take(self, events: Sequence[WatchEvent], times: Sequence[float]) -> None:
        """Take the changes of an instant in, and when each was; they are durable."""
        ...


class Options(NamedTuple):
    """What a run may do: where its lock is (None: no other process can see the plane), its loops.

    ``quiet_for`` says which loops those are: what other loops found quiet is not marked for these.
    """

    folder: Path | None
    build: Callable[[Manager], None]
    quiet_for: str = ""


class Converger:
    """Runs the loops of one plane.

    ``trace`` collects every change of the last run, of Events the Warnings; when there is a ``listener``, it is
    told them instead and they are kept no longer than an instant.
    """

    def __init__(self, server: APIServer, clock: FixedClock, options: Options) -> None:
        self._server = server
        self._clock = clock
        self._options = options
        self._manager: Manager | None = None
        self._client = LocalClient(server, user=MANAGER_USER, field_manager="kctl")
        self._lease = ConvergerLease(self._client, "kctl")
        self.trace: list[WatchEvent] = []
        self.times: list[float] = []
        self.listener: Listener | None = None
        self._durable = 0
        self.has_run = False
        self.use_mark = True

    @property
    def manager(self) -> Manager:
        """The manager with its loops, made on first use."""
        if self._manager is None:
            self._manager = Manager(self._client, [self._observe])
            self._options.build(self._manager)
        return self._manager

    def _observe(self, event: WatchEvent) -> None:
        self.trace.append(event)
        self.times.append(self._clock.now())

    def _warn(self, event: Event) -> None:
        """Take a Warning down: no loop follows Events, so no cache does."""
        if event.type != "DELETED" and event.field("type") == "Warning":
            self._observe(cast("WatchEvent", event.read()))

    def drop(self) -> None:
        """Forget caches and queues: what they knew may no longer be so."""
        if self._manager is not None:
            self._manager.stop()
            self._manager = None
        self._lease.forget()

    def is_marked(self) -> bool:
        """Say whether this very revision was found quiet before, and that is to count."""
        return self.use_mark and self._is_at_mark()

    def _is_at_mark(self) -> bool:
        if self._is_dirty():
            return False
        mark = self._server.storage.store.hint(MARK)
        try:
            noted = json.loads(mark) if mark else {}
        except ValueError:
            return False
        return bool(noted == self._mark())

    def _known(self) -> Outcome | None:
        """Return how this run ends, if that is known without it."""
        now = self._clock.now()
        if self.is_marked():
            return Outcome("Quiet", now, now, 0, 0)
        found = self._round(at_once=not self.use_mark)
        return Outcome(found[0], now, now, 0, 0, found[1], cycles=True) if found is not None else None

    def _mark_as(self, outcome: Outcome) -> None:
        """Note how a run ended, if the next one on this revision would end the same."""
        store = self._server.storage.store
        if outcome.cycles or outcome.end == "Oscillating":
            noted = {"of": self._mark(), "end": outcome.end, "why": outcome.why, "atOnce": not outcome.cycles}
            store.set_hint(ROUND, json.dumps(noted).encode())
        elif outcome.end == "Quiet" and self.manager.next_wake(periodic=False) is None:
            store.set_hint(MARK, json.dumps(self._mark()).encode())

    def _round(self, *, at_once: bool = False) -> tuple[End, str] | None:
        """Return how a run ended that found this very revision going round, and what does.

        ``at_once``: within an instant. That is known before the first; to see it again, all would be done again.
        """
        note = None if self._is_dirty() else self._server.storage.store.hint(ROUND)
        try:
            noted = json.loads(note) if note else {}
        except ValueError:
            return None
        if noted.get("of") != self._mark() or (at_once and not noted.get("atOnce")):
            return None
        return noted["end"], noted["why"]

    def recall(self, name: str) -> Any:
        """Return what was noted about this very revision when it was found quiet; None when it must be found out."""
        if self.has_run or not self.is_marked():
            return None
        note = self._server.storage.store.hint(name)
        try:
            noted = json.loads(note) if note else {}
        except ValueError:
            return None
        return noted.get("value") if noted.get("of") == self._noted_of() else None

    def note(self, name: str, value: Any) -> None:
        """Note a JSON value about this revision, if it was found quiet."""
        if self._is_at_mark():
            text = json.dumps({"of": self._noted_of(), "value": value})
            self._server.storage.store.set_hint(name, text.encode())

    def _noted_of(self) -> dict[str, Any]:
        return {**self._mark(), "now": self._clock.now()}

    def _mark(self) -> dict[str, Any]:
        return {"revision": self._server.revision, "by": self._options.quiet_for}

    def run(
        self,
        *,
        within: float,
        advance: float | None = None,
        progress: Progress | None = None,
        begin: Callable[[], None] | None = None,
        listener: Listener | None = None,
        out_of_time: Callable[[], str] | None = None,
    ) -> Outcome:
        """Converge for at most ``within`` virtual seconds; with ``advance`` let that much time pass.

        ``begin`` makes the writes a run starts with: they are part of its first instant. ``out_of_time`` says
        why it has lasted too long by another clock.
        """
        self.listener = listener
        self.trace, self.times, self._durable = [], [], 0
        known = self._known() if advance is None and begin is None else None
        if known is not None:
            return known
        self.has_run = True
        with self._lock(), uncollected():
            self._refresh()
            before = self._server.revision
            tally.begin(self.manager)
            stop = self._server.storage.subscribe(WARNINGS, self._warn)
            try:
                outcome = self._run(within, advance, progress, begin, out_of_time)
            finally:
                stop()
            if advance is not None:
                self._server.commit(cause="advance", always=True)
        self._mark_as(outcome)
        if self._options.folder is not None and self._server.revision != before:
            tally.keep(self._options.folder, self.manager)
        return outcome

    def _refresh(self) -> None:
        """Take in what others committed, and the time they reached: it never runs backwards."""
        self._server.refresh()
        self._clock.set(self._server.storage.head.now)

    def _run(
        self,
        within: float,
        advance: float | None,
        progress: Progress | None,
        begin: Callable[[], None] | None,
        out_of_time: Callable[[], str] | None,
    ) -> Outcome:
        timeline = Timeline(self._clock.now, self._clock.set)
        started = self._clock.now()
        until = None if advance is None else started + advance
        for _ in range(MAX_RELOADS):
            manager = self.manager
            self._server.restore()
            if begin is not None:
                begin()
            try:
                outcome = converge(
                    manager,
                    timeline,
                    deadline=started + max(within, advance or 0.0),
                    commit=self._commit,
                    progress=progress,
                    periodic_until=until,
                    out_of_time=out_of_time,
                    noted=self._round,
                )
                expire(self._server, set(manager.last_errors().values()))
                self._commit()
                return outcome._replace(started=started)
            except HeadMoved:
                self.drop()
                self._refresh()
                del self.trace[self._durable :], self.times[self._durable :]  # it did not happen
        raise KctlError("other processes keep writing to this cluster; convergence gave up", hint="run it again")

    def _commit(self) -> None:
        """Make the instant durable, the lease with it."""
        if self._is_dirty():
            self._lease.take(self._clock.now())
            self._server.commit(cause="converge")
        if self.listener is not None and self.trace:
            self.listener.take(self.trace, self.times)
            self.trace, self.times = [], []
        self._durable = len(self.trace)

    def _is_dirty(self) -> bool:
        storage = self._server.storage
        return storage.revision != storage.head.revision

    def _lock(self) -> AbstractContextManager[Any]:
        if self._options.folder is None:
            return nullcontext()
        from kctl.plane.lock import ConvergerLock

        return ConvergerLock(self._options.folder / "converger.lock", f"kctl (pid {os.getpid()})")
