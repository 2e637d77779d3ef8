"""What controllers ask about a pod: is it active, ready, available; what it looks like when made.

In: pods and pod templates as the API server has them. Out: answers and new pods. Nothing here
looks at more than one object.
"""

from __future__ import annotations

from typing import Any

from kctl.api.clock import parse_time
from kctl.api.objects import Obj, owner_reference

TERMINAL = ("Succeeded", "Failed")


def phase_of(pod: Obj) -> str:
    """Return ``status.phase``, Pending when the pod has none yet."""
    return str((pod.get("status") or {}).get("phase") or "Pending")


def is_terminal(pod: Obj) -> bool:
    """Say whether no container of the pod will run again, as podutil.IsPodTerminal."""
    return phase_of(pod) in TERMINAL


def is_active(pod: Obj) -> bool:
    """Say whether the pod counts as a replica, as controller.IsPodActive."""
    return not pod["metadata"].get("deletionTimestamp") and not is_terminal(pod)


def is_terminating(pod: Obj) -> bool:
    """Say whether the pod is being deleted and may still run, as controller.IsPodTerminating."""
    return bool(pod["metadata"].get("deletionTimestamp")) and not is_terminal(pod)


def ready_since(pod: Obj) -> str | None:
    """Return when the pod became Ready (RFC 3339, "" if not said), None when it is not Ready."""
    for found in (pod.get("status") or {}).get("conditions") or ():
        if found.get("type") == "Ready":
            return str(found.get("lastTransitionTime") or "") if found.get("status") == "True" else None
    return None


def is_ready(pod: Obj) -> bool:
    """Say whether the pod's Ready condition is true, as podutil.IsPodReady."""
    return ready_since(pod) is not None


def available_at(since: str, min_ready_seconds: int) -> float | None:
    """Return when a pod Ready ``since`` counts as available; None when that cannot be known.

    As podutil.IsPodAvailable: without minReadySeconds at once.
    """
    if not min_ready_seconds:
        return float("-inf")
    return parse_time(since) + min_ready_seconds if since else None


def labels_key(obj: Obj) -> tuple[tuple[str, str], ...]:
    """Return the labels as a value that can be compared and hashed."""
    labels = obj["metadata"].get("labels")
    return tuple(sorted(labels.items())) if labels else ()


def from_template(template: Obj, owner: Obj, name: str, base: str, owners: list[Obj] | None = None) -> Obj:
    """Return the pod that ``owner`` makes of its template, as controller.GetPodFromTemplate.

    ``owners`` is what refers to it, where many are made: what pods share is seen to be the same.
    """
    wanted = template.get("metadata") or {}
    meta: dict[str, Any] = {"name": name, "generateName": base}
    namespace = owner["metadata"].get("namespace")
    if namespace:
        meta["namespace"] = namespace
    for field in ("labels", "annotations", "finalizers"):
        if wanted.get(field):
            meta[field] = wanted[field]
    meta["ownerReferences"] = owners or [owner_reference(owner)]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": template["spec"]}
