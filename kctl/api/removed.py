"""API versions that Kubernetes once served: since when it does not, and what took their place.

In: the apiVersion and kind of an object. Out: a sentence for whoever still sends it, "" for what was
never served or is. Facts of the deprecated API migration guide; alpha versions are left out.
"""

from __future__ import annotations

from typing import NamedTuple


class Removal(NamedTuple):
    """When a version of some kinds was served last, and the version to use instead, "" for none."""

    since: str
    instead: str
    kinds: tuple[str, ...]


CRD, ADMISSION = "CustomResourceDefinition", ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
ROLES = ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")
APPS = ("ControllerRevision", "DaemonSet", "Deployment", "ReplicaSet", "StatefulSet")
REVIEWS = ("LocalSubjectAccessReview", "SelfSubjectAccessReview", "SelfSubjectRulesReview", "SubjectAccessReview")
FLOW = ("FlowSchema", "PriorityLevelConfiguration")
REMOVED: dict[str, tuple[Removal, ...]] = {
    "extensions/v1beta1": (
        Removal("1.16", "apps/v1", ("DaemonSet", "Deployment", "ReplicaSet")),
        Removal("1.16", "networking.k8s.io/v1", ("NetworkPolicy",)),
        Removal("1.16", "", ("PodSecurityPolicy",)),
        Removal("1.22", "networking.k8s.io/v1", ("Ingress",)),
    ),
    "apps/v1beta1": (Removal("1.16", "apps/v1", APPS),),
    "apps/v1beta2": (Removal("1.16", "apps/v1", APPS),),
    "admissionregistration.k8s.io/v1beta1": (
        Removal("1.22", "admissionregistration.k8s.io/v1", ADMISSION),
        Removal(
            "1.34",
            "admissionregistration.k8s.io/v1",
            ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"),
        ),
    ),
    "apiextensions.k8s.io/v1beta1": (Removal("1.22", "apiextensions.k8s.io/v1", (CRD,)),),
    "apiregistration.k8s.io/v1beta1": (Removal("1.22", "apiregistration.k8s.io/v1", ("APIService",)),),
    "authentication.k8s.io/v1beta1": (Removal("1.22", "authentication.k8s.io/v1", ("TokenReview",)),),
    "authorization.k8s.io/v1beta1": (Removal("1.22", "authorization.k8s.io/v1", REVIEWS),),
    "certificates.k8s.io/v1beta1": (Removal("1.22", "certificates.k8s.io/v1", ("CertificateSigningRequest",)),),
    "coordination.k8s.io/v1beta1": (Removal("1.22", "coordination.k8s.io/v1", ("Lease",)),),
    "networking.k8s.io/v1beta1": (Removal("1.22", "networking.k8s.io/v1", ("Ingress", "IngressClass")),),
    "rbac.authorization.k8s.io/v1beta1": (Removal("1.22", "rbac.authorization.k8s.io/v1", ROLES),),
    "scheduling.k8s.io/v1beta1": (Removal("1.22", "scheduling.k8s.io/v1", ("PriorityClass",)),),
    "storage.k8s.io/v1beta1": (
        Removal("1.22", "storage.k8s.io/v1", ("CSIDriver", "CSINode", "StorageClass", "VolumeAttachment")),
        Removal("1.27", "storage.k8s.io/v1", ("CSIStorageCapacity",)),
    ),
    "batch/v1beta1": (Removal("1.25", "batch/v1", ("CronJob",)),),
    "discovery.k8s.io/v1beta1": (Removal("1.25", "discovery.k8s.io/v1", ("EndpointSlice",)),),
    "events.k8s.io/v1beta1": (Removal("1.25", "events.k8s.io/v1", ("Event",)),),
    "autoscaling/v2beta1": (Removal("1.25", "autoscaling/v2", ("HorizontalPodAutoscaler",)),),
    "autoscaling/v2beta2": (Removal("1.26", "autoscaling/v2", ("HorizontalPodAutoscaler",)),),
    "policy/v1beta1": (
        Removal("1.25", "policy/v1", ("PodDisruptionBudget",)),
        Removal("1.25", "", ("PodSecurityPolicy",)),
    ),
    "node.k8s.io/v1beta1": (Removal("1.25", "node.k8s.io/v1", ("RuntimeClass",)),),
    "flowcontrol.apiserver.k8s.io/v1beta1": (Removal("1.26", "flowcontrol.apiserver.k8s.io/v1", FLOW),),
    "flowcontrol.apiserver.k8s.io/v1beta2": (Removal("1.29", "flowcontrol.apiserver.k8s.io/v1", FLOW),),
    "flowcontrol.apiserver.k8s.io/v1beta3": (Removal("1.32", "flowcontrol.apiserver.k8s.io/v1", FLOW),),
}
DEVICES = ("DeviceClass", "ResourceClaim", "ResourceClaimTemplate", "ResourceSlice")
OFF: dict[str, tuple[str, tuple[str, ...]]] = {
    "resource.k8s.io/v1beta1": ("use resource.k8s.io/v1, where a request has its fields below exactly", DEVICES),
    "resource.k8s.io/v1beta2": ("use resource.k8s.io/v1", DEVICES),
}
"""Beta versions that an API server does not serve unless it is told to, and the one to use."""


def why_gone(api_version: str, kind: str) -> str:
    """Say since when a kind is not served in a version, and what is; "" when it never was or still is."""
    for removal in REMOVED.get(api_version, ()):
        if kind in removal.kinds:
            what = f"use {removal.instead}" if removal.instead else "nothing took its place"
            return f"Kubernetes {removal.since} removed it, {what}"
    instead, kinds = OFF.get(api_version, ("", ()))
    return f"beta versions are off by default, {instead}" if kind in kinds else ""
