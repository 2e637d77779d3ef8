"""The default profile of Kubernetes 1.36: plugins in upstream's MultiPoint order, with weights.

Left out, and in the register: VolumeRestrictions, NodeVolumeLimits, VolumeBinding and VolumeZone, so volumes
neither restrict nor bind anything here; DynamicResources is recognised only.
"""

from __future__ import annotations

from kctl.scheduler.framework import Framework
from kctl.scheduler.plugins.default_binder import DefaultBinder
from kctl.scheduler.plugins.default_preemption import DefaultPreemption
from kctl.scheduler.plugins.dynamic_resources import DynamicResources
from kctl.scheduler.plugins.image_locality import ImageLocality
from kctl.scheduler.plugins.inter_pod_affinity import InterPodAffinity
from kctl.scheduler.plugins.node_affinity import NodeAffinity
from kctl.scheduler.plugins.node_name import NodeName
from kctl.scheduler.plugins.node_ports import NodePorts
from kctl.scheduler.plugins.node_resources_balanced_allocation import NodeResourcesBalancedAllocation
from kctl.scheduler.plugins.node_resources_fit import NodeResourcesFit
from kctl.scheduler.plugins.node_unschedulable import NodeUnschedulable
from kctl.scheduler.plugins.pod_topology_spread import PodTopologySpread
from kctl.scheduler.plugins.priority_sort import PrioritySort
from kctl.scheduler.plugins.scheduling_gates import SchedulingGates
from kctl.scheduler.plugins.taint_toleration import TaintToleration

WEIGHTS = {
    "TaintToleration": 3,
    "NodeAffinity": 2,
    "PodTopologySpread": 2,
    "InterPodAffinity": 2,
    "DynamicResources": 2,
}
"""Plugins not named weigh 1."""


def default_profile() -> Framework:
    """Return the framework with the default plugins."""
    plugins = (
        SchedulingGates(),
        PrioritySort(),
        NodeUnschedulable(),
        NodeName(),
        TaintToleration(),
        NodeAffinity(),
        NodePorts(),
        NodeResourcesFit(),
        PodTopologySpread(),
        InterPodAffinity(),
        DynamicResources(),
        DefaultPreemption(),
        NodeResourcesBalancedAllocation(),
        ImageLocality(),
        DefaultBinder(),
    )
    return Framework(plugins, WEIGHTS)
