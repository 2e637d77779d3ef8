"""NodeAffinity: nodeSelector and node affinity, required and preferred.

The arguments may add an affinity that holds for every pod of the scheduler.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from kctl.api.objects import Obj
from kctl.scheduler.cluster import Cluster
from kctl.scheduler.extension import SKIP, Cycle, No, Skip
from kctl.scheduler.match import NodeMatch, node_selector, node_selector_term
from kctl.scheduler.nodeinfo import NodeInfo
from kctl.scheduler.plugins.taint_toleration import normalized
from kctl.scheduler.podinfo import PodInfo
from kctl.scheduler.shape import LABELS, Shape

if TYPE_CHECKING:
    from kctl.scheduler.hints import Event

REFUSAL = No("NodeAffinity", ("node(s) didn't match Pod's node affinity/selector",), True)
ENFORCED = No("NodeAffinity", ("node(s) didn't match scheduler-enforced node affinity",), True)
CONFLICT = No("NodeAffinity", ("pod affinity terms conflict",), True)
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


class NodeAffinity:
    """Filters by required terms, scores by preferred ones."""

    name = "NodeAffinity"
    shape = Shape(filters=LABELS, scores=LABELS)

    def __init__(self, *, added: Obj | None = None) -> None:
        required = (added or {}).get(REQUIRED)
        self.enforced: NodeMatch | None = None if required is None else node_selector(required)
        """What every node must match."""
        self._preferred = preferences((added or {}).get(PREFERRED) or ())

    def hint(self, cluster: Cluster, pod: PodInfo, event: Event) -> bool | None:
        """Answer no for a node that the scheduler's own affinity rules out."""
        node = event.new_node
        if self.enforced is None or node is None or self.enforced(node.name, node.labels):
            return None
        return False

    def pre_filter(self, cycle: Cycle) -> No | Skip | frozenset[str] | None:
        """Step aside without demands; name the nodes when every term does."""
        pod = cycle.pod
        if pod.required_node_affinity is None and self.enforced is None:
            return SKIP
        terms = ((node_affinity(pod.spec).get(REQUIRED)) or {}).get("nodeSelectorTerms") or ()
        names = named_nodes(terms)
        if names is not None and not names:
            return CONFLICT
        return names

    def filter(self, cycle: Cycle, node: NodeInfo) -> No | None:
        """Refuse a node that the demands do not match, those of the scheduler first."""
        if self.enforced is not None and not self.enforced(node.name, node.labels):
            return ENFORCED
        matches = cycle.pod.required_node_affinity
        return None if matches is None or matches(node.name, node.labels) else REFUSAL

    def pre_score(self, cycle: Cycle, nodes: Sequence[NodeInfo]) -> Skip | None:
        """Compile the preferred terms."""
        preferred = node_affinity(cycle.pod.spec).get(PREFERRED)
        if not preferred and not self._preferred:
            return SKIP
        cycle.data[self.name] = self._preferred + preferences(preferred or ())
        return None

    def score(self, cycle: Cycle, node: NodeInfo) -> int:
        """Add the weights of the preferred terms that match."""
        if self.name not in cycle.data:  # PreScore is not enabled
            self.pre_score(cycle, ())
        terms: list[tuple[int, NodeMatch]] = cycle.data.get(self.name, [])
        return sum(weight for weight, matches in terms if matches(node.name, node.labels))

    def normalize(self, cycle: Cycle, scores: list[int], nodes: Sequence[NodeInfo]) -> list[int]:
        """Scale so that the best node has 100."""
        return normalized(scores, reverse=False)


def node_affinity(spec: Obj) -> Obj:
    """Return the pod's node affinity, empty when there is none."""
    found: Obj = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    return found


def preferences(preferred: Iterable[Obj]) -> list[tuple[int, NodeMatch]]:
    """Compile preferred terms; like a required one, an empty term matches nothing."""
    return [(term["weight"], node_selector_term(term.get("preference") or {})) for term in preferred if term["weight"]]


def named_nodes(terms: Sequence[Obj]) -> frozenset[str] | None:
    """Return the node names the terms are restricted to, None when some term is not restricted to names."""
    names: frozenset[str] = frozenset()
    for term in terms:
        fields = [
            frozenset(field.get("values") or ())
            for field in term.get("matchFields") or ()
            if field["key"] == "metadata.name" and field["operator"] == "In"
        ]
        if not fields:
            return None
        names |= frozenset.intersection(*fields)
    return names if terms else None
