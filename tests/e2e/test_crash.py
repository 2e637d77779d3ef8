"""kill -9 at any moment of an apply: the next command works and the cluster becomes the same."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kctl.api.errors import KctlError
from kctl.store.sqlite import SqliteStore

ROUNDS = 50
SEED = 20260101
SKIPPED = {"uid", "resourceVersion", "creationTimestamp", "managedFields", "generateName", "generation"}
TIMES = {"lastTransitionTime", "lastUpdateTime", "lastHeartbeatTime", "lastProbeTime", "startTime", "startedAt"}


def comparable(value: Any) -> Any:
    """Take random suffixes, times and what derives from them out of a value."""
    if isinstance(value, dict):
        return {
            name: comparable(found)
            for name, found in sorted(value.items())
            if name not in SKIPPED | TIMES and name not in ("containerID", "podIP", "podIPs", "addresses", "endpoints")
        }
    if isinstance(value, list):
        return [comparable(item) for item in value]
    return value


def identity(obj: dict[str, Any]) -> str:
    """Name an object; one with a generated name by its owner."""
    meta = obj["metadata"]
    generated = bool(meta.get("generateName"))
    name = meta["generateName"] if generated else meta["name"]
    return f"{obj['kind']} {meta.get('namespace', '')}/{name}"


def world(kctl: Any) -> list[tuple[str, Any]]:
    """Return every object that matters, in a form that two runs share."""
    kinds = "deployments,replicasets,pods,services,endpointslices,serviceaccounts,configmaps,namespaces,nodes"
    items = kctl("get", kinds, "-A", "-o", "json").json()["items"]
    out = []
    for item in items:
        meta = {**item["metadata"], "name": "", "ownerReferences": None}
        spec = {**item.get("spec", {}), "volumes": None, "containers": None, "initContainers": None}
        status = {name: found for name, found in (item.get("status") or {}).items() if "ontainerStatuses" not in name}
        out.append((identity(item), comparable({"metadata": meta, "spec": spec, "status": status})))
    return sorted(out, key=repr)


def wait(process: subprocess.Popen[str], seconds: float) -> None:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
    process.communicate()


@pytest.mark.slow
def test_an_apply_killed_at_any_moment_is_finished_by_the_next(
    kctl: Any, another: Callable[[], Any], samples: Path
) -> None:
    shutil.copytree(samples / "web-shop", kctl.folder / "m")
    reference = kctl("apply", "-f", "m", "-o", "json").json()
    wanted = world(kctl)
    moments = random.Random(SEED)
    for _ in range(ROUNDS):
        other = another()
        shutil.copytree(samples / "web-shop", other.folder / "m")
        with other.start("apply", "-f", "m") as process:
            wait(process, moments.uniform(0.05, 0.5))
        assert other("get", "pods", "-A", code=None).code in (0, 1)
        report = other("apply", "-f", "m", "-o", "json").json()
        assert report["verdict"] == reference["verdict"]
        assert world(other) == wanted


def has_intent(folder: Path) -> bool:
    """Say whether an intent is durable in the state folder."""
    if not (folder / "log.db").exists():
        return False
    try:
        store = SqliteStore.open(folder)
    except KctlError:
        return False  # it is being made
    try:
        return bool(store.list("/intents.kctl.dev/").items)
    finally:
        store.close()


@pytest.mark.slow
def test_an_intent_survives_the_death_of_the_apply_that_wrote_it(another: Callable[[], Any], samples: Path) -> None:
    """What was asked for is carried out by whoever converges next, without being asked again."""
    for _ in range(8):
        other = another()
        shutil.copytree(samples / "web-shop", other.folder / "m")
        with other.start("apply", "-f", "m") as process:
            while process.poll() is None and not has_intent(other.folder / ".kctl" / "store"):
                pass
            process.kill()
            process.communicate()
        assert other("get", "intents", "-o", "name").out
        assert other("converge", "-o", "json").json()["verdict"] == "Converged"
        assert len(other("get", "deployments", "-n", "shop", "-o", "json").json()["items"]) == 3
        other.fixed_point()
