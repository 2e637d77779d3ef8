"""The log as a user meets it: replicas that vanish, rot and come back; many shells at once."""

from __future__ import annotations

import itertools
import random
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

TEAM = """\
apiVersion: v1
kind: Namespace
metadata: {{name: {name}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: settings, namespace: {name}}}
data: {{of: "{name}"}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web, namespace: {name}}}
spec:
  replicas: 2
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec: {{containers: [{{name: web, image: "nginx:1"}}]}}
"""
SHELLS = 8
FLIPS = 12
SEED = 20260101
EVERYTHING = ("get", "configmaps,deployments,replicasets,pods,namespaces,nodes,services", "-A", "-o", "json")


def team(kctl: Any, name: str) -> None:
    """Write a directory of manifests for one team."""
    kctl.write(f"{name}/team.yaml", TEAM.format(name=name))


def state(kctl: Any) -> str:
    """Return the state that ``store status`` names."""
    return str(kctl("store", "status", "-o", "json", code=None).json()["state"])


def folder_of(kctl: Any, number: int) -> Path:
    """Return the folder of one of several replicas."""
    return Path(kctl.folder) / ".kctl" / f"store-{number}"


@pytest.fixture
def three(kctl: Any) -> Any:
    """A cluster on three replicas where a team works."""
    kctl("init", "--replicas", "3")
    team(kctl, "one")
    kctl("apply", "-f", "one")
    return kctl


def test_init_says_what_three_replicas_on_one_disk_are_worth(kctl: Any) -> None:
    ran = kctl("init", "--replicas", "3")
    assert "3 replicas, 1 failure domain" in ran.err
    assert "warning: the replicas share a disk" in ran.err
    assert "replicas: 3" in (kctl.folder / "kctl.yaml").read_text()
    found = kctl("store", "status", "-o", "json").json()
    assert (found["state"], found["quorum"], len(found["members"])) == ("healthy", 2, 3)
    assert found["survives"] == {"replicas": 1, "disks": 0, "hosts": 0, "domains": 1}


def test_replicas_lie_where_the_user_says(kctl: Any, another: Any) -> None:
    places = [kctl.folder / "disks" / name for name in "abc"]
    kctl("init", *(word for place in places for word in ("--replica", str(place))))
    assert all((place / "log.db").exists() for place in places)
    assert not list((kctl.folder / ".kctl").glob("store*"))
    members = kctl("store", "status", "-o", "json").json()["members"]
    assert sorted(member["place"] for member in members) == sorted(map(str, places))
    assert "holds a log already" in another()("init", "--replica", str(places[0]), code=4).err


@pytest.mark.parametrize(
    "args", [("--replica", "a", "--replica", "b"), ("--replicas", "3", "--replica", "a"), ("--replica", "a") * 3]
)
def test_replicas_that_cannot_be_are_a_usage_error(kctl: Any, args: tuple[str, ...]) -> None:
    kctl("init", *args, code=2)
    assert not (kctl.folder / ".kctl").exists()


def test_a_deleted_replica_is_missed_and_brought_back(three: Any) -> None:
    shutil.rmtree(folder_of(three, 2))
    team(three, "two")
    ran = three("apply", "-f", "two")
    assert "degraded" in ran.err
    assert "store-2" in ran.err
    status = three("store", "status", code=3).out
    assert "degraded: 2 of 3 replicas can be used, writes need 2" in status
    assert re.search(r"store-2 +missing", status)
    assert not (folder_of(three, 2) / "log.db").exists()
    assert "store-2" in three("store", "verify", code=1).out
    three("store", "repair", "--yes")
    assert state(three) == "healthy"
    assert three("store", "verify", "--full").out.startswith("clean: 3 replicas")
    shutil.rmtree(folder_of(three, 1))
    shutil.move(folder_of(three, 3), three.folder / "aside")
    assert state(three) == "no quorum"
    got = three("get", "configmap", "settings", "-n", "two", "-o", "jsonpath={.data.of}")
    assert got.out == "two"  # the replica that was brought back has it


def test_without_a_majority_writes_are_refused_and_reads_say_their_age(three: Any) -> None:
    before = three(*EVERYTHING).out
    revision = three("store", "status", "-o", "json").json()["revision"]
    for number in (1, 3):
        shutil.move(folder_of(three, number), three.folder / f"aside-{number}")
    team(three, "two")
    for args in (("apply", "-f", "two"), ("label", "node", "node-1", "a=b"), ("converge",), ("advance", "5s")):
        ran = three(*args, code=1)
        assert "1 of 3 replicas can be used, 2 are needed" in ran.err
        assert "store-1" in ran.err
        assert "store-3" in ran.err
    ran = three(*EVERYTHING)
    assert ran.out == before
    assert re.search(rf"this is revision {revision}, written \d+s ago", ran.err)
    assert "store-1" in ran.err
    assert "no quorum" in three("store", "status", code=3).out
    for number in (1, 3):
        shutil.move(three.folder / f"aside-{number}", folder_of(three, number))
    assert state(three) == "healthy"
    assert three(*EVERYTHING).out == before
    assert three("store", "status", "-o", "json").json()["revision"] == revision
    three("apply", "-f", "two")


def test_a_replica_replaced_by_an_old_copy_does_not_take_part(three: Any) -> None:
    shutil.copytree(folder_of(three, 3), three.folder / "old")
    team(three, "two")
    three("apply", "-f", "two")
    before = three(*EVERYTHING).out
    shutil.rmtree(folder_of(three, 3))
    shutil.move(three.folder / "old", folder_of(three, 3))
    assert three(*EVERYTHING).out == before
    three("apply", "-f", "one")
    three("store", "repair", "--yes")
    assert state(three) == "healthy"
    assert three("store", "verify", "--full").out.startswith("clean")


@pytest.mark.slow
@pytest.mark.parametrize("replicas", ["1", "3"])
def test_eight_shells_at_once_all_succeed(kctl: Any, replicas: str) -> None:
    kctl("init", "--replicas", replicas)
    names = [f"team-{number}" for number in range(SHELLS)]
    for name in names:
        team(kctl, name)
    shells = [kctl.start("apply", "-f", name) for name in names]
    ended = [(*shell.communicate(timeout=240), shell.returncode) for shell in shells]
    assert [code for _, _, code in ended] == [0] * SHELLS, ended
    for name in names:
        assert kctl("get", "configmap", "settings", "-n", name, "-o", "jsonpath={.data.of}").out == name
        assert kctl("get", "deploy", "web", "-n", name, "-o", "jsonpath={.status.readyReplicas}").out == "2"
    records = kctl("log", "--all", "--limit=0", "--reverse", "-o", "json").json()["records"]
    assert sorted(record["cause"] for record in records if record["cause"].startswith("apply")) == [
        f"apply {name}" for name in names
    ]
    followed = itertools.pairwise(records)
    assert all(after["first"] == before["revision"] + 1 for before, after in followed)
    assert kctl("store", "verify", "--full").out.startswith("clean")
    kctl.fixed_point()


def flip(path: Path, chance: random.Random) -> None:
    """Change one bit of a file."""
    data = bytearray(path.read_bytes())
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    path.write_bytes(data)


@pytest.mark.slow
def test_a_flipped_bit_in_the_only_replica_is_an_error_or_harmless(kctl: Any) -> None:
    team(kctl, "one")
    kctl("apply", "-f", "one")
    before = kctl(*EVERYTHING).out
    log = kctl.folder / ".kctl" / "store" / "log.db"
    sound, chance, noticed = log.read_bytes(), random.Random(SEED), 0
    for _ in range(FLIPS):
        flip(log, chance)
        ran = kctl(*EVERYTHING, code=None)
        verified = kctl("store", "verify", "--full", code=None)
        assert (ran.code, ran.out) == (0, before) or (ran.code == 1 and not ran.out), ran
        if ran.code:
            assert re.search("damaged|cannot be used", ran.err)
            assert verified.code == 1
            assert ran.err.startswith("error: ")
        noticed += verified.code
        log.write_bytes(sound)
        for name in ("log.db-wal", "log.db-shm"):
            log.with_name(name).unlink(missing_ok=True)
    assert noticed > FLIPS // 4  # the others hit bytes that nothing uses


@pytest.mark.slow
def test_a_flipped_bit_in_one_of_three_never_shows_and_is_healed(three: Any) -> None:
    before, chance, noticed = three(*EVERYTHING).out, random.Random(SEED), 0
    for number in range(FLIPS):
        folder = folder_of(three, number % 3 + 1)
        flip(folder / "log.db", chance)
        assert three(*EVERYTHING).out == before
        ran = three("store", "verify", "--full", code=None)
        if ran.code:
            noticed += 1
            assert folder.name in ran.out
            three("store", "repair", "--yes")
            assert three("store", "verify", "--full").out.startswith("clean")
            assert state(three) == "healthy"
        assert three(*EVERYTHING).out == before
    assert noticed > FLIPS // 4  # the others hit bytes that nothing uses
