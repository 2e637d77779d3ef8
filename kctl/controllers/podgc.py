"""pod-garbage-collector-controller: pods that no kubelet will ever let go of.

In: pods and nodes. Out: pods deleted at once, those that still ran marked Failed first:

* pods of a node that does not exist, when it has been missing for 40 s,
* pods that are being deleted and were never bound,
* pods that are being deleted on a node that is not ready and tainted out-of-service,
* the oldest pods that have ended, beyond the number that is kept (terminated-pod-gc-threshold).

Upstream looks every 20 s; here a pod is looked at when its time has come. Since when a node is missing
is remembered by the process, as upstream: one that starts later counts from then.
"""

from __future__ import annotations

from typing import NamedTuple

from kctl.api.clock import parse_time, rfc3339
from kctl.api.objects import Key, Obj, condition, is_condition_true, is_deleting, key_of, with_condition
from kctl.client.cache import META, SPEC, STATUS, Cache, Caches, Index, by_node
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


ENDED = "terminated:"
"""The namespace of the key that stands for all pods that have ended: no namespace has this name."""


class Seen(NamedTuple):
    """A pod and its node, None when it has none or that does not exist: then ``missing`` says since when."""

    pod: Obj
    node: Obj | None
    missing: float | None = None


class TooMany(NamedTuple):
    """Pods that have ended and are too many, in the order in which they go."""

    pods: list[Obj]


class PodGarbageCollector(Controller):
    """Deletes pods that nobody else would."""

    name = "pod-garbage-collector-controller"
    user = "system:serviceaccount:kube-system:pod-garbage-collector"
    level = 25
    reads = ("pods", "nodes")
    writes = ("pods",)

    def __init__(self) -> None:
        self._missing: dict[str, float] = {}
        """Since when nodes are missing that pods name."""
        self.watches = (
            Watch("pods", self._keys_of_pod, META | SPEC | STATUS, where=_may_concern),
            Watch("nodes", self._keys_of_node),
        )

    def prepare(self, caches: Caches) -> None:
        """Register the index of pods by node, and that of pods that have ended."""
        by_node(caches["pods"])
        _ended(caches["pods"])
        caches["nodes"]

    def observe(self, caches: Caches, key: Key) -> Seen | TooMany | None:
        """Read the pod and its node, or those that are too many."""
        if key.namespace == ENDED:
            found = _ended(caches["pods"]).get("")
            over = len(found) - self.flags.terminated_pod_gc_threshold
            return TooMany(sorted(found, key=_age)[:over]) if over > 0 else None
        pod = caches["pods"].get(key)
        if pod is None:
            return None
        name = pod["spec"].get("nodeName") or ""
        return Seen(pod, caches["nodes"].get(Key("", name)), self._missing.get(name))

    def decide(self, seen: Seen | TooMany, now: float) -> Decision:
        """Delete what is orphaned, unscheduled, out of service or too much; see :func:`decide`."""
        if isinstance(seen, TooMany):
            return Decision(tuple(action for pod in seen.pods for action in _remove(pod)))
        name = seen.pod["spec"].get("nodeName")
        if name and seen.node is None and seen.missing is None:
            seen = seen._replace(missing=self._missing.setdefault(name, now))
        return decide(seen, now)

    def _keys_of_pod(self, old: Obj | None, new: Obj | None, caches: Caches) -> list[Key]:
        """Map a pod to itself when it goes and no kubelet sees to that; one that ends to all that have."""
        if new is None:
            return []
        keys = []
        name = new["spec"].get("nodeName")
        node = caches["nodes"].get(Key("", name)) if name else None
        is_going = new["metadata"].get("deletionTimestamp")
        if (name and node is None) or (is_going and (node is None or _is_out_of_service(node))):
            keys.append(key_of(new))
        has_ended = is_terminal(new) and (old is None or not is_terminal(old))
        if has_ended and 0 < self.flags.terminated_pod_gc_threshold < _ended(caches["pods"]).count(""):
            keys.append(Key(ENDED, ""))
        return keys

    def _keys_of_node(self, old: Obj | None, new: Obj | None, caches: Caches) -> list[Key]:
        """Map a node that is gone or out of service to its pods, a new one to those that waited for it."""
        node = new or old
        if node is None or (old is not None and new is not None and not _is_out_of_service(new)):
            return []
        name = node["metadata"]["name"]
        pods = by_node(caches["pods"]).get(name)
        if new is not None and not _is_out_of_service(new):
            pods = pods if self._missing.pop(name, None) is not None else []
        return [key_of(pod) for pod in pods]


def _may_concern(old: Obj | None, new: Obj | None) -> bool:
    return new is not None and (bool(new["spec"].get("nodeName")) or is_deleting(new) or is_terminal(new))


def _ended(pods: Cache) -> Index:
    return pods.index("podgc ended", lambda pod: ("",) if is_terminal(pod) and not is_deleting(pod) else (), alike=True)


def _age(pod: Obj) -> tuple[str, str, str]:
    meta = pod["metadata"]
    return meta.get("creationTimestamp") or "", meta.get("namespace") or "", meta["name"]


def decide(seen: Seen, now: float) -> Decision:
    """Say whether the pod goes, as gcOrphaned, gcUnscheduledTerminating and gcTerminating."""
    pod, node = seen.pod, seen.node
    if not pod["spec"].get("nodeName"):
        return Decision(tuple(_remove(pod))) if is_deleting(pod) else Decision()
    if node is None:
        due = (now if seen.missing is None else seen.missing) + QUARANTINE
        created = pod["metadata"].get("creationTimestamp")
        if created and (since := parse_time(created)) >= int(due):
            due = since + QUARANTINE  # the node's time is over: for pods made since, upstream counts anew
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
