"""taint-eviction-controller: pods leave nodes with NoExecute taints they do not tolerate.

In: nodes with NoExecute taints, their pods. Out: for a pod that does not tolerate all of them, or
whose ``tolerationSeconds`` have passed, the event, the condition DisruptionTarget, the delete.

A toleration's seconds count from when the taint and the pod first met. For a taint without
``timeAdded`` upstream remembers that in memory; here it is noted in an annotation of the node, so
that a run which goes on where another ended evicts at the same instant. As upstream a second
taint that comes later does not bring the eviction forward. That an eviction was called off is said by the
process that had scheduled it; one that starts when the taint is gone already does not know of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NamedTuple

from kctl.api.clock import parse_time, rfc3339
from kctl.api.objects import Key, Obj, annotations_of, condition, dig, is_deleting, key_of, with_condition
from kctl.api.tolerations import first_match, no_execute
from kctl.client.cache import META, SPEC, Caches, by_node
from kctl.client.client import Client
from kctl.runtime.actions import Action, Delete, Emit, Patch, update_status
from kctl.runtime.controller import Controller, Decision, Watch, is_bound

SINCE = "kctl.dev/no-execute-since"
"""The annotation: since when each NoExecute taint without ``timeAdded`` is there, as JSON."""
TARGET = {
    "type": "DisruptionTarget",
    "status": "True",
    "reason": "DeletionByTaintManager",
    "message": "Taint manager: deleting due to NoExecute taint",
}


class TaintedNode(NamedTuple):
    """A node that has NoExecute taints, or had."""

    node: Obj


class TaintedPod(NamedTuple):
    """A pod on a node with NoExecute taints."""

    pod: Obj
    node: Obj


class CalledOff(NamedTuple):
    """A pod that was to be evicted and is not, or is gone."""

    key: Key


class TaintEvictionController(Controller):
    """Evicts pods from tainted nodes; its keys are nodes and pods."""

    name = "taint-eviction-controller"
    user = "system:serviceaccount:kube-system:node-controller"
    level = 24
    writes = ("pods", "nodes", "events")
    batch = 512

    def __init__(self) -> None:
        self._scheduled: set[Key] = set()
        """Pods whose eviction waits for its time."""
        self.watches = (Watch("nodes", _keys_of_node), Watch("pods", self._keys_of_pod, META | SPEC, where=is_bound))

    def prepare(self, caches: Caches) -> None:
        """Register the index of pods by node."""
        by_node(caches["pods"])
        caches["nodes"]

    def observe(self, caches: Caches, key: Key) -> TaintedNode | TaintedPod | CalledOff | None:
        """Read a node with taints or their note, or a pod on a node with taints; None ends its timer."""
        if not key.namespace:
            node = caches["nodes"].get(key)
            return None if node is None else TaintedNode(node)
        was_scheduled = key in self._scheduled
        self._scheduled.discard(key)
        pod = caches["pods"].get(key)
        if pod is not None and is_deleting(pod):
            return None
        node = caches["nodes"].get(Key("", pod["spec"].get("nodeName") or "")) if pod is not None else None
        if pod is not None and node is not None and no_execute(node):
            if has_to_leave(pod, node):
                self._scheduled.add(key)
            return TaintedPod(pod, node)
        return CalledOff(key) if was_scheduled else None

    def decide(self, seen: TaintedNode | TaintedPod | CalledOff, now: float) -> Decision:
        """Note when taints came; evict a pod when it is due."""
        if isinstance(seen, TaintedNode):
            return Decision(tuple(_note(seen.node, now)))
        if isinstance(seen, CalledOff):
            return Decision((_event(seen.key, f"Cancelling deletion of Pod {seen.key}"),))
        due = due_at(seen.pod, seen.node, now)
        if due is None:
            return Decision()
        return Decision(tuple(_evict(seen.pod, now))) if due <= now else Decision(wake_at=due)

    def act(self, client: Client, decision: Decision, now: float) -> None:
        """Carry the decision out; what is to be evicted may be gone by now."""
        from kctl.runtime.act import carry_out

        carry_out(client, decision.actions, now=now, component=self.name)

    def _keys_of_pod(self, old: Obj | None, new: Obj | None, caches: Caches) -> tuple[Key, ...]:
        """Map a pod to itself when it comes to a tainted node, tolerates something else, or goes."""
        obj = new or old
        name = obj["spec"].get("nodeName") if obj else None
        if not obj or not name:
            return ()
        if old is not None and new is not None and _stays(old, new):
            return ()
        key = key_of(obj)
        return (key,) if key in self._scheduled or no_execute(caches["nodes"].get(Key("", name))) else ()


def has_to_leave(pod: Obj, node: Obj) -> bool:
    """Say whether the pod has to leave the node at all: now, or some time."""
    tolerations = pod["spec"].get("tolerations") or ()
    found = [first_match(taint, tolerations) for taint in no_execute(node)]
    return any(one is None or one.get("tolerationSeconds") is not None for one in found)


def due_at(pod: Obj, node: Obj, now: float) -> float | None:
    """Return when the pod has to leave the node, None when it may stay (processPodOnNode)."""
    noted = noted_since(node)
    bound = _bound_since(pod, now)
    limits: list[tuple[float, float]] = []
    for taint in no_execute(node):
        toleration = first_match(taint, pod["spec"].get("tolerations") or ())
        if toleration is None:
            return bound
        seconds = toleration.get("tolerationSeconds")
        if seconds is not None:
            limits.append((max(bound, _taint_since(taint, noted, now)), max(0.0, float(seconds))))
    if not limits:
        return None
    met = min(since for since, _ in limits)
    return met + min(seconds for since, seconds in limits if since == met)


def noted_since(node: Obj) -> Mapping[str, str]:
    """Return the node's note of when its NoExecute taints came; nothing when it cannot be read."""
    try:
        noted = json.loads(annotations_of(node).get(SINCE, "{}"))
    except ValueError:
        return {}
    return noted if isinstance(noted, dict) else {}


def _taint_since(taint: Obj, noted: Mapping[str, str], now: float) -> float:
    return _time(taint.get("timeAdded") or noted.get(_name(taint)), now)


def _bound_since(pod: Obj, now: float) -> float:
    scheduled = condition(pod, "PodScheduled") or {}
    since = scheduled.get("lastTransitionTime") if scheduled.get("status") == "True" else None
    return _time(since or dig(pod, "status", "startTime") or pod["metadata"].get("creationTimestamp"), now)


def _time(text: str | None, now: float) -> float:
    """Read a time; whole seconds of now when there is none, or none that can be read."""
    try:
        return parse_time(text) if text else float(int(now))
    except (ValueError, TypeError, AttributeError):
        return float(int(now))


def _name(taint: Obj) -> str:
    return f"{taint['key']}={taint.get('value') or ''}"


def _note(node: Obj, now: float) -> list[Action]:
    """Return the write that brings the node's note up to date; nothing when it is."""
    noted = noted_since(node)
    names = sorted(_name(taint) for taint in no_execute(node) if not taint.get("timeAdded"))
    wanted = {name: noted.get(name) or rfc3339(now) for name in names}
    text = json.dumps(wanted, sort_keys=True, ensure_ascii=False) if wanted else None
    if is_deleting(node) or text == annotations_of(node).get(SINCE):
        return []
    return [Patch("nodes", key_of(node), {"metadata": {"annotations": {SINCE: text}}})]


def _evict(pod: Obj, now: float) -> list[Action]:
    """Return the event, the condition where it is not there yet, and the delete (addConditionAndDeletePod)."""
    return [_event(key_of(pod), f"Marking for deletion Pod {key_of(pod)}"), *leave(pod, TARGET, now)]


def leave(pod: Obj, target: Obj, now: float) -> list[Action]:
    """Return what writes down why a pod is disrupted, where that is not there yet, and its delete."""
    actions: list[Action] = []
    old = condition(pod, target["type"]) or {}
    if any(old.get(field) != value for field, value in target.items()):
        since = old["lastTransitionTime"] if old.get("status") == "True" else rfc3339(now)
        conditions = with_condition(
            dig(pod, "status", "conditions", default=()), {**target, "lastTransitionTime": since}
        )
        actions.append(update_status("pods", pod, {**(pod.get("status") or {}), "conditions": conditions}))
    actions.append(Delete("pods", key_of(pod), pod["metadata"].get("uid", "")))
    return actions


def _event(key: Key, message: str) -> Emit:
    about = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": key.name, "namespace": key.namespace}}
    return Emit(about, "Normal", "TaintManagerEviction", message)


def _stays(old: Obj, new: Obj) -> bool:
    before, after = old["spec"], new["spec"]
    return (
        before.get("nodeName") == after.get("nodeName")
        and before.get("tolerations") == after.get("tolerations")
        and is_deleting(old) == is_deleting(new)
    )


def _keys_of_node(old: Obj | None, new: Obj | None, caches: Caches) -> list[Key]:
    """Map a node whose NoExecute taints changed to itself and its pods."""
    node = new or old
    if node is None or (no_execute(old) == no_execute(new) and (old is not None or SINCE not in annotations_of(node))):
        return []
    pods = by_node(caches["pods"]).get(node["metadata"]["name"])
    return [key_of(node), *(key_of(pod) for pod in pods)]
