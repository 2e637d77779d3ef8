"""What OpenAPI does not say about the Go types behind the schema, and error texts name.

Two facts tables: fields whose Go type has a name of its own (``v1.RestartPolicy``, not
``string``), and fields that stand in an embedded struct, whose name Go's JSON decoder puts into
the path of an error (``volumes.VolumeSource.hostPath``).
"""

from __future__ import annotations

from functools import cache

NAMED = """
admissionregistration.v1.MatchResources matchPolicy=MatchPolicyType
admissionregistration.v1.MutatingAdmissionPolicySpec failurePolicy=FailurePolicyType
  reinvocationPolicy=ReinvocationPolicyType
admissionregistration.v1.MutatingWebhook failurePolicy=FailurePolicyType matchPolicy=MatchPolicyType
  reinvocationPolicy=ReinvocationPolicyType sideEffects=SideEffectClass
admissionregistration.v1.Mutation patchType=PatchType
admissionregistration.v1.NamedRuleWithOperations operations=OperationType scope=ScopeType
admissionregistration.v1.ParamRef parameterNotFoundAction=ParameterNotFoundActionType
admissionregistration.v1.RuleWithOperations operations=OperationType scope=ScopeType
admissionregistration.v1.ValidatingAdmissionPolicyBindingSpec validationActions=ValidationAction
admissionregistration.v1.ValidatingAdmissionPolicySpec failurePolicy=FailurePolicyType
admissionregistration.v1.ValidatingWebhook failurePolicy=FailurePolicyType matchPolicy=MatchPolicyType
  sideEffects=SideEffectClass
admissionregistration.v1.Validation reason=StatusReason
apiextensions.v1.CustomResourceConversion strategy=ConversionStrategyType
apiextensions.v1.CustomResourceDefinitionCondition status=ConditionStatus type=CustomResourceDefinitionConditionType
apiextensions.v1.CustomResourceDefinitionSpec scope=ResourceScope
apiextensions.v1.ValidationRule reason=FieldValueErrorReason
apps.v1.DaemonSetCondition status=ConditionStatus type=DaemonSetConditionType
apps.v1.DaemonSetUpdateStrategy type=DaemonSetUpdateStrategyType
apps.v1.DeploymentCondition status=ConditionStatus type=DeploymentConditionType
apps.v1.DeploymentStrategy type=DeploymentStrategyType
apps.v1.ReplicaSetCondition status=ConditionStatus type=ReplicaSetConditionType
apps.v1.StatefulSetCondition status=ConditionStatus type=StatefulSetConditionType
apps.v1.StatefulSetPersistentVolumeClaimRetentionPolicy whenDeleted=PersistentVolumeClaimRetentionPolicyType
  whenScaled=PersistentVolumeClaimRetentionPolicyType
apps.v1.StatefulSetSpec podManagementPolicy=PodManagementPolicyType
apps.v1.StatefulSetUpdateStrategy type=StatefulSetUpdateStrategyType
autoscaling.v2.HPAScalingPolicy type=HPAScalingPolicyType
autoscaling.v2.HPAScalingRules selectPolicy=ScalingPolicySelect
autoscaling.v2.HorizontalPodAutoscalerCondition status=ConditionStatus type=HorizontalPodAutoscalerConditionType
autoscaling.v2.MetricSpec type=MetricSourceType
autoscaling.v2.MetricTarget type=MetricTargetType
batch.v1.CronJobSpec concurrencyPolicy=ConcurrencyPolicy
batch.v1.JobCondition status=ConditionStatus type=JobConditionType
batch.v1.JobSpec completionMode=CompletionMode podReplacementPolicy=PodReplacementPolicy
batch.v1.PodFailurePolicyOnExitCodesRequirement operator=PodFailurePolicyOnExitCodesOperator
batch.v1.PodFailurePolicyOnPodConditionsPattern status=ConditionStatus type=PodConditionType
batch.v1.PodFailurePolicyRule action=PodFailurePolicyAction
certificates.v1.CertificateSigningRequestCondition status=ConditionStatus type=RequestConditionType
certificates.v1.CertificateSigningRequestSpec usages=KeyUsage extra=map[string]v1.ExtraValue
core.v1.AppArmorProfile type=AppArmorProfileType
core.v1.AzureDiskVolumeSource cachingMode=AzureDataDiskCachingMode kind=AzureDataDiskKind
core.v1.Capabilities add=Capability drop=Capability
core.v1.Container imagePullPolicy=PullPolicy restartPolicy=ContainerRestartPolicy
  terminationMessagePolicy=TerminationMessagePolicy
core.v1.ContainerPort protocol=Protocol
core.v1.ContainerResizePolicy resourceName=ResourceName restartPolicy=ResourceResizeRestartPolicy
core.v1.ContainerRestartRule action=ContainerRestartRuleAction
core.v1.ContainerRestartRuleOnExitCodes operator=ContainerRestartRuleOnExitCodesOperator
core.v1.EmptyDirVolumeSource medium=StorageMedium
core.v1.EndpointPort protocol=Protocol
core.v1.EphemeralContainer imagePullPolicy=PullPolicy restartPolicy=ContainerRestartPolicy
  terminationMessagePolicy=TerminationMessagePolicy
core.v1.HTTPGetAction scheme=URIScheme
core.v1.HostPathVolumeSource type=HostPathType
core.v1.ImageVolumeSource pullPolicy=PullPolicy
core.v1.LimitRangeItem default=v1.ResourceList defaultRequest=v1.ResourceList max=v1.ResourceList
  maxLimitRequestRatio=v1.ResourceList min=v1.ResourceList type=LimitType
core.v1.NamespaceCondition status=ConditionStatus type=NamespaceConditionType
core.v1.NamespaceSpec finalizers=FinalizerName
core.v1.NamespaceStatus phase=NamespacePhase
core.v1.NodeAddress type=NodeAddressType
core.v1.NodeCondition status=ConditionStatus type=NodeConditionType
core.v1.NodeSelectorRequirement operator=NodeSelectorOperator
core.v1.NodeStatus allocatable=v1.ResourceList capacity=v1.ResourceList phase=NodePhase
  volumesInUse=UniqueVolumeName
core.v1.ObjectReference uid=types.UID
core.v1.PersistentVolumeClaimCondition status=ConditionStatus type=PersistentVolumeClaimConditionType
core.v1.PersistentVolumeClaimSpec accessModes=PersistentVolumeAccessMode volumeMode=PersistentVolumeMode
core.v1.PersistentVolumeClaimStatus accessModes=PersistentVolumeAccessMode allocatedResources=v1.ResourceList
  capacity=v1.ResourceList phase=PersistentVolumeClaimPhase
core.v1.PersistentVolumeSpec accessModes=PersistentVolumeAccessMode capacity=v1.ResourceList
  persistentVolumeReclaimPolicy=PersistentVolumeReclaimPolicy volumeMode=PersistentVolumeMode
core.v1.PersistentVolumeStatus phase=PersistentVolumePhase
core.v1.PodCondition status=ConditionStatus type=PodConditionType
core.v1.PodOS name=OSName
core.v1.PodReadinessGate conditionType=PodConditionType
core.v1.PodSecurityContext fsGroupChangePolicy=PodFSGroupChangePolicy seLinuxChangePolicy=PodSELinuxChangePolicy
  supplementalGroupsPolicy=SupplementalGroupsPolicy
core.v1.PodSpec dnsPolicy=DNSPolicy overhead=v1.ResourceList preemptionPolicy=PreemptionPolicy
  restartPolicy=RestartPolicy
core.v1.PodStatus phase=PodPhase qosClass=PodQOSClass resize=PodResizeStatus
core.v1.PortStatus protocol=Protocol
core.v1.ReplicationControllerCondition status=ConditionStatus type=ReplicationControllerConditionType
core.v1.ResourceQuotaSpec hard=v1.ResourceList scopes=ResourceQuotaScope
core.v1.ResourceQuotaStatus hard=v1.ResourceList used=v1.ResourceList
core.v1.ResourceRequirements limits=v1.ResourceList requests=v1.ResourceList
core.v1.ScopedResourceSelectorRequirement operator=ScopeSelectorOperator scopeName=ResourceQuotaScope
core.v1.SeccompProfile type=SeccompProfileType
core.v1.Secret type=SecretType
core.v1.SecurityContext procMount=ProcMountType
core.v1.ServicePort protocol=Protocol
core.v1.ServiceSpec externalTrafficPolicy=ServiceExternalTrafficPolicy
  internalTrafficPolicy=ServiceInternalTrafficPolicy ipFamilies=IPFamily ipFamilyPolicy=IPFamilyPolicy
  sessionAffinity=ServiceAffinity type=ServiceType
core.v1.Taint effect=TaintEffect
core.v1.Toleration effect=TaintEffect operator=TolerationOperator
core.v1.TopologySpreadConstraint nodeAffinityPolicy=NodeInclusionPolicy nodeTaintsPolicy=NodeInclusionPolicy
  whenUnsatisfiable=UnsatisfiableConstraintAction
core.v1.VolumeMount mountPropagation=MountPropagationMode recursiveReadOnly=RecursiveReadOnlyMode
core.v1.VolumeResourceRequirements limits=v1.ResourceList requests=v1.ResourceList
discovery.v1.EndpointPort protocol=Protocol
discovery.v1.EndpointSlice addressType=AddressType
flowcontrol.v1.FlowDistinguisherMethod type=FlowDistinguisherMethodType
flowcontrol.v1.LimitResponse type=LimitResponseType
flowcontrol.v1.PriorityLevelConfigurationSpec type=PriorityLevelEnablement
flowcontrol.v1.Subject kind=SubjectKind
meta.v1.Condition status=ConditionStatus
meta.v1.LabelSelectorRequirement operator=LabelSelectorOperator
meta.v1.ManagedFieldsEntry operation=ManagedFieldsOperationType
meta.v1.ObjectMeta uid=types.UID
meta.v1.OwnerReference uid=types.UID
networking.v1.HTTPIngressPath pathType=PathType
networking.v1.NetworkPolicyPort protocol=Protocol
networking.v1.NetworkPolicySpec policyTypes=PolicyType
node.v1.Overhead podFixed=v1.ResourceList
policy.v1.PodDisruptionBudgetSpec unhealthyPodEvictionPolicy=UnhealthyPodEvictionPolicyType
resource.v1.Device attributes=map[v1.QualifiedName]v1.DeviceAttribute
  capacity=map[v1.QualifiedName]v1.DeviceCapacity
resource.v1.DeviceConstraint matchAttribute=FullyQualifiedName distinctAttribute=FullyQualifiedName
resource.v1.DeviceSubRequest allocationMode=DeviceAllocationMode
resource.v1.DeviceTaint effect=DeviceTaintEffect
resource.v1.DeviceToleration effect=DeviceTaintEffect operator=DeviceTolerationOperator
resource.v1.ExactDeviceRequest allocationMode=DeviceAllocationMode
scheduling.v1.PriorityClass preemptionPolicy=PreemptionPolicy
storage.v1.CSIDriverSpec fsGroupPolicy=FSGroupPolicy volumeLifecycleModes=VolumeLifecycleMode
storage.v1.StorageClass reclaimPolicy=PersistentVolumeReclaimPolicy volumeBindingMode=VolumeBindingMode
"""
"""A definition, then fields and their types; a type without a package is of the definition's own
version, and for a list it is that of the items. An indented line goes on with the one above."""

EMBEDDED = """
admissionregistration.v1.NamedRuleWithOperations RuleWithOperations.Rule apiGroups apiVersions resources scope
admissionregistration.v1.NamedRuleWithOperations RuleWithOperations operations
admissionregistration.v1.RuleWithOperations Rule apiGroups apiVersions resources scope
core.v1.ConfigMapEnvSource LocalObjectReference name
core.v1.ConfigMapKeySelector LocalObjectReference name
core.v1.ConfigMapProjection LocalObjectReference name
core.v1.ConfigMapVolumeSource LocalObjectReference name
core.v1.EphemeralContainer EphemeralContainerCommon * targetContainerName
core.v1.PersistentVolumeSpec PersistentVolumeSource * accessModes capacity claimRef mountOptions nodeAffinity
  persistentVolumeReclaimPolicy storageClassName volumeAttributesClassName volumeMode
core.v1.Probe ProbeHandler exec grpc httpGet tcpSocket
core.v1.SecretEnvSource LocalObjectReference name
core.v1.SecretKeySelector LocalObjectReference name
core.v1.SecretProjection LocalObjectReference name
core.v1.Volume VolumeSource * name
networking.v1.IngressRule IngressRuleValue http
resource.v1.DeviceAllocationConfiguration DeviceConfiguration opaque
resource.v1.DeviceClaimConfiguration DeviceConfiguration opaque
resource.v1.DeviceClassConfiguration DeviceConfiguration opaque
"""
"""A definition, the embedded struct, and its fields; ``*`` means all but those listed."""


def named(definition: str, field: str) -> str:
    """Return the named Go type of a field (``v1.Protocol``), "" when it has none."""
    return _named().get((definition, field), "")


def embedded(definition: str, field: str) -> str:
    """Return the embedded struct a field stands in (``VolumeSource``), "" for none."""
    for struct, fields, listed in _embedded().get(definition, ()):
        if (field in fields) == listed:
            return struct
    return ""


def type_of(definition: str) -> str:
    """Return the Go type of a definition: ``v1.PodSpec`` for ``core.v1.PodSpec``."""
    return ".".join(definition.split(".")[-2:])


def _rows(table: str) -> list[str]:
    """Return a table's rows, with their continuations."""
    return table.strip().replace("\n  ", " ").splitlines()


@cache
def _named() -> dict[tuple[str, str], str]:
    """Read :data:`NAMED`."""
    found = {}
    for line in _rows(NAMED):
        definition, *fields = line.split()
        package = definition.split(".")[-2]
        for field in fields:
            name, _, kind = field.partition("=")
            found[definition, name] = kind if "." in kind else f"{package}.{kind}"
    return found


@cache
def _embedded() -> dict[str, list[tuple[str, frozenset[str], bool]]]:
    """Read :data:`EMBEDDED`."""
    found: dict[str, list[tuple[str, frozenset[str], bool]]] = {}
    for line in _rows(EMBEDDED):
        definition, struct, *fields = line.split()
        listed = fields[0] != "*"
        found.setdefault(definition, []).append((struct, frozenset(fields), listed))
    return found
