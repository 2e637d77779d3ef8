"""Strategies: what a write may not set, and what the API server sets itself.

``prepare_create`` and ``prepare_update`` take a defaulted object and return the one to validate
and store, as each registry's PrepareForCreate and PrepareForUpdate with rest.BeforeCreate and
rest.BeforeUpdate: status belongs to the status subresource, the generation counts changes of what
was asked for, and some metadata is not the client's. Allocation of addresses is not here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module

from kctl.api.objects import Obj
from kctl.api.registry import Kind

NO_STATUS: Obj = {}
EMPTY_STATUS: dict[str, Obj] = {
    "APIService.apiregistration.k8s.io": NO_STATUS,
    "CertificateSigningRequest.certificates.k8s.io": NO_STATUS,
    "CronJob.batch": NO_STATUS,
    "CustomResourceDefinition.apiextensions.k8s.io": NO_STATUS,
    "DaemonSet.apps": {
        "currentNumberScheduled": 0,
        "numberMisscheduled": 0,
        "desiredNumberScheduled": 0,
        "numberReady": 0,
    },
    "Deployment.apps": NO_STATUS,
    "FlowSchema.flowcontrol.apiserver.k8s.io": NO_STATUS,
    "HorizontalPodAutoscaler.autoscaling": {"desiredReplicas": 0, "currentMetrics": None},
    "Ingress.networking.k8s.io": {"loadBalancer": {}},
    "Job.batch": NO_STATUS,
    "Namespace": {"phase": "Active"},
    "PersistentVolume": {"phase": "Pending"},
    "PersistentVolumeClaim": {"phase": "Pending"},
    "PodDisruptionBudget.policy": {
        "disruptionsAllowed": 0,
        "currentHealthy": 0,
        "desiredHealthy": 0,
        "expectedPods": 0,
    },
    "PriorityLevelConfiguration.flowcontrol.apiserver.k8s.io": NO_STATUS,
    "ReplicaSet.apps": {"replicas": 0},
    "ReplicationController": {"replicas": 0},
    "ResourceClaim.resource.k8s.io": NO_STATUS,
    "ResourceQuota": NO_STATUS,
    "Service": {"loadBalancer": {}},
    "ServiceCIDR.networking.k8s.io": NO_STATUS,
    "StatefulSet.apps": {"replicas": 0, "availableReplicas": 0},
    "ValidatingAdmissionPolicy.admissionregistration.k8s.io": NO_STATUS,
    "VolumeAttachment.storage.k8s.io": {"attached": False},
}
"""The status a new object of each kind begins with, whatever the client sent."""

AUTOSCALER_V1 = {"currentReplicas": 0, "desiredReplicas": 0}

GENERATION: dict[str, tuple[str, ...]] = {
    "CronJob.batch": ("spec",),
    "CustomResourceDefinition.apiextensions.k8s.io": ("spec",),
    "DaemonSet.apps": ("spec",),
    "Deployment.apps": ("spec",),
    "DeviceClass.resource.k8s.io": ("spec",),
    "EndpointSlice.discovery.k8s.io": ("addressType", "endpoints", "ports"),
    "FlowSchema.flowcontrol.apiserver.k8s.io": ("spec",),
    "Ingress.networking.k8s.io": ("spec",),
    "IngressClass.networking.k8s.io": ("spec",),
    "Job.batch": ("spec",),
    "MutatingAdmissionPolicy.admissionregistration.k8s.io": ("spec",),
    "MutatingAdmissionPolicyBinding.admissionregistration.k8s.io": ("spec",),
    "MutatingWebhookConfiguration.admissionregistration.k8s.io": ("webhooks",),
    "NetworkPolicy.networking.k8s.io": ("spec",),
    "Pod": ("spec",),
    "PodDisruptionBudget.policy": ("spec",),
    "PodTemplate": ("template",),
    "PriorityClass.scheduling.k8s.io": (),
    "PriorityLevelConfiguration.flowcontrol.apiserver.k8s.io": ("spec",),
    "ReplicaSet.apps": ("spec",),
    "ReplicationController": ("spec",),
    "ResourceSlice.resource.k8s.io": ("spec",),
    "StatefulSet.apps": ("spec",),
    "ValidatingAdmissionPolicy.admissionregistration.k8s.io": ("spec",),
    "ValidatingAdmissionPolicyBinding.admissionregistration.k8s.io": ("spec",),
    "ValidatingWebhookConfiguration.admissionregistration.k8s.io": ("webhooks",),
}
"""Which fields the generation of a kind counts changes of; kinds not listed have none."""

CREATE = {
    "ClusterRole.rbac.authorization.k8s.io": "others:create_role",
    "CustomResourceDefinition.apiextensions.k8s.io": "others:create_crd",
    "DaemonSet.apps": "workloads:create_daemon_set",
    "HorizontalPodAutoscaler.autoscaling": "others:create_autoscaler",
    "Job.batch": "workloads:create_job",
    "Namespace": "others:create_namespace",
    "PersistentVolume": "others:create_volume",
    "PersistentVolumeClaim": "others:create_claim",
    "Pod": "pods:create",
    "Role.rbac.authorization.k8s.io": "others:create_role",
    "StatefulSet.apps": "workloads:create_stateful_set",
}
UPDATE = {
    "ClusterRole.rbac.authorization.k8s.io": "others:update_role",
    "CustomResourceDefinition.apiextensions.k8s.io": "others:update_crd",
    "DaemonSet.apps": "workloads:update_daemon_set",
    "Namespace": "others:update_namespace",
    "PersistentVolumeClaim": "others:update_claim",
    "Pod": "pods:update",
    "Role.rbac.authorization.k8s.io": "others:update_role",
    "Service": "services:update",
    "StatefulSet.apps": "workloads:update_stateful_set",
}
Create = Callable[[Obj, str], Obj]
Update = Callable[[Obj, Obj], Obj]


def name_of(kind: Kind) -> str:
    """Return how the tables name a kind: ``Deployment.apps``, or ``Pod`` for the core group."""
    return f"{kind.kind}.{kind.group}" if kind.group else kind.kind


def prepare_create(kind: Kind, obj: Obj, *, now: str = "") -> Obj:
    """Return the object as its creation may go on: no status of the client's, generation 1.

    ``metadata.uid`` and ``name`` are set already; ``now`` is the time as it stands in objects.
    """
    name = name_of(kind)
    meta = {k: v for k, v in (obj.get("metadata") or {}).items() if k not in DELETION}
    if name in GENERATION or kind.custom is not None:
        meta["generation"] = 1
    out = {**obj, "metadata": meta}
    if name in EMPTY_STATUS:
        out["status"] = AUTOSCALER_V1 if _is_autoscaler_v1(kind) else EMPTY_STATUS[name]
    elif not builtin(kind) and has_status(kind):
        out.pop("status", None)
    rule = _create(name)
    return rule(out, now) if rule is not None else out


def _approved(new: Obj, old: Obj) -> Obj:
    """Return the status with the conditions an approver wrote, which is all that may change (csrApprovalStrategy)."""
    status = {k: v for k, v in (old.get("status") or {}).items() if k != "conditions"}
    conditions = (new.get("status") or {}).get("conditions")
    return {"conditions": conditions, **status} if conditions else status


DELETION = ("deletionTimestamp", "deletionGracePeriodSeconds", "selfLink")


def prepare_update(kind: Kind, new: Obj, old: Obj, subresource: str = "") -> Obj:
    """Return the changed object with what this request may not change put back.

    ``subresource`` "status" keeps all but the status and metadata; "" keeps the status.
    """
    name = name_of(kind)
    out = {**new, "metadata": _metadata(new.get("metadata") or {}, old["metadata"])}
    if subresource == "status":
        return _status_only(kind, name, out, old)
    if subresource == "approval":
        return {**old, "metadata": out["metadata"], "status": _approved(out, old)}
    if has_status(kind) or name in EMPTY_STATUS:
        if "status" in old:
            out["status"] = old["status"]
        else:
            out.pop("status", None)
    rule = _update(name)
    if rule is not None:
        out = rule(out, old)
    if _counts(kind, name, out, old):
        meta = out["metadata"]
        out["metadata"] = {**meta, "generation": (old["metadata"].get("generation") or 0) + 1}
    return out


def _is_autoscaler_v1(kind: Kind) -> bool:
    """Say whether the kind is the autoscaler of autoscaling/v1, which counts other things."""
    return (kind.group, kind.version, kind.kind) == ("autoscaling", "v1", "HorizontalPodAutoscaler")


def _counts(kind: Kind, name: str, new: Obj, old: Obj) -> bool:
    """Say whether the change is one the generation counts."""
    if name not in GENERATION:
        return not builtin(kind) and _custom_changed(kind, new, old)
    if name == "Deployment.apps":  # also what rollouts are driven by: annotations
        changed = (new["metadata"].get("annotations") or {}) != (old["metadata"].get("annotations") or {})
        return changed or new.get("spec") != old.get("spec")
    if name == "EndpointSlice.discovery.k8s.io" and new["metadata"].get("labels") != old["metadata"].get("labels"):
        return True
    return any(new.get(field) != old.get(field) for field in GENERATION[name])


def _custom_changed(kind: Kind, new: Obj, old: Obj) -> bool:
    """Say whether anything but metadata (and a status of its own) changed in a custom resource."""
    ignored = {"metadata", "status"} if has_status(kind) else {"metadata"}
    return {k: v for k, v in new.items() if k not in ignored} != {k: v for k, v in old.items() if k not in ignored}


def _metadata(new: Obj, old: Obj) -> Obj:
    """Put back the metadata no update changes, as rest.BeforeUpdate."""
    out = dict(new)
    out.pop("selfLink", None)
    if not out.get("uid"):
        _keep(out, old, "uid")
    _keep(out, old, "creationTimestamp")
    _keep(out, old, "generation")
    if old.get("deletionTimestamp"):
        out["deletionTimestamp"] = old["deletionTimestamp"]
    if old.get("deletionGracePeriodSeconds") is not None and out.get("deletionGracePeriodSeconds") is None:
        out["deletionGracePeriodSeconds"] = old["deletionGracePeriodSeconds"]
    return out


def _keep(out: Obj, old: Obj, field: str) -> None:
    """Give ``out`` the field as ``old`` has it."""
    if field in old:
        out[field] = old[field]
    else:
        out.pop(field, None)


def _status_only(kind: Kind, name: str, new: Obj, old: Obj) -> Obj:
    """Return ``old`` with the new status and what metadata a status update may change."""
    meta = new["metadata"]
    if kind.custom is not None:
        meta = {**old["metadata"], **{f: meta[f] for f in ("managedFields", "resourceVersion") if f in meta}}
        if "managedFields" not in new["metadata"]:
            meta.pop("managedFields", None)
    elif name == "Deployment.apps":
        meta = dict(meta)
        _keep(meta, old["metadata"], "labels")
    elif name == "Pod":
        meta = dict(meta)
        _keep(meta, old["metadata"], "ownerReferences")
    out = {**old, "metadata": meta}
    _keep(out, new, "status")
    return out


def has_status(kind: Kind) -> bool:
    """Say whether the kind has a status subresource."""
    return "status" in kind.subresources


def builtin(kind: Kind) -> bool:
    """Say whether the kind is one of Kubernetes' own, or of kctl's."""
    return kind.custom is None


@cache
def _create(name: str) -> Create | None:
    """Return the function that prepares new objects of a kind."""
    rule: Create | None = _load(CREATE.get(name))
    return rule


@cache
def _update(name: str) -> Update | None:
    """Return the function that prepares changed objects of a kind."""
    rule: Update | None = _load(UPDATE.get(name))
    return rule


def _load(place: str | None) -> Callable[..., Obj] | None:
    """Return the function at ``module:name`` below this package."""
    if place is None:
        return None
    module, _, function = place.partition(":")
    found: Callable[..., Obj] = getattr(import_module(f"{__name__}.{module}"), function)
    return found
