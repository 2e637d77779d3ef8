"""The roles that a kube-apiserver 1.36 makes at its start, and kctl's own, as data.

A line without indentation opens a role; ``->`` behind its name opens whom it is bound to (by a binding
of its name, or of that behind ``as``), ``+`` a label it is gathered by, ``=`` what it gathers.
Below it one line a rule: verbs, groups,
resources and, where limited, names; or ``url``, verbs and paths. ``core`` is the group without a
name. ``read`` and ``write`` are the verbs they mean, ``events`` is the rule by which all
components record Events. Facts of plugin/pkg/auth/authorizer/rbac/bootstrappolicy; the server
writes every list sorted.
"""

from __future__ import annotations

CLUSTER_ROLES = """
admin =admin
cluster-admin -> group:system:masters
  * * *
  url * *
edit =edit +admin
view =view +edit
system:aggregate-to-admin +admin
  create authorization.k8s.io localsubjectaccessreviews
  read,write rbac.authorization.k8s.io rolebindings,roles
system:aggregate-to-edit +edit
  read core pods/attach,pods/exec,pods/portforward,pods/proxy,secrets,services/proxy
  impersonate core serviceaccounts
  write core pods,pods/attach,pods/exec,pods/portforward,pods/proxy
  create core pods/eviction
  write core configmaps,persistentvolumeclaims,replicationcontrollers,replicationcontrollers/scale,secrets,serviceaccounts,services,services/proxy
  create core serviceaccounts/token
  write core,events.k8s.io events
  write apps daemonsets,deployments,deployments/rollback,deployments/scale,replicasets,replicasets/scale,statefulsets,statefulsets/scale
  write autoscaling horizontalpodautoscalers
  write batch cronjobs,jobs
  write extensions daemonsets,deployments,deployments/rollback,deployments/scale,ingresses,networkpolicies,replicasets,replicasets/scale,replicationcontrollers/scale
  write policy poddisruptionbudgets
  write networking.k8s.io ingresses,networkpolicies
  read,write coordination.k8s.io leases
  write resource.k8s.io resourceclaims,resourceclaimtemplates
system:aggregate-to-view +view
  read core configmaps,endpoints,persistentvolumeclaims,persistentvolumeclaims/status,pods,replicationcontrollers,replicationcontrollers/scale,serviceaccounts,services,services/status
  read core bindings,limitranges,namespaces/status,pods/log,pods/status,replicationcontrollers/status,resourcequotas,resourcequotas/status
  read core namespaces
  read core,events.k8s.io events
  read discovery.k8s.io endpointslices
  read apps controllerrevisions,daemonsets,daemonsets/status,deployments,deployments/scale,deployments/status,replicasets,replicasets/scale,replicasets/status,statefulsets,statefulsets/scale,statefulsets/status
  read autoscaling horizontalpodautoscalers,horizontalpodautoscalers/status
  read batch cronjobs,cronjobs/status,jobs,jobs/status
  read extensions daemonsets,daemonsets/status,deployments,deployments/scale,deployments/status,ingresses,ingresses/status,networkpolicies,replicasets,replicasets/scale,replicasets/status,replicationcontrollers/scale
  read policy poddisruptionbudgets,poddisruptionbudgets/status
  read networking.k8s.io ingresses,ingresses/status,networkpolicies
  read resource.k8s.io resourceclaims,resourceclaims/status,resourceclaimtemplates
system:auth-delegator
  create authentication.k8s.io tokenreviews
  create authorization.k8s.io subjectaccessreviews
system:basic-user -> group:system:authenticated
  create authorization.k8s.io selfsubjectaccessreviews,selfsubjectrulesreviews
  create authentication.k8s.io selfsubjectreviews
system:certificates.k8s.io:certificatesigningrequests:nodeclient
  create certificates.k8s.io certificatesigningrequests/nodeclient
system:certificates.k8s.io:certificatesigningrequests:selfnodeclient
  create certificates.k8s.io certificatesigningrequests/selfnodeclient
system:certificates.k8s.io:kube-apiserver-client-approver
  approve certificates.k8s.io signers kubernetes.io/kube-apiserver-client
system:certificates.k8s.io:kube-apiserver-client-kubelet-approver
  approve certificates.k8s.io signers kubernetes.io/kube-apiserver-client-kubelet
system:certificates.k8s.io:kubelet-serving-approver
  approve certificates.k8s.io signers kubernetes.io/kubelet-serving
system:certificates.k8s.io:legacy-unknown-approver
  approve certificates.k8s.io signers kubernetes.io/legacy-unknown
system:discovery -> group:system:authenticated
  url get /api,/api/*,/apis,/apis/*,/healthz,/livez,/openapi,/openapi/*,/readyz,/version,/version/
system:heapster
  read core events,namespaces,nodes,pods
  read extensions deployments
system:kube-aggregator
  read core endpoints,services
system:kube-controller-manager -> user:system:kube-controller-manager
  events
  create coordination.k8s.io leases
  get,update coordination.k8s.io leases kube-controller-manager
  create core secrets,serviceaccounts
  delete core secrets
  get core configmaps,namespaces,secrets,serviceaccounts
  update core secrets,serviceaccounts
  create authentication.k8s.io tokenreviews
  create authorization.k8s.io subjectaccessreviews
  list,watch * *
  create core serviceaccounts/token
system:kube-dns -> account:kube-dns
  list,watch core endpoints,services
system:kube-scheduler -> user:system:kube-scheduler
  events
  create coordination.k8s.io leases
  get,update coordination.k8s.io leases kube-scheduler
  read core nodes
  read,delete core pods
  create core bindings,pods/binding
  patch,update core pods/status
  read core replicationcontrollers,services
  read apps,extensions replicasets
  read apps statefulsets
  read policy poddisruptionbudgets
  read core persistentvolumeclaims,persistentvolumes
  create authentication.k8s.io tokenreviews
  create authorization.k8s.io subjectaccessreviews
  read storage.k8s.io csinodes
  read core namespaces
  read storage.k8s.io csidrivers
  read storage.k8s.io csistoragecapacities
  read storage.k8s.io volumeattachments
  read resource.k8s.io deviceclasses
  read,patch,update resource.k8s.io resourceclaims
  read,patch,update resource.k8s.io resourceclaims/status
  read,patch,update core pods/finalizers
  read resource.k8s.io resourceslices
  patch,update resource.k8s.io resourceclaims/binding
system:kubelet-api-admin
  read core nodes
  proxy core nodes
  * core nodes/configz,nodes/healthz,nodes/log,nodes/metrics,nodes/pods,nodes/proxy,nodes/stats
system:monitoring -> group:system:monitoring
  url get /healthz,/healthz/*,/livez,/livez/*,/metrics,/metrics/slis,/readyz,/readyz/*
system:node -> nobody
  create authentication.k8s.io tokenreviews
  create authorization.k8s.io localsubjectaccessreviews,subjectaccessreviews
  read core services
  create,read core nodes
  patch,update core nodes/status
  patch,update core nodes
  create,patch,update core events
  read core pods
  create,delete core pods
  patch,update core pods/status
  create core pods/eviction
  read core configmaps,secrets
  get core persistentvolumeclaims,persistentvolumes
  get core endpoints
  create,read certificates.k8s.io certificatesigningrequests
  create,delete,get,patch,update coordination.k8s.io leases
  get storage.k8s.io volumeattachments
  create core serviceaccounts/token
  get,patch,update core persistentvolumeclaims/status
  read storage.k8s.io csidrivers
  create,delete,get,patch,update storage.k8s.io csinodes
  read node.k8s.io runtimeclasses
  get resource.k8s.io resourceclaims
  deletecollection resource.k8s.io resourceslices
  create,delete,patch,read,update resource.k8s.io resourceslices
system:node-bootstrapper
  create,read certificates.k8s.io certificatesigningrequests
system:node-problem-detector
  get core nodes
  patch core nodes/status
  events
system:node-proxier -> user:system:kube-proxy
  list,watch core endpoints,services
  read core nodes
  events
  list,watch networking.k8s.io servicecidrs
  list,watch discovery.k8s.io endpointslices
system:persistent-volume-provisioner
  create,delete,read core persistentvolumes
  read,update core persistentvolumeclaims
  read storage.k8s.io storageclasses
  watch core events
  events
system:public-info-viewer -> group:system:authenticated,group:system:unauthenticated
  url get /healthz,/livez,/readyz,/version,/version/
system:service-account-issuer-discovery -> group:system:serviceaccounts
  url get /.well-known/openid-configuration,/openid/v1/jwks
system:volume-scheduler -> user:system:kube-scheduler
  read,patch,update core persistentvolumes
  read storage.k8s.io storageclasses
  read,patch,update core persistentvolumeclaims
"""

CONTROLLER_ROLES = """
attachdetach-controller
  list,watch core persistentvolumeclaims,persistentvolumes
  read core nodes
  patch,update core nodes/status
  list,watch core pods
  events
  create,delete,read storage.k8s.io volumeattachments
  read storage.k8s.io csidrivers
  read storage.k8s.io csinodes
certificate-controller
  delete,read certificates.k8s.io certificatesigningrequests
  update certificates.k8s.io certificatesigningrequests/approval,certificatesigningrequests/status
  approve certificates.k8s.io signers kubernetes.io/kube-apiserver-client-kubelet
  sign certificates.k8s.io signers kubernetes.io/kube-apiserver-client,kubernetes.io/kube-apiserver-client-kubelet,kubernetes.io/kubelet-serving,kubernetes.io/legacy-unknown
  create authorization.k8s.io subjectaccessreviews
  events
clusterrole-aggregation-controller
  escalate,patch,read,update rbac.authorization.k8s.io clusterroles
cronjob-controller
  read,update batch cronjobs
  create,delete,patch,read,update batch jobs
  update batch cronjobs/status
  update batch cronjobs/finalizers
  delete,list,watch core pods
  events
daemon-set-controller
  read apps,extensions daemonsets
  update apps,extensions daemonsets/status
  update apps,extensions daemonsets/finalizers
  list,watch core nodes
  create,delete,list,patch,watch core pods
  create core pods/binding
  create,delete,patch,read,update apps controllerrevisions
  events
deployment-controller
  read,update apps,extensions deployments
  update apps,extensions deployments/status
  update apps,extensions deployments/finalizers
  create,delete,patch,read,update apps,extensions replicasets
  read,update core pods
  events
device-taint-eviction-controller
  delete,read core pods
  patch,update core pods/status
  read resource.k8s.io resourceclaims
  read resource.k8s.io resourceslices
  read resource.k8s.io deviceclasses
  events
disruption-controller
  read apps,extensions deployments
  read apps,extensions replicasets
  read core replicationcontrollers
  read policy poddisruptionbudgets
  read apps statefulsets
  update policy poddisruptionbudgets/status
  patch,update core pods/status
  get * */scale
  events
endpoint-controller
  read core pods,services
  create,delete,read,update core endpoints
  create core endpoints/restricted
  events
endpointslice-controller
  read core nodes,pods,services
  update core services/finalizers
  create,delete,read,update discovery.k8s.io endpointslices
  events
endpointslicemirroring-controller
  read core endpoints,services
  update core services/finalizers
  update core endpoints/finalizers
  create,delete,read,update discovery.k8s.io endpointslices
  events
ephemeral-volume-controller
  read core pods
  update core pods/finalizers
  create,read core persistentvolumeclaims
  events
expand-controller
  patch,read,update core persistentvolumes
  patch,update core persistentvolumeclaims/status
  read core persistentvolumeclaims
  events
generic-garbage-collector
  delete,patch,read,update * *
  events
horizontal-pod-autoscaler
  read autoscaling horizontalpodautoscalers
  update autoscaling horizontalpodautoscalers/status
  get,update * */scale
  list,watch core pods
  list,watch metrics.k8s.io pods
  read custom.metrics.k8s.io *
  read external.metrics.k8s.io *
  events
job-controller
  patch,read,update batch jobs
  update batch jobs/status
  update batch jobs/finalizers
  create,delete,list,patch,watch core pods
  events
legacy-service-account-token-cleaner
  get core configmaps kube-apiserver-legacy-service-account-token-tracking
  delete,patch core secrets
namespace-controller
  delete,read core namespaces
  update core namespaces/finalize,namespaces/status
  delete,deletecollection,read * *
node-controller
  delete,patch,read,update core nodes
  patch,update core nodes/status
  patch,update core pods/status
  delete,read core pods
  events
persistent-volume-binder
  create,delete,read,update core persistentvolumes
  update core persistentvolumes/status
  read,update core persistentvolumeclaims
  update core persistentvolumeclaims/status
  create,delete,read core pods
  read storage.k8s.io storageclasses
  list,watch core nodes
  events
  watch core events
pod-garbage-collector
  delete,list,watch core pods
  read core nodes
  patch core pods/status
pv-protection-controller
  read,update core persistentvolumes
  events
pvc-protection-controller
  read,update core persistentvolumeclaims
  update core persistentvolumeclaims/status
  read core pods
  events
replicaset-controller
  read,update apps,extensions replicasets
  update apps,extensions replicasets/status
  update apps,extensions replicasets/finalizers
  create,delete,list,patch,watch core pods
  events
replication-controller
  read,update core replicationcontrollers
  update core replicationcontrollers/status
  update core replicationcontrollers/finalizers
  create,delete,list,patch,watch core pods
  events
resource-claim-controller
  read core pods
  update core pods/finalizers
  create,delete,read resource.k8s.io resourceclaims
  patch,update resource.k8s.io resourceclaims,resourceclaims/status
  patch,update core pods/status
  events
  patch,update resource.k8s.io resourceclaims/binding
resourcequota-controller
  list,watch * *
  update core resourcequotas/status
  events
root-ca-cert-publisher
  create,update core configmaps
  events
route-controller
  list,watch core nodes
  patch core nodes/status
  events
selinux-warning-controller
  events
  read core persistentvolumes
  read core persistentvolumeclaims
  read core pods
  read storage.k8s.io csidrivers
service-account-controller
  create core serviceaccounts
  events
service-cidrs-controller
  patch,read,update networking.k8s.io servicecidrs
  patch,update networking.k8s.io servicecidrs/finalizers
  patch,update networking.k8s.io servicecidrs/status
  read networking.k8s.io ipaddresses
  events
service-controller
  read core services
  patch,update core services/status
  list,watch core nodes
  events
statefulset-controller
  list,watch core pods
  read apps statefulsets
  update apps statefulsets/status
  update apps statefulsets/finalizers
  create,delete,get,patch,update core pods
  create,delete,patch,read,update apps controllerrevisions
  create,read core persistentvolumeclaims
  delete,update core persistentvolumeclaims
  update core pods/finalizers
  events
ttl-after-finished-controller
  delete,read batch jobs
  events
ttl-controller
  list,patch,update,watch core nodes
  events
validatingadmissionpolicy-status-controller
  read admissionregistration.k8s.io validatingadmissionpolicies
  get,patch,update admissionregistration.k8s.io validatingadmissionpolicies/status
  events
volumeattributesclass-protection-controller
  read core persistentvolumeclaims
  read core persistentvolumes
  read,update storage.k8s.io volumeattributesclasses
  events
"""
"""``system:controller:<name>`` each, bound to the ServiceAccount of that name in kube-system."""

ROLES = """
kube-public system:controller:bootstrap-signer -> account:bootstrap-signer
  read core configmaps
  update core configmaps cluster-info
  events
kube-system extension-apiserver-authentication-reader as system::extension-apiserver-authentication-reader -> user:system:kube-controller-manager,user:system:kube-scheduler
  read core configmaps extension-apiserver-authentication
kube-system system::leader-locking-kube-controller-manager -> user:system:kube-controller-manager,account:kube-controller-manager
  watch core configmaps
  get,update core configmaps kube-controller-manager
kube-system system::leader-locking-kube-scheduler -> user:system:kube-scheduler,account:kube-scheduler
  watch core configmaps
  get,update core configmaps kube-scheduler
kube-system system:controller:bootstrap-signer -> account:bootstrap-signer
  read core secrets
kube-system system:controller:cloud-provider -> account:cloud-provider
  create,read core configmaps
kube-system system:controller:token-cleaner -> account:token-cleaner
  delete,read core secrets
  events
"""

OWN_ROLES = """
kctl:cloud-controller-manager -> account:cloud-node-controller,account:cloud-node-lifecycle-controller,account:service-controller
  read,update core services
  delete,patch,read,update core nodes
  patch,update core nodes/status
  create,delete,read,update cloud.kctl.dev instances,loadbalancers
  update cloud.kctl.dev instances/status,loadbalancers/status
  events
kctl:attach-detach-controller -> account:attachdetach-controller
  patch storage.k8s.io volumeattachments
kctl:cloud-storage-controller -> account:cloud-storage-controller
  create,read storage.k8s.io csidrivers,storageclasses
kctl:csi-attacher -> account:csi-attacher
  read,update storage.k8s.io volumeattachments
  update storage.k8s.io volumeattachments/status
kctl:csi-provisioner -> account:csi-provisioner
  create,delete,read,update core persistentvolumes
  read,update core persistentvolumeclaims
  read core nodes
  read storage.k8s.io storageclasses,volumeattachments
  create,delete,read,update cloud.kctl.dev volumes
  update cloud.kctl.dev volumes/status
  events
kctl:csi-resizer -> account:csi-resizer
  read,update core persistentvolumes
  read core persistentvolumeclaims
  update core persistentvolumeclaims/status
  events
kctl:components -> group:system:serviceaccounts:kube-system,group:system:nodes,user:system:kube-scheduler,user:system:kube-controller-manager
  get core events
kctl:controllers -> group:system:serviceaccounts:kube-system
  get core pods
kctl:converger -> user:system:kube-controller-manager
  get,patch,update coordination.k8s.io leases kctl-converger
kctl:deployment-controller -> account:deployment-controller
  patch apps deployments/status
kctl:device-scheduling -> user:system:kube-scheduler
  create,delete resource.k8s.io resourceclaims
kctl:namespace-controller -> account:namespace-controller
  patch core namespaces/status
kctl:node -> group:system:nodes
  read core namespaces
  read cloud.kctl.dev instances
  update cloud.kctl.dev instances/status
  create,get,update storage.k8s.io csinodes
kctl:scenario -> user:system:kctl:scenario
  * * *
kctl:protection -> account:pv-protection-controller,account:pvc-protection-controller
  patch core persistentvolumeclaims,persistentvolumes
kctl:vac-protection -> account:volumeattributesclass-protection-controller
  patch storage.k8s.io volumeattributesclasses
"""
"""What kctl's components need beyond upstream's: a cloud of its own; Events and pods they read instead of remembering them;
and a patch where upstream's controller sends the whole object."""
