"""Several processes that write to one log and are killed while they do: is what they saw linearizable?

In: a world, a seed, how many processes. Out: the history of every call with its moments, checked
with :mod:`linear` against a log that is one value; calls whose callers died are resolved from the
log itself, as a later reader would. Each client is forked, does seeded calls and dies at a seeded step of
its disk, or by a timer, or not at all; another one takes its place.
"""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from kctl.store.api import Store
from kctl.store.errors import HeadMoved, OutcomeUnknown, StoreError
from tests.store.faults.disk import Disk
from tests.store.faults.linear import NEVER, Operation, Verdict, check
from tests.store.faults.witness import Violation, put
from tests.store.faults.world import World, exit_of, fork

KEYS = [f"/pods/a/{name}" for name in "abcdef"]


class State(NamedTuple):
    """The log as one value."""

    index: int  # type: ignore[assignment]
    objects: tuple[tuple[str, str], ...]


def model(state: State, operation: Operation) -> State | None:
    """Return the state after a call, None when this state would not have answered so."""
    verb, *rest = operation.asked
    if verb == "commit":
        expect, puts = rest
        if operation.answered[0] == "moved":
            return state if state.index == operation.answered[1] != expect else None
        if state.index != expect or operation.answered[1] != expect + 1:
            return None
        objects = dict(state.objects)
        for key, value in puts:
            objects.pop(key, None)
            if value is not None:
                objects[key] = value
        return State(expect + 1, tuple(sorted(objects.items())))
    if verb == "get":
        return state if dict(state.objects).get(rest[0]) == operation.answered else None
    if verb == "list":
        return state if [list(pair) for pair in state.objects] == operation.answered else None
    return state if state.index == operation.answered else None


class Client:
    """One process: calls the store and notes every call before and after."""

    def __init__(self, store: Store, notes: Path, seed: int) -> None:
        self._store, self._dice, self._seed = store, random.Random(seed), seed
        self._notes = notes.open("ab", buffering=0)

    def run(self, calls: int) -> None:
        """Do a number of calls."""
        for n in range(calls):
            which = self._dice.random()
            if which < 0.6:
                self._commit(f"{self._seed}-{n}")
            elif which < 0.8:
                key = self._dice.choice(KEYS)
                self._ask(["get", key], lambda key=key: _value(self._store.get(key)))
            elif which < 0.95:
                self._ask(["list"], lambda: [[kv.key, kv.value.decode()] for kv in self._store.list("/pods/").items])
            else:
                self._ask(["head"], lambda: self._store.head().index)

    def _ask(self, asked: list[Any], call: Any) -> None:
        called = time.monotonic_ns()
        try:
            answered = call()
        except StoreError:
            return  # nothing was answered
        self._note(["done", called, time.monotonic_ns(), asked, answered])

    def _commit(self, cause: str) -> None:
        try:
            head = self._store.head()
        except StoreError:
            return
        keys = self._dice.sample(KEYS, self._dice.randint(1, 2))
        puts = [(key, None if self._dice.random() < 0.2 else cause) for key in keys]
        called = time.monotonic_ns()
        asked = ["commit", head.index, puts]
        self._note(["call", called, asked, cause])
        for _ in range(5):
            try:
                answered = ["ok", put(self._store, puts, cause=cause, expect=head).index]
            except HeadMoved as error:
                answered = ["moved", error.head.index]
            except OutcomeUnknown:
                continue
            except StoreError:
                answered = ["none"]
            self._note(["answer", cause, time.monotonic_ns(), answered])
            return

    def _note(self, what: list[Any]) -> None:
        self._notes.write(json.dumps(what).encode() + b"\n")


def _value(found: Any) -> str | None:
    return found.value.decode() if found is not None else None


class Outcome(NamedTuple):
    """What a run of clients showed."""

    verdict: Verdict
    operations: int
    kills: int
    unknown: int
    seconds: float


def run(world: World, *, seed: int, clients: int, lives: int, calls: int = 30, kill: bool = True) -> Outcome:
    """Let ``lives`` clients live, ``clients`` at a time, and check what they saw."""
    dice = random.Random(seed)
    notes = world.root / "notes"
    notes.mkdir()
    living: set[int] = set()
    kills = 0
    try:
        for life in range(lives):
            if len(living) == clients:
                kills += _await(living)
            fate, at = dice.random() if kill else 1.0, dice.randint(1, 400)
            living.add(fork(partial(_live, world, notes / f"{life}", life, fate, at, calls)))
        while living:
            kills += _await(living)
    finally:
        for pid in living:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    return judge(world, sorted(notes.iterdir()), kills)


def _await(living: set[int]) -> int:
    pid, status = os.wait()
    living.discard(pid)
    if exit_of(status) not in (0, -signal.SIGKILL, -signal.SIGALRM):
        raise AssertionError(f"a client ended with {exit_of(status)}")
    return int(exit_of(status) != 0)


def _live(world: World, notes: Path, seed: int, fate: float, at: int, calls: int) -> None:
    """Be one client; ``fate`` says how it ends and ``at`` when."""
    left = at

    def step(_: object) -> None:
        nonlocal left
        left -= 1
        if left == 0 and fate < 0.5:
            os.kill(os.getpid(), signal.SIGKILL)

    if 0.5 <= fate < 0.8:
        signal.setitimer(signal.ITIMER_REAL, at / 4000)  # nobody handles it: the process ends there and then
    with Disk(world.root, step).watched():
        try:
            store = world.open()
        except StoreError:
            return  # nobody is answered wrongly
        Client(store, notes, seed).run(calls)
        store.close()


def judge(world: World, notes: Sequence[Path], kills: int) -> Outcome:
    """Resolve what has no answer from the log, and look for an order."""
    store = world.open()
    log = {entry.cause: entry.index for entry in store.entries() if entry.cause}
    end = store.head().index
    store.close()
    history: list[Operation] = []
    unknown = 0
    for path in notes:
        calls: dict[str, tuple[int, Any]] = {}
        for line in path.read_bytes().split(b"\n")[:-1]:
            kind, *rest = json.loads(line)
            if kind == "done":
                history.append(Operation(*rest))
            elif kind == "call":
                calls[rest[2]] = rest[0], rest[1]
            else:
                called, asked = calls.pop(rest[0])
                if rest[2] == ["none"]:
                    if rest[0] in log:
                        raise Violation(f"I9: {rest[0]} was refused and is entry {log[rest[0]]}")
                else:
                    history.append(Operation(called, rest[1], asked, rest[2]))
        unknown += len(calls)
        history += [
            Operation(called, NEVER, asked, ["ok", log[cause]])
            for cause, (called, asked) in calls.items()
            if cause in log
        ]
    begun = time.perf_counter()
    history.append(Operation(time.monotonic_ns(), NEVER, ["head"], end))
    verdict = check(history, model, State(0, ()))
    return Outcome(verdict, len(history), kills, unknown, time.perf_counter() - begun)
