"""Twice the replicas of an ordered StatefulSet are twice the work, whatever is counted."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kctl.api.objects import Key, Obj
from kctl.client.cache import Caches
from kctl.client.client import WatchEvent
from kctl.controllers.statefulset import StatefulSetController
from kctl.controllers.statefulset_sync import STATEFULSETS, Seen
from kctl.runtime.actions import Create, Emit, Update

KEY = Key("default", "db")


class Counted:
    """A StatefulSet in caches told by hand, whose pods become ready one after the other."""

    def __init__(self, replicas: int) -> None:
        self.caches = Caches(lambda _: None)
        self.controller = StatefulSetController()
        self.controller.prepare(self.caches)
        self.syncs = self.pods_read = self.writes = 0
        self.revision = 0
        template = {"metadata": {"labels": {"app": "db"}}, "spec": {"containers": [{"name": "main", "image": "db"}]}}
        spec = {"replicas": replicas, "serviceName": "db", "selector": {"matchLabels": {"app": "db"}}}
        meta = {"name": "db", "namespace": "default", "uid": "set", "generation": 1}
        strategy: Obj = {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}
        body = {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": meta}
        self.put(STATEFULSETS, {**body, "spec": {**spec, "template": template, "updateStrategy": strategy}})

    def put(self, resource: str, obj: Obj) -> None:
        self.revision += 1
        meta = {"uid": f"uid-{self.revision}", **obj["metadata"], "resourceVersion": str(self.revision)}
        self.caches[resource].deliver(WatchEvent("MODIFIED", resource, {**obj, "metadata": meta}, None))

    def sync(self) -> list[Obj]:
        """Sync once, do what was decided and return the pods made."""
        seen: Any = self.controller.observe(self.caches, KEY)
        read = seen.pod

        def counted(ordinal: int) -> Obj:
            self.pods_read += 1
            return read(ordinal)  # type: ignore[no-any-return]

        found: Seen = seen._replace(pod=counted)
        self.syncs += 1
        made = []
        for action in self.controller.decide(found, 0.0).actions:
            if isinstance(action, Emit):
                continue
            assert isinstance(action, Create | Update), action
            self.writes += 1
            self.put(action.resource, action.obj)
            if isinstance(action, Create) and action.resource == "pods":
                made.append(action.obj)
        return made

    def run(self) -> None:
        made = self.sync()
        while made:
            (pod,) = made
            stored = self.caches["pods"].get(Key("default", pod["metadata"]["name"]))
            assert stored is not None
            ready = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:01Z"}
            self.put("pods", {**stored, "status": {"phase": "Running", "conditions": [ready]}})
            made = self.sync()


@lru_cache(2)
def ran(replicas: int) -> Counted:
    found = Counted(replicas)
    found.run()
    return found


COUNTS: dict[str, Callable[[Counted], int]] = {
    "syncs": lambda found: found.syncs,
    "writes": lambda found: found.writes,
    "pods read": lambda found: found.pods_read,
}


@pytest.mark.parametrize("name", COUNTS)
def test_twice_the_replicas_are_twice_the_work(name: str) -> None:
    one, two = COUNTS[name](ran(60)), COUNTS[name](ran(120))
    assert two <= 2 * one + 2


@given(st.integers(1, 40))
@settings(max_examples=10, deadline=None)
def test_every_replica_comes_and_the_status_says_so(replicas: int) -> None:
    found = Counted(replicas)
    found.run()
    sts = found.caches[STATEFULSETS].get(KEY)
    assert sts is not None
    assert (len(found.caches["pods"]), sts["status"]["readyReplicas"]) == (replicas, replicas)
