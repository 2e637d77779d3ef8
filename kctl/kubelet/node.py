"""What a kubelet says of its node: conditions, capacity, addresses, versions; and when it says nothing.

In: a Node, how it is at the moment. Out: its status where it has none, or is not as it was.
Heartbeats are facts that everybody can compute (a node that is not known to be silent is heard of
*now*), so neither lastHeartbeatTime nor a Lease is ever renewed. A node that dies is noted as silent
from that instant (``sim.kctl.dev/silent-since``); when it is heard of again it posts its status,
with another boot ID when the machine was down (``sim.kctl.dev/booted-at``). A Node that came with a
Ready condition of its own is left as it is as long as nothing is said of it.
"""

from __future__ import annotations

from collections.abc import Container, Hashable, Mapping
from typing import NamedTuple

from kctl.api.behaviour import (
    BOOTED_AT,
    PREFIX,
    SHUTTING_DOWN_SINCE,
    SILENT_SINCE,
    Graces,
    booted_as,
    note,
    shutdown_of,
    shutting_down_since,
    silent_as,
    silent_since,
)
from kctl.api.clock import parse_time, rfc3339
from kctl.api.names import uid
from kctl.api.objects import Key, Obj, condition, dig, is_condition_true, is_deleting, key_of, with_condition
from kctl.client.cache import META, SPEC, STATUS, Cache, Caches, Fold, Index, by_node
from kctl.client.client import Client
from kctl.kubelet.addresses import node_address, node_offset
from kctl.kubelet.agent import COMPONENT, USER
from kctl.kubelet.behaviour import Annotated, NodeBehaviour
from kctl.kubelet.facts import NONE_USED, image_fold, release, take
from kctl.kubelet.facts import Used as Addresses
from kctl.kubelet.phase import TERMINAL
from kctl.kubelet.pod import node_ip
from kctl.kubelet.usage import (
    Used,
    images_fold,
    listed_images,
    shortages,
    sized_images,
    usage_fold,
    used_by,
    without_unused,
)
from kctl.runtime.actions import Action, Emit, Patch, update_status
from kctl.runtime.controller import Controller, Decision, Watch, is_bound
from kctl.runtime.profile import Profile

INSTANCES = "instances.cloud.kctl.dev"
PROVIDED_IP = "alpha.kubernetes.io/provided-node-ip"
"""The annotation of a node that a cloud is to initialize."""
KUBELET_VERSION = "v1.36.2"
DEFAULT_CAPACITY = {"cpu": "4", "ephemeral-storage": "100Gi", "memory": "16Gi", "pods": "110"}
"""What a Node without any capacity of its own is taken to have: an assumption."""

CONDITIONS = (
    ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
)
NOT_READY = ("Ready", "False", "KubeletNotReady", "node is shutting down")
ADDRESSES = "kubelet node addresses"
HEARTBEATS = frozenset(type_ for type_, *_ in CONDITIONS)


PRESSURES = (
    ("memory", "MemoryPressure", "InsufficientMemory", "SufficientMemory", "kubelet has insufficient memory available"),
    ("disk", "DiskPressure", "DiskPressure", "NoDiskPressure", "kubelet has disk pressure"),
    ("pid", "PIDPressure", "InsufficientPID", "SufficientPID", "kubelet has insufficient PID available"),
)
"""Signal, condition, what its reason and event end in when it is True and when it is not, the message."""
TRANSITION = 300.0
"""So long after the shortage is over the condition is taken back (evictionPressureTransitionPeriod)."""
REBOOTING = "rebooting"


class Seen(NamedTuple):
    """A node, the address it gets when it has none, what its pods use too much of; whether its machine is off.

    ``images`` are those of known size that its pods have brought, ``disk`` is what they use of it besides; ``has_pods``
    says whether some have yet to end.
    """

    node: Obj
    address: str
    short: tuple[str, ...] = ()
    is_off: bool = False
    images: tuple[tuple[tuple[str, int], ...], ...] = ()
    has_pods: bool = False
    disk: int = 0
    in_use: Container[str] = ()
    """Images of its pods, of whatever size."""


class NodeStatus(Controller):
    """Posts the status of nodes that have none or whose state is another."""

    name = "kubelet-node-status"
    user = USER
    level = 11
    writes = ("nodes", "events")

    def __init__(self, profile: Profile, world: Annotated) -> None:
        self.profile = profile
        self.world = world
        self._going: Mapping[Hashable, object] = {}
        """The nodes that shut down, by name."""
        self.watches = (
            Watch("nodes", self._keys),
            Watch("pods", self._keys_of_pod, META | SPEC | STATUS, where=self._may_concern),
            Watch(INSTANCES, _keys_of_instance),
        )

    def _may_concern(self, old: Obj | None, new: Obj | None) -> bool:
        """Say whether a pod is on a node, and some shut down or something might be said of the pod."""
        pod = new or old
        return is_bound(old, new) and (bool(self._going) or (pod is not None and self.world.may_size(pod)))

    def prepare(self, caches: Caches) -> None:
        """Register the folds of node addresses and of what pods use."""
        self._going = _shutting_down(caches["nodes"]).found
        node_addresses(caches["nodes"])
        usage_fold(caches["pods"], self.world)
        images_fold(caches["pods"], self.world)
        by_node_name(caches[INSTANCES])
        _shutting_down(caches["nodes"])

    def observe(self, caches: Caches, key: Key) -> Seen | None:
        """Read the node."""
        node = caches["nodes"].get(key)
        if node is None or is_deleting(node):
            return None
        address = "" if node_ip(node) else node_address(node_addresses(caches["nodes"]).get("")[0])
        used = usage_fold(caches["pods"], self.world).get(key.name)
        machines = _machines(node, caches)
        short = tuple(one.signal for one in shortages(node, used))
        images = tuple(images_fold(caches["pods"], self.world).get(key.name))
        has_pods = shutting_down_since(node) is not None and any(
            dig(pod, "status", "phase") not in TERMINAL for pod in by_node(caches["pods"]).get(key.name)
        )
        in_use = image_fold(caches["pods"], self.profile, self.world).get(key.name)
        return Seen(node, address, short, _is_off(machines), images, has_pods, used.disk, in_use)

    def decide(self, seen: Seen, now: float) -> Decision:
        """Post what the node is, fall silent, or come up again."""
        is_at = self.world.node(seen.node, now)
        if seen.is_off:
            is_at = is_at._replace(state="dead")
        found = self._decide(seen, is_at, float(int(now)))
        times = [at for at in (found.wake_at, is_at.changes_at) if at is not None and at > now]
        return found._replace(wake_at=min(times, default=None))

    def _decide(self, seen: Seen, is_at: NodeBehaviour, now: float) -> Decision:
        node = seen.node
        since, was = silent_since(node), silent_as(node)
        if is_at.state != "running":
            return Decision() if since is not None else Decision(tuple(_fall_silent(node, is_at.state, now)))
        graces = shutdown_of(node)
        if graces:
            return Decision() if since is not None else _shut_down(seen, graces, now)
        if since is not None and was == REBOOTING and now < since + self.profile.node_boot:
            return Decision(wake_at=since + self.profile.node_boot)
        if since is not None:
            return Decision(tuple(_come_up(seen, is_at.boot, now, is_boot=was != "kubelet-stopped")))
        if condition(node, "Ready") is None:
            return Decision((update_status("nodes", node, status_of(node, seen.address, now)), ready_event(node)))
        if is_at.boot != booted_as(node) and is_at.boot:
            if self.profile.node_boot > 0:
                return Decision(tuple(_fall_silent(node, REBOOTING, now)), now + self.profile.node_boot)
            return Decision(tuple(_come_up(seen, is_at.boot, now, is_boot=True)))
        if shutting_down_since(node) is not None:
            return Decision(tuple(_stay_up(node, now)))
        pressed = _press(node, {*is_at.pressure, *seen.short}, now)
        listed = dig(node, "status", "images", default=[])
        is_short = "disk" in (*is_at.pressure, *seen.short)
        if pressed.actions or not (seen.images or (is_short and listed)):
            return pressed
        images = listed_images(node, seen.images)
        images = without_unused(node, images, seen.in_use, seen.disk, is_short=is_short)
        if images == listed:
            return pressed
        return pressed._replace(actions=(update_status("nodes", node, {**node["status"], "images": images}),))

    def act(self, client: Client, decision: Decision, now: float) -> None:
        """Carry the decision out; events come from ``kubelet``."""
        from kctl.runtime.act import carry_out

        carry_out(client, decision.actions, now=now, component=COMPONENT)

    def _keys(self, old: Obj | None, new: Obj | None, caches: Caches) -> tuple[Key, ...]:
        """Wake a node that comes, or of which something else is said."""
        if new is None or (old is None and self._is_plain(new, caches)):
            return ()
        if old is not None and _annotations(old) == _annotations(new) and condition(new, "Ready") is not None:
            before, after = dig(old, "status", "conditions"), dig(new, "status", "conditions")
            if before is after or before == after:
                return ()
        return (Key("", new["metadata"]["name"]),)

    def _is_plain(self, node: Obj, caches: Caches) -> bool:
        """Say whether the node has posted its status, its machine is on, and nothing is said of it."""
        conditions = dig(node, "status", "conditions", default=())
        return (
            any(found["type"] == "Ready" for found in conditions)
            and not any(found["type"].endswith("Pressure") and found["status"] == "True" for found in conditions)
            and not self.world.may_say(node)
            and not _is_off(_machines(node, caches))
        )

    def _keys_of_pod(self, old: Obj | None, new: Obj | None, caches: Caches) -> tuple[Key, ...]:
        """Wake the node of a pod that uses more or less than before, or has brought an image."""
        obj = new or old
        name = obj["spec"].get("nodeName") if obj else None
        if obj is None or not name:
            return ()
        if name in self._going:
            return (Key("", name),)
        if not self.world.may_size(obj):
            return ()
        if old is not None and new is not None and _containers(old) is _containers(new):
            return ()  # nothing has started or ended
        used = [Used() if one is None else used_by(one, self.world) for one in (old, new)]
        images = [{} if one is None else sized_images(one, self.world) for one in (old, new)]
        return (Key("", name),) if used[0] != used[1] or images[0] != images[1] else ()


def _shutting_down(nodes: Cache) -> Index:
    """Return the index of the nodes that shut down, by name."""

    def values(node: Obj) -> tuple[str, ...]:
        return (node["metadata"]["name"],) if shutting_down_since(node) is not None else ()

    return nodes.index("kubelet shutting down", values, on=META)


def _containers(pod: Obj) -> object:
    return (pod.get("status") or {}).get("containerStatuses")


def _machines(node: Obj, caches: Caches) -> list[Obj] | None:
    """Return the machine of a node, None for a node that is not of a cloud."""
    if PROVIDED_IP not in (node["metadata"].get("annotations") or {}):
        return None
    return by_node_name(caches[INSTANCES]).get(node["metadata"]["name"])


def _is_off(machines: list[Obj] | None) -> bool:
    """Say whether a cloud's machine is gone or switched off; None for a node that is not of a cloud."""
    if machines is None:
        return False
    return not machines or dig(machines[0], "status", "state") == "Stopped"


def _keys_of_instance(old: Obj | None, new: Obj | None, caches: Caches) -> list[Key]:
    """Map a machine that goes, or is switched on or off, to its node."""
    if old is None or (new is not None and dig(old, "status", "state") == dig(new, "status", "state")):
        return []
    return [Key("", node_name(old))]


def node_name(instance: Obj) -> str:
    """Return the name of an instance's Node."""
    return str(dig(instance, "spec", "nodeName") or instance["metadata"]["name"])


def by_node_name(instances: Cache) -> Index:
    """Return the index of machines by the name of their node."""
    return instances.index("kubelet node name", lambda instance: (node_name(instance),))


def _annotations(node: Obj) -> Obj:
    annotations: Obj = node["metadata"].get("annotations") or {}
    return {name: text for name, text in annotations.items() if name.startswith(PREFIX)}


def _fall_silent(node: Obj, state: str, now: float) -> list[Action]:
    """Return what notes that no heartbeat comes any more; the last one came just now."""
    made: list[Action] = []
    conditions = dig(node, "status", "conditions", default=[])
    beaten = [
        {**found, "lastHeartbeatTime": rfc3339(now)} if found["type"] in HEARTBEATS else found for found in conditions
    ]
    if beaten != conditions:
        made.append(update_status("nodes", node, {**node["status"], "conditions": beaten}))
    noted = {"metadata": {"annotations": {SILENT_SINCE: note(now, state)}}}
    return [*made, Patch("nodes", key_of(node), noted)]


def _shut_down(seen: Seen, graces: Graces, now: float) -> Decision:
    """Begin to shut down, and go off when all pods have ended or their time is up."""
    node, since = seen.node, shutting_down_since(seen.node)
    name = node["metadata"]["name"]
    if since is None:
        told = [_event(name, "Normal", "NodeShutdown", "Shutdown manager detected shutdown event")]
        patch = Patch("nodes", key_of(node), {"metadata": {"annotations": {SHUTTING_DOWN_SINCE: note(now)}}})
        status, words = _readiness(node, NOT_READY, now)
        return Decision((*status, patch, *told, *words))
    off = since + sum(seconds for _, seconds in graces)
    if now < off and seen.has_pods:
        return Decision(wake_at=off)
    return Decision(tuple(_fall_silent(node, "dead", now)))


def _stay_up(node: Obj, now: float) -> list[Action]:
    """Return what a kubelet does whose machine does not go off after all."""
    name = node["metadata"]["name"]
    told = _event(name, "Normal", "NodeShutdown", "Shutdown manager detected shutdown cancellation")
    patch = Patch("nodes", key_of(node), {"metadata": {"annotations": {SHUTTING_DOWN_SINCE: None}}})
    status, words = _readiness(node, CONDITIONS[-1], now)
    return [*status, patch, told, *words]


def _readiness(node: Obj, row: tuple[str, str, str, str], now: float) -> tuple[list[Action], list[Emit]]:
    """Return what makes a node ready or not, and what is said of it; nothing when it is so already."""
    conditions = dig(node, "status", "conditions", default=[])
    if (condition(node, "Ready") or {}).get("status") == row[1]:
        return [], []
    status = {**node["status"], "conditions": with_condition(conditions, _made(*row, now))}
    name, reason = node["metadata"]["name"], "NodeReady" if row[1] == "True" else "NodeNotReady"
    told = _event(name, "Normal", reason, f"Node {name} status is now: {reason}")
    return [update_status("nodes", node, status)], [told]


def _come_up(seen: Seen, boot: str, now: float, *, is_boot: bool) -> list[Action]:
    """Return what a kubelet does that starts: it posts its status, and says so."""
    node = seen.node
    status = status_of(node, seen.address, now)
    annotations: Obj = {SILENT_SINCE: None}
    if shutting_down_since(node) is not None:
        annotations[SHUTTING_DOWN_SINCE] = None
    told: list[Emit] = []
    name = node["metadata"]["name"]
    if is_boot:
        annotations[BOOTED_AT] = note(now, boot)
        status["nodeInfo"] = {**status["nodeInfo"], "bootID": uid("boot", name, rfc3339(now))}
        message = f"Node {name} has been rebooted, boot id: {status['nodeInfo']['bootID']}"
        told.append(_event(name, "Warning", "Rebooted", message))
    told.insert(0, _event(name, "Normal", "Starting", "Starting kubelet."))
    if not is_condition_true(node, "Ready"):
        told.append(ready_event(node))
    patch = Patch("nodes", key_of(node), {"metadata": {"annotations": annotations}})
    return [update_status("nodes", node, status), patch, *told]


def _press(node: Obj, short: set[str], now: float) -> Decision:
    """Say in the node's conditions what it is short of, and for a while after that is over."""
    conditions = dig(node, "status", "conditions", default=[])
    told: list[Action] = []
    wake: list[float] = []
    out = conditions
    name = node["metadata"]["name"]
    for signal, type_, yes, no, message in PRESSURES:
        old = condition(node, type_)
        is_short, was_short = signal in short, old is not None and old.get("status") == "True"
        if is_short and not was_short:
            out = with_condition(out, _made(type_, "True", f"KubeletHas{yes}", message, now))
            told.append(_event(name, "Normal", f"NodeHas{yes}", f"Node {name} status is now: NodeHas{yes}"))
        elif was_short and old is not None:
            since, beat = old.get("lastTransitionTime"), old.get("lastHeartbeatTime")
            if is_short:
                if beat != since:
                    out = with_condition(out, {**old, "lastHeartbeatTime": since})
                continue
            if beat == since:  # what tells that the shortage is over, and since when
                over = max(now, parse_time(since) + 1 if since else now)
                out = with_condition(out, {**old, "lastHeartbeatTime": rfc3339(over)})
                wake.append(over + TRANSITION)
            elif now < (over := parse_time(beat or since or rfc3339(now)) + TRANSITION):
                wake.append(over)
            else:
                fine = next(one for one in CONDITIONS if one[0] == type_)
                out = with_condition(out, _made(*fine, now))
                told.append(_event(name, "Normal", f"NodeHas{no}", f"Node {name} status is now: NodeHas{no}"))
    if out == conditions:
        return Decision(wake_at=min(wake, default=None))
    return Decision(
        (update_status("nodes", node, {**node["status"], "conditions": out}), *told), min(wake, default=None)
    )


def _made(type_: str, status: str, reason: str, message: str, now: float) -> Obj:
    return {
        "type": type_,
        "status": status,
        "lastHeartbeatTime": rfc3339(now),
        "lastTransitionTime": rfc3339(now),
        "reason": reason,
        "message": message,
    }


def _event(name: str, type_: str, reason: str, message: str) -> Emit:
    """Return an event of the kubelet about its node; its uid is the name, as upstream."""
    about = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "uid": name}}
    return Emit(about, type_, reason, message)


def node_addresses(nodes: Cache) -> Fold[Addresses]:
    """Return the fold of node addresses in use; all are under the value ""."""

    def values(node: Obj) -> tuple[str, ...]:
        return () if node_offset(node_ip(node)) is None else ("",)

    def add(used: Addresses, node: Obj) -> Addresses:
        return take(used, node_offset(node_ip(node)) or 0)

    def remove(used: Addresses, node: Obj) -> Addresses:
        return release(used, node_offset(node_ip(node)) or 0)

    return nodes.fold(ADDRESSES, values, NONE_USED, add, remove)


def status_of(node: Obj, address: str, now: float) -> Obj:
    """Return the status a kubelet posts; what the node states itself is kept.

    Allocatable is capacity: the simulated nodes reserve nothing for the system.
    """
    old: Obj = node.get("status") or {}
    name = node["metadata"]["name"]
    capacity = old.get("capacity") or old.get("allocatable") or DEFAULT_CAPACITY
    status = {
        **old,
        "capacity": capacity,
        "allocatable": old.get("allocatable") or capacity,
        "conditions": conditions(old.get("conditions") or [], now),
        "addresses": old.get("addresses") or addresses(name, address),
        "daemonEndpoints": dig(old, "daemonEndpoints", default={"kubeletEndpoint": {"Port": 10250}}),
        "nodeInfo": node_info(node),
    }
    status.pop("phase", None)
    return status


def conditions(old: list[Obj], now: float) -> list[Obj]:
    """Return the conditions of a healthy node, those of others kept."""
    out = old
    for type_, state, reason, message in CONDITIONS:
        out = with_condition(out, _made(type_, state, reason, message, now))
    return out


def addresses(name: str, address: str) -> list[Obj]:
    """Return the addresses of a node."""
    return [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": name}]


def node_info(node: Obj) -> Obj:
    """Return what a 1.36 kubelet tells of its machine; identifiers derive from the name."""
    name = node["metadata"]["name"]
    labels = node["metadata"].get("labels") or {}
    return {
        "architecture": labels.get("kubernetes.io/arch", "amd64"),
        "bootID": uid("boot", name),
        "containerRuntimeVersion": "containerd://2.2.0",
        "kernelVersion": "6.12.0",
        "kubeProxyVersion": "",
        "kubeletVersion": KUBELET_VERSION,
        "machineID": uid("machine", name).replace("-", ""),
        "operatingSystem": labels.get("kubernetes.io/os", "linux"),
        "osImage": "simulated by kctl",
        "systemUUID": uid("system", name),
    }


def ready_event(node: Obj) -> Emit:
    """Return kubelet's event about a node that is ready; its uid is the name, as upstream."""
    name = node["metadata"]["name"]
    return _event(name, "Normal", "NodeReady", f"Node {name} status is now: NodeReady")
