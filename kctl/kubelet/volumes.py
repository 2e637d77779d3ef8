"""What kubelets do about volumes: which are in use, what a pod waits for, and the drivers of a node.

In: pods with claims, the volumes behind them, nodes. Out: ``status.volumesInUse`` of nodes (which keeps a volume attached),
the names of volumes that a pod has to wait for, a CSINode for each node of the local cloud, and the end of a file system's
growth. CSINodes come with the first claim or volume: a large cluster without any is spared thousands of objects that say
nothing. Mounting itself takes no time. Volumes of drivers that are not simulated are taken to be there once bound.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from kctl.api import volumes as vol
from kctl.api.objects import Key, Obj, condition, dig, is_deleting, key_of
from kctl.api.resourcelist import compare
from kctl.client.cache import META, SPEC, STATUS, Caches, by_claim, by_node
from kctl.kubelet.agent import COMPONENT, USER
from kctl.kubelet.phase import TERMINAL
from kctl.kubelet.pod import is_silent
from kctl.runtime.actions import Action, Create, Emit, update_status
from kctl.runtime.controller import Controller, Decision, Watch

CLAIMS = "persistentvolumeclaims"
VOLUMES = "persistentvolumes"
CSI_NODES = "csinodes.storage.k8s.io"
DRIVERS = "csidrivers.storage.k8s.io"
TOPOLOGY = ("topology.kubernetes.io/zone",)
PROVIDER = "local://"


class Use(NamedTuple):
    """A volume that a pod on the node uses, through its claim."""

    pod: Obj
    claim: Obj
    volume: Obj


class Seen(NamedTuple):
    """A node whose kubelet is alive, what its pods use, and whether its driver has registered."""

    node: Obj
    uses: tuple[Use, ...]
    lacks_driver: bool


class NodeVolumes(Controller):
    """Reports the volumes of each node."""

    name = "kubelet-volumes"
    user = USER
    component = COMPONENT
    level = 19
    batch = 256
    reads = (CSI_NODES,)
    writes = ("nodes", CSI_NODES, CLAIMS, "events")

    def __init__(self) -> None:
        self.watches = (
            Watch("nodes", _keys_of_node),
            Watch(DRIVERS, _keys_of_driver),
            Watch("pods", _keys_of_pod, META | SPEC | STATUS, where=vol.have_claims),
            Watch(CLAIMS, _keys_of_claim),
            Watch(VOLUMES, _keys_of_first),
        )

    def prepare(self, caches: Caches) -> None:
        """Register the indexes of pods by node and claim."""
        by_node(caches["pods"])
        by_claim(caches["pods"])

    def observe(self, caches: Caches, key: Key) -> Seen | None:
        """Read a node, unless nothing is heard of it, and the volumes of its pods."""
        node = caches["nodes"].get(key)
        if node is None or is_deleting(node) or is_silent(node):
            return None
        has_driver = caches[DRIVERS].get(Key("", vol.LOCAL_DRIVER)) is not None
        is_local = str(dig(node, "spec", "providerID", default="")).startswith(PROVIDER)
        lacks_driver = has_driver and is_local and has_storage(caches) and caches[CSI_NODES].get(key) is None
        return Seen(node, tuple(uses_on(caches, key.name)), lacks_driver)

    def decide(self, seen: Seen, now: float) -> Decision:
        """Register the driver, report what is in use, and grow file systems."""
        node = seen.node
        actions: list[Action] = [Create(CSI_NODES, csi_node(node))] if seen.lacks_driver else []
        status = node.get("status") or {}
        in_use = sorted({vol.unique_name(use.volume) for use in seen.uses})
        if in_use != list(status.get("volumesInUse") or ()):
            kept = {name: value for name, value in status.items() if name != "volumesInUse"}
            actions.append(update_status("nodes", node, {**kept, **({"volumesInUse": in_use} if in_use else {})}))
        grown: set[str] = set()
        for use in seen.uses:
            name = use.volume["metadata"]["name"]
            if name not in grown and is_to_grow(use):
                grown.add(name)
                actions += _grow(use, node["metadata"]["name"])
        return Decision(tuple(actions))


def uses_on(caches: Caches, node: str) -> Iterable[Use]:
    """Yield what pods on a node use of attached volumes, until they have ended."""
    for pod in by_node(caches["pods"]).get(node):
        if vol.has_claims(pod) and dig(pod, "status", "phase") not in TERMINAL:
            yield from _uses(caches, pod)


def _uses(caches: Caches, pod: Obj) -> Iterable[Use]:
    namespace = key_of(pod).namespace
    for name in vol.claims_of(pod):
        claim = caches[CLAIMS].get(Key(namespace, name))
        volume = caches[VOLUMES].get(Key("", (claim or {}).get("spec", {}).get("volumeName") or ""))
        if claim is not None and volume is not None and vol.is_attachable(volume):
            yield Use(pod, claim, volume)


def waited_for(caches: Caches, pod: Obj, node: Obj) -> tuple[str, ...]:
    """Return the pod's volumes that are not bound, or not attached to its node, by the names the pod gives them."""
    namespace = key_of(pod).namespace
    attached: set[str] | None = None
    found: list[str] = []
    for volume in pod["spec"].get("volumes") or ():
        name = vol.claim_name(pod, volume)
        if not name:
            continue
        if attached is None:
            attached = {one["name"] for one in dig(node, "status", "volumesAttached", default=None) or ()}
        claim = caches[CLAIMS].get(Key(namespace, name))
        bound = caches[VOLUMES].get(Key("", (claim or {}).get("spec", {}).get("volumeName") or ""))
        if claim is None or bound is None or not vol.is_fully_bound(claim) or not _is_there(bound, attached):
            found.append(volume["name"])
    return tuple(found)


def _is_there(volume: Obj, attached: set[str]) -> bool:
    """Say whether a volume needs no attaching, or has been attached."""
    return not vol.is_attachable(volume) or vol.unique_name(volume) in attached


def timed_out(names: tuple[str, ...]) -> str:
    """Return the words of a kubelet that has waited too long for volumes."""
    listed = " ".join(names)
    return (
        f"Unable to attach or mount volumes: unmounted volumes=[{listed}], unattached volumes=[{listed}], "
        "failed to process volumes=[]: context deadline exceeded"
    )


def csi_node(node: Obj) -> Obj:
    """Return the CSINode with which a node's driver registers; it takes any number of volumes."""
    meta = node["metadata"]
    owner = {"apiVersion": "v1", "kind": "Node", "name": meta["name"], "uid": meta["uid"]}
    driver = {"name": vol.LOCAL_DRIVER, "nodeID": meta["name"], "topologyKeys": list(TOPOLOGY)}
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "CSINode",
        "metadata": {"name": meta["name"], "ownerReferences": [owner]},
        "spec": {"drivers": [driver]},
    }


def is_to_grow(use: Use) -> bool:
    """Say whether the volume has grown and its file system, on this node, has not."""
    pending = condition(use.claim, "FileSystemResizePending")
    there = str(dig(use.claim, "status", "capacity", "storage", default="0"))
    is_running = dig(use.pod, "status", "phase") == "Running"
    return pending is not None and is_running and compare(vol.capacity(use.volume), there) > 0


def _grow(use: Use, node: str) -> list[Action]:
    status = {name: value for name, value in use.claim["status"].items() if name != "conditions"}
    left = [one for one in use.claim["status"].get("conditions") or () if one["type"] != "FileSystemResizePending"]
    grown = {**(status.get("capacity") or {}), "storage": vol.capacity(use.volume)}
    status = {**status, "capacity": grown, **({"conditions": left} if left else {})}
    text = f'MountVolume.NodeExpandVolume succeeded for volume "{use.volume["metadata"]["name"]}" {node}'
    event = Emit(use.pod, "Normal", "FileSystemResizeSuccessful", text, host=node)
    return [update_status(CLAIMS, use.claim, status), event]


def _keys_of_node(old: Obj | None, new: Obj | None, caches: Caches) -> Iterable[Key]:
    """Wake a node that comes, gets its machine, or speaks again."""
    if new is None:
        return ()
    if (
        old is not None
        and is_silent(old) == is_silent(new)
        and dig(old, "spec", "providerID") == dig(new, "spec", "providerID")
    ):
        return ()
    return (key_of(new),)


def has_storage(caches: Caches) -> bool:
    """Say whether there is any claim or volume."""
    return len(caches[CLAIMS]) > 0 or len(caches[VOLUMES]) > 0


def _keys_of_driver(old: Obj | None, new: Obj | None, caches: Caches) -> Iterable[Key]:
    return [key_of(node) for node in caches["nodes"]] if old is None and has_storage(caches) else ()


def _keys_of_first(old: Obj | None, new: Obj | None, caches: Caches) -> Sequence[Key]:
    """Wake all nodes for the first claim or volume: their drivers register."""
    if old is not None or len(caches[CSI_NODES]) or caches[DRIVERS].get(Key("", vol.LOCAL_DRIVER)) is None:
        return ()
    return [key_of(node) for node in caches["nodes"]]


def _keys_of_pod(old: Obj | None, new: Obj | None, caches: Caches) -> Iterable[Key]:
    """Wake the node of a pod with claims that comes, starts, ends or goes."""
    pod = new or old
    if pod is None or not vol.has_claims(pod) or not pod["spec"].get("nodeName"):
        return ()
    if old is not None and new is not None and _place(old) == _place(new):
        return ()
    return (Key("", pod["spec"]["nodeName"]),)


def _place(pod: Obj) -> tuple[object, object]:
    return pod["spec"].get("nodeName"), dig(pod, "status", "phase")


def _keys_of_claim(old: Obj | None, new: Obj | None, caches: Caches) -> Iterable[Key]:
    """Wake the nodes whose pods use the claim; all of them for the first one."""
    claim = new or old
    if first := _keys_of_first(old, new, caches):
        return first
    pods = by_claim(caches["pods"]).get(key_of(claim)) if claim is not None else ()
    return dict.fromkeys(Key("", pod["spec"]["nodeName"]) for pod in pods if pod["spec"].get("nodeName"))
