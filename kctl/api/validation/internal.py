"""How Go shows parts of objects in messages: upstream's internal types, written as JSON.

``shown(type, value)`` gives an object's part the field names, order and nulls that kube-apiserver
prints, because its internal types have no JSON tags. Only the types that occur in messages are
here: one line a type, in the order of pkg/apis/core/types.go.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from kctl.api.objects import Obj
from kctl.api.validation import meta

# Each field: GoName[=jsonName][:kind]. The JSON name is GoName with its first letter (or leading
# initialism) lowered unless given. Kinds: "" pointer or nullable (null when absent), s string "",
# i integer 0, b boolean false, m map or list (null when absent), @T struct T (never null),
# *T pointer to T, []T list of T, q int-or-string 0, Q map of quantities, S label selector.
TYPES: dict[str, str] = {
    "PodSpec": (
        "Volumes:[]Volume InitContainers:[]Container Containers:[]Container "
        "EphemeralContainers:[]EphemeralContainer RestartPolicy:s TerminationGracePeriodSeconds "
        "ActiveDeadlineSeconds DNSPolicy:s NodeSelector:m ServiceAccountName:s AutomountServiceAccountToken "
        "NodeName:s SecurityContext:*PodSecurityContext ImagePullSecrets:[]LocalObjectReference Hostname:s "
        "Subdomain:s SetHostnameAsFQDN Affinity:*Affinity SchedulerName:s Tolerations:[]Toleration "
        "HostAliases:[]HostAlias PriorityClassName:s Priority PreemptionPolicy DNSConfig:*PodDNSConfig "
        "ReadinessGates:[]ReadinessGate RuntimeClassName Overhead:Q EnableServiceLinks "
        "TopologySpreadConstraints:[]TopologySpreadConstraint OS:*PodOS SchedulingGates:[]Named "
        "ResourceClaims:[]PodResourceClaim Resources:*ResourceRequirements HostnameOverride "
        "SchedulingGroup"
    ),
    "PodSecurityContext": (
        "HostNetwork:b HostPID:b HostIPC:b ShareProcessNamespace HostUsers SELinuxOptions:*SELinuxOptions "
        "WindowsOptions:*WindowsOptions RunAsUser RunAsGroup RunAsNonRoot SupplementalGroups:m "
        "SupplementalGroupsPolicy FSGroup FSGroupChangePolicy Sysctls:[]Sysctl SeccompProfile:*SeccompProfile "
        "AppArmorProfile:*SeccompProfile SELinuxChangePolicy"
    ),
    "SecurityContext": (
        "Capabilities:*Capabilities Privileged SELinuxOptions:*SELinuxOptions WindowsOptions:*WindowsOptions "
        "RunAsUser RunAsGroup RunAsNonRoot ReadOnlyRootFilesystem AllowPrivilegeEscalation ProcMount "
        "SeccompProfile:*SeccompProfile AppArmorProfile:*SeccompProfile"
    ),
    "Capabilities": "Add:m Drop:m",
    "SELinuxOptions": "User:s Role:s Type:s Level:s",
    "WindowsOptions": "GMSACredentialSpecName GMSACredentialSpec RunAsUserName HostProcess",
    "SeccompProfile": "Type:s LocalhostProfile",
    "Sysctl": "Name:s Value:s",
    "LocalObjectReference": "Name:s",
    "Named": "Name:s",
    "PodOS": "Name:s",
    "ReadinessGate": "ConditionType:s",
    "HostAlias": "IP:s Hostnames:m",
    "PodDNSConfig": "Nameservers:m Searches:m Options:[]DNSOption",
    "DNSOption": "Name:s Value",
    "PodResourceClaim": "Name:s ResourceClaimName ResourceClaimTemplateName",
    "Container": (
        "Name:s Image:s Command:m Args:m WorkingDir:s Ports:[]ContainerPort EnvFrom:[]EnvFromSource "
        "Env:[]EnvVar Resources:@ResourceRequirements ResizePolicy:[]ResizePolicy RestartPolicy "
        "RestartPolicyRules:[]RestartRule VolumeMounts:[]VolumeMount VolumeDevices:[]VolumeDevice "
        "LivenessProbe:*Probe ReadinessProbe:*Probe StartupProbe:*Probe Lifecycle:*Lifecycle "
        "TerminationMessagePath:s TerminationMessagePolicy:s ImagePullPolicy:s SecurityContext:*SecurityContext "
        "Stdin:b StdinOnce:b TTY:b"
    ),
    "ContainerPort": "Name:s HostPort:i ContainerPort:i Protocol:s HostIP:s",
    "EnvFromSource": "Prefix:s ConfigMapRef:*OptionalName SecretRef:*OptionalName",
    "OptionalName": "Name:s Optional",
    "EnvVar": "Name:s Value:s ValueFrom:*EnvVarSource",
    "EnvVarSource": (
        "FieldRef:*FieldRef ResourceFieldRef:*ResourceFieldRef ConfigMapKeyRef:*KeyRef SecretKeyRef:*KeyRef "
        "FileKeyRef:*FileKeyRef"
    ),
    "FieldRef": "APIVersion:s FieldPath:s",
    "ResourceFieldRef": "ContainerName:s Resource:s Divisor",
    "KeyRef": "Name:s Key:s Optional",
    "FileKeyRef": "VolumeName:s Path:s Key:s Optional",
    "ResourceRequirements": "Limits:Q Requests:Q Claims:[]ResourceClaim",
    "ResourceClaim": "Name:s Request:s",
    "ResizePolicy": "ResourceName:s RestartPolicy:s",
    "RestartRule": "Action:s ExitCodes:*ExitCodes",
    "ExitCodes": "Operator:s Values:m",
    "VolumeMount": "Name:s ReadOnly:b RecursiveReadOnly MountPath:s SubPath:s MountPropagation SubPathExpr:s",
    "VolumeDevice": "Name:s DevicePath:s",
    "Handler": "Exec:*Exec HTTPGet:*HTTPGet TCPSocket:*TCPSocket GRPC:*GRPC",
    "Exec": "Command:m",
    "HTTPGet": "Path:s Port:q Host:s Scheme:s HTTPHeaders:[]Header",
    "Header": "Name:s Value:s",
    "TCPSocket": "Port:q Host:s",
    "GRPC": "Port:i Service",
    "Sleep": "Seconds:i",
    "Lifecycle": "PostStart:*LifecycleHandler PreStop:*LifecycleHandler StopSignal",
    "LifecycleHandler": "Exec:*Exec HTTPGet:*HTTPGet TCPSocket:*TCPSocket Sleep:*Sleep",
    "Probe": (
        "Exec:*Exec HTTPGet:*HTTPGet TCPSocket:*TCPSocket GRPC:*GRPC InitialDelaySeconds:i TimeoutSeconds:i "
        "PeriodSeconds:i SuccessThreshold:i FailureThreshold:i TerminationGracePeriodSeconds"
    ),
    "Volume": (
        "Name:s HostPath:*HostPath EmptyDir:*EmptyDir GCEPersistentDisk AWSElasticBlockStore GitRepo:*GitRepo "
        "Secret:*SecretVolume NFS:*NFS ISCSI Glusterfs PersistentVolumeClaim:*ClaimVolume RBD Quobyte FlexVolume "
        "Cinder CephFS Flocker DownwardAPI:*DownwardVolume FC AzureFile ConfigMap:*ConfigMapVolume VsphereVolume "
        "AzureDisk PhotonPersistentDisk Projected:*Projected PortworxVolume ScaleIO StorageOS CSI:*CSI Ephemeral:*Ephemeral "
        "Image:*Image"
    ),
    "GitRepo": "Repository:s Revision:s Directory:s",
    "NFS": "Server:s Path:s ReadOnly:b",
    "CSI": "Driver:s ReadOnly FSType VolumeAttributes:m NodePublishSecretRef:*LocalObjectReference",
    "Image": "Reference:s PullPolicy:s",
    "Ephemeral": "VolumeClaimTemplate:*ClaimTemplate",
    "ClaimTemplate": "Spec:@ClaimSpec",
    "ClaimSpec": (
        "AccessModes:m Selector:S Resources:@VolumeResources VolumeName:s StorageClassName VolumeMode "
        "DataSource:*TypedReference DataSourceRef:*TypedObjectReference VolumeAttributesClassName"
    ),
    "TypedReference": "APIGroup Kind:s Name:s",
    "TypedObjectReference": "APIGroup Kind:s Name:s Namespace",
    "VolumeResources": "Limits:Q Requests:Q",
    "HostPath": "Path:s Type",
    "EmptyDir": "Medium:s SizeLimit",
    "SecretVolume": "SecretName:s Items:[]KeyToPath DefaultMode Optional",
    "ConfigMapVolume": "Name:s Items:[]KeyToPath DefaultMode Optional",
    "ClaimVolume": "ClaimName:s ReadOnly:b",
    "KeyToPath": "Key:s Path:s Mode",
    "DownwardVolume": "Items:[]DownwardFile DefaultMode",
    "DownwardFile": "Path:s FieldRef:*FieldRef ResourceFieldRef:*ResourceFieldRef Mode",
    "Projected": "Sources:[]Projection DefaultMode",
    "Projection": (
        "Secret:*SecretProjection DownwardAPI:*DownwardProjection ConfigMap:*ConfigMapProjection "
        "ServiceAccountToken:*TokenProjection ClusterTrustBundle PodCertificate"
    ),
    "SecretProjection": "Name:s Items:[]KeyToPath Optional",
    "ConfigMapProjection": "Name:s Items:[]KeyToPath Optional",
    "DownwardProjection": "Items:[]DownwardFile",
    "TokenProjection": "Audience:s ExpirationSeconds:i Path:s",
    "Toleration": "Key:s Operator:s Value:s Effect:s TolerationSeconds",
    "Affinity": "NodeAffinity:*NodeAffinity PodAffinity:*PodAffinity PodAntiAffinity:*PodAffinity",
    "NodeAffinity": (
        "RequiredDuringSchedulingIgnoredDuringExecution:*NodeSelector "
        "PreferredDuringSchedulingIgnoredDuringExecution:[]PreferredTerm"
    ),
    "VolumeNodeAffinity": "Required:*NodeSelector",
    "NodeSelector": "NodeSelectorTerms:[]NodeSelectorTerm",
    "PreferredTerm": "Weight:i Preference:@NodeSelectorTerm",
    "NodeSelectorTerm": "MatchExpressions:[]Requirement MatchFields:[]Requirement",
    "Requirement": "Key:s Operator:s Values:m",
    "PodAffinity": (
        "RequiredDuringSchedulingIgnoredDuringExecution:[]PodTerm "
        "PreferredDuringSchedulingIgnoredDuringExecution:[]WeightedPodTerm"
    ),
    "WeightedPodTerm": "Weight:i PodAffinityTerm:@PodTerm",
    "PodTerm": "LabelSelector Namespaces:m TopologyKey:s NamespaceSelector MatchLabelKeys:m MismatchLabelKeys:m",
    "TopologySpreadConstraint": (
        "MaxSkew:i TopologyKey:s WhenUnsatisfiable:s LabelSelector MinDomains NodeAffinityPolicy "
        "NodeTaintsPolicy MatchLabelKeys:m"
    ),
    "ServicePort": "Name:s Protocol:s AppProtocol Port:i TargetPort:q NodePort:i",
    "DeploymentStrategy": "Type:s RollingUpdate:*RollingUpdate",
    "DaemonSetUpdateStrategy": "Type:s RollingUpdate:*RollingUpdate",
    "RollingUpdate": "MaxUnavailable:q MaxSurge:q",
    "StatefulSetUpdateStrategy": "Type:s RollingUpdate:*StatefulSetRollingUpdate",
    "StatefulSetRollingUpdate": "Partition:i MaxUnavailable",
    "DisruptionBudgetSpec": "MinAvailable Selector:S MaxUnavailable UnhealthyPodEvictionPolicy",
    "DistinguisherMethod": "Type:s",
    "RoleRef": "APIGroup:s Kind:s Name:s",
    "ParentRef": "Group:s Resource:s Namespace:s Name:s",
    "CSINodeDriver": "Name:s NodeID:s TopologyKeys:m Allocatable:*Allocatable",
    "Allocatable": "Count",
    "VolumeAttachmentSpec": "Attacher:s Source:@AttachmentSource NodeName:s",
    "AttachmentSource": "PersistentVolumeName InlineVolumeSpec",
    "SuccessPolicy": "Rules:[]SuccessRule",
    "SuccessRule": "SucceededIndexes SucceededCount",
    "PodFailurePolicy": "Rules:[]FailureRule",
    "FailureRule": "Action:s OnExitCodes:*OnExitCodes OnPodConditions:[]ConditionPattern",
    "OnExitCodes": "ContainerName Operator:s Values:m",
    "ConditionPattern": "Type:s Status:s",
}
TYPES |= {
    "PersistentVolumeSource": (
        "GCEPersistentDisk:*GCEDisk AWSElasticBlockStore:*AWSDisk HostPath:*HostPath Glusterfs:*GlusterfsPV NFS:*NFS "
        "RBD:*RBDPV Quobyte:*Quobyte ISCSI:*ISCSIPV FlexVolume:*FlexPV Cinder:*CinderPV CephFS:*CephFSPV FC:*FC "
        "Flocker:*Flocker AzureFile:*AzureFilePV VsphereVolume:*Vsphere AzureDisk:*AzureDisk "
        "PhotonPersistentDisk:*Photon PortworxVolume:*Portworx ScaleIO:*ScaleIOPV Local:*Local StorageOS:*StorageOSPV "
        "CSI:*CSIPV"
    ),
    "SecretReference": "Name:s Namespace:s",
    "GCEDisk": "PDName=pdName:s FSType:s Partition:i ReadOnly:b",
    "AWSDisk": "VolumeID:s FSType:s Partition:i ReadOnly:b",
    "GlusterfsPV": "EndpointsName=endpoints:s Path:s ReadOnly:b EndpointsNamespace",
    "RBDPV": (
        "CephMonitors=monitors:m RBDImage=image:s FSType:s RBDPool=pool:s RadosUser=user:s Keyring:s "
        "SecretRef:*SecretReference ReadOnly:b"
    ),
    "Quobyte": "Registry:s Volume:s ReadOnly:b User:s Group:s Tenant:s",
    "ISCSIPV": (
        "TargetPortal:s IQN=iqn:s Lun:i ISCSIInterface=iscsiInterface:s FSType:s ReadOnly:b Portals:m "
        "DiscoveryCHAPAuth=chapAuthDiscovery:b SessionCHAPAuth=chapAuthSession:b SecretRef:*SecretReference "
        "InitiatorName"
    ),
    "FlexPV": "Driver:s FSType:s SecretRef:*SecretReference ReadOnly:b Options:m",
    "CinderPV": "VolumeID:s FSType:s ReadOnly:b SecretRef:*SecretReference",
    "CephFSPV": "Monitors:m Path:s User:s SecretFile:s SecretRef:*SecretReference ReadOnly:b",
    "FC": "TargetWWNs:m Lun FSType:s ReadOnly:b WWIDs=wwids:m",
    "Flocker": "DatasetName:s DatasetUUID:s",
    "AzureFilePV": "SecretName:s ShareName:s ReadOnly:b SecretNamespace",
    "Vsphere": "VolumePath:s FSType:s StoragePolicyName:s StoragePolicyID:s",
    "AzureDisk": "DiskName:s DataDiskURI=diskURI:s CachingMode FSType ReadOnly Kind",
    "Photon": "PdID:s FSType:s",
    "Portworx": "VolumeID:s FSType:s ReadOnly:b",
    "ScaleIOPV": (
        "Gateway:s System:s SecretRef:*SecretReference SSLEnabled=sslEnabled:b ProtectionDomain:s StoragePool:s "
        "StorageMode:s VolumeName:s FSType:s ReadOnly:b"
    ),
    "Local": "Path:s FSType",
    "StorageOSPV": "VolumeName:s VolumeNamespace:s FSType:s ReadOnly:b SecretRef",
    "CSIPV": (
        "Driver:s VolumeHandle:s ReadOnly:b FSType:s VolumeAttributes:m ControllerPublishSecretRef:*SecretReference "
        "NodeStageSecretRef:*SecretReference NodePublishSecretRef:*SecretReference "
        "ControllerExpandSecretRef:*SecretReference NodeExpandSecretRef:*SecretReference"
    ),
}
TYPES |= {
    "ResourceClaimSpec": "Devices:@DeviceClaim",
    "DeviceClaim": "Requests:[]DeviceRequest Constraints:[]DeviceConstraint Config:[]DeviceConfig",
    "DeviceRequest": "Name:s Exactly:*ExactDevice FirstAvailable:[]SubDevice",
    "ExactDevice": (
        "DeviceClassName:s Selectors:[]DeviceSelector AllocationMode:s Count:i AdminAccess "
        "Tolerations:[]DeviceToleration Capacity:*DeviceCapacity"
    ),
    "SubDevice": (
        "Name:s DeviceClassName:s Selectors:[]DeviceSelector AllocationMode:s Count:i "
        "Tolerations:[]DeviceToleration Capacity:*DeviceCapacity"
    ),
    "DeviceSelector": "CEL=cel:*CELSelector",
    "CELSelector": "Expression:s",
    "DeviceToleration": "Key:s Operator:s Value:s Effect:s TolerationSeconds",
    "DeviceCapacity": "Requests:Q",
    "DeviceConstraint": "Requests:m MatchAttribute DistinctAttribute",
    "DeviceConfig": "Requests:m Opaque:*OpaqueConfig",
    "OpaqueConfig": "Driver:s Parameters",
}
TYPES["EphemeralContainer"] = TYPES["Container"] + " TargetContainerName:s"
ZERO = {"s": "", "i": 0, "b": False, "q": 0}
INITIALISMS = {
    "DNSPolicy": "dnsPolicy",
    "DNSConfig": "dnsConfig",
    "OS": "os",
    "SELinuxOptions": "seLinuxOptions",
    "SELinuxChangePolicy": "seLinuxChangePolicy",
    "FSGroup": "fsGroup",
    "FSGroupChangePolicy": "fsGroupChangePolicy",
    "GMSACredentialSpecName": "gmsaCredentialSpecName",
    "GMSACredentialSpec": "gmsaCredentialSpec",
    "FSType": "fsType",
    "HTTPGet": "httpGet",
    "HTTPHeaders": "httpHeaders",
    "TCPSocket": "tcpSocket",
    "GRPC": "grpc",
    "TTY": "tty",
    "IP": "ip",
    "APIVersion": "apiVersion",
    "APIGroup": "apiGroup",
    "GCEPersistentDisk": "gcePersistentDisk",
    "AWSElasticBlockStore": "awsElasticBlockStore",
    "NFS": "nfs",
    "ISCSI": "iscsi",
    "RBD": "rbd",
    "FC": "fc",
    "CSI": "csi",
    "CephFS": "cephfs",
    "ScaleIO": "scaleIO",
    "StorageOS": "storageos",
}
POD_LEVEL_IN_CONTEXT = ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace", "hostUsers")
"""Fields that the internal types keep in the pod's security context."""


@cache
def _fields(name: str) -> tuple[tuple[str, str, str], ...]:
    """Return Go name, JSON name and kind of every field of a type."""
    rows = []
    for word in TYPES[name].split():
        go, _, kind = word.partition(":")
        go, _, json = go.partition("=")
        rows.append((go, json or INITIALISMS.get(go) or go[0].lower() + go[1:], kind))
    return tuple(rows)


def shown(name: str, value: Obj | None) -> Obj | None:
    """Return the value as the internal Go type of that name writes it."""
    if value is None:
        return None
    if name == "PodSpec":
        context = {**(value.get("securityContext") or {})}
        context |= {field: value[field] for field in POD_LEVEL_IN_CONTEXT if field in value}
        value = {**value, "securityContext": context}
    return {go: _part(kind, value.get(json)) for go, json, kind in _fields(name)}


META_FIELDS = (
    "name",
    "generateName",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "labels",
    "annotations",
    "ownerReferences",
    "finalizers",
)


def shown_meta(meta: Obj) -> Obj:
    """Return metadata as Go writes it: in the order of its type, maps sorted."""
    out = {}
    for name in META_FIELDS:
        value = meta.get(name)
        if value:
            out[name] = dict(sorted(value.items())) if isinstance(value, dict) else value
    return out


def shown_template(value: Obj) -> Obj:
    """Return a pod template as its internal type writes it, metadata inlined."""
    return {**shown_meta(value.get("metadata") or {}), "Spec": shown("PodSpec", value.get("spec") or {})}


def difference(name: str, old: Obj, new: Obj) -> str:
    """Return the unified diff of two values as upstream prints it: JSON of the internal type."""
    import json
    from difflib import unified_diff

    def lines(value: Obj) -> list[str]:
        return json.dumps(shown(name, value), indent=1, ensure_ascii=False).split("\n")

    rows = list(unified_diff(lines(old), lines(new), lineterm="", n=3))[2:]
    return "\n".join(rows) + "\n"


def _part(kind: str, value: Any) -> Any:
    """Return one field's value in its Go form."""
    if kind.startswith("@"):
        return shown(kind[1:], value or {})
    if kind.startswith("*"):
        return shown(kind[1:], value)
    if kind.startswith("[]"):
        return [shown(kind[2:], row) for row in value] if value is not None else None
    if kind in ZERO:
        return value or ZERO[kind]
    if kind == "S":
        return meta.shown_selector(value)
    if kind == "Q":
        return dict(sorted(value.items())) if value is not None else None
    if kind == "m" and isinstance(value, dict):
        return dict(sorted(value.items()))
    return value
