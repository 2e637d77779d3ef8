"""The register's first half: what kctl computes for each kind, and where it departs from upstream.

A line a kind: ``=`` simulated, ``~`` accepted (stored and validated, no consequence computed).
For an accepted kind the note says what is missing. Fields stand in
:mod:`kctl.api.register_fields`.
"""

from __future__ import annotations

KINDS = """
= bindings: binds a pod
~ componentstatuses: always empty; upstream deprecates them
= configmaps
= endpoints
= events
= limitranges
= namespaces
= nodes
= persistentvolumeclaims: provisioned for by the driver of the local cloud alone
= persistentvolumes: recycled without a pod; those of other CSI drivers are attached and mounted at once
= pods
~ podtemplates: data for other tools; no controller reads them upstream either
= replicationcontrollers
= resourcequotas
= secrets: tokens of ServiceAccounts are of the newer form, and good only while their Secret is there
= serviceaccounts
= services
~ apiservices.apiregistration.k8s.io: requests are not passed on to other API servers
= controllerrevisions.apps
= daemonsets.apps
= deployments.apps
= replicasets.apps
= statefulsets.apps
= events.events.k8s.io
= selfsubjectreviews.authentication.k8s.io
= tokenreviews.authentication.k8s.io
= localsubjectaccessreviews.authorization.k8s.io
= selfsubjectaccessreviews.authorization.k8s.io
= selfsubjectrulesreviews.authorization.k8s.io
= subjectaccessreviews.authorization.k8s.io
= horizontalpodautoscalers.autoscaling: pods use what annotations or a Scenario say; where nothing is said there is no metrics API
= cronjobs.batch
= jobs.batch
~ certificatesigningrequests.certificates.k8s.io: neither approved nor signed
~ ingressclasses.networking.k8s.io: there is no ingress controller
~ ingresses.networking.k8s.io: there is no ingress controller; they get no address
= ipaddresses.networking.k8s.io: those of services are made for who reads them; nobody is told that they come and go
~ networkpolicies.networking.k8s.io: no traffic, so nothing is blocked
= servicecidrs.networking.k8s.io: IPv4; a range in use is known by the services that have addresses of it
= poddisruptionbudgets.policy
= clusterrolebindings.rbac.authorization.k8s.io
= clusterroles.rbac.authorization.k8s.io: aggregated in the request that changes one of them
= rolebindings.rbac.authorization.k8s.io
= roles.rbac.authorization.k8s.io
= csidrivers.storage.k8s.io
= csinodes.storage.k8s.io: written once there is a claim; the driver of the local cloud takes any number of volumes a node
= csistoragecapacities.storage.k8s.io
= storageclasses.storage.k8s.io: only the driver of the local cloud makes volumes; parameters mean nothing to it
= volumeattachments.storage.k8s.io: for the driver of the local cloud
~ volumeattributesclasses.storage.k8s.io: compared when claims are bound; volumes are not modified
= mutatingadmissionpolicies.admissionregistration.k8s.io
= mutatingadmissionpolicybindings.admissionregistration.k8s.io
~ mutatingwebhookconfigurations.admissionregistration.k8s.io: webhooks are not called; requests are treated by their failurePolicy
= validatingadmissionpolicies.admissionregistration.k8s.io
= validatingadmissionpolicybindings.admissionregistration.k8s.io
~ validatingwebhookconfigurations.admissionregistration.k8s.io: webhooks are not called; requests are treated by their failurePolicy
= customresourcedefinitions.apiextensions.k8s.io
= priorityclasses.scheduling.k8s.io
= leases.coordination.k8s.io
= runtimeclasses.node.k8s.io
= endpointslices.discovery.k8s.io
= deviceclasses.resource.k8s.io
= resourceclaims.resource.k8s.io: allocated by the scheduler; nothing prepares devices on nodes, they are taken to be ready
= resourceclaimtemplates.resource.k8s.io
= resourceslices.resource.k8s.io: no drivers run here: slices come from manifests and from node groups
~ flowschemas.flowcontrol.apiserver.k8s.io: requests are not queued
~ prioritylevelconfigurations.flowcontrol.apiserver.k8s.io: requests are not queued
= intents.kctl.dev
= inventories.kctl.dev
= renderedsets.kctl.dev
= instances.cloud.kctl.dev
= loadbalancers.cloud.kctl.dev
= volumes.cloud.kctl.dev
= scenarios.sim.kctl.dev
"""

CUSTOM = "no controller of this custom resource runs here"
"""The note for kinds that are not built in."""

DEVIATIONS = """
containers: nothing is run: what a container does is said by a scenario or by annotations sim.kctl.dev/...; of which
containers: nothing is said starts, answers its probes, runs for ever (of a Job for a second) and ends on SIGTERM with 0
containers: without a probe nobody sees that one is not ready; failed readiness probes are told once, not every period
images: every image that can be named exists unless a scenario or an annotation says else; no registry is asked
images: nodes list those whose size is declared, and keep them until the disk is 85 % full of what is declared, the
images: largest go first that no pod uses; others are there as long as one of their pods is
latencies: pull, start, stop, load balancer and volume times are round assumptions, not measurements; the range from
latencies: which the seed draws, or the rate of pulling, is what kctl.yaml says, and the same on every node
storage: the local cloud has a default StorageClass, standard, as GKE and AKS have one; it comes back when deleted
storage: open claims are looked at anew at whole multiples of the sync period, and only when something may have changed
storage: a pod looks whether its volumes are bound at whole seconds, and gives up after 600 s only when time is let pass
pods: those on a node that does not exist go 40 s after it is missed, where upstream looks every 20 s besides
nodes: heartbeats are facts, not writes: lastHeartbeatTime is that of the last change, and Leases of nodes are made
nodes: for who reads them; nobody is told that they are renewed, and they cannot be changed
nodes: one that is not heard of is unknown 50 s later to the second, where upstream looks every 5 s
nodes: pods may have all of a node's capacity, unless kctl.yaml says how the kubelets of its group are configured
nodes: only declared usage makes a node evict pods; no image is removed before, and there are no soft thresholds
nodes: a static pod runs where its mirror pod is; one deleted by force between two commands starts anew
nodes: a machine that goes down shuts its pods down first only where a scenario or an annotation says so
nodes: when a NoExecute taint came is noted in an annotation of the node, where upstream keeps it in memory
scheduling: every node is scored, where upstream samples above 100 nodes, unless percentageOfNodesToScore is configured
scheduling: ties go to the first node, or are drawn by the seed, where upstream draws at random
scheduling: nodes declare no features, and pods that need one are placed as if every node had it
scheduling: nodes are looked at one after another, as upstream's with parallelism 1; pods are not batched
scheduling: a pod that does not fit is tried again after 5 minutes only when time is let pass and something happened
names: generated suffixes derive from owner and number, where upstream draws at random
time: the clock is virtual and jumps from one event to the next
drains: of a scenario try a refused eviction again every 5 s only after a budget has changed
size: a run stops when there are 20,000 pods more than four times what the nodes have room for, and says so
time: nothing waits for the schedule of a CronJob or for the time to live of a Job; they come when time is let pass
events: are not removed after an hour
authorization: commands act as kubernetes-admin of system:masters, who may do everything
"""
"""Where kctl departs from a cluster with upstream's defaults, whatever the manifests say."""
