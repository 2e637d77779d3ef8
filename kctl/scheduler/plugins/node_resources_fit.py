"""NodeResourcesFit: room for the pod's requests; how full the node gets makes it better or worse.

Scores by one of three strategies: LeastAllocated (the default), MostAllocated, RequestedToCapacityRatio.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kctl.api.deviceclaims import CLASSES
from kctl.scheduler import shape as kernel
from kctl.scheduler.extension import Cycle, No
from kctl.scheduler.nodeinfo import NodeInfo
from kctl.scheduler.plugins.resource_scores import (
    CPU_AND_MEMORY,
    Resources,
    Shape,
    by_shape,
    least_allocated,
    left,
    most_allocated,
    uses,
)
from kctl.scheduler.requests import DEFAULTS, Amounts, Requests, total

NAME = "NodeResourcesFit"
Ignores = Callable[[str], bool]


class NodeResourcesFit:
    """Filters by resources and pod count, scores by cpu and memory or by what the arguments say."""

    name = NAME

    def __init__(
        self,
        *,
        strategy: str = "LeastAllocated",
        resources: Resources = CPU_AND_MEMORY,
        shape: Shape = (),
        ignored: frozenset[str] = frozenset(),
        ignored_groups: frozenset[str] = frozenset(),
    ) -> None:
        self._resources = resources
        self._ignored = ignored
        self._ignored_groups = ignored_groups
        self._is_plain = strategy == "LeastAllocated" and resources == CPU_AND_MEMORY
        strategies = {"LeastAllocated": least_allocated, "MostAllocated": most_allocated}
        self._scorer = strategies.get(strategy) or by_shape(shape)
        ignores = bool(ignored or ignored_groups)
        self.shape = kernel.Shape(
            kernel.PODS if ignores else kernel.ROOM, kernel.ROOM if self._is_plain else kernel.PODS
        )

    def filter(self, cycle: Cycle, node: NodeInfo) -> No | None:
        """Refuse a node without room, naming everything that is short."""
        asked = cycle.pod.requests
        if (
            len(node.pods) < node.allowed_pods
            and asked.cpu + node.cpu <= node.allocatable_cpu
            and asked.memory + node.memory <= node.allocatable_memory
            and asked.ephemeral + node.ephemeral <= node.allocatable_ephemeral
            and not asked.scalar
        ):
            return None
        short = insufficient(asked, node, self._ignores(cycle, node))
        if not short:
            return None
        return No(self.name, tuple(reason for reason, _ in short), any(never for _, never in short))

    def _ignores(self, cycle: Cycle, node: NodeInfo) -> Ignores | None:
        """Return what says which resources others look after: extenders, or DynamicResources where a node has devices."""
        mine = self._is_ignored if self._ignored or self._ignored_groups else None
        cluster = cycle.cluster
        if not cycle.pod.requests.scalar or not len(cluster.caches[CLASSES]):
            return mine

        def is_of_devices(name: str) -> bool:
            return not node.allocatable_scalar.get(name) and cluster.devices.backing(name) is not None

        return is_of_devices if mine is None else lambda name: mine(name) or is_of_devices(name)

    def _is_ignored(self, resource: str) -> bool:
        """Say whether an extended resource is somebody else's to look after."""
        from kctl.api.validation.resources import is_extended

        group = resource.partition("/")[0]
        return is_extended(resource) and (resource in self._ignored or group in self._ignored_groups)

    def score(self, cycle: Cycle, node: NodeInfo) -> int:
        """Return the mean over the resources, in integer percent."""
        if not self._is_plain:
            return self._scorer(uses(node, self._asked(cycle), self._resources, nonzero=True))
        asked = cycle.pod.requests
        parts = []
        if node.allocatable_cpu:
            parts.append(left(node.nonzero_cpu + asked.scored_cpu, node.allocatable_cpu))
        if node.allocatable_memory:
            parts.append(left(node.nonzero_memory + asked.scored_memory, node.allocatable_memory))
        return sum(parts) // len(parts) if parts else 0

    def _asked(self, cycle: Cycle) -> Amounts:
        """Return what the pod counts as while it is scored: this plugin does not look at pod-level resources."""
        found: Amounts | None = cycle.data.get(self.name)
        if found is None:
            found = cycle.data[self.name] = total(cycle.pod.obj, DEFAULTS, pod_level=False)
        return found


def insufficient(asked: Requests, node: NodeInfo, is_ignored: Ignores | None = None) -> list[tuple[str, bool]]:
    """Return what is short and whether even the empty node would not do, as fitsRequest."""
    short = []
    if len(node.pods) + 1 > node.allowed_pods:
        short.append(("Too many pods", False))
    resources: Sequence[tuple[str, int, int, int]] = (
        ("cpu", asked.cpu, node.cpu, node.allocatable_cpu),
        ("memory", asked.memory, node.memory, node.allocatable_memory),
        ("ephemeral-storage", asked.ephemeral, node.ephemeral, node.allocatable_ephemeral),
        *(
            (name, value, node.scalar.get(name, 0), node.allocatable_scalar.get(name, 0))
            for name, value in asked.scalar.items()
            if is_ignored is None or not is_ignored(name)
        ),
    )
    for name, wanted, used, capacity in resources:
        if wanted > 0 and wanted > capacity - used:
            short.append((f"Insufficient {name}", wanted > capacity))
    return short
