"""Every kind that a default kube-apiserver 1.36 serves, and kctl's own, as data.

A line without indentation opens a group version (``v1`` is the core group); below it one line
a kind: ``plural Kind scope short names categories verbs subresources``. ``-`` stands for
nothing, ``*`` for the eight verbs of a full resource. The order is that of the server's
discovery, where the earlier one wins a name that several groups share (``events``).

Kinds of beta and alpha versions are not here, because a default server does not serve them.
"""

from __future__ import annotations

FULL = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
"""The verbs of ``*``."""

READ_WRITE = ("get", "patch", "update")
"""The verbs of a subresource unless :data:`SUBRESOURCES` says otherwise."""

TABLE = """
v1
  bindings Binding ns - - create -
  componentstatuses ComponentStatus cluster cs - get,list -
  configmaps ConfigMap ns cm - * -
  endpoints Endpoints ns ep - * -
  events Event ns ev - * -
  limitranges LimitRange ns limits - * -
  namespaces Namespace cluster ns - create,delete,get,list,patch,update,watch finalize,status
  nodes Node cluster no - * proxy,status
  persistentvolumeclaims PersistentVolumeClaim ns pvc - * status
  persistentvolumes PersistentVolume cluster pv - * status
  pods Pod ns po all * attach,binding,ephemeralcontainers,eviction,exec,log,portforward,proxy,resize,status
  podtemplates PodTemplate ns - - * -
  replicationcontrollers ReplicationController ns rc all * scale,status
  resourcequotas ResourceQuota ns quota - * status
  secrets Secret ns - - * -
  serviceaccounts ServiceAccount ns sa - * token
  services Service ns svc all * proxy,status
apiregistration.k8s.io/v1
  apiservices APIService cluster - api-extensions * status
apps/v1
  controllerrevisions ControllerRevision ns - - * -
  daemonsets DaemonSet ns ds all * status
  deployments Deployment ns deploy all * scale,status
  replicasets ReplicaSet ns rs all * scale,status
  statefulsets StatefulSet ns sts all * scale,status
events.k8s.io/v1
  events Event ns ev - * -
authentication.k8s.io/v1
  selfsubjectreviews SelfSubjectReview cluster - - create -
  tokenreviews TokenReview cluster - - create -
authorization.k8s.io/v1
  localsubjectaccessreviews LocalSubjectAccessReview ns - - create -
  selfsubjectaccessreviews SelfSubjectAccessReview cluster - - create -
  selfsubjectrulesreviews SelfSubjectRulesReview cluster - - create -
  subjectaccessreviews SubjectAccessReview cluster - - create -
autoscaling/v2
  horizontalpodautoscalers HorizontalPodAutoscaler ns hpa all * status
autoscaling/v1
  horizontalpodautoscalers HorizontalPodAutoscaler ns hpa all * status
batch/v1
  cronjobs CronJob ns cj all * status
  jobs Job ns - all * status
certificates.k8s.io/v1
  certificatesigningrequests CertificateSigningRequest cluster csr - * approval,status
networking.k8s.io/v1
  ingressclasses IngressClass cluster - - * -
  ingresses Ingress ns ing - * status
  ipaddresses IPAddress cluster ip - * -
  networkpolicies NetworkPolicy ns netpol - * -
  servicecidrs ServiceCIDR cluster - - * status
policy/v1
  poddisruptionbudgets PodDisruptionBudget ns pdb - * status
rbac.authorization.k8s.io/v1
  clusterrolebindings ClusterRoleBinding cluster - - * -
  clusterroles ClusterRole cluster - - * -
  rolebindings RoleBinding ns - - * -
  roles Role ns - - * -
storage.k8s.io/v1
  csidrivers CSIDriver cluster - - * -
  csinodes CSINode cluster - - * -
  csistoragecapacities CSIStorageCapacity ns - - * -
  storageclasses StorageClass cluster sc - * -
  volumeattachments VolumeAttachment cluster - - * status
  volumeattributesclasses VolumeAttributesClass cluster vac - * -
admissionregistration.k8s.io/v1
  mutatingadmissionpolicies MutatingAdmissionPolicy cluster - api-extensions * -
  mutatingadmissionpolicybindings MutatingAdmissionPolicyBinding cluster - api-extensions * -
  mutatingwebhookconfigurations MutatingWebhookConfiguration cluster - api-extensions * -
  validatingadmissionpolicies ValidatingAdmissionPolicy cluster - api-extensions * status
  validatingadmissionpolicybindings ValidatingAdmissionPolicyBinding cluster - api-extensions * -
  validatingwebhookconfigurations ValidatingWebhookConfiguration cluster - api-extensions * -
apiextensions.k8s.io/v1
  customresourcedefinitions CustomResourceDefinition cluster crd,crds api-extensions * status
scheduling.k8s.io/v1
  priorityclasses PriorityClass cluster pc - * -
coordination.k8s.io/v1
  leases Lease ns - - * -
node.k8s.io/v1
  runtimeclasses RuntimeClass cluster - - * -
discovery.k8s.io/v1
  endpointslices EndpointSlice ns - - * -
resource.k8s.io/v1
  deviceclasses DeviceClass cluster - - * -
  resourceclaims ResourceClaim ns - - * status
  resourceclaimtemplates ResourceClaimTemplate ns - - * -
  resourceslices ResourceSlice cluster - - * -
flowcontrol.apiserver.k8s.io/v1
  flowschemas FlowSchema cluster - - * status
  prioritylevelconfigurations PriorityLevelConfiguration cluster - - * status
kctl.dev/v1
  intents Intent cluster - - * status
  inventories Inventory cluster - - * -
  renderedsets RenderedSet cluster - - * -
cloud.kctl.dev/v1
  instances Instance cluster - - * status
  loadbalancers LoadBalancer cluster - - * status
  volumes Volume cluster - - * status
sim.kctl.dev/v1
  scenarios Scenario cluster - - * status
"""

SUBRESOURCES = """
nodes/proxy v1 NodeProxyOptions create,delete,get,patch,update
pods/attach v1 PodAttachOptions create,get
pods/exec v1 PodExecOptions create,get
pods/portforward v1 PodPortForwardOptions create,get
pods/proxy v1 PodProxyOptions create,delete,get,patch,update
services/proxy v1 ServiceProxyOptions create,delete,get,patch,update
pods/binding v1 Binding create
pods/eviction policy/v1 Eviction create
pods/log v1 Pod get
namespaces/finalize v1 Namespace update
serviceaccounts/token authentication.k8s.io/v1 TokenRequest create
replicationcontrollers/scale autoscaling/v1 Scale get,patch,update
deployments/scale autoscaling/v1 Scale get,patch,update
replicasets/scale autoscaling/v1 Scale get,patch,update
statefulsets/scale autoscaling/v1 Scale get,patch,update
"""
"""The subresources whose body is another kind, or whose verbs are not ``get, patch, update``."""

STORED_AS = {"events.events.k8s.io": "events"}
"""Resources that are another view of the same stored objects."""
