"""The order in which Go writes the fields of the structs that errors quote whole.

An answer is a JSON object, whose order means nothing; but a refused patch quotes the object it
was about to make as text, in the order of the Go struct. OpenAPI lists fields by name, so the
order of the structs that hold most of what people patch is noted here; what is not listed keeps
the order in which the object came.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

ORDER = """
meta.v1.ObjectMeta name generateName namespace selfLink uid resourceVersion generation creationTimestamp
  deletionTimestamp deletionGracePeriodSeconds labels annotations ownerReferences finalizers managedFields
meta.v1.ManagedFieldsEntry manager operation apiVersion time fieldsType fieldsV1 subresource
meta.v1.OwnerReference apiVersion kind name uid controller blockOwnerDeletion
meta.v1.LabelSelector matchLabels matchExpressions
meta.v1.LabelSelectorRequirement key operator values
meta.v1.Condition type status observedGeneration lastTransitionTime reason message
autoscaling.v1.ScaleStatus replicas selector
apps.v1.DeploymentSpec replicas selector template strategy minReadySeconds revisionHistoryLimit paused
  progressDeadlineSeconds
apps.v1.DeploymentStatus observedGeneration replicas updatedReplicas readyReplicas availableReplicas
  unavailableReplicas terminatingReplicas conditions collisionCount
apps.v1.DeploymentCondition type status lastUpdateTime lastTransitionTime reason message
apps.v1.DeploymentStrategy type rollingUpdate
apps.v1.RollingUpdateDeployment maxUnavailable maxSurge
apps.v1.DaemonSetSpec selector template updateStrategy minReadySeconds revisionHistoryLimit
apps.v1.DaemonSetUpdateStrategy type rollingUpdate
apps.v1.ReplicaSetSpec replicas minReadySeconds selector template
apps.v1.StatefulSetSpec replicas selector template volumeClaimTemplates serviceName podManagementPolicy updateStrategy
  revisionHistoryLimit minReadySeconds persistentVolumeClaimRetentionPolicy ordinals
apps.v1.StatefulSetUpdateStrategy type rollingUpdate
batch.v1.CronJobSpec schedule timeZone startingDeadlineSeconds concurrencyPolicy suspend jobTemplate
  successfulJobsHistoryLimit failedJobsHistoryLimit
batch.v1.JobSpec parallelism completions activeDeadlineSeconds podFailurePolicy successPolicy backoffLimit
  backoffLimitPerIndex maxFailedIndexes selector manualSelector template ttlSecondsAfterFinished completionMode suspend
  podReplacementPolicy managedBy
core.v1.PodTemplateSpec metadata spec
core.v1.PodSpec volumes initContainers containers ephemeralContainers restartPolicy terminationGracePeriodSeconds
  activeDeadlineSeconds dnsPolicy nodeSelector serviceAccountName serviceAccount automountServiceAccountToken nodeName
  hostNetwork hostPID hostIPC shareProcessNamespace securityContext imagePullSecrets hostname subdomain affinity
  schedulerName tolerations hostAliases priorityClassName priority dnsConfig readinessGates runtimeClassName
  enableServiceLinks preemptionPolicy overhead topologySpreadConstraints setHostnameAsFQDN os hostUsers schedulingGates
  resourceClaims resources hostnameOverride
core.v1.PodStatus observedGeneration phase conditions message reason nominatedNodeName hostIP hostIPs podIP podIPs
  startTime initContainerStatuses containerStatuses qosClass ephemeralContainerStatuses resize resourceClaimStatuses
core.v1.PodCondition type observedGeneration status lastProbeTime lastTransitionTime reason message
core.v1.ContainerStatus name state lastState ready restartCount image imageID containerID started
core.v1.Container name image command args workingDir ports envFrom env resources resizePolicy restartPolicy
  restartPolicyRules volumeMounts volumeDevices livenessProbe readinessProbe startupProbe lifecycle
  terminationMessagePath terminationMessagePolicy imagePullPolicy securityContext stdin stdinOnce tty
core.v1.ContainerPort name hostPort containerPort protocol hostIP
core.v1.EnvVar name value valueFrom
core.v1.EnvVarSource fieldRef resourceFieldRef configMapKeyRef secretKeyRef fileKeyRef
core.v1.EnvFromSource prefix configMapRef secretRef
core.v1.ObjectFieldSelector apiVersion fieldPath
core.v1.ConfigMapKeySelector name key optional
core.v1.SecretKeySelector name key optional
core.v1.ResourceRequirements limits requests claims
core.v1.VolumeMount name readOnly recursiveReadOnly mountPath subPath mountPropagation subPathExpr
core.v1.Probe exec httpGet tcpSocket grpc initialDelaySeconds timeoutSeconds periodSeconds successThreshold
  failureThreshold terminationGracePeriodSeconds
core.v1.HTTPGetAction path port host scheme httpHeaders
core.v1.Toleration key operator value effect tolerationSeconds
core.v1.HostAlias ip hostnames
core.v1.TopologySpreadConstraint maxSkew topologyKey whenUnsatisfiable labelSelector minDomains nodeAffinityPolicy
  nodeTaintsPolicy matchLabelKeys
core.v1.Volume name hostPath emptyDir gcePersistentDisk awsElasticBlockStore gitRepo secret nfs iscsi glusterfs
  persistentVolumeClaim rbd flexVolume cinder cephfs flocker downwardAPI fc azureFile configMap vsphereVolume quobyte
  azureDisk photonPersistentDisk projected portworxVolume scaleIO storageos csi ephemeral image
core.v1.ConfigMapVolumeSource name items defaultMode optional
core.v1.SecretVolumeSource secretName items defaultMode optional
core.v1.ProjectedVolumeSource sources defaultMode
core.v1.VolumeProjection secret downwardAPI configMap serviceAccountToken clusterTrustBundle podCertificate
core.v1.ServiceAccountTokenProjection audience expirationSeconds path
core.v1.ConfigMapProjection name items optional
core.v1.DownwardAPIProjection items
core.v1.DownwardAPIVolumeFile path fieldRef resourceFieldRef mode
core.v1.EmptyDirVolumeSource medium sizeLimit
core.v1.HostPathVolumeSource path type
core.v1.KeyToPath key path mode
core.v1.ServiceSpec ports selector clusterIP clusterIPs type externalIPs sessionAffinity loadBalancerIP
  loadBalancerSourceRanges externalName externalTrafficPolicy healthCheckNodePort publishNotReadyAddresses
  sessionAffinityConfig ipFamilies ipFamilyPolicy allocateLoadBalancerNodePorts loadBalancerClass
  internalTrafficPolicy trafficDistribution
core.v1.ServicePort name protocol appProtocol port targetPort nodePort
core.v1.ServiceStatus loadBalancer conditions
core.v1.NodeSpec podCIDR podCIDRs providerID unschedulable taints configSource externalID
core.v1.Taint key value effect timeAdded
core.v1.NodeStatus capacity allocatable phase conditions addresses daemonEndpoints nodeInfo images volumesInUse
  volumesAttached config runtimeHandlers features declaredFeatures
core.v1.NodeCondition type status lastHeartbeatTime lastTransitionTime reason message
core.v1.NodeAddress type address
core.v1.NodeDaemonEndpoints kubeletEndpoint
core.v1.NodeSystemInfo machineID systemUUID bootID kernelVersion osImage containerRuntimeVersion kubeletVersion
  kubeProxyVersion operatingSystem architecture swap
core.v1.PersistentVolumeClaimSpec accessModes selector resources volumeName storageClassName volumeMode dataSource
  dataSourceRef volumeAttributesClassName
policy.v1.PodDisruptionBudgetSpec minAvailable selector maxUnavailable unhealthyPodEvictionPolicy
apiextensions.v1.CustomResourceDefinitionSpec group names scope versions conversion preserveUnknownFields
apiextensions.v1.CustomResourceDefinitionNames plural singular shortNames kind listKind categories
apiextensions.v1.CustomResourceDefinitionVersion name served storage deprecated deprecationWarning schema subresources
  additionalPrinterColumns selectableFields
apiextensions.v1.CustomResourceDefinitionStatus conditions acceptedNames storedVersions observedGeneration
apiextensions.v1.CustomResourceDefinitionCondition type status lastTransitionTime reason message observedGeneration
apiextensions.v1.CustomResourceConversion strategy webhook
"""
"""A definition and its fields, in the order of the struct."""
LAST = 1_000


def ordered(definition: str, names: Iterable[str]) -> list[str]:
    """Return field names in the order of the Go struct; those of a whole object come as they are there."""
    places = _places().get(definition)
    if places is None:
        return list(names)
    return sorted(names, key=lambda name: places.get(name, LAST))


@cache
def _places() -> dict[str, dict[str, int]]:
    """Read :data:`ORDER`."""
    out = {}
    for line in ORDER.strip().replace("\n  ", " ").splitlines():
        definition, *fields = line.split()
        out[definition] = {name: n for n, name in enumerate(fields)}
    return out
