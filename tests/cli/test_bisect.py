"""kctl bisect over revisions and commits; commits as names of revisions elsewhere."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from kctl import ControlPlane
from kctl.cli import past

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: %d
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: "x:1", resources: {requests: {cpu: "1"}}}]}
"""


def git(*args: str) -> str:
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", *args]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def scale(kctl: Any, replicas: int) -> str:
    """Commit a number of replicas."""
    kctl.write("web.yaml", WEB % replicas)
    git("add", "web.yaml")
    git("commit", "-qm", f"{replicas} replicas")
    return git("rev-parse", "HEAD")


@pytest.fixture
def commits(kctl: Any) -> list[str]:
    """Six commits; from the fourth on there is no room for all."""
    git("init", "-q", "-b", "main", ".")
    return [scale(kctl, replicas) for replicas in (1, 2, 3, 40, 41, 42)]


def test_the_first_commit_that_does_not_converge_is_found_without_touching_a_cluster(
    kctl: Any, commits: list[str]
) -> None:
    found = kctl("bisect", "--repo", ".", "--good", commits[0], "--bad", "main", "-o", "json").json()
    assert found["firstBad"] == commits[3]
    assert len(found["tried"]) <= 5
    assert not Path(".kctl").exists()
    where = ("bisect", "--repo", ".", "--good", "main~3", "--bad", "main")
    assert "is the first bad one" in kctl(*where, "--expect", "deploy/web jsonpath={.spec.replicas}=3").out


def test_the_first_bad_revision_is_found_in_the_log(kctl: Any, commits: list[str]) -> None:
    for commit in commits:
        kctl("sync", ".", "--ref", commit, code=None)
    with ControlPlane.open(".kctl") as plane:
        ends = {end.commit: end.revision for end in past.ends(plane)}
    bounds = ("bisect", "--good", commits[0][:10], "--bad", str(ends[commits[5]]))
    assert kctl(*bounds, "-o", "json").json()["firstBad"] == str(ends[commits[3]])
    narrow = "deploy/web jsonpath={.spec.replicas}=1"
    assert kctl(*bounds, "--expect", narrow, "-o", "name").out.strip() == str(ends[commits[1]])


@pytest.mark.parametrize(
    ("good", "bad", "expect", "said"),
    [
        ("main", "main~5", "converged", "has to come after"),
        ("main~1", "main", "converged", "given as good"),
        ("main~5", "main~4", "converged", "given as bad"),
        ("main~5", "main", "healthy", "expect converged"),
        ("main~5", "main", "deploy/web ready", "unrecognized condition"),
    ],
)
def test_what_cannot_be_searched_is_said(
    kctl: Any, commits: list[str], good: str, bad: str, expect: str, said: str
) -> None:
    err = kctl("bisect", "--repo", ".", "--good", good, "--bad", bad, "--expect", expect, code=None).err
    assert said in err


def test_a_commit_names_the_revision_at_which_the_cluster_was_done_with_it(kctl: Any, commits: list[str]) -> None:
    for commit in commits[:3]:
        kctl("sync", ".", "--ref", commit)
    old = commits[0][:8]
    assert len(kctl("get", "pods", "--at", old, "-o", "json").json()["items"]) == 1
    assert "spec.replicas" in kctl("diff", f"{old}..{commits[2]}", code=1).out
    kctl("rollback", old)
    assert len(kctl("get", "pods", "-o", "json").json()["items"]) == 1
    assert "no revision is of a commit" in kctl("rollback", "0a" * 5, code=1).err
    assert "neither a revision nor" in kctl("rollback", "yesterday", code=1).err
