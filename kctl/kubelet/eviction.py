"""Eviction for node pressure: a node that has too little left ends pods, one at a time.

In: a node, what its pods use. Out: one pod Failed with reason Evicted, at most every 10 s. Who goes
first: pods that use more than they ask for, then those of lower priority, then those that exceed their
requests by most, as rankMemoryPressure and rankDiskPressure; critical pods stay. Where a node is only *said* to be
short of something, pods go that use more than they ask for, and those that ask for nothing.

For want of PIDs pods go by priority alone: nobody says how many processes they have.

Conditions of the node are :mod:`kctl.kubelet.node`'s. Not simulated: soft thresholds, reclaiming images and
dead containers before pods, minimum reclaim.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import NamedTuple

from kctl.api import quantity
from kctl.api.clock import parse_time, rfc3339
from kctl.api.objects import Key, Obj, condition, dig, is_deleting, with_condition
from kctl.api.staticpods import is_critical
from kctl.client.cache import META, SPEC, STATUS, Cache, Caches, Index, by_node
from kctl.client.client import Client
from kctl.kubelet.admission import requests
from kctl.kubelet.agent import COMPONENT, USER
from kctl.kubelet.behaviour import Annotated
from kctl.kubelet.phase import TERMINAL
from kctl.kubelet.pod import evict, is_silent
from kctl.kubelet.usage import CAPACITY, MEMORY, Shortage, shortages, usage_fold, used_by
from kctl.runtime.actions import Action, Emit, update_status
from kctl.runtime.controller import Controller, Decision, Watch, is_bound
from kctl.runtime.profile import Profile

PIDS = "pids"
RESOURCES = {**CAPACITY, "pid": PIDS}
"""What a signal is about, in kubelet's words."""
INTERVAL = 10.0
"""Seconds between two evictions (monitoringInterval)."""


class Seen(NamedTuple):
    """A node that is short of something, and its pods."""

    node: Obj
    shortages: list[Shortage]
    pods: list[Obj]


class Eviction(Controller):
    """Evicts pods of nodes under pressure; its keys are nodes."""

    name = "kubelet-eviction"
    user = USER
    level = 21
    writes = ("pods", "events")
    component = COMPONENT

    def __init__(self, profile: Profile, world: Annotated) -> None:
        self.profile = profile
        self.world = world
        self._short: Mapping[Hashable, object] = {}
        """The nodes that are said to be short of something, by name."""
        self.watches = (
            Watch("pods", self._keys_of_pod, META | SPEC | STATUS, where=self._may_concern),
            Watch("nodes", self._keys_of_node),
        )

    def prepare(self, caches: Caches) -> None:
        """Register what pods use of their nodes."""
        usage_fold(caches["pods"], self.world)
        by_node(caches["pods"])
        self._short = _short(caches["nodes"]).found

    def _may_concern(self, old: Obj | None, new: Obj | None) -> bool:
        """Say whether a pod is on a node, and some are short of something or something might be said of the pod."""
        pod = new or old
        return is_bound(old, new) and (bool(self._short) or (pod is not None and self.world.may_size(pod)))

    def observe(self, caches: Caches, key: Key) -> Seen | None:
        """Read a node that has too little of something, and its pods."""
        node = caches["nodes"].get(key)
        if node is None or is_silent(node):
            return None
        short = shortages(node, usage_fold(caches["pods"], self.world).get(key.name))
        return Seen(node, short, by_node(caches["pods"]).get(key.name)) if short or _said(node) else None

    def decide(self, seen: Seen, now: float) -> Decision:
        """Evict the first in rank, unless one was evicted a moment ago."""
        short = seen.shortages or [Shortage(name, 0, 0) for name in self.world.node(seen.node, now).pressure]
        short = [one for one in short if one.signal in RESOURCES]
        if not short:
            return Decision()
        victim = self._victim(seen, short[0])
        if victim is None:
            return Decision()
        last = max((_evicted_at(pod) for pod in seen.pods), default=0.0)
        if now < last + INTERVAL:
            return Decision(wake_at=last + INTERVAL)
        return Decision(tuple(self._evict(victim, seen.node, short[0], now)), wake_at=now + INTERVAL)

    def act(self, client: Client, decision: Decision, now: float) -> None:
        """Carry the decision out; events come from ``kubelet``."""
        from kctl.runtime.act import carry_out

        carry_out(client, decision.actions, now=now, component=COMPONENT)

    def _victim(self, seen: Seen, short: Shortage) -> Obj | None:
        """Return the pod that goes first; None when none is to go."""
        resource = RESOURCES[short.signal]
        ranked = []
        for pod in seen.pods:
            status = pod.get("status") or {}
            if status.get("phase") != "Running" or is_deleting(pod) or is_critical(pod):
                continue
            used, asked = self._use(pod, resource), requests(pod["spec"]).get(resource, 0)
            exceeds = used > asked or (not asked and not used) or resource == PIDS
            if seen.shortages and not used:
                continue
            if exceeds or seen.shortages:
                name = pod["metadata"]["name"]
                ranked.append((not exceeds, pod["spec"].get("priority") or 0, asked - used, name, pod))
        return min(ranked, key=lambda one: one[:4])[4] if ranked else None

    def _use(self, pod: Obj, resource: str) -> int:
        used = used_by(pod, self.world)
        return 0 if resource == PIDS else used.memory if resource == MEMORY else used.disk

    def _evict(self, pod: Obj, node: Obj, short: Shortage, now: float) -> list[Action]:
        message = self._message(pod, short)
        since = rfc3339(now)
        target = {
            "type": "DisruptionTarget",
            "status": "True",
            "reason": "TerminationByKubelet",
            "message": message,
            "lastProbeTime": None,
            "lastTransitionTime": since,
            "observedGeneration": pod["metadata"].get("generation") or 0,
        }
        conditions = with_condition(dig(pod, "status", "conditions", default=[]), target)
        step = evict(pod, node, message, conditions, now, self.profile)
        name = node["metadata"]["name"]
        about = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "uid": name}}
        what = RESOURCES[short.signal]
        met = Emit(about, "Warning", "EvictionThresholdMet", f"Attempting to reclaim {what}", host=name)
        told = [
            Emit(pod, event.type, event.reason, event.message, field_path=event.field_path, host=name)
            for event in step.events
        ]
        return [update_status("pods", pod, step.status or {}), met, *told]

    def _message(self, pod: Obj, short: Shortage) -> str:
        """Return kubelet's words, as evictionMessage."""
        resource = RESOURCES[short.signal]
        text = f"The node was low on resource: {resource}. "
        if short.threshold:
            text += f"Threshold quantity: {_amount(short.threshold)}, available: {_amount(short.available)}. "
        behaviour = self.world.pod(pod)
        if behaviour is None or resource == PIDS:
            return text
        for container in pod["spec"]["containers"]:
            does = behaviour.of(container["name"])
            used = (does.memory if resource == MEMORY else does.disk) or 0
            asked = dig(container, "resources", "requests", resource, default="0")
            if used > quantity.value(asked):
                text += (
                    f"Container {container['name']} was using {_amount(used)}, request is {asked}, "
                    f"has larger consumption of {resource}. "
                )
        return text

    def _keys_of_pod(self, old: Obj | None, new: Obj | None, caches: Caches) -> tuple[Key, ...]:
        """Wake the node of a pod that uses more or less, or that came to a node said to be short."""
        obj = new or old
        name = obj["spec"].get("nodeName") if obj else None
        if not obj or not name:
            return ()
        if self.world.pod(obj) is None:
            return (Key("", name),) if name in self._short else ()
        before = used_by(old, self.world) if old is not None else None
        return (Key("", name),) if new is None or before != used_by(new, self.world) else ()

    def _keys_of_node(self, old: Obj | None, new: Obj | None, caches: Caches) -> tuple[Key, ...]:
        """Wake a node that is short of something, or not heard of any more."""
        if new is None or (old is not None and _said(old) == _said(new) and is_silent(old) == is_silent(new)):
            return ()
        return (Key("", new["metadata"]["name"]),)


def _said(node: Obj) -> bool:
    """Say whether the node has a condition that it is short of something."""
    return any(
        found.get("type") in ("MemoryPressure", "DiskPressure", "PIDPressure") and found.get("status") == "True"
        for found in dig(node, "status", "conditions", default=())
    )


def _short(nodes: Cache) -> Index:
    """Return the index of nodes with a condition that they are short of something, by name."""
    return nodes.index("kubelet short", lambda node: (node["metadata"]["name"],) if _said(node) else (), on=STATUS)


def _evicted_at(pod: Obj) -> float:
    status = pod.get("status") or {}
    if status.get("phase") not in TERMINAL or status.get("reason") != "Evicted":
        return 0.0
    found = condition(pod, "DisruptionTarget") or {}
    since = found.get("lastTransitionTime")
    return parse_time(since) if since else 0.0


def _amount(number: int) -> str:
    """Write an amount of bytes as a quantity, in Ki as kubelet measures."""
    return f"{number >> 10}Ki" if number % (1 << 20) else f"{number >> 20}Mi"
