"""The second layer: from single changes to a few records."""

from __future__ import annotations

from typing import Any

from kctl.cli import layers
from kctl.client.client import WatchEvent
from kctl.plan import consequence


def owner(kind: str, name: str, uid: str) -> dict[str, Any]:
    return {"kind": kind, "name": name, "uid": uid, "controller": True}


def replicaset(name: str) -> dict[str, Any]:
    meta = {"name": name, "namespace": "d", "uid": name, "ownerReferences": [owner("Deployment", "web", "w")]}
    return {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": meta}


def pod(name: str, rs: str, *, ready: bool = False, node: str = "", deleting: bool = False) -> dict[str, Any]:
    meta: dict[str, Any] = {
        "name": name,
        "namespace": "d",
        "uid": name,
        "ownerReferences": [owner("ReplicaSet", rs, rs)],
    }
    if deleting:
        meta["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    conditions = [{"type": "Ready", "status": "True"}] if ready else []
    spec = {"nodeName": node} if node else {}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec, "status": {"conditions": conditions}}


def changes(*steps: tuple[Any, Any]) -> list[WatchEvent]:
    out = []
    for old, new in steps:
        kind = "ADDED" if old is None else "DELETED" if new is None else "MODIFIED"
        obj = new or old
        out.append(WatchEvent(kind, "pods" if obj["kind"] == "Pod" else "replicasets.apps", obj, old))
    return out


def records(trace: list[WatchEvent], at_end: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return consequence.records(trace, [float(n) for n in range(len(trace))], at_end)


def test_a_new_workload_is_told_by_its_pods_and_their_nodes() -> None:
    trace = changes(
        (None, replicaset("web-1")),
        (None, pod("a", "web-1")),
        (None, pod("b", "web-1")),
        (pod("a", "web-1"), pod("a", "web-1", node="n1")),
        (pod("b", "web-1"), pod("b", "web-1", node="n2", ready=True)),
    )
    found = records(trace, [pod("a", "web-1", node="n1"), pod("b", "web-1", node="n2", ready=True)])
    assert found[0] == {
        "type": "pods",
        "namespace": "d",
        "owner": "deployment.apps/web",
        "created": {"web-1": 2},
        "deleted": {},
        "nodes": ["n1", "n2"],
        "peak": 2,
        "minAvailable": None,
        "troubled": {},
        "virtualSeconds": 3.0,
    }
    assert found[1] == {"type": "objects", "resource": "replicasets.apps", "created": 1, "deleted": 0}


def test_a_rollout_counts_the_peak_and_the_fewest_available_from_what_was_there() -> None:
    old = [pod(name, "web-1", ready=True, node="n1") for name in "ab"]
    new = [pod(name, "web-2", node="n1") for name in "cd"]
    ready = [pod(name, "web-2", ready=True, node="n1") for name in "cd"]
    trace = changes(
        (None, replicaset("web-1")),
        (None, replicaset("web-2")),
        (None, new[0]),
        (old[0], pod("a", "web-1", ready=True, node="n1", deleting=True)),
        (new[0], ready[0]),
        (None, new[1]),
        (old[1], None),
        (new[1], ready[1]),
    )
    found = records(trace, ready)[0]
    assert found["created"] == {"web-2": 2}
    assert found["deleted"] == {"web-1": 2}
    assert (found["peak"], found["minAvailable"]) == (3, 1)


def test_nothing_is_told_of_pods_that_only_changed() -> None:
    trace = changes((pod("a", "web-1"), pod("a", "web-1", ready=True)))
    assert records(trace, [pod("a", "web-1", ready=True)]) == []


def test_equal_warnings_of_one_workload_are_counted_together() -> None:
    def event(uid: str, about: str) -> WatchEvent:
        obj = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": uid, "namespace": "d", "uid": uid},
            "type": "Warning",
            "reason": "FailedScheduling",
            "message": "0/1 nodes",
            "involvedObject": {"kind": "Pod", "name": about, "namespace": "d", "uid": about},
        }
        return WatchEvent("ADDED", "events", obj, None)

    trace = [*changes((None, replicaset("web-1")), (None, pod("a", "web-1")), (None, pod("b", "web-1")))]
    trace += [event("e1", "a"), event("e2", "b")]
    warning = records(trace, [])[-1]
    assert (warning["owner"], warning["reason"], warning["count"]) == ("deployment.apps/web", "FailedScheduling", 2)


def test_a_node_in_both_lists_was_replaced_and_one_that_only_changed_is_in_neither() -> None:
    def node(name: str, uid: str) -> dict[str, Any]:
        return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "uid": uid}}

    changed = WatchEvent("MODIFIED", "nodes", node("n1", "1"), node("n1", "1"))
    gone = [WatchEvent("DELETED", "nodes", node(name, "1"), node(name, "1")) for name in ("n3", "n2")]
    made = WatchEvent("ADDED", "nodes", node("n2", "2"), None)
    assert records([changed, *gone, made], []) == [{"type": "nodes", "created": ["n2"], "deleted": ["n2", "n3"]}]
    assert records([changed], []) == []


def test_the_jobs_of_a_cron_job_are_counted_together_when_they_are_many() -> None:
    jobs = {f"cj-{n}": 1 for n in range(8)}
    record = {"type": "pods", "namespace": "default", "owner": "cronjob.batch/cj", "created": jobs, "deleted": jobs}
    record |= {"nodes": ["a"], "peak": 1, "minAvailable": None, "troubled": {}, "virtualSeconds": 9.0}
    some = "8 pods of cj-0, cj-1, cj-2, cj-3, cj-4, cj-5 and 2 more"
    assert layers.record_lines(record) == [f"cronjob.batch/cj: +{some} on 1 node, -{some}, peak 1, 9 s (virtual)"]
