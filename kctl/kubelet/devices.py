"""The devices of machines: what the drivers on their nodes would publish.

In: Instances with devices (``spec.devices``), their Nodes, the ResourceSlices there are. Out: a slice of each driver
and node, made anew when somebody deletes it; with the Node it goes. A machine that is to have other devices is another
machine, as one of another size is. To prepare devices takes no time; a pod that its claims are not reserved for gets none.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from kctl.api.deviceclaims import SLICES, claim_of, is_reserved_for, not_owner
from kctl.api.nodedevices import FIELD, slices_of
from kctl.api.objects import Key, Obj, dig, is_deleting, key_of
from kctl.client.cache import META, Cache, Caches
from kctl.kubelet.agent import USER
from kctl.kubelet.node import INSTANCES, by_node_name, node_name
from kctl.kubelet.pod import is_silent
from kctl.runtime.actions import Create
from kctl.runtime.controller import Controller, Decision, Watch


class Seen(NamedTuple):
    """The slices a node is to have, and the names of those it has."""

    wanted: tuple[Obj, ...]
    there: frozenset[str]


class NodeDevices(Controller):
    """Publishes the devices of nodes; its keys are nodes."""

    name = "kubelet-devices"
    user = USER
    level = 12
    """Before the scheduler: a node comes with its devices."""
    writes = (SLICES,)

    def __init__(self) -> None:
        self.watches = (
            Watch(INSTANCES, _keys_of_instance),
            Watch("nodes", _keys_of_node, META),
            Watch(SLICES, _keys_of_slice),
        )

    def prepare(self, caches: Caches) -> None:
        """Register what finds the machine of a node."""
        by_node_name(caches[INSTANCES])

    def observe(self, caches: Caches, key: Key) -> Seen | None:
        """Read what a node that is there and heard of has to offer."""
        node = caches["nodes"].get(key)
        if node is None or is_deleting(node) or is_silent(node):
            return None
        wanted = [
            made
            for instance in by_node_name(caches[INSTANCES]).get(key.name)
            for made in slices_of(instance, node["metadata"])
        ]
        names = [made["metadata"]["name"] for made in wanted]
        there = frozenset(name for name in names if caches[SLICES].get(Key("", name)) is not None)
        return Seen(tuple(wanted), there)

    def decide(self, seen: Seen, now: float) -> Decision:
        """Make the slices that are missing."""
        return Decision(
            tuple(Create(SLICES, made) for made in seen.wanted if made["metadata"]["name"] not in seen.there)
        )


def unprepared_for(pod: Obj, claims: Cache) -> str:
    """Return why the pod cannot have its devices, "" when it can: it was bound without the scheduler's reservation."""
    problem = next(filter(None, (_problem(pod, entry, claims) for entry in pod["spec"]["resourceClaims"])), "")
    return problem and f"Failed to prepare dynamic resources: prepare dynamic resources: {problem}"


def _problem(pod: Obj, entry: Obj, claims: Cache) -> str:
    """Return what a kubelet has against one of the pod's claims (prepareResources)."""
    named = claim_of(pod, entry)
    if named.name is None:
        return named.problem
    claim = claims.get(Key(key_of(pod).namespace, named.name))
    if claim is None:
        return f'fetch ResourceClaim {named.name}: resourceclaims.resource.k8s.io "{named.name}" not found'
    if named.is_generated and (why := not_owner(pod, claim)):
        return why
    if is_reserved_for(pod, claim):
        return ""
    uids = pod["metadata"]["uid"], claim["metadata"]["uid"]
    return f"pod {pod['metadata']['name']} ({uids[0]}) is not allowed to use ResourceClaim {named.name} ({uids[1]})"


def _keys_of_instance(old: Obj | None, new: Obj | None, caches: Caches) -> Iterable[Key]:
    return () if new is None or not dig(new, "spec", FIELD) else (Key("", node_name(new)),)


def _keys_of_node(old: Obj | None, new: Obj | None, caches: Caches) -> Iterable[Key]:
    """Wake a node that has come, or is heard of again."""
    if new is None or (old is not None and is_silent(old) == is_silent(new)):
        return ()
    return (Key("", new["metadata"]["name"]),)


def _keys_of_slice(old: Obj | None, new: Obj | None, caches: Caches) -> Iterable[Key]:
    """Wake the node of a slice that is gone."""
    name = dig(old, "spec", "nodeName") if new is None else None
    return (Key("", name),) if name else ()
