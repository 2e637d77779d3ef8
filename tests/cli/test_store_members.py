"""``kctl store repair``, ``member``, ``restore`` and ``recover``."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from kctl.cli import store_status

SECRET = """
apiVersion: v1
kind: Secret
metadata: {name: db}
stringData: {password: hunter2}
"""
PASSWORD = ("get", "secret", "db", "-o", "jsonpath={.data.password}", "--show-secrets")


@pytest.fixture
def one(kctl: Any) -> Any:
    """A cluster on one replica with a Secret."""
    kctl.write("secret.yaml", SECRET)
    kctl("apply", "-f", "secret.yaml")
    return kctl


@pytest.fixture
def three(kctl: Any) -> Any:
    """A cluster on three replicas with a Secret."""
    kctl.write("secret.yaml", SECRET)
    kctl("init", "--replicas", "3")
    kctl("apply", "-f", "secret.yaml")
    return kctl


def members(kctl: Any) -> dict[str, tuple[str, str]]:
    """Return role and state of every replica by the name of its directory."""
    found = kctl("store", "status", "-o", "json", code=None).json()
    return {Path(member["place"]).name: (member["role"], member["state"]) for member in found["members"]}


def sound(kctl: Any) -> None:
    """Check that the log is clean, holds what it should, and takes writes."""
    assert kctl("store", "verify", "--full").out.startswith("clean")
    assert kctl(*PASSWORD).out == "aHVudGVyMg=="
    assert "secret/db unchanged" in kctl("apply", "-f", "secret.yaml").out
    kctl("label", "node", "node-1", "--overwrite", f"n={kctl('store', 'status', '-o', 'json').json()['index']}")


def folder(kctl: Any, number: int) -> Path:
    """Return the directory of one of three replicas."""
    return Path(kctl.folder) / ".kctl" / f"store-{number}"


def test_one_replica_becomes_three_becomes_one(one: Any) -> None:
    one("store", "member", "add", "r2")
    assert members(one) == {"store": ("voter", "ok"), "r2": ("learner", "ok")}
    assert "votes" in one("store", "member", "add", "r3").out
    assert members(one) == dict.fromkeys(("store", "r2", "r3"), ("voter", "ok"))
    sound(one)
    shutil.rmtree("r2")
    sound_without = one("label", "node", "node-1", "a=b")
    assert "degraded" in sound_without.err
    one("store", "repair")
    sound(one)
    assert "1 are left to vote" in one("store", "member", "remove", "r2", "r3", code=4).err
    one("store", "member", "remove", "r2", "r3", "--yes")
    shutil.rmtree("r2")
    shutil.rmtree("r3")
    assert members(one) == {"store": ("voter", "ok")}
    sound(one)


def test_a_replica_moves_elsewhere(three: Any) -> None:
    assert "takes its place" in three("store", "member", "replace", ".kctl/store-2", "new", code=4).err
    three("store", "member", "replace", ".kctl/store-2", "new", "--yes")
    assert members(three) == dict.fromkeys(("store-1", "store-3", "new"), ("voter", "ok"))
    assert "they vote already" in three("store", "member", "add", "new").out
    shutil.rmtree(folder(three, 2))
    sound(three)


def test_a_lost_replica_is_replaced_elsewhere(three: Any) -> None:
    shutil.rmtree(folder(three, 2))
    three("store", "member", "replace", ".kctl/store-2", "new", "--yes")
    assert members(three) == dict.fromkeys(("store-1", "store-3", "new"), ("voter", "ok"))
    sound(three)


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (("add", "foreign"), 4, "holds a log already"),
        (("add", "a", "./a"), 2, "is named twice"),
        (("remove", "nothing", "--yes"), 2, "is no replica of this log"),
        (("remove", ".kctl/store-1", "--yes"), 2, "2 voters"),
        (("replace", "nothing", "a", "--yes"), 2, "is no replica of this log"),
        (("replace", ".kctl/store-1", ".kctl/store-2", "--yes"), 2, "holds a replica of this log already"),
        (("replace", ".kctl/store-1", "foreign", "--yes"), 4, "holds a log already"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(three: Any, args: tuple[str, ...], code: int, said: str) -> None:
    three("--state", "other", "init")
    (three.folder / "other" / "store-1").rename("foreign")
    before, listed = members(three), (three.folder / ".kctl" / "replicas.json").read_text()
    assert said in three("store", "member", *args, code=code).err
    assert members(three) == before
    assert (three.folder / ".kctl" / "replicas.json").read_text() == listed
    sound(three)


def test_without_a_majority_no_member_is_changed(three: Any) -> None:
    shutil.rmtree(folder(three, 1))
    shutil.rmtree(folder(three, 2))
    for args in (("repair",), ("member", "add", "a"), ("member", "replace", ".kctl/store-1", "a", "--yes")):
        assert "1 of 3 replicas can be used, 2 are needed" in three("store", *args, code=1).err
    assert not (three.folder / "a" / "log.db").exists()


def test_recovery_needs_the_loss_accepted_and_makes_another_cluster(three: Any) -> None:
    before = three("store", "status", "-o", "json").json()
    shutil.rmtree(folder(three, 1))
    shutil.rmtree(folder(three, 2))
    source = ".kctl/store-3"
    assert "--accept-loss" in three("store", "recover", "--from", source, "--yes", code=4).err
    three("store", "recover", "--from", source, "--accept-loss")
    after = three("store", "status", "-o", "json").json()
    assert after["state"] == "healthy"
    assert after["cluster"] != before["cluster"]
    assert after["revision"] >= before["revision"] + 1_000_000
    assert (folder(three, 3) / "log.db.lost").exists()
    sound(three)


def test_a_restore_sets_aside_what_was_there(three: Any) -> None:
    three("store", "snapshot", "a.snapshot")
    three("label", "node", "node-1", "later=yes")
    before = three("store", "status", "-o", "json").json()
    assert "is set aside" in three("store", "restore", "a.snapshot", code=4).err
    assert three("store", "status", "-o", "json").json() == before
    three("store", "restore", "a.snapshot", "--yes")
    assert "later" not in three("get", "nodes", "--show-labels").out
    after = three("store", "status", "-o", "json").json()
    assert after["state"] == "healthy"
    assert after["revision"] > before["revision"]
    assert (folder(three, 1) / "log.db.lost").exists()
    sound(three)


def test_a_damaged_snapshot_changes_nothing(one: Any) -> None:
    one("store", "snapshot", "a.snapshot")
    data = bytearray(Path("a.snapshot").read_bytes())
    data[len(data) // 2] ^= 1
    Path("a.snapshot").write_bytes(data)
    assert "damaged" in one("store", "restore", "a.snapshot", "--yes", code=1).err
    assert "no such file" in one("store", "restore", "nothing", "--yes", code=1).err.lower()
    sound(one)


def test_a_snapshot_of_one_is_restored_on_three_elsewhere(one: Any) -> None:
    one("store", "snapshot", "a.snapshot")
    one.write("new/kctl.yaml", "apiVersion: kctl.dev/v1\nkind: Cluster\nspec: {replicas: 3}\n")
    state = one.folder / "new" / ".kctl"
    one("--state", str(state), "store", "restore", "a.snapshot")
    assert sorted(path.name for path in state.glob("store*")) == ["store-1", "store-2", "store-3"]
    assert "is encrypted with key" in one("--state", str(state), *PASSWORD, code=1).err
    shutil.copy(one.folder / ".kctl" / "encryption-keys.json", state)
    assert one("--state", str(state), *PASSWORD).out == "aHVudGVyMg=="
    assert one("--state", str(state), "store", "verify", "--full").out.startswith("clean: 3 replicas")


def test_documents_are_as_their_schema_says(three: Any) -> None:
    schema = json.loads(Path(store_status.__file__).with_name("store.schema.json").read_text())
    three("store", "snapshot", "a")
    for args in (
        ("repair",),
        ("member", "add", "r4", "r5"),
        ("member", "replace", "r4", "r6", "--yes"),
        ("member", "remove", "r5", "r6", "--yes"),
        ("restore", "a", "--yes"),
        ("recover", "--from", ".kctl/store-1", "--accept-loss", "--yes"),
    ):
        document = three("store", *args, "-o", "json").json()
        jsonschema.validate(document, {**schema, "$ref": "#/$defs/StoreChange"})
        assert document["action"] == (args[1] if args[0] == "member" else args[0])


def test_another_number_of_replicas_in_kctl_yaml_is_said(one: Any) -> None:
    one.write("kctl.yaml", "apiVersion: kctl.dev/v1\nkind: Cluster\nspec: {replicas: 3}\n")
    said = "kctl.yaml: it wants 3 replicas of the log, there are 1: see kctl store member add"
    assert said in one("label", "node", "node-1", "a=b").err
    one("store", "member", "add", "r2", "r3")
    assert "replicas of the log" not in one("label", "node", "node-2", "a=b").err


def test_a_state_folder_that_is_gone_finds_its_replicas_again(kctl: Any) -> None:
    kctl.write("secret.yaml", SECRET)
    places = [word for name in "abc" for word in ("--replica", f"disks/{name}")]
    kctl("init", *places)
    kctl("apply", "-f", "secret.yaml")
    keys = (kctl.folder / ".kctl" / "encryption-keys.json").read_bytes()
    shutil.rmtree(kctl.folder / ".kctl")
    assert "kctl store attach" in kctl("init", *places, code=4).err
    shutil.rmtree(kctl.folder / ".kctl", ignore_errors=True)
    assert "1 of 3 replicas" in kctl("store", "attach", "disks/a", code=1).err
    assert not (kctl.folder / ".kctl").exists()
    kctl("store", "attach", "disks/a", "disks/b", "disks/c")
    (kctl.folder / ".kctl" / "encryption-keys.json").write_bytes(keys)
    assert "holds a cluster already" in kctl("store", "attach", "disks/a", code=4).err
    assert members(kctl) == dict.fromkeys("abc", ("voter", "ok"))
    sound(kctl)


def test_a_directory_with_its_replicas_can_be_moved(three: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    moved = three.folder.rename(three.folder.with_name("moved"))
    monkeypatch.chdir(moved)
    found = three("store", "status", "-o", "json").json()
    assert [member["place"] for member in found["members"]] == [str(moved / ".kctl" / f"store-{n}") for n in (1, 2, 3)]
    sound(three)
    shutil.rmtree(moved / ".kctl" / "store-2")
    assert re.search(r"\.kctl/store-2 +missing", three("store", "status", code=3).out)
    three("store", "repair")
    sound(three)


def unfinished(kctl: Any, *more: str) -> None:
    """Put directories on the list, as a change of members that was interrupted leaves it."""
    file = kctl.folder / ".kctl" / "replicas.json"
    document = json.loads(file.read_text())
    file.write_text(json.dumps({**document, "directories": [*document["directories"], *more]}))


def test_what_interrupted_changes_left_is_tidied_by_doing_them_again(three: Any) -> None:
    three("store", "member", "replace", ".kctl/store-1", "new", "--yes")
    unfinished(three, "store-1")
    assert "store-1" in three("store", "verify", code=1).out
    three("store", "member", "replace", ".kctl/store-1", "new", "--yes")
    assert members(three) == dict.fromkeys(("store-2", "store-3", "new"), ("voter", "ok"))
    unfinished(three, "store-1")
    three("store", "member", "remove", ".kctl/store-1", "--yes")
    assert members(three) == dict.fromkeys(("store-2", "store-3", "new"), ("voter", "ok"))
    sound(three)
    shutil.copytree(folder(three, 1), three.folder / "r4")  # a copy that never came to vote
    unfinished(three, str(three.folder / "r4"))
    three("store", "member", "add", "r4", "r5")
    assert len(members(three)) == 5
    assert (three.folder / "r4" / "log.db.lost").exists()
    sound(three)


def test_repair_looks_no_more_where_no_replica_is(three: Any) -> None:
    three("store", "member", "replace", ".kctl/store-1", "new", "--yes")
    unfinished(three, "store-1", "nowhere")
    assert "it is looked at no more" in three("store", "repair").out
    assert members(three) == dict.fromkeys(("store-2", "store-3", "new"), ("voter", "ok"))
    sound(three)
