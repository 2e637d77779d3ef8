"""kube-controller-manager: one file per controller, named as upstream names them.

This module only knows where each controller lives; a controller nobody asks for is not imported.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import TYPE_CHECKING

from kctl.runtime.flags import DEFAULT_FLAGS, Flags

if TYPE_CHECKING:
    from kctl.runtime.controller import Controller

CONTROLLERS = {
    "resourcequota-controller": "resourcequota:ResourceQuotaController",
    "serviceaccount-controller": "serviceaccount:ServiceAccountController",
    "serviceaccount-token-controller": "serviceaccounttoken:ServiceAccountTokenController",
    "root-ca-certificate-publisher-controller": "rootca:RootCAPublisher",
    "node-lifecycle-controller": "nodelifecycle:NodeLifecycleController",
    "ttl-controller": "nodettl:TTLController",
    "taint-eviction-controller": "tainteviction:TaintEvictionController",
    "device-taint-eviction-controller": "devicetainteviction:DeviceTaintEvictionController",
    "pod-garbage-collector-controller": "podgc:PodGarbageCollector",
    "persistentvolume-binder-controller": "pvbinder:PersistentVolumeBinder",
    "resourceclaim-controller": "resourceclaim:ResourceClaimController",
    "replicaset-controller": "replicaset:ReplicaSetController",
    "replicationcontroller-controller": "replication:ReplicationControllerController",
    "statefulset-controller": "statefulset:StatefulSetController",
    "daemonset-controller": "daemonset:DaemonSetController",
    "job-controller": "job:JobController",
    "ephemeral-volume-controller": "ephemeralvolume:EphemeralVolumeController",
    "persistentvolume-attach-detach-controller": "attachdetach:AttachDetachController",
    "deployment-controller": "deployment:DeploymentController",
    "cronjob-controller": "cronjob:CronJobController",
    "persistentvolume-expander-controller": "pvexpander:PersistentVolumeExpander",
    "horizontal-pod-autoscaler-controller": "podautoscaler:PodAutoscalerController",
    "disruption-controller": "disruption:DisruptionController",
    "endpoints-controller": "endpoints:EndpointsController",
    "endpointslice-controller": "endpointslice:EndpointSliceController",
    "endpointslice-mirroring-controller": "endpointslicemirroring:EndpointSliceMirroringController",
    "persistentvolumeclaim-protection-controller": "pvcprotection:PVCProtectionController",
    "persistentvolume-protection-controller": "pvprotection:PVProtectionController",
    "volumeattributesclass-protection-controller": "vacprotection:VACProtectionController",
    "service-cidr-controller": "servicecidr:ServiceCIDRController",
    "ttl-after-finished-controller": "ttlafterfinished:TTLAfterFinishedController",
    "garbage-collector-controller": "garbagecollector:GarbageCollector",
    "namespace-controller": "namespace:NamespaceController",
}
"""Canonical name to ``module:class`` in this package, in order of level."""

ALL = tuple(CONTROLLERS)

ABOUT: dict[str, tuple[str, ...]] = {
    "device-taint-eviction-controller": ("resourceslices.resource.k8s.io",),
    "statefulset-controller": ("statefulsets.apps",),
    "daemonset-controller": ("daemonsets.apps",),
    "horizontal-pod-autoscaler-controller": ("horizontalpodautoscalers.autoscaling",),
    "resourceclaim-controller": tuple(
        f"{kind}.resource.k8s.io"
        for kind in ("resourceclaims", "resourceclaimtemplates", "deviceclasses", "resourceslices")
    ),
}
"""Controllers that have nothing to do while no object of some kinds exists, and those kinds."""


def build(names: Iterable[str] | None = None, flags: Flags = DEFAULT_FLAGS) -> list[Controller]:
    """Return the controllers of those names (None: all), in the order of :data:`ALL`, set by ``flags``.

    Names of other programs' controllers are passed over; the caller knows which are unknown.
    """
    wanted = set(ALL if names is None else names)
    return [_load(name, flags) for name in ALL if name in wanted]


def _load(name: str, flags: Flags) -> Controller:
    module, _, attribute = CONTROLLERS[name].partition(":")
    controller: Controller = getattr(import_module(f"{__name__}.{module}"), attribute)()
    controller.flags = flags
    return controller
