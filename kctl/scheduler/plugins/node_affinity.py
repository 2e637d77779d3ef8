"""NodeAffinity: nodeSelector and node affinity, required and preferred."""

from __future__ import annotations

from collections.abc import Sequence

from kctl.api.objects import Obj
from kctl.scheduler.extension import SKIP, Cycle, No, Skip
from kctl.scheduler.match import NodeMatch, node_selector_term
from kctl.scheduler.nodeinfo import NodeInfo
from kctl.scheduler.plugins.taint_toleration import normalized

REFUSAL = No("NodeAffinity", ("node(s) didn't match Pod's node affinity/selector",), True)
CONFLICT = No("NodeAffinity", ("pod affinity terms conflict",), True)
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


class NodeAffinity:
    """Filters by required terms, scores by preferred ones."""

    name = "NodeAffinity"

    def pre_filter(self, cycle: Cycle) -> No | Skip | frozenset[str] | None:
        """Step aside without demands; name the nodes when every term does."""
        pod = cycle.pod
        if pod.required_node_affinity is None:
            return SKIP
        terms = ((node_affinity(pod.spec).get(REQUIRED)) or {}).get("nodeSelectorTerms") or ()
        names = named_nodes(terms)
        if names is not None and not names:
            return CONFLICT
        return names

    def filter(self, cycle: Cycle, node: NodeInfo) -> No | None:
        """Refuse a node that the demands do not match."""
        matches = cycle.pod.required_node_affinity
        return None if matches is None or matches(node.name, node.labels) else REFUSAL

    def pre_score(self, cycle: Cycle, nodes: Sequence[NodeInfo]) -> Skip | None:
        """Compile the preferred terms."""
        preferred = node_affinity(cycle.pod.spec).get(PREFERRED)
        if not preferred:
            return SKIP
        terms: list[tuple[int, NodeMatch]] = [
            (term["weight"], preference(term.get("preference") or {})) for term in preferred if term["weight"]
        ]
        cycle.data[self.name] = terms
        return None

    def score(self, cycle: Cycle, node: NodeInfo) -> int:
        """Add the weights of the preferred terms that match."""
        terms: list[tuple[int, NodeMatch]] = cycle.data[self.name]
        return sum(weight for weight, matches in terms if matches(node.name, node.labels))

    def normalize(self, cycle: Cycle, scores: list[int], nodes: Sequence[NodeInfo]) -> list[int]:
        """Scale so that the best node has 100."""
        return normalized(scores, reverse=False)


def node_affinity(spec: Obj) -> Obj:
    """Return the pod's node affinity, empty when there is none."""
    found: Obj = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    return found


def preference(term: Obj) -> NodeMatch:
    """Compile a preferred term; like a required one, an empty term matches nothing."""
    return node_selector_term(term)


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
