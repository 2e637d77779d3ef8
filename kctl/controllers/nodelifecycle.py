"""node-lifecycle-controller: nodes that are not heard of, and what that means for their pods.

In: nodes, their pods. Out: conditions Unknown once a node has been silent for its grace period, its pods
not ready; NoSchedule taints for what the conditions say, NoExecute taints not-ready and unreachable from
one queue a zone, at rates that depend on how much of the zone is lost (:mod:`kctl.controllers.nodelifecycle_zones`).

A heartbeat is a fact, not a write (:func:`kctl.api.behaviour.silent_since`), so a node that lives costs
nothing, and one that dies is looked at once, when its grace period ends. Upstream looks at all of them
every 5 s and so is up to that much later. It is at such a look, on the clock's multiples of 5 s, that a node
which is heard of again loses its NoExecute taint; NoSchedule taints follow at once. When a node last was tainted derives from the taints' own
``timeAdded``; the queue of a zone is in the order in which its nodes were lost. Who leaves tainted nodes, and when, is
:mod:`kctl.controllers.tainteviction`.
"""

from __future__ import annotations

from math import ceil
from typing import NamedTuple

from kctl.api.behaviour import silent_since
from kctl.api.clock import parse_time, rfc3339
from kctl.api.objects import Key, Obj, annotations_of, condition, dig, is_deleting, key_of, with_condition
from kctl.client.cache import SPEC, STATUS, Cache, Caches, Index, by_node
from kctl.controllers import nodelifecycle_zones as zones
from kctl.controllers.nodelifecycle_zones import NOT_READY, UNREACHABLE, no_execute_keys, readiness, zone_of
from kctl.controllers.ttl import TTL
from kctl.runtime.actions import Action, Emit, Patch, update_status
from kctl.runtime.controller import Controller, Decision, Watch, is_bound

PREFIX = "node.kubernetes.io/"
TAINTS = (
    ("Ready", "False", NOT_READY),
    ("Ready", "Unknown", UNREACHABLE),
    ("MemoryPressure", "True", PREFIX + "memory-pressure"),
    ("DiskPressure", "True", PREFIX + "disk-pressure"),
    ("NetworkUnavailable", "True", PREFIX + "network-unavailable"),
    ("PIDPressure", "True", PREFIX + "pid-pressure"),
)
"""Condition, its status, and the key of the taint it means."""
UNSCHEDULABLE = PREFIX + "unschedulable"
MANAGED = frozenset((*(key for _, _, key in TAINTS), UNSCHEDULABLE))
POSTED = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")
"""The conditions a kubelet posts, which are unknown when it is silent."""
NO_EXECUTE_OF = {"False": NOT_READY, "Unknown": UNREACHABLE}
ZONES = "zone:"
"""The namespace of keys that are zones: no namespace of the cluster has this name."""


class NodeSeen(NamedTuple):
    """A node; its pods when it is silent. ``is_all`` when every zone is lost, ``is_new`` when nobody knows it yet."""

    node: Obj
    pods: list[Obj]
    is_all: bool = False
    is_new: bool = False


class NodeGone(NamedTuple):
    """A node that was deleted."""

    node: Obj


class PodSeen(NamedTuple):
    """A pod that came to a node which is not ready."""

    pod: Obj


class ZoneSeen(NamedTuple):
    """A zone: the nodes in its queue, when one was last tainted, how many may be a second."""

    waiting: list[Obj]
    last: float | None
    rate: float


Seen = NodeSeen | NodeGone | PodSeen | ZoneSeen


class NodeLifecycleController(Controller):
    """Looks after nodes; its keys are nodes, zones, and pods that come to lost nodes."""

    name = "node-lifecycle-controller"
    user = "system:serviceaccount:kube-system:node-controller"
    component = "node-controller"
    level = 12
    writes = ("nodes", "pods", "events")
    batch = 512

    def __init__(self) -> None:
        self._gone: dict[Key, Obj] = {}
        """Nodes that this process has seen go, until that is said."""
        self._come: set[Key] = set()
        """Pods that have come to a lost node, until they were looked at."""
        self._new: set[Key] = set()
        """Nodes that nobody has taken note of yet, until that is said."""
        self.watches = (Watch("nodes", self._keys_of_node), Watch("pods", self._keys_of_pod, SPEC, where=is_bound))

    def prepare(self, caches: Caches) -> None:
        """Register what is known of zones, and the index of pods by node."""
        nodes = caches["nodes"]
        zones.count_fold(nodes)
        zones.waiting_index(nodes)
        zones.tainted_index(nodes)
        _lost(nodes)
        by_node(caches["pods"])

    def observe(self, caches: Caches, key: Key) -> Seen | None:
        """Read a node, a zone, or a pod."""
        nodes = caches["nodes"]
        if key.namespace == ZONES:
            return self._zone(caches, key.name)
        if key.namespace:
            pod = caches["pods"].get(key) if key in self._come else None
            self._come.discard(key)
            return None if pod is None or not _is_lost(caches, pod) else PodSeen(pod)
        node = nodes.get(key)
        if node is None:
            gone = self._gone.pop(key, None)
            return None if gone is None else NodeGone(gone)
        self._gone.pop(key, None)
        pods = by_node(caches["pods"]).get(key.name) if readiness(node) == "True" and _is_silent(node) else []
        is_all = bool(no_execute_keys(node)) and zones.is_all_lost(zones.count_fold(nodes).items())
        is_new = key in self._new
        self._new.discard(key)
        return NodeSeen(node, pods, is_all, is_new)

    def _zone(self, caches: Caches, zone: str) -> ZoneSeen | None:
        nodes = caches["nodes"]
        waiting = zones.waiting_index(nodes).get(zone)
        if not waiting:
            return None
        counts = zones.count_fold(nodes)
        rate = zones.rate_of(counts.get(zone), self.flags, is_all=zones.is_all_lost(counts.items()))
        times = [_tainted_at(node) for node in zones.tainted_index(nodes).get(zone)]
        return ZoneSeen(waiting, max((at for at in times if at is not None), default=None), rate)

    def decide(self, seen: Seen, now: float) -> Decision:
        """Say what a node's silence or its conditions ask for."""
        if isinstance(seen, ZoneSeen):
            return _taint_next(seen, now)
        if isinstance(seen, PodSeen):
            return Decision(tuple(_not_ready(seen.pod, now)))
        if isinstance(seen, NodeGone):
            return Decision((_event(seen.node, "RemovingNode", "Removing Node {} from Controller"),))
        node = seen.node
        if is_deleting(node):
            return Decision()
        due = self._due(node)
        if due is not None and now >= due:
            lost = _lose(seen, now)
            if lost:
                return Decision(tuple(lost))
        told = (
            (_event(node, "RegisteredNode", "Registered Node {} in Controller"),)
            if seen.is_new and _is_young(node, now)
            else ()
        )
        wake_at = due if due is not None and now < due else None
        look = _next_look(now, self.flags.node_monitor_period)
        is_early = now < look and not seen.is_all
        if is_early and readiness(node) == "True" and no_execute_keys(node):
            wake_at = look
        return Decision((*_taint(seen, now, is_early=is_early), *told), wake_at)

    def _due(self, node: Obj) -> float | None:
        """Return when the node's grace period ends, None while it is heard of."""
        if not readiness(node):
            created = node["metadata"].get("creationTimestamp")
            return parse_time(created) + self.flags.node_startup_grace_period if created else None
        since = silent_since(node)
        if since is None:
            return None
        beat = (condition(node, "Ready") or {}).get("lastHeartbeatTime")
        return max(since, parse_time(beat) if beat else since) + self.flags.node_monitor_grace_period

    def _keys_of_node(self, old: Obj | None, new: Obj | None, caches: Caches) -> list[Key]:
        """Map a node to itself and the zones when what follows from it has changed."""
        if new is None:
            if old is not None:
                self._gone[key_of(old)] = old
                return [key_of(old), *_zones(caches)]
            return []
        if old is not None and _facts(old) == _facts(new):
            return []
        if old is None and _is_plain(new):
            return []
        keys = [key_of(new)]
        if old is None and TTL not in annotations_of(new):
            self._new.add(keys[0])
        if old is None or zone_of(old) != zone_of(new) or _stand(old) != _stand(new):
            keys += _zones(caches)
            counts = zones.count_fold(caches["nodes"]).items()
            if zones.is_all_lost(counts):
                tainted = zones.tainted_index(caches["nodes"])
                keys += [key_of(node) for zone in counts for node in tainted.get(zone)]
        return keys

    def _keys_of_pod(self, old: Obj | None, new: Obj | None, caches: Caches) -> tuple[Key, ...]:
        """Map a pod to itself when it has come to a node that is not ready (podUpdated)."""
        if new is None or (old is not None and old["spec"].get("nodeName") == new["spec"].get("nodeName")):
            return ()
        if not _lost(caches["nodes"]).count(new["spec"].get("nodeName")):
            return ()
        self._come.add(key_of(new))
        return (key_of(new),)


def _zones(caches: Caches) -> list[Key]:
    return [Key(ZONES, str(zone)) for zone in sorted(map(str, zones.waiting_index(caches["nodes"]).values()))]


def _facts(node: Obj) -> tuple[object, ...]:
    """Return what of a node this controller goes by."""
    return (
        wanted_taints(node),
        _taints(node),
        readiness(node),
        silent_since(node),
        (condition(node, "Ready") or {}).get("lastHeartbeatTime") if _is_silent(node) else None,
        zone_of(node),
        is_deleting(node),
        zones.EXCLUDED in (node["metadata"].get("labels") or {}),
    )


def _stand(node: Obj) -> tuple[object, ...]:
    return readiness(node), no_execute_keys(node), zones.EXCLUDED in (node["metadata"].get("labels") or {})


def _is_plain(node: Obj) -> bool:
    """Say whether a node that is found is ready, heard of, known, and has the taints it is to have."""
    taints = {taint["key"] for taint in _taints(node) or () if _is_managed(taint)}
    return (
        TTL in annotations_of(node)
        and readiness(node) == "True"
        and not _is_silent(node)
        and taints == set(wanted_taints(node))
        and not no_execute_keys(node)
    )


def _is_young(node: Obj, now: float) -> bool:
    """Say whether the node has come at this very second: what came before was told of then."""
    created = node["metadata"].get("creationTimestamp")
    return bool(created) and parse_time(str(created)) >= float(int(now))


def _is_silent(node: Obj) -> bool:
    return silent_since(node) is not None


def _lose(seen: NodeSeen, now: float) -> list[Action]:
    """Return what becomes of a node whose grace period is over: nothing is known of it, its pods are not ready."""
    node = seen.node
    conditions: list[Obj] = dig(node, "status", "conditions", default=[])
    out = conditions
    for type_ in POSTED:
        old = condition(node, type_)
        if old is None:
            made: Obj = {
                "type": type_,
                "status": "Unknown",
                "lastHeartbeatTime": node["metadata"].get("creationTimestamp"),
                "lastTransitionTime": rfc3339(now),
                "reason": "NodeStatusNeverUpdated",
                "message": "Kubelet never posted node status.",
            }
            out = with_condition(out, made)
        elif old.get("status") != "Unknown":
            made = {
                **old,
                "status": "Unknown",
                "reason": "NodeStatusUnknown",
                "message": "Kubelet stopped posting node status.",
                "lastTransitionTime": rfc3339(now),
            }
            out = with_condition(out, made)
    if out == conditions:
        return []
    actions: list[Action] = [update_status("nodes", node, {**(node.get("status") or {}), "conditions": out})]
    if readiness(node) == "True":
        actions.append(_status_event(node, "NodeNotReady"))
        for pod in seen.pods:
            actions += _not_ready(pod, now)
    return actions


def _not_ready(pod: Obj, now: float) -> list[Action]:
    """Return what says of a pod that its node is not ready (MarkPodsNotReady)."""
    ready = condition(pod, "Ready")
    if ready is None or ready.get("status") == "False":
        return []
    status: Obj = pod["status"]
    made = {**ready, "status": "False", "lastTransitionTime": rfc3339(now)}
    status = {**status, "conditions": with_condition(status["conditions"], made)}
    return [update_status("pods", pod, status), Emit(pod, "Warning", "NodeNotReady", "Node is not ready")]


def _next_look(now: float, period: float) -> float:
    """Return when nodes are looked at next: now or at the next multiple of the period."""
    return max(now, ceil(now / period - 1e-6) * period) if period > 0 else now


def _taint(seen: NodeSeen, now: float, *, is_early: bool) -> list[Action]:
    """Return the write that brings the managed taints in step; all others stay."""
    node = seen.node
    wanted = wanted_taints(node)
    have = _taints(node) or []
    kept = [taint for taint in have if not _is_managed(taint) or taint["key"] in wanted]
    there = {taint["key"] for taint in kept if _is_managed(taint)}
    added = [_new_taint(key, "NoSchedule", now) for key in wanted if key not in there]
    is_kept = NO_EXECUTE_OF.get(readiness(node))
    ours = [taint for taint in kept if taint.get("effect") == "NoExecute" and taint["key"] in zones.NO_EXECUTE]
    if (readiness(node) == "True" and not is_early) or seen.is_all:
        kept = [taint for taint in kept if taint not in ours]
    elif is_kept and ours and all(taint["key"] != is_kept for taint in ours):
        kept = [taint for taint in kept if taint not in ours]
        added.append(_new_taint(is_kept, "NoExecute", now))
    if not added and len(kept) == len(have):
        return []
    return [_set_taints(node, [*kept, *added])]


def _set_taints(node: Obj, taints: list[Obj]) -> Patch:
    body: Obj = {"spec": {"taints": taints or None}}
    if node["metadata"].get("resourceVersion"):
        body["metadata"] = {"resourceVersion": node["metadata"]["resourceVersion"]}
    return Patch("nodes", key_of(node), body)


def _new_taint(key: str, effect: str, now: float) -> Obj:
    return {"key": key, "effect": effect, "timeAdded": rfc3339(now)}


def _taint_next(seen: ZoneSeen, now: float) -> Decision:
    """Give the node that has waited longest its NoExecute taint, if it is time (doNoExecuteTaintingPass)."""
    if seen.rate <= 0:
        return Decision()
    pause = 1.0 / seen.rate
    if seen.last is not None and now < seen.last + pause:
        return Decision(wake_at=seen.last + pause)
    node = min(seen.waiting, key=_lost_since)
    taints = [*(_taints(node) or ()), _new_taint(NO_EXECUTE_OF[readiness(node)], "NoExecute", now)]
    return Decision((_set_taints(node, taints),), now + pause if len(seen.waiting) > 1 else None)


def _lost_since(node: Obj) -> tuple[str, str]:
    for found in (node.get("status") or {}).get("conditions") or ():
        if found.get("type") == "Ready":
            return found.get("lastTransitionTime") or "", node["metadata"]["name"]
    return "", node["metadata"]["name"]


def _tainted_at(node: Obj) -> float | None:
    for taint in _taints(node) or ():
        if taint.get("effect") == "NoExecute" and taint["key"] in zones.NO_EXECUTE and taint.get("timeAdded"):
            return parse_time(taint["timeAdded"])
    return None


def wanted_taints(node: Obj) -> list[str]:
    """Return the keys of the NoSchedule taints the node's state asks for."""
    statuses = {found["type"]: found["status"] for found in (node.get("status") or {}).get("conditions") or ()}
    wanted = [key for type_, status, key in TAINTS if statuses.get(type_) == status]
    if (node.get("spec") or {}).get("unschedulable"):
        wanted.append(UNSCHEDULABLE)
    return wanted


def _is_managed(taint: Obj) -> bool:
    return taint.get("effect") == "NoSchedule" and taint["key"] in MANAGED


def _taints(node: Obj) -> list[Obj] | None:
    found: list[Obj] | None = (node.get("spec") or {}).get("taints")
    return found


def _event(node: Obj, reason: str, message: str) -> Emit:
    name = node["metadata"]["name"]
    about = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "uid": node["metadata"].get("uid")}}
    return Emit(about, "Normal", reason, f"Node {name} event: {message.format(name)}")


def _status_event(node: Obj, status: str) -> Emit:
    name = node["metadata"]["name"]
    about = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "uid": node["metadata"].get("uid")}}
    return Emit(about, "Normal", status, f"Node {name} status is now: {status}")


def _lost(nodes: Cache) -> Index:
    """Return the index of nodes that are not ready by name."""
    return nodes.index("node-lifecycle lost", _lost_values, on=STATUS)


def _lost_values(node: Obj) -> tuple[str, ...]:
    return (node["metadata"]["name"],) if readiness(node) in ("False", "Unknown") else ()


def _is_lost(caches: Caches, pod: Obj) -> bool:
    name = pod["spec"].get("nodeName")
    node = caches["nodes"].get(Key("", name)) if name else None
    return node is not None and readiness(node) in ("False", "Unknown")
