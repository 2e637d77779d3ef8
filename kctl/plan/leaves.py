"""The leaf of each blocker: the one thing at the bottom of the chain that somebody has to change.

In: entries of the third layer, and the plane they are of. Out: the same entries with ``leaf`` (its kind, and the object
where one is to blame), ``chain`` (from what a person wrote down to it), and for pods that fit nowhere ``why`` and ``fix``.
Messages are read here and nowhere else: they are upstream's, and the only place where some causes stand.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from kctl.api import volumes as vol
from kctl.api.errors import StatusError
from kctl.api.objects import Obj, controller_of, key_of, printed_name

if TYPE_CHECKING:
    from kctl.plane.placing import Picture
    from kctl.plane.plane import ControlPlane

MOST_EXPLAINED = 8
"""So many groups of pods that fit nowhere are explained in a report; ``kctl why`` explains any."""
MANY_NODES = 5000
"""On more nodes than these a report tries no remedies."""


class Rule(NamedTuple):
    """What a message says is to blame: the leaf's kind, and the object with the words the pattern found."""

    kind: str
    pattern: re.Pattern[str]
    object: str = ""


RULES = tuple(
    Rule(kind, re.compile(pattern), obj)
    for kind, pattern, obj in (
        ("secret", r'[Ss]ecret "(?P<name>[^"]+)" not found', "secret/{name}"),
        ("secret", r"couldn't find key (?P<key>\S+) in Secret (?:\S+/)?(?P<name>\S+)", "secret/{name}"),
        ("configmap", r'[Cc]onfig[Mm]ap "(?P<name>[^"]+)" not found', "configmap/{name}"),
        ("configmap", r"couldn't find key (?P<key>\S+) in ConfigMap (?:\S+/)?(?P<name>\S+)", "configmap/{name}"),
        ("configmap", r"configmap references non-existent config key", ""),
        ("secret", r"references non-existent secret key", ""),
        (
            "storageclass",
            r'[Ss]torage[Cc]lass(?:\.storage\.k8s\.io)? "(?P<name>[^"]+)"',
            "storageclass.storage.k8s.io/{name}",
        ),
        (
            "device",
            r'resourceclaimtemplate\.resource\.k8s\.io "(?P<name>[^"]+)" not found',
            "resourceclaimtemplate.resource.k8s.io/{name}",
        ),
        ("device", r'resourceclaim(?:\.resource\.k8s\.io)? "(?P<name>[^"]+)"', "resourceclaim.resource.k8s.io/{name}"),
        ("device", r"device class (?P<name>\S+) does not exist", "deviceclass.resource.k8s.io/{name}"),
        ("device", r"cannot allocate all claims|resourceclaim not available on the node", ""),
        ("volume", r'persistentvolumeclaim(?:/| ")(?P<name>[^":]+)', "persistentvolumeclaim/{name}"),
        ("serviceaccount", r'serviceaccount "(?P<name>[^"]+)" not found', "serviceaccount/{name}"),
        (
            "priorityclass",
            r"no PriorityClass with name (?P<name>\S+) was found",
            "priorityclass.scheduling.k8s.io/{name}",
        ),
        ("quota", r"exceeded quota: (?P<name>[^,]+)", "resourcequota/{name}"),
        ("quota", r"failed quota: (?P<name>[^:,]+)", "resourcequota/{name}"),
        ("limitrange", r"(maximum|minimum) \S+ usage per (Pod|Container|PersistentVolumeClaim) is", ""),
        ("podsecurity", r"violates PodSecurity", ""),
        ("webhook", r'admission webhook "(?P<name>[^"]+)" denied', "webhook {name}"),
        ("webhook", r'failed calling webhook "(?P<name>[^"]+)"', "webhook {name}"),
        (
            "policy",
            r"ValidatingAdmissionPolicy '(?P<name>[^']+)'",
            "validatingadmissionpolicy.admissionregistration.k8s.io/{name}",
        ),
        ("finalizer", r"waits for its finalizers: (?P<name>.+)", "{name}"),
        ("finalizer", r"(?P<name>[\w./-]+/[\w.-]+) in \d+ resource instances", "{name}"),
        ("node", r'node "(?P<name>[^"]+)"', "node/{name}"),
        ("image", r'image "(?P<name>[^"]+)"', "{name}"),
        ("rbac", r'is forbidden: User "(?P<name>[^"]+)" cannot', "{name}"),
    )
)
REASONS: Mapping[str, str] = {
    "CrashLoopBackOff": "container",
    "DrainBlocked": "budget",
    "ErrImageNeverPull": "image",
    "ErrImagePull": "image",
    "FailedAttachVolume": "volume",
    "ImagePullBackOff": "image",
    "InvalidImageName": "image",
    "LoadBalancerPending": "cloud",
    "NotApplied": "intent",
    "OOMKilled": "container",
    "SchedulingGated": "gate",
    "SyncLoadBalancerFailed": "cloud",
    "Unschedulable": "capacity",
}
"""What a reason is about when its message names nothing to blame."""
OBSTACLES: Mapping[str, str] = {
    "affinity": "affinity",
    "cordoned": "cordon",
    "device": "device",
    "existingPodAntiAffinity": "affinity",
    "missingTopologyLabel": "spread",
    "podAffinity": "affinity",
    "podAntiAffinity": "affinity",
    "port": "port",
    "pods": "capacity",
    "resource": "capacity",
    "spread": "spread",
    "taint": "taint",
    "volume": "volume",
}
"""The kinds of leaf for what keeps pods off nodes."""


def with_leaves(plane: ControlPlane, entries: Sequence[Obj]) -> list[Obj]:
    """Return the entries with what is at the bottom of each."""
    explained = 0
    picture: Picture | None = None
    nodes = len(plane.client.list("nodes").items) if any(e["reason"] == "Unschedulable" for e in entries) else 0
    out = []
    for entry in sorted(entries, key=lambda entry: -entry["count"]):
        told: Obj = {}
        if entry["reason"] == "Unschedulable" and explained < MOST_EXPLAINED:
            explained += 1
            picture = picture or _picture(plane)
            told = _placing(plane, picture, entry, most=1 if nodes <= MANY_NODES else 0)
        leaf = leaf_of(entry, told.get("leaf"))
        out.append({**entry, **told, "leaf": leaf, "chain": chain(plane, entry, leaf)})
    return sorted(
        out, key=lambda entry: [entry[field] for field in ("namespace", "object", "owner", "reason", "message")]
    )


def leaf_of(entry: Obj, placing: Obj | None = None) -> Obj:
    """Return the kind of what is to blame, and the object or thing by name, "" where the message names none."""
    if placing is not None:
        return placing
    for rule in RULES:
        found = rule.pattern.search(entry["message"])
        if found is not None:
            return {"kind": rule.kind, "object": rule.object.format(**found.groupdict())}
    return {"kind": REASONS.get(entry["reason"], "other"), "object": ""}


def _picture(plane: ControlPlane) -> Picture:
    from kctl.plane.placing import Picture

    return Picture(plane)


def _placing(plane: ControlPlane, picture: Picture, entry: Obj, *, most: int) -> Obj:
    """Return why the entry's pod fits nowhere, and the smallest change with which it would."""
    name = entry["object"].removeprefix("pod/")
    try:
        pod = plane.client.get("pods", entry["namespace"], name)
    except StatusError:
        return {}
    found = picture.explain(pod, most=most)
    kinds: dict[str, int] = {}
    for node in found["nodes"].values():
        for obstacle in node["obstacles"]:
            kind = OBSTACLES.get(obstacle["kind"], "other")
            kinds[kind] = kinds.get(kind, 0) + 1
    told: Obj = {"why": found["why"], "fix": found["remedies"][0]["text"] if found["remedies"] else ""}
    if kinds:
        kind = min(kinds, key=lambda kind: (-kinds[kind], kind))
        told["leaf"] = {"kind": kind, "object": _unbound(plane, pod) if kind == "volume" else ""}
    return {field: value for field, value in told.items() if value}


def _unbound(plane: ControlPlane, pod: Obj) -> str:
    """Return the first claim of the pod that is not bound, "" when all are."""
    for name in vol.claims_of(pod):
        try:
            claim = plane.client.get("persistentvolumeclaims", key_of(pod).namespace, name)
        except StatusError:
            continue
        if not claim["spec"].get("volumeName"):
            return f"persistentvolumeclaim/{name}"
    return ""


def chain(plane: ControlPlane, entry: Obj, leaf: Obj | None = None) -> list[str]:
    """Return the objects from the owner a person wrote down to the one that is blocked, and what it lacks."""
    found = [entry["object"]]
    if entry["object"].startswith("pod/"):
        found = _owners(plane, entry["namespace"], entry["object"].removeprefix("pod/"))
    if entry["owner"] not in found:
        found = [entry["owner"], *found]
    leaf = leaf or leaf_of(entry)
    return [*found, leaf["object"]] if "/" in leaf["object"] and leaf["object"] not in found else found


def _owners(plane: ControlPlane, namespace: str, name: str) -> list[str]:
    """Return a pod below its controlling owners, topmost first."""
    out = [f"pod/{name}"]
    registry = plane.server.registry
    try:
        obj = plane.client.get("pods", namespace, name)
        while (ref := controller_of(obj)) is not None:
            kind = registry.by_kind(ref["apiVersion"], ref["kind"])
            if kind is None:
                break
            out.insert(0, printed_name(kind.kind, kind.group, ref["name"]))
            obj = plane.client.get(kind.resource, key_of(obj).namespace if kind.namespaced else "", ref["name"])
    except StatusError:
        pass
    return out
