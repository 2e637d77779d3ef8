"""persistentvolume-attach-detach-controller: volumes are attached where their pods are, and nowhere else.

In: volumes of simulated drivers, their claims' pods, VolumeAttachments, nodes. Out: a VolumeAttachment for each node that
needs a volume, ``status.volumesAttached`` of nodes, and their end. A volume for one node waits until it has left
the other, and says so (Multi-Attach error). A volume that a node's kubelet still reports in use stays, unless the
node is taken out of service, or has been unhealthy for six minutes since nobody wanted the volume there; since when that is
is noted in an annotation of the attachment, where upstream keeps it in memory.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import NamedTuple

from kctl.api import volumes as vol
from kctl.api.clock import parse_time, rfc3339
from kctl.api.objects import Key, Obj, annotations_of, dig, is_condition_true, is_deleting, key_of
from kctl.client.cache import META, SPEC, STATUS, Cache, Caches, Index, by_claim
from kctl.runtime.actions import Action, Create, Delete, Emit, Patch, update_status
from kctl.runtime.controller import Controller, Decision, Watch

VOLUMES = "persistentvolumes"
CLAIMS = "persistentvolumeclaims"
ATTACHMENTS = "volumeattachments.storage.k8s.io"
OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"
REQUESTED = "kctl.dev/detach-requested"
FORCE_AFTER = 360.0
"""How long an unhealthy node keeps a volume that nobody wants there (maxWaitForUnmountDuration)."""
EXCLUSIVE = "Volume is already exclusively attached to one node and can't be attached to another"


class Seen(NamedTuple):
    """A volume, the pods that use it by node, its attachments by node, and those nodes that exist."""

    volume: Obj
    pods: dict[str, list[Obj]]
    attachments: dict[str, Obj]
    nodes: dict[str, Obj]


class AttachDetachController(Controller):
    """Attaches and detaches volumes."""

    name = "persistentvolume-attach-detach-controller"
    user = "system:serviceaccount:kube-system:attachdetach-controller"
    component = "attachdetach-controller"
    level = 36
    batch = 256
    reads = (CLAIMS,)
    writes = (ATTACHMENTS, "nodes", "events")

    def __init__(self) -> None:
        self.watches = (
            Watch(VOLUMES, _keys_of_volume),
            Watch(CLAIMS, _keys_of_claim),
            Watch(ATTACHMENTS, _keys_of_attachment),
            Watch("pods", _keys_of_pod, META | SPEC | STATUS, where=vol.have_claims),
            Watch("nodes", _keys_of_node, META | SPEC | STATUS),
        )

    def prepare(self, caches: Caches) -> None:
        """Register the indexes of pods by claim and of attachments by volume and node."""
        by_claim(caches["pods"])
        of_volume(caches[ATTACHMENTS])
        of_node(caches[ATTACHMENTS])

    def observe(self, caches: Caches, key: Key) -> Seen | None:
        """Read a volume that is attached to nodes, and who wants it where."""
        volume = caches[VOLUMES].get(key) or _former(key.name, of_volume(caches[ATTACHMENTS]).get(key.name))
        if volume is None or not vol.is_attachable(volume):
            return None
        pods: dict[str, list[Obj]] = {}
        owner = vol.claim_key(volume)
        claim = caches[CLAIMS].get(owner) if owner else None
        if claim is not None and claim["spec"].get("volumeName") == key.name:
            for pod in by_claim(caches["pods"]).get(owner):
                if uses_volumes(pod):
                    pods.setdefault(pod["spec"]["nodeName"], []).append(pod)
        attachments = {dig(found, "spec", "nodeName"): found for found in of_volume(caches[ATTACHMENTS]).get(key.name)}
        names = sorted({*pods, *attachments})
        nodes = {name: node for name in names if (node := caches["nodes"].get(Key("", name))) is not None}
        return Seen(volume, pods, attachments, nodes)

    def decide(self, seen: Seen, now: float) -> Decision:
        """Detach first, then attach; report what is attached."""
        actions: list[Action] = []
        wakes: list[float] = []
        for node in sorted(seen.attachments):
            if node in seen.pods:
                actions += _attached(seen, node)
            else:
                found, wake_at = _detach(seen, node, now)
                actions += found
                wakes += [] if wake_at is None else [wake_at]
        for node in sorted(seen.pods):
            if node not in seen.attachments and node in seen.nodes:
                actions += _attach(seen, node)
        return Decision(tuple(actions), min(wakes, default=None))


def _former(name: str, attachments: list[Obj]) -> Obj | None:
    """Return what is left of a volume that is gone and still attached: enough to detach it."""
    if not attachments:
        return None
    source = {"driver": attachments[0]["spec"].get("attacher"), "volumeHandle": name}
    return {"metadata": {"name": name}, "spec": {"csi": source}}


def uses_volumes(pod: Obj) -> bool:
    """Say whether a pod has its node, and its volumes are still in use there."""
    return bool(pod["spec"].get("nodeName")) and dig(pod, "status", "phase") not in ("Succeeded", "Failed")


def _attach(seen: Seen, node: str) -> list[Action]:
    """Attach the volume to a node, unless another has it for itself."""
    others = [name for name in seen.attachments if name != node]
    if others and not vol.is_shared(seen.volume):
        users = [pod for name in sorted(others) for pod in seen.pods.get(name, ())]
        return [_multi_attach(seen.volume, pod, users) for pod in seen.pods[node]]
    waiting = [name for name in sorted(seen.pods) if name not in seen.attachments and name in seen.nodes]
    if not vol.is_shared(seen.volume) and waiting[0] != node:
        return [_multi_attach(seen.volume, pod, seen.pods[waiting[0]]) for pod in seen.pods[node]]
    return [Create(ATTACHMENTS, new_attachment(seen.volume, node))]


def _multi_attach(volume: Obj, pod: Obj, users: list[Obj]) -> Emit:
    """Say that the volume is elsewhere, and who has it there (reportMultiAttachError)."""
    namespace = key_of(pod).namespace
    names = [key_of(user).name for user in users if key_of(user).namespace == namespace]
    strangers = len(users) - len(names)
    if names:
        why = f"Volume is already used by pod(s) {', '.join(names)}"
        why += f" and {strangers} pod(s) in different namespaces" if strangers else ""
    else:
        why = f"Volume is already used by {strangers} pod(s) in different namespaces" if strangers else EXCLUSIVE
    text = f'Multi-Attach error for volume "{volume["metadata"]["name"]}" {why}'
    return Emit(pod, "Warning", "FailedAttachVolume", text, once=True)


def new_attachment(volume: Obj, node: str) -> Obj:
    """Return the VolumeAttachment of a volume to a node."""
    source, name = volume["spec"]["csi"], volume["metadata"]["name"]
    digest = sha256(f"{source['volumeHandle']}{source['driver']}{node}".encode()).hexdigest()
    spec = {"attacher": source["driver"], "nodeName": node, "source": {"persistentVolumeName": name}}
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "VolumeAttachment",
        "metadata": {"name": f"csi-{digest}"},
        "spec": spec,
    }


def _attached(seen: Seen, node: str) -> list[Action]:
    """Report an attachment that is complete, and begin no new life for one that is ending."""
    attachment, found = seen.attachments[node], seen.nodes.get(node)
    if is_deleting(attachment) or found is None:
        return []
    actions: list[Action] = []
    if REQUESTED in annotations_of(attachment):
        actions.append(_note(attachment, None))
    name = vol.unique_name(seen.volume)
    if (error := dig(attachment, "status", "attachError", "message")) and not dig(attachment, "status", "attached"):
        text = f'AttachVolume.Attach failed for volume "{seen.volume["metadata"]["name"]}" : {error}'
        return [*actions, *(Emit(pod, "Warning", "FailedAttachVolume", text, once=True) for pod in seen.pods[node])]
    if not dig(attachment, "status", "attached") or name in attached_to(found):
        return actions
    text = f'AttachVolume.Attach succeeded for volume "{seen.volume["metadata"]["name"]}" '
    there = dig(found, "status", "volumesAttached", default=())
    actions.append(_report(found, [*there, {"name": name, "devicePath": ""}]))
    actions += [Emit(pod, "Normal", "SuccessfulAttachVolume", text, once=True) for pod in seen.pods[node]]
    return actions


def _detach(seen: Seen, node: str, now: float) -> tuple[list[Action], float | None]:
    """Detach the volume from a node where nobody wants it, once that is safe or enough time has passed."""
    attachment, found = seen.attachments[node], seen.nodes.get(node)
    if is_deleting(attachment):
        return [], None
    name = vol.unique_name(seen.volume)
    if found is not None and name in in_use_on(found) and not _is_out_of_service(found):
        if is_condition_true(found, "Ready"):
            return [], None  # its kubelet is still unmounting
        since = annotations_of(attachment).get(REQUESTED)
        if since is None:
            return [_note(attachment, rfc3339(now))], None
        if now < parse_time(since) + FORCE_AFTER:
            return [], parse_time(since) + FORCE_AFTER
    actions: list[Action] = []
    if found is not None and name in attached_to(found):
        left = [one for one in dig(found, "status", "volumesAttached", default=()) if one["name"] != name]
        actions.append(_report(found, left))
    return [*actions, Delete(ATTACHMENTS, key_of(attachment), attachment["metadata"]["uid"])], None


def _note(attachment: Obj, since: str | None) -> Patch:
    return Patch(ATTACHMENTS, key_of(attachment), {"metadata": {"annotations": {REQUESTED: since}}})


def _report(node: Obj, volumes: list[Obj]) -> Action:
    status = {name: value for name, value in (node.get("status") or {}).items() if name != "volumesAttached"}
    return update_status("nodes", node, {**status, **({"volumesAttached": volumes} if volumes else {})})


def attached_to(node: Obj) -> list[str]:
    """Return the names of the volumes that a node is told are attached."""
    return [one["name"] for one in dig(node, "status", "volumesAttached", default=None) or ()]


def in_use_on(node: Obj) -> list[str]:
    """Return the names of the volumes that the node's kubelet uses."""
    return list(dig(node, "status", "volumesInUse", default=None) or ())


def _is_out_of_service(node: Obj) -> bool:
    return any(taint.get("key") == OUT_OF_SERVICE for taint in dig(node, "spec", "taints", default=None) or ())


def of_volume(attachments: Cache) -> Index:
    """Return the index of attachments by volume."""
    return attachments.index("volume", lambda found: (dig(found, "spec", "source", "persistentVolumeName"),))


def of_node(attachments: Cache) -> Index:
    """Return the index of attachments by node."""
    return attachments.index("node", lambda found: (found["spec"].get("nodeName") or "",))


def _keys_of_volume(old: Obj | None, new: Obj | None, caches: Caches) -> Iterable[Key]:
    volume = new or old
    return (key_of(volume),) if volume is not None and vol.is_attachable(volume) else ()


def _keys_of_claim(old: Obj | None, new: Obj | None, caches: Caches) -> Iterable[Key]:
    named = [found["spec"].get("volumeName") for found in (old, new) if found is not None]
    return dict.fromkeys(Key("", name) for name in named if name)


def _keys_of_attachment(old: Obj | None, new: Obj | None, caches: Caches) -> Iterable[Key]:
    found = new or old
    name = dig(found, "spec", "source", "persistentVolumeName") if found else None
    return (Key("", name),) if name else ()


def _keys_of_pod(old: Obj | None, new: Obj | None, caches: Caches) -> Iterable[Key]:
    """Wake the volumes of a pod that gets its node, ends or goes."""
    pod = new or old
    if pod is None or not vol.has_claims(pod) or not pod["spec"].get("nodeName"):
        return ()
    if old is not None and new is not None and uses_volumes(old) == uses_volumes(new):
        return ()
    namespace = key_of(pod).namespace
    claims = [caches[CLAIMS].get(Key(namespace, name)) for name in vol.claims_of(pod)]
    named = [claim["spec"].get("volumeName") for claim in claims if claim is not None]
    return [Key("", name) for name in named if name]


def _keys_of_node(old: Obj | None, new: Obj | None, caches: Caches) -> Iterable[Key]:
    """Wake the volumes attached to a node whose use of them, health or service changes, or that comes or goes."""
    node = new or old
    if node is None:
        return ()
    if old is not None and new is not None and _of_interest(old) == _of_interest(new):
        return ()
    found = of_node(caches[ATTACHMENTS]).get(node["metadata"]["name"])
    return dict.fromkeys(Key("", dig(one, "spec", "source", "persistentVolumeName")) for one in found)


def _of_interest(node: Obj) -> tuple[object, ...]:
    return (in_use_on(node), attached_to(node), is_condition_true(node, "Ready"), _is_out_of_service(node))
