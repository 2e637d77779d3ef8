"""A profile's plugins, made and put in their places: what a configuration says, as a framework that runs.

In: a :class:`~kctl.scheduler.config.Profile`. Out: a :class:`~kctl.scheduler.framework.Framework`. Plugins that
a profile names and that are not in the table are not built: the register says which. DynamicResources
is recognised only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kctl.scheduler import ties
from kctl.scheduler.config import Configuration, Profile
from kctl.scheduler.config_plugins import EXTENDS
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
from kctl.scheduler.plugins.node_volume_limits import NodeVolumeLimits
from kctl.scheduler.plugins.pod_topology_spread import PodTopologySpread
from kctl.scheduler.plugins.priority_sort import PrioritySort
from kctl.scheduler.plugins.scheduling_gates import SchedulingGates
from kctl.scheduler.plugins.taint_toleration import TaintToleration
from kctl.scheduler.plugins.volume_binding import VolumeBinding
from kctl.scheduler.plugins.volume_restrictions import VolumeRestrictions
from kctl.scheduler.plugins.volume_zone import VolumeZone

CLASSES: tuple[Callable[..., Any], ...] = (
    SchedulingGates,
    PrioritySort,
    NodeUnschedulable,
    NodeName,
    TaintToleration,
    NodeAffinity,
    NodePorts,
    NodeResourcesFit,
    VolumeRestrictions,
    NodeVolumeLimits,
    VolumeBinding,
    VolumeZone,
    PodTopologySpread,
    InterPodAffinity,
    DynamicResources,
    DefaultPreemption,
    NodeResourcesBalancedAllocation,
    ImageLocality,
    DefaultBinder,
)
"""The plugins there are; each is made with the arguments that ``config_args.py`` reads for it."""


def default_profile() -> Framework:
    """Return the framework with the default plugins."""
    return build(Profile())


def frameworks(configuration: Configuration, seed: int = 0) -> dict[str, Framework]:
    """Return the framework of each scheduler, by its name."""
    return {profile.name: build(profile, ties.seeded(seed)) for profile in configuration.profiles}


def build(profile: Profile, pick: ties.Ties = ties.first) -> Framework:
    """Return the framework of a profile."""
    points = profile.points.plugins
    wanted = {name for names in points.values() for name in names}
    plugins = [make(**profile.args.get(name, {})) for make in CLASSES if (name := _name(make)) in wanted]
    return Framework(
        plugins,
        profile.points.weights,
        _points(points),
        name=profile.name,
        percentage=profile.percentage,
        pick=pick,
    )


def _name(make: Any) -> str:
    return str(make.name)


def _points(points: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Return the points with what plugins prepare here and not upstream beside what they prepare it for."""
    found = dict(points)
    for before, point in (("preFilter", "filter"), ("preScore", "score")):
        found[before] += tuple(name for name in points[point] if before not in EXTENDS[name])
    return found
