"""Damage to the bytes of one replica: is anything wrong or missing ever shown, is it named, is it healed?

In: a world with a log, and which pages. Out: how many damages, and what was noticed by whom.
Every damage is tried on a fresh copy. With one replica a read answers right or raises; with
several it answers right, ``verify`` names the damaged replica and ``repair`` makes it whole.
"""

from __future__ import annotations

import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from kctl.store.api import Store
from kctl.store.errors import StoreError
from tests.store.faults.witness import Row, Violation, Witness
from tests.store.faults.world import World

PAGE = 4096
KINDS = ("bit", "garbage", "zeroed", "random", "swapped")


class Damage(NamedTuple):
    """What was done to a file."""

    kind: str
    file: str
    offset: int

    def __str__(self) -> str:
        return f"{self.kind} at {self.offset} of {self.file}"


class Figures(NamedTuple):
    """How many damages there were, and how many were noticed by a read, by verify, by nobody."""

    damages: int
    by_reads: int
    by_verify: int
    unnoticed: int
    healed: int


def damages(content: bytes, kinds: tuple[str, ...], dice: random.Random) -> Iterator[tuple[str, int, bytes]]:
    """Yield every page damaged in every way: kind, offset and the whole content afterwards."""
    pages = len(content) // PAGE
    for n in range(pages):
        for kind in kinds:
            start = n * PAGE
            found = bytearray(content)
            at = start
            if kind == "bit":
                at += dice.randrange(PAGE)
                found[at] ^= 1 << dice.randrange(8)
            elif kind == "garbage":
                at += dice.randrange(PAGE - 16)
                found[at : at + 16] = dice.randbytes(16)
            elif kind == "zeroed":
                found[start : start + PAGE] = bytes(PAGE)
            elif kind == "random":
                found[start : start + PAGE] = dice.randbytes(PAGE)
            else:
                other = (n + dice.randrange(1, max(2, pages))) % pages * PAGE
                found[start : start + PAGE], found[other : other + PAGE] = (
                    content[other : other + PAGE],
                    content[start : start + PAGE],
                )
            if found != content:
                yield kind, at, bytes(found)


def bits(content: bytes, count: int, dice: random.Random) -> Iterator[tuple[str, int, bytes]]:
    """Yield the content with one bit flipped, at random places."""
    for _ in range(count):
        at = dice.randrange(len(content))
        found = bytearray(content)
        found[at] ^= 1 << dice.randrange(8)
        yield "bit", at, bytes(found)


class Truth(NamedTuple):
    """What every read must answer."""

    state: dict[str, Row]
    changes: list[Any]
    head: Any
    past: dict[int, list[Any]]


def truth(store: Store) -> Truth:
    """Ask a whole log everything."""
    state = {kv.key: Row(kv.value, kv.create_revision, kv.mod_revision) for kv in store.list("/").items}
    low, high = store.compacted(), store.head().revision
    past = {at: store.list("/", revision=at).items for at in range(low, high + 1, max(1, (high - low) // 5))}
    return Truth(state, list(store.changes(low)), store.head(), past)


def ask(store: Store, want: Truth, *, is_later: bool = False) -> bool:
    """Ask everything; return whether an answer was refused, raise Violation when one was wrong.

    ``is_later``: entries without writes have followed, so the head is another one.
    """
    resources = sorted({key.split("/")[1] for key in want.state})
    questions: list[tuple[Callable[[], Any], Any]] = [
        (store.head, store.head() if is_later else want.head),
        (lambda: list(store.changes(store.compacted())), want.changes),
    ]
    for resource in resources:
        items = sorted((key, *row) for key, row in want.state.items() if key.split("/")[1] == resource)
        questions.append(
            (
                lambda r=resource: [
                    (kv.key, kv.value, kv.create_revision, kv.mod_revision) for kv in store.list(f"/{r}/").items
                ],
                items,
            )
        )
    for key, row in want.state.items():
        questions.append((lambda key=key: _row(store.get(key)), row))
    questions += [(lambda at=at: store.list("/", revision=at).items, items) for at, items in want.past.items()]
    refused = False
    for question, answer in questions:
        try:
            found = question()
        except StoreError:
            refused = True
            continue
        if found != answer:
            raise Violation(f"a read answered {str(found)[:200]}, want {str(answer)[:200]}")
    return refused


def _row(found: Any) -> Row | None:
    return Row(found.value, found.create_revision, found.mod_revision) if found is not None else None


def run(world: World, name: str, found: Iterator[tuple[str, int, bytes]]) -> Figures:
    """Try damages of file ``name`` of the first replica; the world itself stays as it is."""
    with closing(world.open()) as store:
        want = truth(store)
    counts: Counter[str] = Counter()
    place = world.root.with_name(world.root.name + "-damaged")
    for kind, offset, content in found:
        damage = Damage(kind, name, offset)
        counts["damages"] += 1
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(world.root, place)
        (place / world.folders[0].name / name).write_bytes(content)
        try:
            counts[_try(world.at(place), want, counts)] += 1
        except (Violation, StoreError) as error:
            raise Violation(f"{damage}: {type(error).__name__}: {error}") from error
    shutil.rmtree(place, ignore_errors=True)
    return Figures(*(counts[name] for name in Figures._fields))


def _try(world: World, want: Truth, counts: Counter[str]) -> str:
    """Return who noticed the damage; raise Violation when something wrong was shown or not healed."""
    refused = False
    try:
        with closing(world.open()) as store:
            refused = ask(store, want)
    except StoreError:
        refused = True
    if refused and world.replicas > 1:
        raise Violation("a read was refused although a majority is whole")
    problems = world.problems()
    if world.replicas > 1 and problems:
        named = {problem.place for problem in problems}
        if named != {str(world.folders[0])}:
            raise Violation(f"verify names {sorted(named)}, {world.folders[0]} is damaged")
        world.repair()
        if left := world.problems():
            raise Violation(f"after repair verify still finds {[str(problem) for problem in left]}")
        with closing(world.open()) as store:
            witness = Witness()  # judges nothing: what it writes must only be possible
            if ask(store, want, is_later=True):
                raise Violation("a read was refused after repair")
            witness.commit(store, "after", [("/pods/a/after", "x")])
        counts["healed"] += 1
    if refused and not problems:
        raise Violation("a read was refused, and verify finds nothing")
    return "by_reads" if refused else "by_verify" if problems else "unnoticed"


def files(world: World) -> list[str]:
    """Return the files of the first replica that hold the log."""
    return sorted(
        path.name
        for path in world.folders[0].iterdir()
        if path.name.startswith("log.db") and not path.name.endswith("-shm")
    )


def content(world: World, name: str) -> bytes:
    """Return the bytes of a file of the first replica."""
    return (world.folders[0] / name).read_bytes()


__all__ = ["KINDS", "Damage", "Figures", "Path", "bits", "content", "damages", "files", "run"]
