"""Mirror pods: how kubelets show the static pods of their machines.

In: the static pods of an Instance (``spec.staticPods``), its Node, the mirror pods that are there. Out: mirror
pods made, made anew when somebody deleted them (the containers never hear of that: the new one has the status
of the old), ended when their manifest is gone or is another. As tryReconcileMirrorPods and
HandlePodCleanups. A Namespace that is not there yet is waited for.

Not simulated: a static pod runs without its mirror pod where the API server refuses that. What a mirror pod
that was deleted by force ran as is remembered for the run only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from kctl.api.behaviour import booted_at
from kctl.api.clock import parse_time, rfc3339
from kctl.api.objects import Key, Obj, dig, is_deleting, key_of
from kctl.api.staticpods import FIELD, SEEN, hash_of, is_mirror, mirror_of
from kctl.client.cache import META, Caches, by_node
from kctl.client.client import Client
from kctl.kubelet.agent import USER
from kctl.kubelet.node import INSTANCES, by_node_name, node_name
from kctl.kubelet.phase import TERMINAL
from kctl.kubelet.pod import is_silent
from kctl.runtime.act import carry_out
from kctl.runtime.actions import Action, Create, Delete
from kctl.runtime.controller import Controller, Decision, Watch


class Seen(NamedTuple):
    """A node, its static pods as mirror pods, what bears their names, and other mirror pods of the node.

    ``was`` are mirror pods that went without their kubelet.
    """

    node: Obj
    wanted: tuple[Obj, ...]
    there: Mapping[Key, Obj]
    others: tuple[Obj, ...]
    was: Mapping[Key, Obj] = MappingProxyType({})


class StaticPods(Controller):
    """Keeps the mirror pods of each node; its keys are nodes."""

    name = "kubelet-static-pods"
    user = USER
    level = 12
    reads = ("nodes", INSTANCES, "namespaces")
    writes = ("pods",)

    def __init__(self) -> None:
        self._gone: dict[Key, Obj] = {}
        self.watches = (
            Watch(INSTANCES, _keys_of_instance),
            Watch("nodes", _keys_of_node),
            Watch("pods", self._keys_of_pod, META),
            Watch("namespaces", _keys_of_namespace),
        )

    def prepare(self, caches: Caches) -> None:
        """Register what finds the machine and the pods of a node."""
        by_node(caches["pods"])
        by_node_name(caches[INSTANCES])

    def observe(self, caches: Caches, key: Key) -> Seen | None:
        """Read what a node is to run by itself, and what it shows."""
        node = caches["nodes"].get(key)
        if node is None or is_deleting(node) or is_silent(node):
            return None
        pods, namespaces = caches["pods"], caches["namespaces"]
        mirrors = [pod for pod in by_node(pods).get(key.name) if is_mirror(pod)]
        wanted = [
            mirror
            for instance in by_node_name(caches[INSTANCES]).get(key.name)
            for mirror in mirrors_of(instance, key.name)
            if _is_open(namespaces.get(Key("", mirror["metadata"]["namespace"])))
        ]
        keys = [key_of(mirror) for mirror in wanted]
        there = {key: pod for key in keys if (pod := pods.get(key)) is not None}
        others = tuple(pod for pod in mirrors if key_of(pod) not in keys)
        was = {key: self._gone[key] for key in keys if key in self._gone}
        return Seen(node, tuple(wanted), there, others, was)

    def decide(self, seen: Seen, now: float) -> Decision:
        """Make the mirror pods that are missing, make those anew that somebody deletes, end the others."""
        actions: list[Action] = [_end(pod) for pod in seen.others if not is_deleting(pod)]
        for mirror in seen.wanted:
            key = key_of(mirror)
            found = seen.there.get(key)
            if found is None:
                actions.append(Create("pods", _new(mirror, seen.node, seen.was.get(key), now)))
            elif not is_mirror(found):
                continue  # the name is taken: upstream says so in its log only
            elif hash_of(found) != hash_of(mirror):
                actions += [] if is_deleting(found) else [_end(found)]
            elif is_deleting(found) or _ended_before_boot(found, seen.node):
                actions.append(Delete("pods", key, found["metadata"]["uid"], grace=0))
                was = None if _ended_before_boot(found, seen.node) else found
                actions.append(Create("pods", _new(mirror, seen.node, was, now)))
        return Decision(tuple(actions))

    def act(self, client: Client, decision: Decision, now: float) -> None:
        """Carry the decision out; a mirror pod that is made anew gets the status of the former one."""
        for action in decision.actions:
            if not isinstance(action, Create) or not action.obj.get("status"):
                carry_out(client, [action], now=now, component="kubelet")
                continue
            status = action.obj["status"]
            made = client.create("pods", {name: part for name, part in action.obj.items() if name != "status"})
            status = {**status, "observedGeneration": made["metadata"].get("generation", 1)}
            client.update("pods", {**made, "status": status}, subresource="status")

    def _keys_of_pod(self, old: Obj | None, new: Obj | None, caches: Caches) -> Iterable[Key]:
        """Wake the node of a mirror pod that is being deleted, or whose name was taken until now."""
        pod = new or old
        if pod is None:
            return ()
        if is_mirror(pod):
            if new is None:
                self._gone[key_of(pod)] = pod
            else:
                self._gone.pop(key_of(pod), None)
            return (Key("", pod["spec"].get("nodeName", "")),)
        return _named_like(pod, caches) if new is None else ()


def mirrors_of(instance: Obj, node: str) -> list[Obj]:
    """Return the mirror pods of a machine's static pods; what is no manifest is passed over."""
    found = dig(instance, "spec", FIELD)
    statics = found if isinstance(found, list) else []
    return [
        mirror_of(static, node)
        for static in statics
        if isinstance(static, dict) and dig(static, "metadata", "name") and isinstance(static.get("spec"), dict)
    ]


def has_static_pods(instance: Obj) -> bool:
    """Say whether the machine has static pods."""
    return bool(dig(instance, "spec", FIELD))


def _new(mirror: Obj, node: Obj, was: Obj | None, now: float) -> Obj:
    """Return the mirror pod to create; with the status of the one that was of the same static pod."""
    meta = mirror["metadata"]
    owner = {
        "apiVersion": "v1",
        "kind": "Node",
        "name": node["metadata"]["name"],
        "uid": node["metadata"]["uid"],
        "controller": True,
    }
    is_same = was is not None and hash_of(was) == hash_of(mirror)
    seen = was["metadata"]["annotations"].get(SEEN) if was is not None and is_same else None
    annotations = {**meta["annotations"], SEEN: seen or rfc3339(now)}
    made = {**mirror, "metadata": {**meta, "annotations": annotations, "ownerReferences": [owner]}}
    if was is not None and is_same and dig(was, "status", "startTime"):
        made["status"] = was["status"]
    return made


def _ended_before_boot(pod: Obj, node: Obj) -> bool:
    """Say whether the pod came to its end before the machine came up again: its kubelet begins anew."""
    boot = booted_at(node)
    if boot is None or dig(pod, "status", "phase") not in TERMINAL:
        return False
    return parse_time(dig(pod, "status", "startTime", default=rfc3339(boot))) < boot


def _end(pod: Obj) -> Delete:
    return Delete("pods", key_of(pod), pod["metadata"]["uid"])


def _is_open(namespace: Obj | None) -> bool:
    return namespace is not None and not is_deleting(namespace)


def _keys_of_instance(old: Obj | None, new: Obj | None, caches: Caches) -> Iterable[Key]:
    return {Key("", node_name(one)) for one in (old, new) if one is not None and has_static_pods(one)}


def _keys_of_node(old: Obj | None, new: Obj | None, caches: Caches) -> Iterable[Key]:
    """Wake a node that has come, or is heard of again."""
    if new is None or (old is not None and is_silent(old) == is_silent(new)):
        return ()
    return (Key("", new["metadata"]["name"]),)


def _keys_of_namespace(old: Obj | None, new: Obj | None, caches: Caches) -> Iterable[Key]:
    """Wake the nodes with static pods in a namespace that has come."""
    if new is None or old is not None:
        return ()
    name = new["metadata"]["name"]
    return [
        Key("", node_name(instance))
        for instance in caches[INSTANCES]
        if has_static_pods(instance) and any(_namespace(static) == name for static in instance["spec"][FIELD])
    ]


def _namespace(static: Any) -> str:
    return str(dig(static, "metadata", "namespace") or "default") if isinstance(static, dict) else ""


def _named_like(pod: Obj, caches: Caches) -> Iterable[Key]:
    """Return the nodes with static pods, one of which may have waited for this pod's name to be free."""
    parts = pod["metadata"]["name"].split("-")
    names = ["-".join(parts[n:]) for n in range(1, len(parts))]
    machines = by_node_name(caches[INSTANCES])
    return [Key("", name) for name in names if any(has_static_pods(one) for one in machines.get(name))]
