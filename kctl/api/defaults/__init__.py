"""Defaults: what kube-apiserver fills in where an object leaves something out.

``apply(kind, obj)`` returns the object as the API server would store it: null and empty values
gone where the Go types omit them (:mod:`kctl.api.defaults.wire`), defaults filled in. Nothing is
changed in place, and what does not change is shared. Defaults that need other objects (the
service account, cluster IPs) are not here but in admission and in the API server.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module

from kctl.api.objects import Obj
from kctl.api.registry import Kind

RULES = {
    ("", "Endpoints"): "services:endpoints",
    ("", "Event"): "others:event",
    ("", "LimitRange"): "others:limit_range",
    ("", "Namespace"): "others:namespace",
    ("", "Node"): "others:node",
    ("", "PersistentVolume"): "storage:volume",
    ("", "PersistentVolumeClaim"): "storage:claim",
    ("", "Pod"): "pods:pod",
    ("", "PodTemplate"): "workloads:pod_template",
    ("", "ReplicationController"): "workloads:replication_controller",
    ("", "ResourceQuota"): "others:resource_quota",
    ("", "Secret"): "others:secret",
    ("", "Service"): "services:service",
    ("admissionregistration.k8s.io", "MutatingAdmissionPolicy"): "others:admission_policy",
    ("admissionregistration.k8s.io", "MutatingAdmissionPolicyBinding"): "others:policy_binding",
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"): "others:mutating_webhooks",
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"): "others:validating_policy",
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"): "others:policy_binding",
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"): "others:validating_webhooks",
    ("apiextensions.k8s.io", "CustomResourceDefinition"): "others:crd",
    ("apiregistration.k8s.io", "APIService"): "others:api_service",
    ("apps", "DaemonSet"): "workloads:daemon_set",
    ("apps", "Deployment"): "workloads:deployment",
    ("apps", "ReplicaSet"): "workloads:replica_set",
    ("apps", "StatefulSet"): "workloads:stateful_set",
    ("autoscaling", "HorizontalPodAutoscaler"): "others:autoscaler",
    ("batch", "CronJob"): "workloads:cron_job",
    ("batch", "Job"): "workloads:job",
    ("certificates.k8s.io", "CertificateSigningRequest"): "others:status_only",
    ("coordination.k8s.io", "Lease"): "others:lease",
    ("discovery.k8s.io", "EndpointSlice"): "services:endpoint_slice",
    ("events.k8s.io", "Event"): "others:event_v1",
    ("networking.k8s.io", "Ingress"): "services:ingress",
    ("networking.k8s.io", "IngressClass"): "services:ingress_class",
    ("networking.k8s.io", "NetworkPolicy"): "services:network_policy",
    ("networking.k8s.io", "ServiceCIDR"): "others:status_only",
    ("node.k8s.io", "RuntimeClass"): "others:runtime_class",
    ("policy", "PodDisruptionBudget"): "others:disruption_budget",
    ("rbac.authorization.k8s.io", "ClusterRole"): "others:role",
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): "others:role_binding",
    ("rbac.authorization.k8s.io", "Role"): "others:role",
    ("rbac.authorization.k8s.io", "RoleBinding"): "others:role_binding",
    ("flowcontrol.apiserver.k8s.io", "FlowSchema"): "others:flow_schema",
    ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"): "others:priority_level",
    ("resource.k8s.io", "ResourceClaim"): "others:resource_claim",
    ("resource.k8s.io", "ResourceClaimTemplate"): "others:resource_claim_template",
    ("scheduling.k8s.io", "PriorityClass"): "others:priority_class",
    ("storage.k8s.io", "CSIDriver"): "storage:csi_driver",
    ("storage.k8s.io", "StorageClass"): "storage:storage_class",
    ("storage.k8s.io", "VolumeAttachment"): "others:volume_attachment",
}
"""Which function defaults a kind: module below this package, and its name."""


STATUSES: dict[tuple[str, str], Obj] = {("apps", "Deployment"): {}, ("apps", "ReplicaSet"): {"replicas": 0}}
"""Kinds whose status is written often, and what of it is defaulted: the spec that is stored has its defaults."""
SPEC_ONLY = {("", "Pod")}
"""Kinds of which the function leaves the status alone."""


def apply(kind: Kind, obj: Obj, *, known: Obj | None = None, before: Obj | None = None) -> Obj:
    """Return the object with defaults filled in, sharing what does not change.

    ``known`` is the stored object where only its status is to be replaced by that of ``obj``,
    ``before`` the stored object in any case.
    """
    from kctl.api.defaults import wire

    plain = wire.canonical(kind, obj, known, before)
    if known is not None and (kind.group, kind.kind) in SPEC_ONLY:
        from kctl.api.defaults import statuses

        return statuses.pod(plain)
    if known is not None and plain.get("spec") is known.get("spec") and (kind.group, kind.kind) in STATUSES:
        from kctl.api.defaults import workloads

        return workloads.with_status(plain, known["spec"], STATUSES[kind.group, kind.kind])
    rule = _rule(kind.group, kind.version, kind.kind)
    done = rule(plain) if rule is not None else plain
    if kind.group == "apps" or kind.kind in {"ReplicationController", "Job"}:
        from kctl.api.defaults import workloads

        return workloads.with_empty_labels(done, obj)
    return done


@cache
def _rule(group: str, version: str, kind: str) -> Callable[[Obj], Obj] | None:
    """Return the function of a kind, imported when first used."""
    place = RULES.get((group, kind))
    if (group, version, kind) == ("autoscaling", "v1", "HorizontalPodAutoscaler"):
        place = "others:autoscaler_v1"
    if place is None:
        return None
    module, _, name = place.partition(":")
    rule: Callable[[Obj], Obj] = getattr(import_module(f"{__name__}.{module}"), name)
    return rule
