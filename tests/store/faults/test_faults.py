"""The short pass over files: power cuts, deaths, several processes, failing disks, damage."""

from __future__ import annotations

import random

import pytest

from tests.store.faults import clients, cuts, damage, failing, kills, workloads
from tests.store.faults.careless import STORE
from tests.store.faults.disk import reachable
from tests.store.faults.mutants import broken
from tests.store.faults.witness import Violation, Witness
from tests.store.faults.world import World, scratch

pytestmark = pytest.mark.skipif(not reachable(), reason="this Python's SQLite hides the functions that are watched")


@pytest.fixture
def place():
    with scratch() as found:
        yield found


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    """Move the write-ahead log into the file often, so that short workloads see it happen."""
    from kctl.store import replica

    monkeypatch.setattr(replica, "CHECKPOINT_FRAMES", workloads.FRAMES)


@pytest.mark.parametrize(("replicas", "every"), [(1, 4), (3, 40)])
def test_a_power_cut_after_any_disk_operation_loses_nothing(place, replicas, every):
    found = cuts.run(World(place / "w", replicas).create(), workloads.of(replicas), seed=1, every=every)
    assert found.images > found.operations / every
    assert found.recoveries == found.images * len(World(place, replicas).quorums())


@pytest.mark.parametrize(("replicas", "every"), [(1, 10), (3, 60)])
def test_a_process_killed_at_any_step_loses_nothing(place, replicas, every):
    found = kills.run(World(place / "w", replicas).create(), workloads.of(replicas), seed=1, every=every)
    assert found.deaths > 10


@pytest.mark.parametrize("how", [cuts.run, kills.run])
@pytest.mark.parametrize(
    ("replicas", "name", "every"), [(1, "mended", 12), (3, "mended", 80), (3, "born", 60), (3, "joined", 80)]
)
def test_who_dies_while_making_mending_or_changing_members_is_in_nobodys_way(place, how, replicas, name, every):
    if name == "born":
        (place / "w").mkdir()
        world = World(place / "w", replicas)
    else:
        world = World(place / "w", replicas, is_whole=name == "joined").create()
    assert how(world, getattr(workloads, name), seed=2, every=every).recoveries > 2


@pytest.mark.parametrize(("replicas", "processes"), [(1, 8), (3, 2), (3, 8)])
def test_what_several_processes_saw_has_an_order(place, replicas, processes):
    world = World(place / "w", replicas).create()
    found = clients.run(world, seed=processes, clients=processes, lives=60)
    assert found.verdict.order is not None
    assert found.operations > 300
    assert found.kills > 10
    # the last writer may have been killed before it reached every replica: the next one brings it up
    assert [problem for problem in world.verify() if not problem.endswith("entries behind")] == []


@pytest.mark.parametrize("error", failing.ERRORS)
@pytest.mark.parametrize(("replicas", "failed"), [(1, (1,)), (3, (1,)), (3, (1, 3))])
def test_failing_disks_lose_nothing_and_a_whole_majority_goes_on(place, error, replicas, failed):
    found = failing.run(World(place / "w", replicas).create(), failed, error, range(1, 60, 12), seed=1)
    assert found.acknowledged
    assert (found.refused + found.unknown > 0) == (len(failed) * 2 > replicas)


@pytest.mark.parametrize("replicas", [1, 3])
@pytest.mark.parametrize("is_open", [False, True])
def test_damage_is_never_shown_but_named_and_healed(place, replicas, is_open):
    world = World(place / "w", replicas).create()
    workloads.grown(world, Witness())
    if is_open:
        workloads.unfinished(world)
    dice = random.Random(1)
    for name in damage.files(world):
        content = damage.content(world, name)
        kinds = damage.KINDS if replicas == 1 else tuple(dice.sample(damage.KINDS, 2))
        found = damage.run(world, name, damage.damages(content, kinds, dice))
        assert found.by_reads + found.by_verify > 0
        assert found.healed == (found.by_verify if replicas > 1 else found.healed)
        damage.run(world, name, damage.bits(content, 150 // replicas**2, dice))


@pytest.mark.night
@pytest.mark.parametrize("name", STORE)
def test_a_careless_store_is_caught(place, name):
    mutant = STORE[name]
    with broken(mutant.patches), pytest.raises(Violation):
        mutant.run(place)
