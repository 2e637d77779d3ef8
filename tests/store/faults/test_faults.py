"""Power cuts, deaths and several processes, on files: the short pass of ``python -m tests.store.faults``."""

from __future__ import annotations

import pytest

from tests.store.faults import clients, cuts, kills, workloads
from tests.store.faults.disk import reachable
from tests.store.faults.witness import Violation
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


def test_a_power_cut_after_any_disk_operation_loses_nothing(place):
    found = cuts.run(World(place / "w").create(), workloads.plain, seed=1)
    assert found.operations > 100
    assert found.images > 2 * found.operations


@pytest.mark.parametrize("level", ["NORMAL", "OFF"])
def test_a_log_that_does_not_wait_for_the_disk_is_caught(place, monkeypatch, level):
    from kctl.store import replica

    settings = replica._settings

    def careless(db, path, *, write):
        settings(db, path, write=write)
        db.execute(f"PRAGMA synchronous={level}")

    monkeypatch.setattr(replica, "_settings", careless)
    with pytest.raises(Violation):
        cuts.run(World(place / "w").create(), workloads.plain, seed=1)


def test_a_process_killed_at_any_step_loses_nothing(place):
    found = kills.run(World(place / "w").create(), workloads.plain, seed=1, every=3)
    assert found.deaths > 50


@pytest.mark.parametrize("processes", [2, 8])
def test_what_several_processes_saw_has_an_order(place, processes):
    found = clients.run(World(place / "w").create(), seed=processes, clients=processes, lives=80)
    assert found.verdict.order is not None
    assert found.operations > 500
    assert found.kills > 10
