"""pod-garbage-collector-controller: pods that no kubelet will ever let go of.

In: pods and nodes. Out: pods deleted at once, those that still ran marked Failed first:

* pods of a node that does not exist,
* pods that are being deleted and were never bound,
* pods that are being deleted on a node that is not ready and tainted out-of-service.

Upstream looks every 20 s and waits 40 s for a missing node to appear. When it went missing is
nowhere written, so here a pod is given 40 s from its creation. The cap on terminated pods
(12,500 of them) is not applied.
"""

from __future__ import annotations

from typing import NamedTuple

from kctl.api.clock import parse_time, rfc3339
from kctl.api.objects import Key, Obj, condition, is_condition_true, is_deleting, key_of, with_condition
from kctl.client.cache import META, SPEC, Caches, by_node
from kctl.controllers.pods import is_terminal
from kctl.runtime.actions import Action, Delete, Patch
from kctl.runtime.controller import Controller, Decision, Watch

QUARANTINE = 40.0
OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"
ORPHANED = {
    "type": "DisruptionTarget",
    "status": "True",
    "reason": "DeletionByPodGC",
    "message": "PodGC: node no longer exists",
}


class Seen(NamedTuple):
    """A pod and its node, None when it has none or that does not exist."""

    pod: Obj
    node: Obj | None


class PodGarbageCollector(Controller):
    """Deletes pods that nobody else would."""

    name = "pod-garbage-collector-controller"
    user = "system:serviceaccount:kube-system:pod-garbage-collector"
    level = 25
    reads = ("pods", "nodes")
    writes = ("pods",)

    def __init__(self) -> None:
        self.watches = (Watch("pods", _keys_of_pod, META | SPEC), Watch("nodes", _keys_of_node))

    def prepare(self, caches: Caches) -> None:
        """Register the index of pods by node."""
        by_node(caches["pods"])
        caches["nodes"]

    def observe(self, caches: Caches, key: Key) -> Seen | None:
        """Read the pod and its node."""
        pod = caches["pods"].get(key)
        if pod is None:
            return None
        return Seen(pod, caches["nodes"].get(Key("", pod["spec"].get("nodeName") or "")))

    def decide(self, seen: Seen, now: float) -> Decision:
        """Delete what is orphaned, unscheduled or out of service; see :func:`decide`."""
        return decide(seen, now)


def decide(seen: Seen, now: float) -> Decision:
    """Say whether the pod goes, as gcOrphaned, gcUnscheduledTerminating and gcTerminating."""
    pod, node = seen
    if not pod["spec"].get("nodeName"):
        return Decision(tuple(_remove(pod))) if is_deleting(pod) else Decision()
    if node is None:
        created = pod["metadata"].get("creationTimestamp")
        due = parse_time(created) + QUARANTINE if created else now
        return Decision(tuple(_remove(pod, _orphaned(pod, now)))) if now >= due else Decision(wake_at=due)
    if is_deleting(pod) and _is_out_of_service(node):
        return Decision(tuple(_remove(pod)))
    return Decision()


def _remove(pod: Obj, target: Obj | None = None) -> list[Action]:
    """Return what marks the pod Failed, where it has not ended, and deletes it."""
    actions: list[Action] = []
    if not is_terminal(pod):
        status: Obj = {"phase": "Failed"}
        if target is not None:
            status["conditions"] = with_condition((pod.get("status") or {}).get("conditions") or (), target)
        actions.append(Patch("pods", key_of(pod), {"status": status}, subresource="status"))
    if not is_deleting(pod) or pod["metadata"].get("deletionGracePeriodSeconds") != 0:
        actions.append(Delete("pods", key_of(pod), pod["metadata"].get("uid", ""), grace=0))
    return actions


def _orphaned(pod: Obj, now: float) -> Obj:
    old = condition(pod, ORPHANED["type"])
    since = old["lastTransitionTime"] if old and old.get("status") == "True" else rfc3339(now)
    return {**ORPHANED, "lastTransitionTime": since}


def _is_out_of_service(node: Obj) -> bool:
    taints = (node.get("spec") or {}).get("taints") or ()
    return not is_condition_true(node, "Ready") and any(taint["key"] == OUT_OF_SERVICE for taint in taints)


def _keys_of_pod(old: Obj | None, new: Obj | None, caches: Caches) -> tuple[Key, ...]:
    """Map a pod to itself when it is on its way out or its node is not there."""
    if new is None:
        return ()
    node = new["spec"].get("nodeName")
    if is_deleting(new) or (node and caches["nodes"].get(Key("", node)) is None):
        return (key_of(new),)
    return ()


def _keys_of_node(old: Obj | None, new: Obj | None, caches: Caches) -> list[Key]:
    """Map a node that is gone or out of service to its pods, a new one to those that waited for it."""
    node = new or old
    if node is None or (old is not None and new is not None and not _is_out_of_service(new)):
        return []
    pods = by_node(caches["pods"]).get(node["metadata"]["name"])
    if new is not None and not _is_out_of_service(new):
        pods = [pod for pod in pods if not (pod.get("status") or {}).get("startTime")]
    return [key_of(pod) for pod in pods]
