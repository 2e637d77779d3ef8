"""A repository with the hook: commits change the cluster, broken ones change nothing."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\ndata:\n  colour: %s\n"


class Repository:
    """A git repository in kctl's directory."""

    def __init__(self, kctl: Any) -> None:
        self.kctl = kctl
        self("init", "-q", "-b", "main", ".")

    def __call__(self, *args: str) -> str:
        identity = ["-c", "user.name=A Person", "-c", "user.email=person@example.org"]
        ran = subprocess.run(
            ["git", *identity, *args],
            cwd=self.kctl.folder,
            env=self.kctl.environ,
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        return ran.stdout + ran.stderr

    def commit(self, colour: str) -> str:
        """Commit the ConfigMap with a colour and return what git printed, the hook's words with it."""
        self.kctl.write("settings.yaml", CONFIG % colour)
        self("add", "settings.yaml")
        return self("commit", "-m", f"make it {colour}")


@pytest.fixture
def repository(kctl: Any) -> Repository:
    """A repository with the hook installed."""
    found = Repository(kctl)
    kctl("hook", "install")
    return found


def colour(kctl: Any) -> str:
    return str(kctl("get", "configmap", "settings", "-o", "json").json()["data"]["colour"])


def test_a_commit_changes_the_cluster(kctl: Any, repository: Repository) -> None:
    assert "Converged" in repository.commit("red")
    assert colour(kctl) == "red"
    said = repository.commit("blue")
    assert "~ data.colour: red -> blue" in said
    assert colour(kctl) == "blue"
    assert repository("status", "--porcelain", "--untracked-files=no") == ""
    kctl.fixed_point()


def test_a_commit_that_breaks_a_manifest_is_reported_and_changes_nothing(kctl: Any, repository: Repository) -> None:
    repository.commit("red")
    before = kctl.revision()
    said = repository.commit("[1, 2")
    assert "settings.yaml:7:1: " in said
    assert "was not applied" in said
    assert colour(kctl) == "red"
    assert kctl.revision() == before
    assert "Converged" in repository.commit("green")
    assert colour(kctl) == "green"


def test_the_commit_counts_and_not_the_working_tree(kctl: Any, repository: Repository) -> None:
    repository.commit("red")
    kctl.write("settings.yaml", CONFIG % "yellow")
    kctl("sync", ".")
    assert colour(kctl) == "red"


def test_an_older_commit_can_be_synced_again(kctl: Any, repository: Repository) -> None:
    repository.commit("red")
    repository.commit("blue")
    report = kctl("sync", ".", "--ref", "HEAD~1", "-o", "json").json()
    assert [entry["change"] for entry in report["intent"]] == ["configured"]
    assert colour(kctl) == "red"


def test_a_reference_that_is_none_is_named(kctl: Any, repository: Repository) -> None:
    repository.commit("red")
    assert "no-such-branch" in kctl("sync", ".", "--ref", "no-such-branch", code=None).err
    assert kctl("sync", ".", "--ref", "--upload-pack=touch x", code=None).code in (1, 2)


def test_the_hook_can_be_asked_for_and_taken_out(kctl: Any, repository: Repository) -> None:
    assert kctl("hook", "status").out.endswith(": installed\n")
    kctl("hook", "install")
    kctl("hook", "uninstall")
    assert kctl("hook", "status", code=1).out.endswith(": absent\n")
    assert "Converged" not in repository.commit("red")


def test_outside_a_repository_there_is_no_hook(kctl: Any) -> None:
    assert kctl("hook", "install", code=1).err
