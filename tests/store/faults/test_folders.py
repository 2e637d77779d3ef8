"""Folders that are deleted, taken back to yesterday, or hold something else, while the log is in use."""

from __future__ import annotations

import shutil
from contextlib import closing

import pytest

from kctl.store.errors import NoQuorum, StoreError
from tests.store.faults.witness import Witness
from tests.store.faults.world import World, scratch


@pytest.fixture
def place():
    with scratch() as found:
        yield found


def write(store, witness, first, count=1):
    for n in range(first, first + count):
        witness.commit(store, f"w{n}", [(f"/pods/a/p{n % 5}", f"v{n}")])


def heal(world, witness):
    """Repair, and judge what is there afterwards."""
    world.repair()
    assert world.verify() == []
    with closing(world.open()) as store:
        witness.judge(store)


@pytest.mark.parametrize("replicas", [3, 5])
@pytest.mark.parametrize("gone", [1, 2])
def test_folders_deleted_while_the_log_is_in_use(place, replicas, gone):
    world, witness = World(place / "w", replicas).create(), Witness()
    with closing(world.open()) as store:
        write(store, witness, 0, 4)
        for folder in world.folders[:gone]:
            shutil.rmtree(folder)
        if gone * 2 > replicas:
            with pytest.raises(NoQuorum):
                write(store, witness, 4)
            with pytest.raises(NoQuorum):
                store.list("/pods/")
        else:
            write(store, witness, 4, 3)
            witness.judge(store)
            assert sum(member.state == "missing" for member in store.members()) == gone
    if gone * 2 > replicas:
        with closing(world.open(consistency="serializable")) as store:
            assert len(store.list("/pods/").items) == 4
            assert not store.freshness().is_confirmed
    else:
        heal(world, witness)


@pytest.mark.parametrize("open_meanwhile", [True, False])
def test_a_folder_replaced_by_yesterdays_copy(place, open_meanwhile):
    world, witness = World(place / "w", 3).create(), Witness()
    with closing(world.open()) as store:
        write(store, witness, 0, 3)
    shutil.copytree(world.folders[1], place / "yesterday")
    store = world.open()
    write(store, witness, 3, 3)
    if not open_meanwhile:
        store.close()
    shutil.rmtree(world.folders[1])
    shutil.copytree(place / "yesterday", world.folders[1])
    if not open_meanwhile:
        store = world.open()
    with closing(store):
        write(store, witness, 6, 2)
        witness.judge(store)
    heal(world, witness)


def test_yesterdays_copy_does_not_vote(place):
    """Only the first replica has the last entry besides the second, which forgot it; the third never had it."""
    world, witness = World(place / "w", 3).create(), Witness()
    with closing(world.open()) as store:
        write(store, witness, 0)
    shutil.copytree(world.folders[1], place / "yesterday")
    with closing(world.open()) as store:
        write(store, witness, 1, 2)
    with world.moved(3), closing(world.open()) as store:
        write(store, witness, 3)
    shutil.rmtree(world.folders[1])
    shutil.copytree(place / "yesterday", world.folders[1])
    with world.moved(1), pytest.raises(NoQuorum), closing(world.open()) as store:
        write(store, witness, 4)
    with closing(world.open()) as store:
        witness.judge(store)
        write(store, witness, 5)
    heal(world, witness)


def test_the_only_replica_taken_back_is_noticed_by_its_head_file(place):
    world, witness = World(place / "w").create(), Witness()
    with closing(world.open()) as store:
        write(store, witness, 0, 2)
    shutil.copy(world.folders[0] / "log.db", place / "yesterday")
    with closing(world.open()) as store:
        write(store, witness, 2, 2)
    shutil.copy(place / "yesterday", world.folders[0] / "log.db")
    with pytest.raises(StoreError, match="acknowledged"), closing(world.open()) as store:
        write(store, witness, 4)
    assert world.verify() != []


@pytest.mark.parametrize("voters", [1, 3])
def test_a_longer_log_of_another_cluster_has_no_word(place, voters):
    world, witness = World(place / "w", 3).create(), Witness()
    other, theirs = World(place / "o", voters).create("other"), Witness()
    with closing(world.open()) as store:
        write(store, witness, 0)
    with closing(other.open()) as store:
        write(store, theirs, 0, 9)
    shutil.rmtree(world.folders[2])
    shutil.copytree(other.folders[0], world.folders[2])
    with closing(world.open()) as store:
        witness.judge(store)
        write(store, witness, 1, 2)
        assert [member.state for member in store.members()].count("foreign") == 1
    with closing(other.open()) as store:
        theirs.judge(store)
    heal(world, witness)
