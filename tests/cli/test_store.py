"""``kctl store`` on one replica: status, verify, compact, snapshot, and the keys of Secrets."""

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
def secret(kctl: Any) -> Any:
    """A cluster with a Secret that a set brought."""
    kctl.write("secret.yaml", SECRET)
    kctl("apply", "-f", "secret.yaml")
    return kctl


def keys(kctl: Any) -> list[tuple[str, str, int, int]]:
    """Return name, role and uses of every key."""
    items = kctl("store", "key", "list", "-o", "json").json()["items"]
    return [(item["name"], item["role"], item["values"], item["history"]) for item in items]


def test_status_says_what_one_replica_survives(web: Any) -> None:
    text = web("store", "status").out
    assert re.search(r"^\.kctl/store +ok +voter +\d+ +\d+ +0 +\d+KiB", text, re.MULTILINE)
    assert "\nhealthy\n" in text
    assert "does not survive: the loss of the file or its disk" in text
    found = web("store", "status", "-o", "json").json()
    assert (found["state"], found["quorum"], found["usable"]) == ("healthy", 1, 1)
    assert found["revision"] == web("log", "--limit=1", "-o", "json").json()["records"][0]["revision"]


@pytest.mark.parametrize("command", ["status", "verify", "compact --yes", "snapshot x", "key list", "key rotate"])
def test_without_a_cluster_nothing_is_made(kctl: Any, command: str) -> None:
    assert "no cluster here" in kctl("store", *command.split(), code=1).err
    assert list(kctl.folder.iterdir()) == []


def test_verify_of_a_sound_log_is_clean(secret: Any) -> None:
    assert secret("store", "verify").out.startswith("clean: 1 replica, revision ")
    assert "page and index" in secret("store", "verify", "--full").out
    assert secret("store", "verify", "--full", "-o", "json").json()["clean"] is True


def test_verify_names_a_damaged_row_and_ends_with_1(web: Any) -> None:
    log = web.folder / ".kctl" / "store" / "log.db"
    data = bytearray(log.read_bytes())
    place = data.rindex(b"nginx:1")
    data[place] ^= 1
    log.write_bytes(data)
    ran = web("store", "verify", code=1)
    assert "damaged" in ran.out
    assert ran.out.splitlines()[-1].endswith(("problem", "problems"))
    assert web("store", "verify", "-o", "json", code=1).json()["problems"]


def test_full_verification_names_an_index_that_is_gone(web: Any) -> None:
    import sqlite3

    db = sqlite3.connect(web.folder / ".kctl" / "store" / "log.db")
    db.execute("DROP INDEX kv_key")
    db.close()
    assert web("store", "verify").code == 0
    assert "the index kv_key is missing" in web("store", "verify", "--full", code=1).out
    web("store", "repair")
    assert web("store", "verify", "--full").out.startswith("clean")


def test_usage_counts_objects_and_the_states_kept_of_them(web: Any) -> None:
    items = {item["resource"]: item for item in web("store", "usage", "-o", "json").json()["items"]}
    assert items["pods"]["objects"] == 3
    assert items["pods"]["states"] > 3
    web("store", "compact", "--yes")
    items = {item["resource"]: item for item in web("store", "usage", "-o", "json").json()["items"]}
    assert items["pods"]["states"] == 3
    assert "RESOURCE" in web("store", "usage").out


def test_compact_asks_before_it_forgets(web: Any) -> None:
    ran = web("store", "compact", code=4)
    assert "will be forgotten" in ran.err
    assert "--yes" in ran.err
    assert web("get", "pods", "--at", "5").code == 0


def test_what_is_compacted_is_said_to_be(web: Any) -> None:
    latest = web("store", "status", "-o", "json").json()["revision"]
    assert f"compacted to revision {latest}" in web("store", "compact", "--yes").out
    for args in (("get", "pods", "--at", "5"), ("diff", "5..6"), ("rollback", "5")):
        assert f"revision 5 has been compacted; the oldest that can be read is {latest}" in web(*args, code=None).err
    assert f"what was before revision {latest} has been compacted" in web("log").err
    assert "already" in web("store", "compact", "--yes").out
    assert len(web("get", "pods", "-o", "name").out.splitlines()) == 3


@pytest.mark.parametrize("args", [("--to", "5", "--keep", "1"), ("--to", "0"), ("--keep", "-1")])
def test_a_compaction_that_makes_no_sense_is_a_usage_error(web: Any, args: tuple[str, ...]) -> None:
    web("store", "compact", "--yes", *args, code=2)


def test_compact_to_the_future_is_refused(web: Any) -> None:
    assert "is in the future" in web("store", "compact", "--to", "99999", "--yes", code=1).err


def test_a_snapshot_says_that_it_needs_the_keys(secret: Any) -> None:
    ran = secret("store", "snapshot", "x.snapshot")
    assert "encryption-keys.json" in ran.out
    assert b"hunter2" not in Path("x.snapshot").read_bytes()
    assert "is there already" in secret("store", "snapshot", "x.snapshot", code=4).err
    assert secret("store", "snapshot", "x.snapshot", "--yes", "-o", "json").json()["kind"] == "StoreSnapshot"


def test_rotation_writes_everything_anew_and_keeps_the_old_key_for_the_history(secret: Any) -> None:
    [(old, _, count, _)] = keys(secret)
    ran = secret("store", "key", "rotate")
    assert f"{count} values were encrypted anew" in ran.out
    found = keys(secret)
    assert found[0][1:] == ("writes", count, 0)
    assert found[1][:3] == (old, "reads", 0)
    assert found[1][3] >= count
    assert secret(*PASSWORD).out == "aHVudGVyMg=="


def test_rotation_with_forget_leaves_one_key_and_no_history(secret: Any) -> None:
    [(old, *_)] = keys(secret)
    assert "will be forgotten" in secret("store", "key", "rotate", "--forget", code=4).err
    assert [name for name, *_ in keys(secret)] == [old]
    ran = secret("store", "key", "rotate", "--forget", "--yes")
    assert old in ran.out
    [(new, role, _, past)] = keys(secret)
    assert new != old
    assert (role, past) == ("writes", 0)
    assert secret(*PASSWORD).out == "aHVudGVyMg=="
    assert secret("apply", "-f", "secret.yaml").out.startswith("Intent\n  secret/db unchanged")


def test_a_key_that_is_needed_is_not_dropped(secret: Any) -> None:
    [(name, *_)] = keys(secret)
    assert f"key {name} is needed for" in secret("store", "key", "drop", name, code=4).err
    assert "there is no key" in secret("store", "key", "drop", "none", code=1).err
    assert secret(*PASSWORD).out == "aHVudGVyMg=="


def test_without_the_keys_what_is_not_secret_can_be_read(secret: Any) -> None:
    [(name, *_)] = keys(secret)
    secret.folder.joinpath(".kctl", "encryption-keys.json").unlink()
    for args in (("get", "secrets"), ("apply", "-f", "secret.yaml"), ("describe", "secret", "db")):
        err = secret(*args, code=1).err
        assert f"is encrypted with key {name}, and there is no key in" in err
        assert "hint: put the file that holds this key back" in err
    assert "node-1" in secret("get", "nodes").out
    assert f"is encrypted with key {name}" in secret("store", "verify", "--full", code=1).out
    assert keys(secret)[0][:2] == (name, "missing")


def test_status_is_not_healthy_while_values_cannot_be_decrypted(secret: Any) -> None:
    [(name, *_)] = keys(secret)
    secret.folder.joinpath(".kctl", "encryption-keys.json").unlink()
    status = secret("store", "status", "-o", "json", code=3).json()
    assert status["state"] == "degraded"
    assert list(status["encryption"]["lost"]) == [name]
    assert f"cannot be read: key {name} is not in" in secret("store", "status", code=3).out


def test_a_lost_key_can_be_given_up_with_what_it_encrypted(secret: Any) -> None:
    [(name, *_)] = keys(secret)
    secret.folder.joinpath(".kctl", "encryption-keys.json").unlink()
    assert "will be deleted" in secret("store", "key", "drop", name, "--accept-loss", code=4).err
    secret("store", "key", "drop", name, "--accept-loss", "--yes")
    assert "NotFound" in secret("get", "secret", "db", code=1).err
    assert "secret/db created" in secret("apply", "-f", "secret.yaml").out
    assert secret(*PASSWORD).out == "aHVudGVyMg=="
    assert secret("store", "verify", "--full").out.startswith("clean")


def test_a_key_file_elsewhere_is_used(kctl: Any, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: Any) -> None:
    file = tmp_path_factory.mktemp("keys") / "k.json"
    monkeypatch.setenv("KCTL_KEY_FILE", str(file))
    kctl.write("secret.yaml", SECRET)
    kctl("apply", "-f", "secret.yaml")
    assert file.exists()
    assert not (kctl.folder / ".kctl" / "encryption-keys.json").exists()
    monkeypatch.delenv("KCTL_KEY_FILE")
    assert "is encrypted with key" in kctl(*PASSWORD, code=1).err


def test_a_key_file_that_others_can_read_is_warned_of(secret: Any) -> None:
    secret.folder.joinpath(".kctl", "encryption-keys.json").chmod(0o644)
    assert "warning: others can read" in secret("store", "status").out


def test_documents_are_as_their_schema_says(secret: Any) -> None:
    schema = json.loads(Path(store_status.__file__).with_name("store.schema.json").read_text())
    for args in (
        ("status",),
        ("verify",),
        ("verify", "--full"),
        ("usage",),
        ("snapshot", "a"),
        ("key", "list"),
        ("key", "rotate"),
        ("compact", "--yes"),
    ):
        document = secret("store", *args, "-o", "json").json()
        jsonschema.validate(document, {**schema, "$ref": f"#/$defs/{document['kind']}"})


@pytest.mark.parametrize(("count", "text"), [(0, "0B"), (1023, "1023B"), (1536, "1.5KiB"), (50 << 20, "50MiB")])
def test_bytes_as_people_read_them(count: int, text: str) -> None:
    assert store_status.human(count) == text


def test_history_is_forgotten_as_kctl_yaml_says_and_that_is_said(kctl: Any) -> None:
    kctl.write("kctl.yaml", "apiVersion: kctl.dev/v1\nkind: Cluster\nspec: {history: {revisions: 30, commands: 4}}\n")
    kctl("init")
    kctl("create", "configmap", "a", "--from-literal=n=0", "--no-wait")
    kept = []
    for number in range(40):
        kctl("patch", "configmap", "a", "-p", f'{{"data":{{"n":"{number}"}}}}', "--no-wait")
        found = kctl("store", "status", "-o", "json").json()
        kept.append(found["revision"] - found["compacted"])
    assert max(kept[30:]) <= 46
    assert min(kept[30:]) >= 29
    assert "has been compacted" in kctl("log").err
    assert "the oldest that can be read is" in kctl("get", "configmaps", "--at", "2", code=1).err
    assert kctl("get", "configmap", "a", "-o", "jsonpath={.data.n}").out == "39"


def test_an_older_copy_of_the_only_replica_is_recognised(web: Any) -> None:
    store = web.folder / ".kctl" / "store"
    shutil.copytree(store, web.folder / "old")
    latest = web("store", "status", "-o", "json").json()["revision"] + 1
    web("label", "node", "node-1", "a=b")
    shutil.rmtree(store)
    shutil.move(web.folder / "old", store)
    said = f"the log ends at revision {latest - 1}, but revision {latest} was acknowledged"
    assert said in web("label", "node", "node-1", "c=d", code=1).err
    assert f"warning: {said}" in web("get", "nodes").err
    assert said in web("store", "status", code=3).out
    (web.folder / ".kctl" / "seen").unlink()  # as the hint says: the loss is accepted
    web("label", "node", "node-1", "c=d")
    assert web("store", "status").code == 0


def test_what_was_written_in_clear_is_encrypted_by_a_rotation_and_leaves_no_bytes(kctl: Any) -> None:
    file = kctl.write(".kctl/encryption-keys.json", '{"keys":[{"name":"identity"}]}')
    kctl.write("secret.yaml", SECRET)
    kctl("apply", "-f", "secret.yaml")
    log = kctl.folder / ".kctl" / "store" / "log.db"
    assert b"aHVudGVyMg" in log.read_bytes()
    assert keys(kctl) == [("identity", "writes", 3, 0)]
    kctl("store", "key", "rotate", "--forget", "--yes")
    assert "identity" not in file.read_text()
    assert not any(b"aHVudGVyMg" in path.read_bytes() for path in log.parent.iterdir())
    assert kctl(*PASSWORD).out == "aHVudGVyMg=="
