"""kill -9 of what changes where the log lies: nothing is lost, and doing it again finishes it."""

from __future__ import annotations

import random
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

SEED = 20260101
ROUNDS = 2
MANIFESTS = """\
apiVersion: v1
kind: Secret
metadata: {name: db}
stringData: {password: hunter2}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "nginx:1"}]}
"""
EVERYTHING = ("get", "pods,secrets,deployments,nodes", "-o", "json", "--show-secrets")
DONE_BEFORE = ("is no replica of this log",)
"""What doing it again says when the kill came too late."""
CHANGES = [
    ("1", "store member add r2 r3"),
    ("3", "store member replace .kctl/store-1 new --yes"),
    ("3", "store member remove .kctl/store-1 .kctl/store-3 --yes"),
    ("3", "store repair --yes"),
    ("3", "store restore a.snapshot --yes"),
    ("3", "store recover --from .kctl/store-2 --accept-loss --yes"),
    ("3", "store compact --yes"),
    ("1", "store key rotate --forget --yes"),
]


def objects(kctl: Any) -> list[Any]:
    """Return every object, its revision left out: a restored log counts on from elsewhere."""
    items = kctl(*EVERYTHING).json()["items"]
    for item in items:
        item["metadata"].pop("resourceVersion")
    return items


@pytest.mark.slow
@pytest.mark.parametrize(("replicas", "command"), CHANGES, ids=[command for _, command in CHANGES])
def test_a_change_that_is_killed_loses_nothing_and_can_be_done_again(kctl: Any, replicas: str, command: str) -> None:
    kctl.write("m.yaml", MANIFESTS)
    kctl("init", "--replicas", replicas)
    kctl("apply", "-f", "m.yaml")
    kctl("store", "snapshot", "a.snapshot")
    if "repair" in command:
        shutil.rmtree(kctl.folder / ".kctl" / "store-2")
    before = objects(kctl)
    begin, chance = Path(f"{kctl.folder}.begin"), random.Random(SEED)
    shutil.copytree(kctl.folder, begin)
    for _ in range(ROUNDS):
        shutil.rmtree(kctl.folder)
        shutil.copytree(begin, kctl.folder)
        with kctl.start(*command.split()) as process:
            time.sleep(chance.uniform(0.08, 0.3))  # anywhere: nothing below depends on when
            process.kill()
        assert objects(kctl) == before
        again = kctl(*command.split(), code=None)
        assert again.code == 0 or any(text in again.err for text in DONE_BEFORE), again
        assert objects(kctl) == before
        assert kctl("store", "verify", "--full").out.startswith("clean")
        kctl("label", "node", "node-1", "after=kill")
    shutil.rmtree(begin)
