from __future__ import annotations

import os
from pathlib import Path

import pytest

from kctl.cli.store_placement import Place, place_of, sentences, survival

A, B, C = Place(("sda",), "ext4"), Place(("sdb",), "ext4"), Place(("sdc",), "xfs")
AB = Place(("sda", "sdb"), "xfs")


@pytest.mark.parametrize(
    ("places", "want"),
    [
        ([A], (0, 0, 0, 1)),
        ([A, A, A], (1, 0, 0, 1)),
        ([A, B, C], (1, 1, 0, 3)),
        ([A, A, B], (1, 0, 0, 2)),
        ([A, AB, B], (1, 0, 0, 1)),
        ([A, B, AB], (1, 0, 0, 1)),
        ([A, A, B, B, C], (2, 1, 0, 3)),
        ([A, A, A, B, C], (2, 0, 0, 3)),
    ],
)
def test_what_a_placement_survives_in_the_worst_case(places: list[Place], want: tuple[int, ...]) -> None:
    assert survival(places) == want


def test_several_replicas_on_one_disk_are_warned_of() -> None:
    said = "\n".join(sentences([A, A, A]))
    assert "3 replicas, 1 failure domain: sda" in said
    assert "loss or rot of 1 replica, 0 disks, 0 hosts" in said
    assert "warning: the replicas share a disk" in said
    assert "warning" not in "\n".join(sentences([A, B, C]))
    assert "warning: most of the replicas share a disk" in "\n".join(sentences([A, A, B]))


def test_memory_is_warned_of() -> None:
    assert "memory" in "\n".join(sentences([Place(("memory",), "tmpfs")]))


@pytest.fixture
def devices(tmp_path: Path) -> Path:
    """A table of block devices in which the device of this file system is a volume on two partitions."""
    device = tmp_path.stat().st_dev
    nodes, table = tmp_path / "nodes", tmp_path / "table"
    table.mkdir()
    for disk in ("sda", "sdb"):
        (nodes / disk / f"{disk}1").mkdir(parents=True)
        (nodes / disk / f"{disk}1" / "partition").write_text("1\n")
    (nodes / "dm-0" / "slaves").mkdir(parents=True)
    for disk in ("sda", "sdb"):
        (nodes / "dm-0" / "slaves" / f"{disk}1").symlink_to(nodes / disk / f"{disk}1")
    (table / f"{os.major(device)}:{os.minor(device)}").symlink_to(nodes / "dm-0")
    return table


def test_volumes_and_partitions_count_as_the_disks_below(tmp_path: Path, devices: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"1 0 254:0 / / rw - ext4 /dev/vda rw\n2 1 0:9 / {tmp_path} rw - xfs /dev/dm-0 rw\nodd line\n")
    found = place_of(tmp_path / "not" / "there", mounts=str(mounts), devices=str(devices))
    assert found == Place(("sda", "sdb"), "xfs")


def test_what_cannot_be_found_out_is_unknown(tmp_path: Path) -> None:
    assert place_of(tmp_path, mounts="/nowhere", devices="/nowhere") == Place(("unknown",), "")


def test_a_file_system_in_memory_is_no_disk(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"1 0 0:9 / {tmp_path} rw - tmpfs tmpfs rw\n")
    assert place_of(tmp_path, mounts=str(mounts)) == Place(("memory",), "tmpfs")
