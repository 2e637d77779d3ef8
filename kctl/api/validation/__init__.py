"""Validation: what kube-apiserver refuses, all errors at once, in its words and order.

``create(kind, obj)``, ``update(kind, new, old)`` and ``update_status(kind, new, old)`` take
defaulted objects (:mod:`kctl.api.defaults`) prepared by their strategy and return the errors of
fields. Types and unknown fields are not checked here but when a body is decoded. Metadata is
checked for every kind; the rules of the rest are one file a family, found through :data:`RULES`.
Kinds without rules of their own are accepted as decoded, which the register says.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import NamedTuple

from kctl.api.errors import FieldError
from kctl.api.objects import Obj
from kctl.api.registry import Kind
from kctl.api.validation import formats, meta
from kctl.api.validation.meta import Errors, Names

Check = Callable[[Obj, Errors], None]
Change = Callable[[Obj, Obj, Errors], None]


class Rules(NamedTuple):
    """Where the rules of a kind are: functions of one module below this package.

    ``again`` says that an update checks the metadata a third time, as kinds do upstream whose
    update calls their whole validation. ``whole`` says that an update is checked as a new object
    first (by ``anew`` where that depends on the old one) and then, by ``update``, for what changed; ``unaware`` that the latter leaves out metadata.
    """

    module: str
    create: str = "nothing"
    update: str = ""
    first: str = ""
    status: str = ""
    again: bool = False
    whole: bool = False
    anew: str = ""
    unaware: bool = False


WRITTEN = frozenset(("managedFields", "resourceVersion"))
RULES: dict[str, Rules] = {
    "ConfigMap": Rules("core", "config_map", "config_map_update", again=True),
    "CronJob.batch": Rules("batch", "cron_job", "cron_job_update"),
    "DaemonSet.apps": Rules("workloads", "daemon_set", "daemon_set_update"),
    "Deployment.apps": Rules("workloads", "deployment", "deployment_update", status="deployment_status"),
    "EndpointSlice.discovery.k8s.io": Rules("core", "endpoint_slice", "endpoint_slice_update"),
    "MutatingAdmissionPolicy.admissionregistration.k8s.io": Rules("admission", "mutating_policy"),
    "MutatingAdmissionPolicyBinding.admissionregistration.k8s.io": Rules("admission", "binding"),
    "MutatingWebhookConfiguration.admissionregistration.k8s.io": Rules("webhooks", "mutating"),
    "ResourceClaim.resource.k8s.io": Rules("devices", "claim", "claim_update", status="claim_status", again=True),
    "ResourceClaimTemplate.resource.k8s.io": Rules("devices", "template", "template_update", whole=True),
    "ValidatingAdmissionPolicy.admissionregistration.k8s.io": Rules("admission", "validating_policy"),
    "ValidatingAdmissionPolicyBinding.admissionregistration.k8s.io": Rules("admission", "validating_binding"),
    "ValidatingWebhookConfiguration.admissionregistration.k8s.io": Rules("webhooks", "validating"),
    "CustomResourceDefinition.apiextensions.k8s.io": Rules(
        "definitions", "definition", "definition_update", status="definition_status"
    ),
    "DeviceClass.resource.k8s.io": Rules("devices", "device_class"),
    "ResourceSlice.resource.k8s.io": Rules("devices", "device_slice", "device_slice_update"),
    "APIService.apiregistration.k8s.io": Rules("others", "api_service", again=True),
    "CSIDriver.storage.k8s.io": Rules("csi", "driver", "driver_update"),
    "CSINode.storage.k8s.io": Rules("csi", "node", "node_update"),
    "CSIStorageCapacity.storage.k8s.io": Rules("csi", "capacity", "capacity_update", again=True),
    "CertificateSigningRequest.certificates.k8s.io": Rules("others", "certificate", again=True),
    "ControllerRevision.apps": Rules("others", "revision", "revision_update", again=True),
    "Endpoints": Rules("endpoints", "endpoints", "endpoints_update", again=True),
    "FlowSchema.flowcontrol.apiserver.k8s.io": Rules("flow_control", "flow_schema", again=True, unaware=True),
    "IPAddress.networking.k8s.io": Rules("endpoints", "ip_address", "ip_address_update", whole=True),
    "LocalSubjectAccessReview.authorization.k8s.io": Rules("others", "local_review"),
    "PodTemplate": Rules("others", "pod_template"),
    "PriorityLevelConfiguration.flowcontrol.apiserver.k8s.io": Rules(
        "flow_control", "priority_level", again=True, unaware=True
    ),
    "SelfSubjectAccessReview.authorization.k8s.io": Rules("others", "self_review"),
    "ServiceCIDR.networking.k8s.io": Rules("endpoints", "service_cidr", "service_cidr_update"),
    "SubjectAccessReview.authorization.k8s.io": Rules("others", "subject_review"),
    "VolumeAttachment.storage.k8s.io": Rules("csi", "attachment", "attachment_update"),
    "ClusterRole.rbac.authorization.k8s.io": Rules("rbac", "cluster_role", whole=True),
    "ClusterRoleBinding.rbac.authorization.k8s.io": Rules("rbac", "cluster_role_binding", "binding_update", whole=True),
    "Event": Rules("events", "core", "core_update"),
    "Event.events.k8s.io": Rules("events", "event", "event_update"),
    "HorizontalPodAutoscaler.autoscaling": Rules("autoscaling", "autoscaler"),
    "Ingress.networking.k8s.io": Rules("networking", "ingress", "ingress_update", again=True),
    "IngressClass.networking.k8s.io": Rules("networking", "ingress_class", "ingress_class_update", again=True),
    "LimitRange": Rules("quotas", "limit_range", again=True, unaware=True),
    "NetworkPolicy.networking.k8s.io": Rules("networking", "network_policy"),
    "PodDisruptionBudget.policy": Rules("policy", "disruption_budget", status="disruption_budget_status", unaware=True),
    "ResourceQuota": Rules("quotas", "resource_quota", "resource_quota_update", status="resource_quota_status"),
    "Role.rbac.authorization.k8s.io": Rules("rbac", "role", whole=True),
    "RoleBinding.rbac.authorization.k8s.io": Rules("rbac", "role_binding", "binding_update", whole=True),
    "RuntimeClass.node.k8s.io": Rules("policy", "runtime_class", "runtime_class_update", whole=True),
    "StorageClass.storage.k8s.io": Rules("storage_classes", "storage_class", "storage_class_update", whole=True),
    "VolumeAttributesClass.storage.k8s.io": Rules(
        "storage_classes", "attributes_class", "attributes_class_update", whole=True
    ),
    "Job.batch": Rules("batch", "job", "job_update", status="job_status", whole=True, anew="job_anew"),
    "Lease.coordination.k8s.io": Rules("core", "lease"),
    "Namespace": Rules("core", "namespace", again=True),
    "Node": Rules("core", "node", "node_update", status="node_status", again=True),
    "PersistentVolume": Rules("storage", "volume", "volume_update", whole=True, unaware=True),
    "PersistentVolumeClaim": Rules("storage", "claim", "claim_update", whole=True),
    "Pod": Rules("pods", "create"),
    "PriorityClass.scheduling.k8s.io": Rules("core", "priority_class", "priority_class_update"),
    "ReplicaSet.apps": Rules("workloads", "replica_set", "replica_set_update", status="replica_set_status"),
    "ReplicationController": Rules("workloads", "replication_controller", "replication_controller_update"),
    "Secret": Rules("core", "secret", "secret_update", again=True),
    "Service": Rules("services", "service", "", "update_first", status="service_status"),
    "ServiceAccount": Rules("core", again=True),
    "Scenario.sim.kctl.dev": Rules("scenarios", "scenario", whole=True),
    "StatefulSet.apps": Rules("workloads", "stateful_set", "stateful_set_update"),
}
PATH_SEGMENT = {
    "ClusterRole.rbac.authorization.k8s.io",
    "ClusterRoleBinding.rbac.authorization.k8s.io",
    "Role.rbac.authorization.k8s.io",
    "RoleBinding.rbac.authorization.k8s.io",
}
NAMES: dict[str, Names] = {
    "Namespace": meta.LABEL,
    "Service": meta.LABEL,
    "ReplicationController": meta.LONG_NAME,
    "StatefulSet.apps": meta.LABEL,
    "CertificateSigningRequest.certificates.k8s.io": meta.PATH_SEGMENT,
    "PodDisruptionBudget.policy": meta.PATH_SEGMENT,
    "IPAddress.networking.k8s.io": Names(formats.canonical_ip),
    "Event": Names(lambda _: []),
    "Event.events.k8s.io": Names(lambda _: []),
}
"""How names are checked where they are not DNS subdomains."""

REVIEWS = {
    "LocalSubjectAccessReview.authorization.k8s.io",
    "SelfSubjectAccessReview.authorization.k8s.io",
    "SubjectAccessReview.authorization.k8s.io",
    "TokenReview.authentication.k8s.io",
}
"""Kinds that are asked and not stored: their metadata is none of the usual."""

GENERIC = {
    "APIService.apiregistration.k8s.io",
    "CustomResourceDefinition.apiextensions.k8s.io",
    "Event",
    "Lease.coordination.k8s.io",
    "MutatingAdmissionPolicy.admissionregistration.k8s.io",
    "MutatingAdmissionPolicyBinding.admissionregistration.k8s.io",
    "MutatingWebhookConfiguration.admissionregistration.k8s.io",
    "ValidatingAdmissionPolicy.admissionregistration.k8s.io",
    "ValidatingAdmissionPolicyBinding.admissionregistration.k8s.io",
    "ValidatingWebhookConfiguration.admissionregistration.k8s.io",
    "PodDisruptionBudget.policy",
}
"""Built-in kinds whose finalizers need no domain, like those of custom resources."""


def create(kind: Kind, obj: Obj) -> list[FieldError]:
    """Return what is wrong with a new object."""
    out: Errors = []
    name = _name(kind)
    names = _names(name, obj)
    if name not in REVIEWS and name != "Event.events.k8s.io":  # whose rules begin with metadata themselves
        meta.create(obj.get("metadata") or {}, namespaced=kind.namespaced, names=names, kube=_kube(name), out=out)
    rules = RULES.get(name)
    if rules is not None:
        check: Check = _function(rules.module, rules.create)
        check(obj, out)
    if not out and name not in REVIEWS:  # what every storage checks once its kind found nothing, as rest.BeforeCreate
        metadata = obj.get("metadata") or {}
        meta.formatted(formats.path_segment, metadata.get("name") or "", "metadata.name", out)
    return out


def update(kind: Kind, new: Obj, old: Obj) -> list[FieldError]:
    """Return what is wrong with a changed object.

    Upstream checks metadata up to four times, and an error is a cause each time; so here.
    """
    out: Errors = []
    name = _name(kind)
    after, before = new.get("metadata") or {}, old["metadata"]
    _metadata_first(kind, after, before, out)
    rules = RULES.get(name)
    if rules is not None and rules.whole:
        meta.create(after, namespaced=kind.namespaced, names=_names(name, new), kube=_kube(name), out=out)
        if rules.anew:
            anew: Change = _function(rules.module, rules.anew)
            anew(new, old, out)
        else:
            check: Check = _function(rules.module, rules.create)
            check(new, out)
    if rules is None or not rules.unaware:
        _metadata_again(name, after, before, out)
    if rules is None or (rules.whole and not rules.update):
        return out
    if rules.first:
        change: Change = _function(rules.module, rules.first)
        change(new, old, out)
    if rules.again:
        meta.create(after, namespaced=kind.namespaced, names=_names(name, new), kube=_kube(name), out=out)
    if name == "Pod":
        change = _function("pod_updates", "update")
        change(new, old, out)
    elif rules.update:
        change = _function(rules.module, rules.update)
        change(new, old, out)
    else:
        check = _function(rules.module, rules.create)
        check(new, out)
    return out


def _metadata_first(kind: Kind, after: Obj, before: Obj, out: Errors) -> None:
    """Check changed metadata as rest.BeforeUpdate does, whatever the kind."""
    meta.create(after, namespaced=kind.namespaced, names=meta.PATH_SEGMENT, kube=False, out=out)
    meta.update(after, before, out)


def _metadata_again(name: str, after: Obj, before: Obj, out: Errors) -> None:
    """Check changed metadata as the kind's own rules do after rest.BeforeUpdate did."""
    meta.update(after, before, out)
    if _kube(name):
        meta.kube_finalizers(after.get("finalizers") or (), out)


def update_status(kind: Kind, new: Obj, old: Obj) -> list[FieldError]:
    """Return what is wrong with a changed status."""
    out: Errors = []
    name = _name(kind)
    after, before = new.get("metadata") or {}, old["metadata"]
    if not _is_kept(after, before):
        _metadata_first(kind, after, before, out)
        _metadata_again(name, after, before, out)
    rules = RULES.get(name)
    change: Change
    if name == "Pod":
        change = _function("pod_updates", "status")
        change(new, old, out)
    elif rules is not None and rules.status:
        change = _function(rules.module, rules.status)
        change(new, old, out)
    return out


def _is_kept(after: Obj, before: Obj) -> bool:
    """Say whether metadata is the very one that is stored, and so valid, but for what every write changes."""
    if len(after) != len(before) or not after.get("resourceVersion"):
        return False
    return all(after.get(name) is value or name in WRITTEN for name, value in before.items())


def _name(kind: Kind) -> str:
    """Return how the tables name a kind: ``Deployment.apps``, or ``Pod`` for the core group."""
    return f"{kind.kind}.{kind.group}" if kind.group else kind.kind


def _names(name: str, obj: Obj) -> Names:
    """Return how the name of an object of a kind is checked."""
    if name == "APIService.apiregistration.k8s.io":
        from kctl.api.validation import others

        return Names(others.api_service_name(obj), masked=False)
    if name == "CustomResourceDefinition.apiextensions.k8s.io":
        from kctl.api.validation import definitions

        return definitions.names_of(obj)
    return meta.PATH_SEGMENT if name in PATH_SEGMENT else NAMES.get(name, meta.SUBDOMAIN)


@cache
def _kube(name: str) -> bool:
    """Say whether the kind is Kubernetes' own, whose finalizers need a domain."""
    from kctl.api import registry

    own = {_name(kind) for kind in registry.builtin().all() if not kind.group.endswith("kctl.dev")}
    return name in own and name not in GENERIC


@cache
def _function(module: str, name: str) -> Callable[..., None]:
    """Return a rule by its place, imported when first used."""
    found: Callable[..., None] = getattr(import_module(f"{__name__}.{module}"), name)
    return found
