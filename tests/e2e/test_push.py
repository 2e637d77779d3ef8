"""A bare repository that drives a cluster: what a push may do, and what happens when its hooks are killed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest

KILLS = 12
SEED = 20260202
WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: %d
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "nginx:%d", resources: {requests: {cpu: 500m}}}]}
"""
IDENTITY = ("-c", "user.name=A Person", "-c", "user.email=person@example.org")


class Pushed(NamedTuple):
    """How a push ended and what it printed."""

    code: int
    said: str


class Forge:
    """A bare repository with the hooks and a clone of it; kctl works in the bare one."""

    def __init__(self, kctl: Any) -> None:
        self.kctl = kctl
        self.bare, self.clone = kctl.folder, kctl.folder / ".clone"
        self.git("init", "-q", "--bare", "-b", "main", ".", cwd=self.bare)
        kctl("init")
        kctl("hook", "install")
        self.git("clone", "-q", str(self.bare), str(self.clone), cwd=self.bare)
        self.git("switch", "-q", "-c", "main")

    def command(self, *args: str) -> list[str]:
        return ["git", *IDENTITY, *args]

    def git(self, *args: str, cwd: Path | None = None) -> Pushed:
        ran = subprocess.run(
            self.command(*args),
            cwd=cwd or self.clone,
            env=self.kctl.environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        return Pushed(ran.returncode, ran.stdout + ran.stderr)

    def commit(self, replicas: int, image: int = 1, *, name: str = "web.yaml", text: str = "") -> None:
        (self.clone / name).write_text(text or WEB % (replicas, image), encoding="utf-8")
        self.git("add", "-A")
        assert self.git("commit", "-q", "-m", f"{replicas} of {image}").code == 0

    def push(self, *args: str) -> Pushed:
        return self.git("push", *(args or ("origin", "main")))

    def pods(self) -> int:
        return len(self.kctl("get", "pods", "-o", "json").json()["items"])


@pytest.fixture
def forge(kctl: Any) -> Forge:
    return Forge(kctl)


def test_a_good_push_converges_and_says_so(forge: Forge) -> None:
    forge.commit(2)
    pushed = forge.push()
    assert pushed.code == 0
    assert "remote:   deployment.apps/web created" in pushed.said
    assert "remote: Converged after" in pushed.said
    assert forge.pods() == 2
    forge.kctl.fixed_point()


def test_a_push_that_would_not_converge_is_refused_with_the_reason(forge: Forge) -> None:
    forge.commit(2)
    forge.push()
    before = forge.kctl.revision()
    forge.commit(200)
    pushed = forge.push()
    assert pushed.code != 0
    assert "pods of deployment.apps/web Unschedulable: 0/3 nodes are available: 3 Insufficient cpu" in pushed.said
    assert forge.kctl.revision() == before
    assert forge.pods() == 2
    forge.git("reset", "-q", "--hard", "HEAD~1")
    forge.commit(3)
    assert forge.push().code == 0
    assert forge.pods() == 3


def test_a_push_of_broken_manifests_names_file_and_line(forge: Forge) -> None:
    forge.commit(2)
    forge.push()
    forge.commit(2, name="broken.yaml", text="a: [\n")
    pushed = forge.push()
    assert pushed.code != 0
    assert "remote: broken.yaml:2:1: " in pushed.said


def test_what_was_blocked_before_is_no_fault_of_the_push(forge: Forge) -> None:
    forge.commit(2)
    forge.push()
    forge.kctl.write("huge.yaml", (WEB % (1, 1)).replace("web", "huge").replace("500m", "100"))
    forge.kctl("apply", "-f", "huge.yaml", code=3)
    forge.commit(3)
    assert forge.push().code == 0
    assert int(forge.kctl("get", "deploy", "web", "-o", "json").json()["spec"]["replicas"]) == 3


def test_tags_other_branches_and_deletions_change_nothing(forge: Forge) -> None:
    forge.commit(2)
    forge.push()
    before = forge.kctl.revision()
    forge.git("tag", "v1")
    assert forge.push("origin", "v1").code == 0
    forge.git("switch", "-q", "-c", "dev")
    forge.commit(9)
    assert forge.push("origin", "dev").code == 0
    assert forge.push("origin", ":dev").code == 0
    assert forge.kctl.revision() == before


def test_a_forced_push_takes_the_cluster_back(forge: Forge) -> None:
    forge.commit(2)
    forge.push()
    forge.commit(4)
    forge.commit(1, name="more.yaml", text="apiVersion: v1\nkind: ConfigMap\nmetadata: {name: more}\n")
    forge.push()
    forge.git("reset", "-q", "--hard", "HEAD~2")
    assert "configmap/more pruned" in forge.push("--force", "origin", "main").said
    assert forge.pods() == 2


def test_what_a_guard_refuses_can_be_confirmed_by_the_one_who_pushes(forge: Forge) -> None:
    forge.git("config", "receive.advertisePushOptions", "true", cwd=forge.bare)
    forge.commit(1, name="ns.yaml", text="apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n")
    forge.commit(1, name="c.yaml", text="apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: shop}\n")
    forge.commit(1)
    forge.push()
    forge.kctl("create", "configmap", "made-by-hand", "-n", "shop")
    forge.git("rm", "-q", "ns.yaml", "c.yaml")
    forge.git("commit", "-qm", "away with it")
    pushed = forge.push()
    assert pushed.code != 0
    assert 'namespaces "shop" (' in pushed.said
    assert forge.push("-o", "kctl.prune-confirm", "origin", "main").code == 0
    assert "shop" not in forge.kctl("get", "namespaces", "-o", "name").out


def test_pre_push_refuses_before_anything_leaves(forge: Forge, another: Any) -> None:
    own = another()
    forge.commit(2)
    forge.push()
    shape = (
        "apiVersion: kctl.dev/v1\nkind: Cluster\nmetadata: {name: c}\nspec: {nodeGroups: [{name: node, count: 1}]}\n"
    )
    (forge.clone / "kctl.yaml").write_text(shape, encoding="utf-8")
    own.folder = forge.clone
    own("hook", "install", "--type", "pre-push")
    forge.commit(20)
    pushed = forge.push()
    assert pushed.code != 0
    assert "pods of deployment.apps/web Unschedulable: 0/1 nodes" in pushed.said
    assert "remote:" not in pushed.said
    forge.git("reset", "-q", "--hard", "HEAD~1")
    forge.commit(3)
    assert forge.push().code == 0


@pytest.mark.slow
def test_killed_hooks_leave_what_the_next_push_repairs(forge: Forge) -> None:
    chance = random.Random(SEED)
    forge.commit(1)
    forge.push()
    for turn in range(KILLS):
        forge.commit(2 + turn % 4, turn)
        push = subprocess.Popen(
            forge.command("push", "-q", "--force", "origin", "main"),
            cwd=forge.clone,
            env=forge.kctl.environ,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        time.sleep(chance.uniform(0.05, 1.2))
        os.killpg(push.pid, signal.SIGKILL)
        push.wait()
    forge.commit(5, 99)
    pushed = forge.push("--force", "origin", "main")
    assert pushed.code == 0, pushed.said
    forge.kctl.fixed_point()
    pods = forge.kctl("get", "pods", "-o", "json").json()["items"]
    assert [pod["spec"]["containers"][0]["image"] for pod in pods] == ["nginx:99"] * 5


def test_two_pushes_at_once_end_at_the_later_one(forge: Forge) -> None:
    forge.commit(1)
    forge.push()
    for turn in range(3):
        forge.commit(2 + turn, turn)
        first = subprocess.Popen(forge.command("push", "-q", "origin", "main"), cwd=forge.clone, env=forge.kctl.environ)
        forge.git("commit", "-q", "--allow-empty", "-m", "then")
        forge.commit(3 + turn, turn)
        second = subprocess.Popen(
            forge.command("push", "-q", "--force", "origin", "main"), cwd=forge.clone, env=forge.kctl.environ
        )
        first.wait(60)
        second.wait(60)
        forge.push("--force", "origin", "main")
        tip = forge.git("rev-parse", "main", cwd=forge.bare).said
        assert tip == forge.git("rev-parse", "HEAD").said
        assert forge.pods() == 3 + turn
