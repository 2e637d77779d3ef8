"""kctl sync: several sets of one commit, signatures, and following a branch."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from kctl.api.errors import KctlError, Refused
from kctl.cli import sync
from kctl.gitops.sources import ManifestError, ManifestErrors

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata: {colour: red}\n"
IDENTITY = ("-c", "user.name=A Person", "-c", "user.email=person@example.org")


class Repository:
    """A repository in kctl's directory."""

    def __init__(self, kctl: Any) -> None:
        self.kctl = kctl
        self.git("init", "-q", "-b", "main", ".")

    def git(self, *args: str) -> str:
        command = ["git", *IDENTITY, *args]
        return subprocess.run(command, cwd=self.kctl.folder, capture_output=True, text=True, check=True).stdout.strip()

    def commit(self, *signed: str) -> str:
        self.git("add", "-A", "--", "*.yaml")
        self.git(*signed, "commit", "-q", "--allow-empty", *(["-S"] if signed else []), "-m", "change")
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(kctl: Any, monkeypatch: pytest.MonkeyPatch) -> Repository:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    return Repository(kctl)


def test_each_path_is_a_set_and_what_moves_between_them_is_not_pruned(kctl: Any, repository: Repository) -> None:
    kctl.write("a/one.yaml", CONFIG % "one")
    kctl.write("a/two.yaml", CONFIG % "two")
    kctl.write("b/three.yaml", CONFIG % "three")
    repository.commit()
    paths = ("sync", ".", "--path", "a", "--path", "b")
    kctl(*paths)
    uid = kctl.get("cm", "two")["metadata"]["uid"]
    Path("a/two.yaml").rename("b/two.yaml")
    repository.commit()
    reports = kctl(*paths, "-o", "json").json()
    assert reports["kind"] == "ReportList"
    changes = {(entry["name"], entry["change"]) for report in reports["items"] for entry in report["intent"]}
    assert changes == {("one", "unchanged"), ("two", "unchanged"), ("three", "unchanged")}
    assert kctl.get("cm", "two")["metadata"]["uid"] == uid
    Path("b/two.yaml").unlink()
    repository.commit()
    assert "configmap/two pruned" in kctl(*paths).out


def test_sync_prunes_unless_told_otherwise(kctl: Any, repository: Repository) -> None:
    kctl.write("one.yaml", CONFIG % "one")
    kctl.write("two.yaml", CONFIG % "two")
    repository.commit()
    kctl("sync", ".")
    Path("two.yaml").unlink()
    repository.commit()
    assert "pruned" not in kctl("sync", ".", "--no-prune").out
    assert "configmap/two pruned" in kctl("sync", ".").out


def test_an_object_in_two_sets_is_an_error(kctl: Any, repository: Repository) -> None:
    kctl.write("a/one.yaml", CONFIG % "one")
    kctl.write("b/one.yaml", CONFIG % "one")
    repository.commit()
    err = kctl("sync", ".", "--path", "a", "--path", "b", code=1).err
    assert 'b/one.yaml:1: ConfigMap "one" is also described at a/one.yaml:1' in err


def test_a_signature_is_asked_of_the_user_s_programs_and_never_of_the_repository_s(
    kctl: Any, repository: Repository, tmp_path_factory: pytest.TempPathFactory
) -> None:
    if shutil.which("ssh-keygen") is None:
        pytest.skip("no ssh-keygen")
    keys = tmp_path_factory.mktemp("keys")
    for name in ("ann", "eve"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(keys / name)], check=True)
    signers, touched = keys / "signers", keys / "touched"
    signers.write_text(f"person@example.org {(keys / 'ann.pub').read_text()}")
    (keys / "false").write_text(f"#!/bin/sh\ntouch {touched}\n")
    (keys / "false").chmod(0o755)
    kctl.write("one.yaml", CONFIG % "one")
    ask = ("sync", ".", "--verify", "ssh", "--allowed-signers", str(signers))
    as_ann, as_eve = (("-c", "gpg.format=ssh", "-c", f"user.signingKey={keys / name}") for name in ("ann", "eve"))
    repository.commit()
    assert "bears no SSH signature" in kctl(*ask, code=4).err
    repository.commit(*as_eve)
    repository.git("config", "gpg.ssh.program", str(keys / "false"))
    repository.git("config", "gpg.ssh.allowedSignersFile", str(keys / "hers"))
    (keys / "hers").write_text(f"person@example.org {(keys / 'eve.pub').read_text()}")
    assert "does not hold" in kctl(*ask, code=4).err
    repository.git("config", "--unset", "gpg.ssh.program")
    repository.commit(*as_ann)
    repository.git("config", "gpg.ssh.program", str(keys / "false"))
    assert "configmap/one created" in kctl(*ask).out
    assert not touched.exists()
    assert "bears no OpenPGP" in kctl("sync", ".", "--verify", "gpg", code=4).err
    kctl("sync", ".", "--verify", "ssh", code=2)


def test_following_syncs_each_commit_once_and_goes_on_after_what_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    broken = ManifestErrors([ManifestError("a.yaml", 1, 0, "is broken")])
    commits = iter(["a", "a", "b", "b", KctlError("gone"), KctlError("gone"), "c", "c", "c"])
    ends = iter([None, broken, Refused("a guard"), None])
    synced: list[str] = []
    now = ""

    def latest() -> str:
        nonlocal now
        found = next(commits, None)
        if found is None:
            raise KeyboardInterrupt
        if isinstance(found, KctlError):
            raise found
        now = found
        return found

    def run() -> int:
        synced.append(now)
        if (end := next(ends)) is not None:
            raise end
        return 0

    sync.follow(latest, run, every=0, wait=lambda _: None)
    assert synced == ["a", "b", "c"]
    said = capsys.readouterr().err
    assert [said.count(text) for text in ("is broken", "gone", "a guard")] == [1, 1, 1]
