"""The form an object has after a trip through the Go types: what is empty and optional is gone.

In comes a decoded object; out goes it without nulls, without empty lists and maps, and without
the zero values that Go's ``omitempty`` leaves out. Go tells "not given" from "given as zero" only
for pointers; the schema does not say which fields are pointers, so the two tables here do. Amounts
are written canonically. Unknown fields pass: removing them is decoding's business.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Final

from kctl.api.objects import Obj
from kctl.api.registry import Kind
from kctl.api.schema import Node
from kctl.api.sharing import unshared

Step = Callable[[Any], Any]

GONE: Final = object()
"""What a step returns for a value that is left out."""

READ_ONLY = {"readOnly"}
MIN_READY = {"minReadySeconds"}
ZERO_IS_NOTHING: dict[str, set[str]] = {
    "core.v1.PodSpec": {"hostNetwork", "hostPID", "hostIPC"},
    "core.v1.Container": {"stdin", "stdinOnce", "tty"},
    "core.v1.EphemeralContainer": {"stdin", "stdinOnce", "tty"},
    "core.v1.ContainerPort": {"hostPort"},
    "core.v1.Probe": {
        "failureThreshold",
        "initialDelaySeconds",
        "periodSeconds",
        "successThreshold",
        "timeoutSeconds",
    },
    "core.v1.VolumeMount": READ_ONLY,
    "core.v1.AWSElasticBlockStoreVolumeSource": {"readOnly", "partition"},
    "core.v1.GCEPersistentDiskVolumeSource": {"readOnly", "partition"},
    "core.v1.AzureFileVolumeSource": READ_ONLY,
    "core.v1.AzureFilePersistentVolumeSource": READ_ONLY,
    "core.v1.CephFSVolumeSource": READ_ONLY,
    "core.v1.CephFSPersistentVolumeSource": READ_ONLY,
    "core.v1.CinderVolumeSource": READ_ONLY,
    "core.v1.CinderPersistentVolumeSource": READ_ONLY,
    "core.v1.CSIPersistentVolumeSource": READ_ONLY,
    "core.v1.FCVolumeSource": READ_ONLY,
    "core.v1.FlexVolumeSource": READ_ONLY,
    "core.v1.FlexPersistentVolumeSource": READ_ONLY,
    "core.v1.GlusterfsVolumeSource": READ_ONLY,
    "core.v1.GlusterfsPersistentVolumeSource": READ_ONLY,
    "core.v1.ISCSIVolumeSource": {"readOnly", "chapAuthDiscovery", "chapAuthSession"},
    "core.v1.ISCSIPersistentVolumeSource": {"readOnly", "chapAuthDiscovery", "chapAuthSession"},
    "core.v1.NFSVolumeSource": READ_ONLY,
    "core.v1.PersistentVolumeClaimVolumeSource": READ_ONLY,
    "core.v1.PortworxVolumeSource": READ_ONLY,
    "core.v1.QuobyteVolumeSource": READ_ONLY,
    "core.v1.RBDVolumeSource": READ_ONLY,
    "core.v1.RBDPersistentVolumeSource": READ_ONLY,
    "core.v1.ScaleIOVolumeSource": {"readOnly", "sslEnabled"},
    "core.v1.ScaleIOPersistentVolumeSource": {"readOnly", "sslEnabled"},
    "core.v1.StorageOSVolumeSource": READ_ONLY,
    "core.v1.StorageOSPersistentVolumeSource": READ_ONLY,
    "core.v1.ServiceSpec": {"publishNotReadyAddresses", "healthCheckNodePort"},
    "core.v1.ServicePort": {"nodePort"},
    "core.v1.ReplicationControllerSpec": MIN_READY,
    "core.v1.NodeSpec": {"unschedulable"},
    "core.v1.Event": {"count"},
    "core.v1.EventSeries": {"count"},
    "core.v1.PodStatus": {"observedGeneration"},
    "core.v1.PodCondition": {"observedGeneration"},
    "core.v1.ContainerStateTerminated": {"signal"},
    "apps.v1.DeploymentSpec": {"minReadySeconds", "paused"},
    "apps.v1.ReplicaSetSpec": MIN_READY,
    "apps.v1.DaemonSetSpec": MIN_READY,
    "apps.v1.StatefulSetSpec": MIN_READY,
    "apps.v1.DeploymentStatus": {
        "availableReplicas",
        "observedGeneration",
        "readyReplicas",
        "replicas",
        "unavailableReplicas",
        "updatedReplicas",
    },
    "apps.v1.ReplicaSetStatus": {
        "availableReplicas",
        "fullyLabeledReplicas",
        "observedGeneration",
        "readyReplicas",
    },
    "apps.v1.StatefulSetStatus": {
        "currentReplicas",
        "observedGeneration",
        "readyReplicas",
        "updatedReplicas",
    },
    "apps.v1.DaemonSetStatus": {
        "numberAvailable",
        "numberUnavailable",
        "observedGeneration",
        "updatedNumberScheduled",
    },
    "batch.v1.JobStatus": {"active", "failed", "succeeded"},
    "meta.v1.ObjectMeta": {"generation"},
    "meta.v1.Condition": {"observedGeneration"},
    "scheduling.v1.PriorityClass": {"globalDefault"},
    "apiextensions.v1.CustomResourceDefinitionSpec": {"preserveUnknownFields"},
    "apiextensions.v1.CustomResourceDefinitionVersion": {"deprecated"},
    "apiextensions.v1.CustomResourceColumnDefinition": {"priority"},
    "apiextensions.v1.JSONSchemaProps": {
        "exclusiveMaximum",
        "exclusiveMinimum",
        "nullable",
        "uniqueItems",
        "x-kubernetes-embedded-resource",
        "x-kubernetes-int-or-string",
    },
    "apiregistration.v1.APIServiceSpec": {"insecureSkipTLSVerify"},
    "autoscaling.v2.HorizontalPodAutoscalerStatus": {"currentReplicas"},
    "policy.v1.PodDisruptionBudgetStatus": {"observedGeneration"},
}
"""Per type, the booleans and numbers that are no pointers: false and 0 are left out."""

EMPTY_IS_SOMETHING: dict[str, set[str]] = {
    "autoscaling.v2.HPAScalingRules": {"policies"},
    "batch.v1.SuccessPolicy": {"rules"},
    "core.v1.NodeSelector": {"nodeSelectorTerms"},
    "core.v1.VolumeResourceRequirements": {"requests"},
    "networking.v1.ServiceCIDRSpec": {"cidrs"},
    "core.v1.PersistentVolumeClaimSpec": {"accessModes", "storageClassName", "volumeAttributesClassName", "volumeMode"},
    "core.v1.PersistentVolumeSpec": {"accessModes", "capacity", "volumeAttributesClassName", "volumeMode"},
    "core.v1.PodSpec": {"runtimeClassName", "preemptionPolicy", "hostnameOverride"},
    "core.v1.ServiceSpec": {"internalTrafficPolicy", "ipFamilyPolicy", "loadBalancerClass", "trafficDistribution"},
    "core.v1.ServicePort": {"appProtocol"},
    "core.v1.EndpointPort": {"appProtocol"},
    "core.v1.HostPathVolumeSource": {"type"},
    "core.v1.SeccompProfile": {"localhostProfile"},
    "core.v1.AppArmorProfile": {"localhostProfile"},
    "core.v1.SecurityContext": {"procMount"},
    "core.v1.GRPCAction": {"service"},
    "core.v1.Container": {"restartPolicy"},
    "core.v1.CSIVolumeSource": {"fsType"},
    "core.v1.PodDNSConfigOption": {"value"},
    "core.v1.VolumeMount": {"mountPropagation", "recursiveReadOnly"},
    "core.v1.WindowsSecurityContextOptions": {"gmsaCredentialSpec", "gmsaCredentialSpecName", "runAsUserName"},
    "core.v1.AzureFilePersistentVolumeSource": {"secretNamespace"},
    "core.v1.TypedLocalObjectReference": {"apiGroup"},
    "core.v1.TypedObjectReference": {"apiGroup", "namespace"},
    "core.v1.PodResourceClaim": {"resourceClaimName", "resourceClaimTemplateName"},
    "core.v1.TopologySpreadConstraint": {"nodeAffinityPolicy", "nodeTaintsPolicy"},
    "discovery.v1.EndpointPort": {"appProtocol", "name", "protocol"},
    "discovery.v1.Endpoint": {"hostname", "nodeName", "zone"},
    "coordination.v1.LeaseSpec": {"holderIdentity", "preferredHolder", "strategy"},
    "batch.v1.CronJobSpec": {"timeZone"},
    "batch.v1.JobSpec": {"completionMode", "managedBy", "podReplacementPolicy"},
    "batch.v1.JobStatus": {"failedIndexes"},
    "batch.v1.SuccessPolicyRule": {"succeededIndexes"},
    "batch.v1.PodFailurePolicyOnExitCodesRequirement": {"containerName"},
    "networking.v1.IngressSpec": {"ingressClassName"},
    "networking.v1.HTTPIngressPath": {"pathType"},
    "networking.v1.IngressClassParametersReference": {"apiGroup", "namespace", "scope"},
    "networking.v1.NetworkPolicyPort": {"protocol"},
    "policy.v1.PodDisruptionBudgetSpec": {"unhealthyPodEvictionPolicy"},
    "resource.v1.ResourceSliceSpec": {"nodeName"},
    "storage.v1.CSIDriverSpec": {"fsGroupPolicy"},
    "storage.v1.VolumeAttachmentSource": {"persistentVolumeName"},
    "scheduling.v1.PriorityClass": {"preemptionPolicy"},
    "rbac.v1.ClusterRole": {"rules"},
    "rbac.v1.Role": {"rules"},
}
"""Per type, the strings that are pointers, lists without ``omitempty``, and what may not be empty: a
refusal tells [] from null."""


def canonical(kind: Kind, obj: Obj, known: Obj | None = None, before: Obj | None = None) -> Obj:
    """Return the object without what Go would not write, sharing what does not change.

    What is shared with ``known``, which went through here before, is not looked at again (except its status).
    ``before`` is the state that ``obj`` replaces: items of long lists that both share are not looked at again.
    """
    step = _of_kind(kind)
    if step is None:
        return obj
    if known is not None:
        new = {n: value for n, value in obj.items() if n == "status" or n not in known or known[n] is not value}
        plain = step(new)
        if plain is new:
            return obj
        return {n: plain.get(n, value) for n, value in obj.items() if n not in new or n in plain}
    if before is not None:
        less = unshared(obj, before)
        if less is not obj and step(less) is less:
            return obj
    done: Obj = step(obj)
    return done


@cache
def _of_kind(kind: Kind) -> Step | None:
    """Return the step for a whole object of the kind; None for one without a schema."""
    from kctl.api import schema

    node = schema.of(kind)
    if node is None or not node.properties:
        return None
    return _struct(node)


def struct(node: Node) -> Step:
    """Return what writes a struct of a definition."""
    return _struct(node)


@cache
def _struct(node: Node) -> Step:
    """Return the step for a struct: fields one by one, and it stays even when empty."""
    plan: dict[str, Step] = {}
    pending = [True]

    def step(value: Any) -> Any:
        if pending[0]:  # the plan is made on first use: definitions contain themselves
            plan.update(_plan(node))
            pending[0] = False
        if value is None:
            return GONE
        if not isinstance(value, dict):
            return value
        return _walk(plan, value)

    return step


def _walk(plan: dict[str, Step], value: Obj) -> Obj:
    """Carry the plan out over one struct; the same struct when nothing changes."""
    out: Obj | None = None
    for name, old in value.items():
        field = plan.get(name)
        new = field(old) if field is not None else GONE if old is None else old
        if new is old:
            continue
        if out is None:
            out = dict(value)
        if new is GONE:
            del out[name]
        else:
            out[name] = new
    return value if out is None else out


def _plan(node: Node) -> dict[str, Step]:
    """Return the steps of a struct's fields; a field without one stays unless it is null."""
    zero = ZERO_IS_NOTHING.get(node.name, set())
    kept = EMPTY_IS_SOMETHING.get(node.name, set())
    out: dict[str, Step] = {}
    for name, child in node.properties.items():
        step = _field(child, needed=name in node.required, zero=name in zero, kept=name in kept)
        if step is not None:
            out[name] = step
    return out


def _field(node: Node, *, needed: bool, zero: bool, kept: bool) -> Step | None:
    """Return the step for one field, or None when only null is to be dropped."""
    if node.type in {"boolean", "integer", "number"}:
        return _drop_falsy if zero else None
    if node.type == "string":
        return None if needed or kept or node.name.endswith(("Time", "MicroTime")) else _drop_falsy
    if node.type == "array":
        return _list(node.items, needed=needed or kept)
    if node.type == "object":
        if node.properties:
            return _struct(node)
        if node.additional is not None:
            return _map(node.additional, kept=kept)
        return None
    return _quantity if node.type == "quantity" else None


def _drop_falsy(value: Any) -> Any:
    """Leave out null, "", 0 and false."""
    return value or GONE


def _quantity(value: Any) -> Any:
    """Write an amount canonically."""
    if value is None:
        return GONE
    from kctl.api import quantity

    text = quantity.canonical(str(value))
    return value if text == value else text


def _list(node: Node | None, *, needed: bool) -> Step:
    """Return the step for a list: items one by one, and an empty list is left out."""
    item = None if node is None else _field(node, needed=True, zero=False, kept=True)

    def step(value: Any) -> Any:
        if not value:
            return value if needed and value is not None else GONE
        if item is None or not isinstance(value, list):
            return value
        out = [{} if new is GONE else new for new in map(item, value)]
        return value if all(a is b for a, b in zip(out, value, strict=True)) else out

    return step


def _map(node: Node, *, kept: bool = False) -> Step:
    """Return the step for a map: values one by one, and an empty map is left out."""
    item = _field(node, needed=True, zero=False, kept=True)

    def step(value: Any) -> Any:
        if not value:
            return value if kept and value is not None else GONE
        if item is None or not isinstance(value, dict):
            if isinstance(value, dict) and None in value.values() and node.type == "string":
                return {name: "" if old is None else old for name, old in value.items()}
            return value
        out = {name: item(old) for name, old in value.items()}
        out = {name: new for name, new in out.items() if new is not GONE}
        return value if all(out.get(name) is old for name, old in value.items()) else out

    return step
