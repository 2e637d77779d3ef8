"""A log in a folder of its own: how the faults make, open, check and mend it.

The one module that knows how the store is opened, so that the rest speaks of replicas only.
"""

from __future__ import annotations

import errno
import os
import shutil
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import combinations
from pathlib import Path
from typing import Any

from kctl.store.api import Problem
from kctl.store.errors import StoreError
from kctl.store.open import open_store
from kctl.store.replica import FILE
from kctl.store.sqlite import SqliteStore
from tests.store.faults.disk import Step
from tests.store.faults.witness import Violation, Witness

MEMORY = Path("/dev/shm")


class World:
    """A log of ``replicas`` replicas below ``root``, in ``r1``, ``r2`` and so on."""

    def __init__(self, root: Path, replicas: int = 1, *, is_whole: bool = False) -> None:
        self.is_whole = is_whole  # recovered with all replicas only: its members change
        self.root = root
        self.replicas = replicas
        self.folders = [root / f"r{n}" for n in range(1, replicas + 1)]
        self.spare = root / "spare"
        self._away: tuple[str, ...] = ()

    def create(self, cluster: str = "c") -> World:
        """Make the log."""
        open_store(self.folders, create=True, cluster_id=cluster).close()
        return self

    def open(self, **options: Any) -> SqliteStore:
        """Open it; the options are those of ``open_store``."""
        spare = [self.spare] if (self.spare / FILE).exists() else []
        return open_store([*self.folders, *spare], **options)

    @contextmanager
    def without(self, *numbers: int) -> Iterator[None]:
        """Let the disks of some replicas answer nothing; only what is opened inside notices."""
        self._away = tuple(f"{self.folders[n - 1]}/" for n in numbers)
        try:
            yield
        finally:
            self._away = ()

    def fails(self, step: Step) -> int | None:
        """Return the errno of a step on a disk that does not answer."""
        return errno.EIO if self._away and f"{step.path}/".startswith(self._away) else None

    def at(self, root: Path) -> World:
        """Return the same log below another root."""
        return World(root, self.replicas, is_whole=self.is_whole)

    def problems(self) -> list[Problem]:
        """Return every problem that is found; a log that cannot be opened is one."""
        try:
            with closing(self.open()) as store:
                return store.verify("full")
        except StoreError as error:
            return [Problem("", "unreadable", error.message)]

    def verify(self) -> list[str]:
        """Return every problem in words."""
        return [str(problem) for problem in self.problems()]

    def repair(self) -> list[str]:
        """Mend what can be mended; return what was done."""
        with closing(self.open(consistency="serializable")) as store:
            return store.repair()

    def quorums(self) -> list[tuple[int, ...]]:
        """Return every majority of replicas, counted from 1."""
        numbers = range(1, self.replicas + 1)
        if self.is_whole:
            return [tuple(numbers)]
        sizes = range(self.replicas // 2 + 1, self.replicas + 1)
        return [quorum for size in sizes for quorum in combinations(numbers, size)]

    @contextmanager
    def moved(self, *numbers: int) -> Iterator[None]:
        """Take the folders of some replicas away."""
        aside = self.root.with_name(f"{self.root.name}-aside")
        aside.mkdir()
        for n in numbers:
            self.folders[n - 1].rename(aside / f"{n}")
        try:
            yield
        finally:
            for n in numbers:
                shutil.rmtree(self.folders[n - 1], ignore_errors=True)
                (aside / f"{n}").rename(self.folders[n - 1])
            aside.rmdir()

    def judge_with(self, quorum: tuple[int, ...], witness: Witness) -> None:
        """Judge the log recovered from some replicas, write to it, then let the others come back.

        An attempt that nobody answered is repeated: it is made once, whatever became of the first.
        """
        if witness.is_hurt or not witness.attempts:
            if len(quorum) < self.replicas:
                return
            self.create()  # does nothing when all is there
            self.repair()
        others = [n for n in range(1, self.replicas + 1) if n not in quorum]
        with self.moved(*others), closing(self.open()) as store:
            witness.judge(store)
            witness.repeat(store)
            witness.judge(store)
        with closing(self.open()) as store:
            witness.commit(store, "back", [("/pods/a/back", "back")])
            witness.judge(store)
        problems = [str(found) for found in self.problems() if not (self.is_whole and found.kind == "foreign")]
        if problems:  # who has left, or has not joined yet, is no member
            raise Violation(f"verify finds {problems}")


@contextmanager
def scratch() -> Iterator[Path]:
    """Give a folder in memory where there is one: what is tested here is the order of steps, not the disk's speed."""
    place = Path(tempfile.mkdtemp(prefix="kctl-faults-", dir=MEMORY if os.access(MEMORY, os.W_OK) else None))
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def fork(body: Callable[[], object]) -> int:
    """Run ``body`` in a process of its own and return its id; a failure is shown and exits with 1."""
    sys.stdout.flush()
    sys.stderr.flush()
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # a test runner may have threads; none of them is needed here
        pid = os.fork()
    if pid:
        return pid
    try:
        body()
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)


def exit_of(status: int) -> int:
    """Return how a process ended: its code, or minus the signal."""
    return os.waitstatus_to_exitcode(status)
