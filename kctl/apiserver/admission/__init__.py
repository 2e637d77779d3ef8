"""The admission chain: which plugins there are, their order, and who is on.

A plugin is a module with functions: ``admit(server, request, obj, old) -> obj`` mutates,
``validate(server, request, obj, old)`` refuses, and ``RESOURCES`` names what it looks at. Order
and defaults are kube-apiserver's; ``admission={"disable": [...], "enable": [...]}`` changes them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from kctl.api.errors import UsageError
from kctl.api.objects import Key, Obj, key_of
from kctl.apiserver.request import Request

if TYPE_CHECKING:
    from kctl.apiserver.admission.policies import Policy
    from kctl.apiserver.server import APIServer
    from kctl.apiserver.storage import Event

PLUGINS = {
    "NamespaceLifecycle": "namespace_lifecycle",
    "LimitRanger": "limit_ranger",
    "ServiceAccount": "service_account",
    "NodeRestriction": "node_restriction",
    "TaintNodesByCondition": "taint_nodes_by_condition",
    "PodSecurity": "pod_security",
    "Priority": "priority",
    "DefaultTolerationSeconds": "default_toleration_seconds",
    "PodTopologyLabels": "pod_topology_labels",
    "DefaultStorageClass": "default_storage_class",
    "StorageObjectInUseProtection": "storage_object_in_use_protection",
    "PersistentVolumeClaimResize": "persistent_volume_claim_resize",
    "RuntimeClass": "runtime_class",
    "DefaultIngressClass": "default_ingress_class",
    "MutatingAdmissionPolicy": "mutating_admission_policy",
    "MutatingAdmissionWebhook": "mutating_admission_webhook",
    "ValidatingAdmissionPolicy": "validating_admission_policy",
    "ValidatingAdmissionWebhook": "validating_admission_webhook",
    "ResourceQuota": "resource_quota",
}
"""Name and module of each plugin, in the order they run."""
OFF = frozenset({"NodeRestriction"})
"""The plugins that are on only when they are asked for."""

REINVOKING = "mutating_admission_policy"
"""The plugin whose changes the others look at again."""
OF_DELETIONS = ("node_restriction", "validating_admission_policy", "validating_admission_webhook")
"""The plugins that judge deletions too."""
POD_SECURITY = "pod-security.kubernetes.io/"
PARTICULAR = (
    "validatingadmissionpolicybindings.admissionregistration.k8s.io",
    "mutatingadmissionpolicybindings.admissionregistration.k8s.io",
    "validatingwebhookconfigurations.admissionregistration.k8s.io",
    "mutatingwebhookconfigurations.admissionregistration.k8s.io",
)
"""What makes plugins look at each object on its own."""

NOT_BUILT = frozenset(
    {
        "CertificateApproval",
        "CertificateSigning",
        "ClusterTrustBundleAttest",
        "CertificateSubjectRestriction",
        "AlwaysPullImages",
        "PodNodeSelector",
        "PodTolerationRestriction",
        "EventRateLimit",
        "ExtendedResourceToleration",
        "OwnerReferencesPermissionEnforcement",
        "DenyServiceExternalIPs",
        "AlwaysAdmit",
        "AlwaysDeny",
        "ImagePolicyWebhook",
        "LimitPodHardAntiAffinityTopology",
        "NamespaceAutoProvision",
        "NamespaceExists",
        "PodGroupProtection",
        "PodGroupWorkloadExists",
        "NodeDeclaredFeatureValidator",
        "JobValidation",
        "PodResizeValidator",
    }
)
"""Upstream's plugins that do not exist here: disabling them is accepted, enabling them is not."""


class Admission:
    """The plugins of one server, by the resource they look at."""

    def __init__(self, server: APIServer, config: Mapping[str, Sequence[str]] | None) -> None:
        self._server = server
        disabled = set((config or {}).get("disable", ()))
        wanted = set((config or {}).get("enable", ()))
        for name in sorted(disabled | wanted):
            if name not in PLUGINS and (name in wanted or name not in NOT_BUILT):
                known = ", ".join(sorted(PLUGINS))
                raise UsageError(f'admission plugin "{name}" is unknown', hint=f"the plugins are {known}")
        self.names = tuple(name for name in PLUGINS if name in wanted or name not in disabled | OFF)
        self._by_resource: dict[str, tuple[list[Any], list[Any], list[Any]]] = {}
        self._by_namespace: dict[str, dict[str, dict[str, Obj]]] = {}
        self.compiled: dict[tuple[str, str], Policy] = {}
        """Admission policies ready to be judged by; see :func:`policies.of`."""

    def enabled(self, name: str) -> bool:
        """Say whether the plugin of that name is on."""
        return name in self.names

    def in_namespace(self, resource: str, namespace: str) -> Sequence[Obj]:
        """Return the objects of a resource in one namespace by name; nothing costs next to nothing."""
        found = self._by_namespace.get(resource)
        if found is None:
            found = self._follow(resource)
        objects = found.get(namespace)
        return [objects[name] for name in sorted(objects)] if objects else ()

    def _follow(self, resource: str) -> dict[str, dict[str, Obj]]:
        """Sort the objects of a resource by namespace, and keep them so through every change."""
        found = self._by_namespace[resource] = {}
        for key, obj in self._server.storage.objects(resource).items():
            found.setdefault(key.namespace, {})[key.name] = obj

        def take(event: Event) -> None:
            namespace, name = key_of(event.object)
            if event.type == "DELETED":
                found.get(namespace, {}).pop(name, None)
            else:
                found.setdefault(namespace, {})[name] = event.object

        self._server.storage.subscribe(resource, take)
        return found

    def mutate(self, request: Request, obj: Obj, old: Obj | None) -> Obj:
        """Return the object as the mutating plugins leave it; StatusError when one refuses."""
        server = self._server
        again = False
        for admit in self._steps(request.kind.resource)[0]:
            before = obj
            obj = admit(server, request, obj, old)
            again = again or (obj is not before and admit.__module__.endswith(REINVOKING))
        return self._again(request, obj, old) if again else obj

    def _again(self, request: Request, obj: Obj, old: Obj | None) -> Obj:
        """Let the plugins see what a policy made of an object, as upstream's reinvocation."""
        from kctl.apiserver.admission import mutating_admission_policy

        for admit in self._steps(request.kind.resource)[0]:
            if admit is mutating_admission_policy.admit:
                admit = mutating_admission_policy.admit_again
            obj = admit(self._server, request, obj, old)
        return obj

    @property
    def is_particular(self) -> bool:
        """Say whether objects made alike may still be judged differently: policies or webhooks may look at names."""
        objects = self._server.storage.objects
        return any(objects(resource) for resource in PARTICULAR)

    def is_indifferent(self, namespace: str) -> bool:
        """Say whether nobody here has anything to say about an object that is written again as it is.

        Policies and webhooks may; PodSecurity warns each time in a namespace that asks it to.
        """
        space = self._server.storage.get("namespaces", Key("", namespace)) if namespace else None
        labels = (space["metadata"].get("labels") or {}) if space is not None else {}
        return not any(label.startswith(POD_SECURITY) for label in labels) and not self.is_particular

    def validate(self, request: Request, obj: Obj, old: Obj | None) -> None:
        """Let the validating plugins judge; StatusError when one refuses."""
        for validate in self._steps(request.kind.resource)[1]:
            validate(self._server, request, obj, old)

    def check_delete(self, request: Request, old: Obj | None) -> None:
        """Let the plugins that watch over deletions judge."""
        if self.enabled("NamespaceLifecycle"):
            from kctl.apiserver.admission import namespace_lifecycle

            namespace_lifecycle.check_delete(self._server, request)
        for validate in self._steps(request.kind.resource)[2]:
            validate(self._server, request, None, old)

    def _steps(self, resource: str) -> tuple[list[Any], list[Any], list[Any]]:
        found = self._by_resource.get(resource)
        if found is None:
            modules = [self._module(name) for name in self.names if _concerns(name, resource)]
            mutating = [m.admit for m in modules if hasattr(m, "admit")]
            validating = [m.validate for m in modules if hasattr(m, "validate")]
            of_deletions = [check for check in validating if check.__module__.endswith(OF_DELETIONS)]
            found = self._by_resource[resource] = (mutating, validating, of_deletions)
        return found

    @staticmethod
    def _module(name: str) -> ModuleType:
        return import_module(f"kctl.apiserver.admission.{PLUGINS[name]}")


CONCERNS = {
    "LimitRanger": ("pods", "persistentvolumeclaims"),
    "ServiceAccount": ("pods",),
    "NodeRestriction": (
        "pods",
        "nodes",
        "persistentvolumeclaims",
        "leases.coordination.k8s.io",
        "csinodes.storage.k8s.io",
    ),
    "TaintNodesByCondition": ("nodes",),
    "PodSecurity": (
        "namespaces",
        "pods",
        "podtemplates",
        "replicationcontrollers",
        "daemonsets.apps",
        "deployments.apps",
        "replicasets.apps",
        "statefulsets.apps",
        "cronjobs.batch",
        "jobs.batch",
    ),
    "Priority": ("pods", "priorityclasses.scheduling.k8s.io"),
    "DefaultTolerationSeconds": ("pods",),
    "PodTopologyLabels": ("pods",),
    "DefaultStorageClass": ("persistentvolumeclaims",),
    "StorageObjectInUseProtection": (
        "persistentvolumes",
        "persistentvolumeclaims",
        "volumeattributesclasses.storage.k8s.io",
    ),
    "PersistentVolumeClaimResize": ("persistentvolumeclaims",),
    "RuntimeClass": ("pods",),
    "DefaultIngressClass": ("ingresses.networking.k8s.io",),
}
"""The resources each plugin looks at; NamespaceLifecycle and ResourceQuota look at all."""


def _concerns(name: str, resource: str) -> bool:
    return name not in CONCERNS or resource in CONCERNS[name]
