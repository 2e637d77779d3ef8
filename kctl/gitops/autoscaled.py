"""Replicas that an autoscaler has taken over: a set that names them does not fight for them.

In: the targets of a set, and the cluster. Out: the targets without ``spec.replicas`` where a
HorizontalPodAutoscaler scales the object and the field is somebody else's by now. While it is the
set's own it stays: leaving it out would set it back to its default.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kctl.api.objects import Obj, dig
from kctl.client.client import Client
from kctl.gitops import inventory
from kctl.gitops.sources import ManifestError
from kctl.gitops.targets import Target

AUTOSCALERS = "horizontalpodautoscalers.autoscaling"
Scaled = dict[tuple[str, str, str], str]


def released(client: Client, targets: Sequence[Target], field_manager: str) -> tuple[list[Target], list[ManifestError]]:
    """Return the targets, and a remark for each whose replicas are left to an autoscaler."""
    if not any(_replicas(target) for target in targets):
        return list(targets), []
    scaled = _scaled(target.object for target in targets if target.resource == AUTOSCALERS)
    scaled |= _scaled(client.list(AUTOSCALERS).items)
    out, remarks = [], []
    for target in targets:
        name = scaled.get((target.object["kind"], target.key.namespace, target.key.name)) if _replicas(target) else None
        if name is not None and _is_taken(inventory.read_at(client, target.resource, target.key), field_manager):
            remarks.append(target.error("spec.replicas", f"spec.replicas: left to the HorizontalPodAutoscaler {name}"))
            spec = {field: value for field, value in target.object["spec"].items() if field != "replicas"}
            target = target._replace(object={**target.object, "spec": spec})
        out.append(target)
    return out, remarks


def _replicas(target: Target) -> bool:
    return isinstance(target.object.get("spec"), dict) and "replicas" in target.object["spec"]


def _scaled(autoscalers: Iterable[Obj]) -> Scaled:
    """Return the autoscaler of each object that has one, by kind, namespace and name."""
    found: Scaled = {}
    for obj in autoscalers:
        meta, ref = obj["metadata"], dig(obj, "spec", "scaleTargetRef", default={})
        if isinstance(ref, dict):
            found[str(ref.get("kind")), meta.get("namespace") or "default", str(ref.get("name"))] = meta["name"]
    return found


def _is_taken(live: Obj | None, field_manager: str) -> bool:
    """Say whether another manager owns the live object's replicas."""
    entries = dig(live, "metadata", "managedFields", default=())
    return any(
        "f:replicas" in dig(entry, "fieldsV1", "f:spec", default={})
        for entry in entries
        if entry.get("manager") != field_manager
    )
