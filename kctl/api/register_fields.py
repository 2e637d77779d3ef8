"""The register's second half: the fields of simulated kinds, definition by definition.

Under a definition, lines begin with what kctl makes of the fields:

``=``  simulated: the consequences are computed
``.``  carried: for the process in the container or for people; a control plane does nothing with it
``~``  accepted: stored and validated, no consequence computed; the note says what is missing.
       ``field!value`` is not reported at its default ``value``
``x``  refused

A test goes through the schemas along the simulated fields and fails for one not mentioned here.
"""

from __future__ import annotations

FIELDS = """
core.v1.PodSpec
  = affinity containers hostNetwork imagePullSecrets initContainers nodeName nodeSelector overhead priority
  = resourceClaims
  = priorityClassName readinessGates restartPolicy runtimeClassName schedulingGates serviceAccount serviceAccountName
  = terminationGracePeriodSeconds tolerations topologySpreadConstraints volumes activeDeadlineSeconds preemptionPolicy
  . automountServiceAccountToken dnsConfig enableServiceLinks hostAliases hostIPC hostPID hostUsers hostnameOverride
  . securityContext setHostnameAsFQDN shareProcessNamespace dnsPolicy
  = hostname schedulerName subdomain
  ~ ephemeralContainers: they start at once, without a pull, and end only when an annotation says so
  ~ os: pods are not kept to nodes of their operating system
  ~ resources: pod-level resources do not count; those of the containers do
  ~ schedulingGroup: pods are scheduled one by one
admissionregistration.v1.ValidatingAdmissionPolicy
  . spec
admissionregistration.v1.ValidatingAdmissionPolicyBinding
  . spec
admissionregistration.v1.MutatingAdmissionPolicy
  . spec
admissionregistration.v1.MutatingAdmissionPolicyBinding
  . spec
apiextensions.v1.CustomResourceDefinition
  = spec
apiextensions.v1.CustomResourceDefinitionSpec
  = conversion
  . group names preserveUnknownFields scope versions
apiextensions.v1.CustomResourceConversion
  . strategy
  ~ webhook: conversion webhooks are not called: objects are served in the version they are stored in alone
core.v1.Container
  = image imagePullPolicy lifecycle livenessProbe name ports readinessProbe resources restartPolicy restartPolicyRules
  = startupProbe env envFrom resizePolicy
  . args command securityContext stdin stdinOnce terminationMessagePath terminationMessagePolicy tty volumeMounts
  . workingDir
  ~ volumeDevices: block devices are taken to be there
core.v1.Lifecycle
  = postStart preStop
  . stopSignal
core.v1.LifecycleHandler
  = sleep
  ~ exec: the hook succeeds and takes no time, unless a scenario or annotations say else
  ~ httpGet: the hook succeeds and takes no time, unless a scenario or annotations say else
  ~ tcpSocket: it is never connected to, as upstream
core.v1.SleepAction
  = seconds
core.v1.ContainerResizePolicy
  = resourceName restartPolicy
core.v1.ContainerRestartRule
  = action exitCodes
core.v1.ContainerRestartRuleOnExitCodes
  = operator values
core.v1.Probe
  = failureThreshold initialDelaySeconds periodSeconds successThreshold terminationGracePeriodSeconds
  . exec grpc httpGet tcpSocket timeoutSeconds
core.v1.ContainerPort
  = containerPort hostIP hostPort name protocol
core.v1.ResourceRequirements
  = limits requests
  . claims
core.v1.EnvVar
  = valueFrom
  . name value
core.v1.EnvVarSource
  = configMapKeyRef secretKeyRef
  . fieldRef resourceFieldRef
  ~ fileKeyRef: the file is taken to be there
core.v1.EnvFromSource
  = configMapRef secretRef
  . prefix
core.v1.ConfigMapKeySelector
  = key name optional
core.v1.SecretKeySelector
  = key name optional
core.v1.ConfigMapEnvSource
  = name optional
core.v1.SecretEnvSource
  = name optional
core.v1.LocalObjectReference
  = name
core.v1.Volume
  = configMap ephemeral name persistentVolumeClaim secret projected
  . downwardAPI emptyDir gitRepo
  ~ awsElasticBlockStore: no two pods of a node share one; taken to mount at once
  ~ azureDisk: taken to mount at once, on any node
  ~ azureFile: taken to mount at once
  ~ cephfs: taken to mount at once
  ~ cinder: taken to mount at once, on any node
  ~ csi: taken to mount at once
  ~ fc: taken to mount at once
  ~ flexVolume: taken to mount at once
  ~ flocker: taken to mount at once
  ~ gcePersistentDisk: pods of a node share one for reading only; taken to mount at once
  ~ glusterfs: taken to mount at once
  ~ hostPath: taken to be there, whatever its type
  ~ image: taken to be pulled at once
  ~ iscsi: pods of a node share one for reading only; taken to mount at once
  ~ nfs: taken to mount at once
  ~ photonPersistentDisk: taken to mount at once, on any node
  ~ portworxVolume: taken to mount at once
  ~ quobyte: taken to mount at once
  ~ rbd: pods of a node share one for reading only; taken to mount at once
  ~ scaleIO: taken to mount at once
  ~ storageos: taken to mount at once
  ~ vsphereVolume: taken to mount at once, on any node
core.v1.ConfigMapVolumeSource
  = name optional items
  . defaultMode
core.v1.SecretVolumeSource
  = secretName optional items
  . defaultMode
core.v1.KeyToPath
  = key
  . mode path
core.v1.ProjectedVolumeSource
  = sources
  . defaultMode
core.v1.VolumeProjection
  = configMap secret
  . downwardAPI serviceAccountToken
  ~ clusterTrustBundle: taken to be there
  ~ podCertificate: no certificate is issued
core.v1.ConfigMapProjection
  = name optional items
core.v1.SecretProjection
  = name optional items
core.v1.PodReadinessGate
  = conditionType
core.v1.PodSchedulingGate
  = name
core.v1.Affinity
  = nodeAffinity podAffinity podAntiAffinity
core.v1.NodeAffinity
  = preferredDuringSchedulingIgnoredDuringExecution requiredDuringSchedulingIgnoredDuringExecution
core.v1.PreferredSchedulingTerm
  = preference weight
core.v1.NodeSelector
  = nodeSelectorTerms
core.v1.NodeSelectorTerm
  = matchExpressions matchFields
core.v1.NodeSelectorRequirement
  = key operator values
core.v1.PodAffinity
  = preferredDuringSchedulingIgnoredDuringExecution requiredDuringSchedulingIgnoredDuringExecution
core.v1.PodAntiAffinity
  = preferredDuringSchedulingIgnoredDuringExecution requiredDuringSchedulingIgnoredDuringExecution
core.v1.WeightedPodAffinityTerm
  = podAffinityTerm weight
core.v1.PodAffinityTerm
  = labelSelector matchLabelKeys mismatchLabelKeys namespaceSelector namespaces topologyKey
core.v1.TopologySpreadConstraint
  = labelSelector matchLabelKeys maxSkew minDomains nodeAffinityPolicy nodeTaintsPolicy topologyKey whenUnsatisfiable
core.v1.Toleration
  = effect key operator tolerationSeconds value
core.v1.PodTemplateSpec
  = metadata spec
apps.v1.DeploymentSpec
  = minReadySeconds paused progressDeadlineSeconds replicas revisionHistoryLimit selector strategy template
apps.v1.DeploymentStrategy
  = rollingUpdate type
apps.v1.RollingUpdateDeployment
  = maxSurge maxUnavailable
apps.v1.ReplicaSetSpec
  = minReadySeconds replicas selector template
autoscaling.v1.HorizontalPodAutoscaler
  = spec
autoscaling.v1.HorizontalPodAutoscalerSpec
  = maxReplicas minReplicas scaleTargetRef targetCPUUtilizationPercentage
autoscaling.v1.CrossVersionObjectReference
  = apiVersion kind name
autoscaling.v2.HorizontalPodAutoscaler
  = spec
autoscaling.v2.HorizontalPodAutoscalerSpec
  = behavior maxReplicas metrics minReplicas scaleTargetRef
autoscaling.v2.HorizontalPodAutoscalerBehavior
  = scaleDown scaleUp
autoscaling.v2.HPAScalingRules
  = policies selectPolicy stabilizationWindowSeconds tolerance
autoscaling.v2.HPAScalingPolicy
  = periodSeconds type value
autoscaling.v2.MetricSpec
  = containerResource resource type
  ~ external: there is no external metrics API, so the metric cannot be had
  ~ object: there is no custom metrics API, so the metric cannot be had
  ~ pods: there is no custom metrics API, so the metric cannot be had
autoscaling.v2.ContainerResourceMetricSource
  = container name target
autoscaling.v2.ResourceMetricSource
  = name target
autoscaling.v2.MetricTarget
  = averageUtilization averageValue type value
autoscaling.v2.CrossVersionObjectReference
  = apiVersion kind name
policy.v1.PodDisruptionBudget
  = spec
policy.v1.PodDisruptionBudgetSpec
  = maxUnavailable minAvailable selector unhealthyPodEvictionPolicy
apps.v1.DaemonSet
  = spec
apps.v1.DaemonSetSpec
  = minReadySeconds revisionHistoryLimit selector template updateStrategy
apps.v1.DaemonSetUpdateStrategy
  = rollingUpdate type
apps.v1.RollingUpdateDaemonSet
  = maxSurge maxUnavailable
apps.v1.StatefulSetSpec
  = minReadySeconds ordinals persistentVolumeClaimRetentionPolicy podManagementPolicy replicas revisionHistoryLimit
  = selector serviceName template updateStrategy volumeClaimTemplates
apps.v1.StatefulSetOrdinals
  = start
apps.v1.StatefulSetPersistentVolumeClaimRetentionPolicy
  = whenDeleted whenScaled
apps.v1.StatefulSetUpdateStrategy
  = rollingUpdate type
apps.v1.RollingUpdateStatefulSetStrategy
  = partition
  x maxUnavailable: the API server drops it, as upstream's with the feature gate off; one pod is replaced at a time
batch.v1.CronJob
  = spec
batch.v1.CronJobSpec
  = concurrencyPolicy failedJobsHistoryLimit jobTemplate schedule startingDeadlineSeconds successfulJobsHistoryLimit
  = suspend timeZone
batch.v1.JobTemplateSpec
  = metadata spec
batch.v1.Job
  = spec
batch.v1.JobSpec
  = activeDeadlineSeconds backoffLimit backoffLimitPerIndex completionMode completions manualSelector maxFailedIndexes
  = parallelism podFailurePolicy podReplacementPolicy selector successPolicy suspend template ttlSecondsAfterFinished
  ~ managedBy!kubernetes.io/job-controller: the Job is left to the controller it names, and none such runs here
batch.v1.PodFailurePolicy
  = rules
batch.v1.PodFailurePolicyRule
  = action onExitCodes onPodConditions
batch.v1.PodFailurePolicyOnExitCodesRequirement
  = containerName operator values
batch.v1.PodFailurePolicyOnPodConditionsPattern
  = status type
batch.v1.SuccessPolicy
  = rules
batch.v1.SuccessPolicyRule
  = succeededCount succeededIndexes
core.v1.ServiceSpec
  = allocateLoadBalancerNodePorts clusterIP clusterIPs healthCheckNodePort loadBalancerClass loadBalancerIP
  = loadBalancerSourceRanges ports publishNotReadyAddresses selector trafficDistribution type
  . externalName
  ~ externalIPs: no traffic is routed to them
  ~ externalTrafficPolicy!Cluster: no traffic is routed
  ~ internalTrafficPolicy!Cluster: no traffic is routed
  ~ ipFamilies: services have one address, of IPv4
  ~ ipFamilyPolicy!SingleStack: services have one address, of IPv4
  ~ sessionAffinity!None: no traffic is routed
  ~ sessionAffinityConfig: no traffic is routed
core.v1.ServicePort
  = name nodePort port protocol targetPort
  . appProtocol
core.v1.NodeSpec
  = podCIDR podCIDRs providerID taints unschedulable
  . externalID
  ~ configSource: removed upstream
core.v1.Taint
  = effect key value timeAdded
core.v1.NamespaceSpec
  = finalizers
core.v1.Namespace
  = spec
core.v1.Node
  = spec
core.v1.Pod
  = spec
core.v1.Service
  = spec
core.v1.ConfigMap
  = binaryData data immutable
core.v1.Secret
  = data immutable stringData type
core.v1.LimitRange
  = spec
core.v1.LimitRangeSpec
  = limits
core.v1.LimitRangeItem
  = default defaultRequest max maxLimitRequestRatio min type
core.v1.ResourceQuota
  = spec
core.v1.ResourceQuotaSpec
  = hard scopeSelector scopes
core.v1.ScopeSelector
  = matchExpressions
core.v1.ScopedResourceSelectorRequirement
  = operator scopeName values
core.v1.ServiceAccount
  = imagePullSecrets
  . automountServiceAccountToken secrets
core.v1.Binding
  = target
core.v1.ObjectReference
  = apiVersion kind name namespace
  . fieldPath resourceVersion uid
core.v1.Event
  . action count eventTime firstTimestamp involvedObject lastTimestamp message reason related reportingComponent
  . reportingInstance series source type
events.v1.Event
  . action deprecatedCount deprecatedFirstTimestamp deprecatedLastTimestamp deprecatedSource eventTime note reason
  . regarding related reportingController reportingInstance series type
apps.v1.Deployment
  = spec
apps.v1.ReplicaSet
  = spec
apps.v1.ControllerRevision
  = data revision
apps.v1.StatefulSet
  = spec
core.v1.ReplicationController
  = spec
core.v1.ReplicationControllerSpec
  = minReadySeconds replicas selector template
core.v1.Endpoints
  = subsets
core.v1.EndpointSubset
  = addresses notReadyAddresses ports
core.v1.EndpointAddress
  = hostname ip nodeName targetRef
core.v1.EndpointPort
  = appProtocol name port protocol
scheduling.v1.PriorityClass
  = globalDefault preemptionPolicy value
  . description
node.v1.RuntimeClass
  = overhead scheduling
  . handler
node.v1.Overhead
  = podFixed
node.v1.Scheduling
  = nodeSelector tolerations
coordination.v1.Lease
  = spec
coordination.v1.LeaseSpec
  = acquireTime holderIdentity leaseDurationSeconds leaseTransitions renewTime
  . preferredHolder strategy
discovery.v1.EndpointSlice
  = addressType endpoints ports
discovery.v1.Endpoint
  = addresses conditions hints hostname nodeName targetRef zone
  . deprecatedTopology
discovery.v1.EndpointConditions
  = ready serving terminating
discovery.v1.EndpointHints
  . forNodes forZones
discovery.v1.EndpointPort
  = name port protocol
  . appProtocol
authorization.v1.LocalSubjectAccessReview
  . spec
authorization.v1.SelfSubjectAccessReview
  . spec
authorization.v1.SelfSubjectRulesReview
  . spec
authorization.v1.SubjectAccessReview
  . spec
authentication.v1.TokenReview
  . spec
networking.v1.IPAddress
  = spec
networking.v1.IPAddressSpec
  = parentRef
networking.v1.ParentReference
  = group name namespace resource
networking.v1.ServiceCIDR
  = spec
networking.v1.ServiceCIDRSpec
  = cidrs
rbac.v1.AggregationRule
  = clusterRoleSelectors
rbac.v1.ClusterRole
  = aggregationRule rules
rbac.v1.ClusterRoleBinding
  = roleRef subjects
rbac.v1.PolicyRule
  = apiGroups nonResourceURLs resourceNames resources verbs
rbac.v1.Role
  = rules
rbac.v1.RoleBinding
  = roleRef subjects
rbac.v1.RoleRef
  = apiGroup kind name
rbac.v1.Subject
  = apiGroup kind name namespace
authentication.v1.SelfSubjectReview
core.v1.PersistentVolumeClaimVolumeSource
  = claimName
  . readOnly
core.v1.EphemeralVolumeSource
  = volumeClaimTemplate
core.v1.PersistentVolumeClaimTemplate
  = metadata spec
core.v1.PersistentVolumeClaim
  = spec
core.v1.PersistentVolumeClaimSpec
  = accessModes resources selector storageClassName volumeMode volumeName
  ~ dataSource: the volume is made empty
  ~ dataSourceRef: the volume is made empty
  ~ volumeAttributesClassName: compared when the claim is bound; the volume is not modified
core.v1.VolumeResourceRequirements
  = limits requests
core.v1.PersistentVolume
  = spec
core.v1.PersistentVolumeSpec
  = accessModes capacity claimRef csi hostPath local nfs nodeAffinity persistentVolumeReclaimPolicy storageClassName
  = volumeMode
  . mountOptions
  ~ awsElasticBlockStore: not translated for a CSI driver; taken to mount at once
  ~ azureDisk: not translated for a CSI driver; taken to mount at once
  ~ azureFile: not translated for a CSI driver; taken to mount at once
  ~ cephfs: taken to mount at once
  ~ cinder: not translated for a CSI driver; taken to mount at once
  ~ fc: taken to mount at once
  ~ flexVolume: taken to mount at once
  ~ flocker: taken to mount at once
  ~ gcePersistentDisk: not translated for a CSI driver; taken to mount at once
  ~ glusterfs: taken to mount at once
  ~ iscsi: taken to mount at once
  ~ photonPersistentDisk: taken to mount at once
  ~ portworxVolume: not translated for a CSI driver; taken to mount at once
  ~ quobyte: taken to mount at once
  ~ rbd: taken to mount at once
  ~ scaleIO: taken to mount at once
  ~ storageos: taken to mount at once
  ~ volumeAttributesClassName: compared when the volume is bound; the volume is not modified
  ~ vsphereVolume: not translated for a CSI driver; taken to mount at once
core.v1.CSIPersistentVolumeSource
  = driver volumeHandle
  . controllerExpandSecretRef controllerPublishSecretRef fsType nodeExpandSecretRef nodePublishSecretRef
  . nodeStageSecretRef readOnly volumeAttributes
core.v1.LocalVolumeSource
  . fsType path
core.v1.NFSVolumeSource
  . path readOnly server
core.v1.HostPathVolumeSource
  = path
  . type
core.v1.VolumeNodeAffinity
  = required
core.v1.ObjectReference
  = apiVersion kind name namespace resourceVersion uid
  . fieldPath
storage.v1.StorageClass
  = allowVolumeExpansion allowedTopologies provisioner reclaimPolicy volumeBindingMode
  . mountOptions parameters
core.v1.TopologySelectorTerm
  = matchLabelExpressions
core.v1.TopologySelectorLabelRequirement
  = key values
storage.v1.VolumeAttachment
  = spec
storage.v1.VolumeAttachmentSpec
  = attacher nodeName source
storage.v1.VolumeAttachmentSource
  = persistentVolumeName
  ~ inlineVolumeSpec: only volumes that are objects are counted
storage.v1.CSINode
  = spec
storage.v1.CSINodeSpec
  = drivers
storage.v1.CSINodeDriver
  = allocatable name
  . nodeID
  ~ topologyKeys: volumes of the local cloud are made per zone, whatever is listed
storage.v1.VolumeNodeResources
  = count
storage.v1.CSIDriver
  = spec
storage.v1.CSIDriverSpec
  = storageCapacity
  . fsGroupPolicy podInfoOnMount requiresRepublish seLinuxMount serviceAccountTokenInSecrets tokenRequests
  . volumeLifecycleModes
  ~ attachRequired: the driver of the local cloud attaches its volumes, others are taken to need none
  ~ nodeAllocatableUpdatePeriodSeconds: nobody updates the counts of a CSINode
  ~ preventPodSchedulingIfMissing: beta, and off by default
storage.v1.CSIStorageCapacity
  = capacity maximumVolumeSize nodeTopology storageClassName
core.v1.PodResourceClaim
  = name resourceClaimName resourceClaimTemplateName
"""
"""Metadata, status and the definitions of meta/v1 are the API server's business and not listed."""
