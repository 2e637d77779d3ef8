"""kctl plan: the report of an apply that never was."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata: {colour: %s}\n"


def files(folder: Path) -> dict[str, bytes]:
    """Return every file of the state that is more than a cache."""
    found = (path for path in folder.rglob("*") if path.is_file() and "cache" not in path.parts)
    return {str(path): path.read_bytes() for path in found if not path.name.endswith("-shm") and path.stat().st_size}


def test_a_plan_is_what_the_apply_then_does_and_changes_nothing(web: Any) -> None:
    web.write("web.yaml", Path("web.yaml").read_text().replace("replicas: 3", "replicas: 5"))
    before = files(Path(".kctl"))
    planned = web("plan", "-f", "web.yaml", "-o", "json").json()
    assert files(Path(".kctl")) == before
    applied = web("apply", "-f", "web.yaml", "-o", "json").json()
    assert planned == applied
    assert {record["type"] for record in applied["consequence"]} >= {"pods"}


def test_a_plan_needs_no_cluster(kctl: Any) -> None:
    kctl.write("a.yaml", CONFIG % ("a", "red"))
    ran = kctl("plan", "-f", "a.yaml")
    assert "configmap/a created" in ran.out
    assert not Path(".kctl").exists()


def test_what_cannot_settle_as_desired_exits_with_3(web: Any) -> None:
    web.write("web.yaml", Path("web.yaml").read_text().replace("replicas: 3", "replicas: 400"))
    assert "nodes are available" in web("plan", "-f", "web.yaml", code=3).out


@pytest.mark.parametrize(("colour", "code"), [("red", 0), ("blue", 2)])
def test_the_detailed_exit_code_says_whether_something_changes(kctl: Any, colour: str, code: int) -> None:
    kctl.write("a.yaml", CONFIG % ("a", "red"))
    kctl("apply", "-f", "a.yaml")
    kctl.write("a.yaml", CONFIG % ("a", colour))
    kctl("plan", "-f", "a.yaml", "--detailed-exitcode", code=code)
    kctl("plan", "-f", "a.yaml")


def test_bad_manifests_are_refused_as_apply_refuses_them(kctl: Any) -> None:
    kctl.write("a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: UPPER}\n")
    assert kctl("plan", "-f", "a.yaml", code=1).err == kctl("apply", "-f", "a.yaml", code=1).err


@pytest.mark.parametrize("args", [(), ("-f", "a.yaml", "A..B"), ("A...B",), ("A..",)])
def test_a_plan_is_of_manifests_or_of_two_commits(kctl: Any, args: tuple[str, ...]) -> None:
    kctl.write("a.yaml", CONFIG % ("a", "red"))
    kctl("plan", *args, code=2)


def test_a_plan_of_two_commits_starts_from_the_first_and_prunes(kctl: Any) -> None:
    def git(*args: str) -> None:
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@example.com", *args], check=True)

    git("init", "-q", "-b", "main", ".")
    kctl.write("a.yaml", CONFIG % ("a", "red"))
    kctl.write("b.yaml", CONFIG % ("b", "red"))
    git("add", "."), git("commit", "-qm", "one")
    Path("b.yaml").unlink()
    kctl.write("a.yaml", CONFIG % ("a", "blue"))
    git("add", "-A"), git("commit", "-qm", "two")
    report = kctl("plan", "HEAD~1..HEAD", "-o", "json").json()
    assert {(entry["name"], entry["change"]) for entry in report["intent"]} == {("a", "configured"), ("b", "pruned")}
    assert not Path(".kctl").exists()


def test_markdown_holds_the_layers_and_lets_nothing_become_markup(kctl: Any) -> None:
    kctl.write("a.yaml", CONFIG % ("a", "red"))
    kctl("apply", "-f", "a.yaml")
    kctl.write("a.yaml", CONFIG % ("a", "'``` <b>|'"))
    out = kctl("plan", "-f", "a.yaml", "-o", "markdown").out
    assert out.startswith("## kctl plan: Converged after 0 s")
    assert "| configmap/a | configured | a.yaml:1 |" in out
    assert "\n````diff\n" in out
    assert "\n````\n" in out
