"""The constraints of PodTopologySpread: read from a pod, or made for it by the system's defaults.

Also the counting of matching pods on a node, remembered until the node's pods change.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from kctl.api.objects import Key, Obj, controller_of
from kctl.scheduler.cluster import Cluster
from kctl.scheduler.match import LabelMatch, labels_matching, untolerated
from kctl.scheduler.nodeinfo import ZONE, NodeInfo
from kctl.scheduler.podinfo import PodInfo

HOSTNAME = "kubernetes.io/hostname"
DEFAULTS: tuple[Obj, ...] = (
    {"topologyKey": HOSTNAME, "maxSkew": 3, "whenUnsatisfiable": "ScheduleAnyway"},
    {"topologyKey": ZONE, "maxSkew": 5, "whenUnsatisfiable": "ScheduleAnyway"},
)
"""The system's default constraints."""
REMEMBERED = 256
"""So many selectors' counts are remembered."""


class Constraint(NamedTuple):
    """One constraint, compiled. Pods match when they match every one of ``selectors``."""

    topology_key: str
    max_skew: int
    min_domains: int
    selectors: tuple[LabelMatch, ...]
    identity: str
    """The same for selectors that match the same labels."""
    counts_none: bool
    """An empty selector matches every pod, yet upstream counts none (countPodsMatchSelector)."""
    honor_affinity: bool
    honor_taints: bool
    exact: tuple[tuple[str, str], ...] = ()
    """Labels that every matching pod has: where no pod carries one of them, none has to be asked."""

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Say whether a pod with these labels is one of those spread."""
        return all(match(labels) for match in self.selectors)

    def includes(self, pod: PodInfo, node: NodeInfo) -> bool:
        """Say whether the node counts, by the constraint's inclusion policies."""
        if self.honor_affinity:
            matches = pod.required_node_affinity
            if matches is not None and not matches(node.name, node.labels):
                return False
        return not (self.honor_taints and untolerated(node.hard_taints, pod.tolerations) is not None)


def constraints_of(pod: PodInfo, when: str) -> list[Constraint]:
    """Return the pod's own constraints with that ``whenUnsatisfiable``."""
    return [
        compiled(pod, constraint)
        for constraint in pod.spec.get("topologySpreadConstraints") or ()
        if constraint["whenUnsatisfiable"] == when
    ]


def compiled(pod: PodInfo, constraint: Obj) -> Constraint:
    """Compile one constraint; matchLabelKeys narrow the selector to the pod's own values."""
    selector = constraint.get("labelSelector")
    own = [k for k in constraint.get("matchLabelKeys") or () if k in pod.labels]
    if own:
        expressions = [{"key": k, "operator": "In", "values": [pod.labels[k]]} for k in own]
        selector = {**(selector or {})}
        selector["matchExpressions"] = [*(selector.get("matchExpressions") or ()), *expressions]
    empty = selector is not None and not selector.get("matchLabels") and not selector.get("matchExpressions")
    return Constraint(
        constraint["topologyKey"],
        constraint["maxSkew"],
        constraint.get("minDomains") or 1,
        (labels_matching(selector),),
        json.dumps(selector, sort_keys=True),
        empty,
        (constraint.get("nodeAffinityPolicy") or "Honor") == "Honor",
        (constraint.get("nodeTaintsPolicy") or "Ignore") == "Honor",
        exact_labels([selector]),
    )


def default_constraints(
    cluster: Cluster, pod: PodInfo, listed: Iterable[Obj] = DEFAULTS, when: str = "ScheduleAnyway"
) -> list[Constraint]:
    """Return default constraints, with the selectors of the pod's services and controller (buildDefaultConstraints)."""
    wanted = [constraint for constraint in listed if constraint["whenUnsatisfiable"] == when]
    parts = default_selector(cluster, pod) if wanted else []
    if not parts:
        return []
    selectors = tuple(labels_matching(part) for part in parts)
    identity = json.dumps(parts, sort_keys=True)
    made = (compiled(pod, {**constraint, "labelSelector": None, "matchLabelKeys": None}) for constraint in wanted)
    return [c._replace(selectors=selectors, identity=identity, exact=exact_labels(parts)) for c in made]


def exact_labels(selectors: Iterable[Obj | None]) -> tuple[tuple[str, str], ...]:
    """Return the labels that label selectors name with their one value."""
    return tuple(pair for selector in selectors for pair in sorted(((selector or {}).get("matchLabels") or {}).items()))


def default_selector(cluster: Cluster, pod: PodInfo) -> list[Obj]:
    """Return the selectors of the pod's services and controller, as helper.DefaultSelector."""
    exact: dict[str, str] = {}
    for service in cluster.caches["services"].in_namespace(pod.namespace):
        selector = service["spec"].get("selector")
        if selector and selector.items() <= pod.labels.items():
            exact.update(selector)
    parts: list[Obj] = []
    owner = controller_of(pod.obj)
    kind = (owner["apiVersion"], owner["kind"]) if owner else None
    if owner is not None and kind in OWNERS:
        found = cluster.caches[OWNERS[kind]].get(Key(pod.namespace, owner["name"]))
        selector = (found or {}).get("spec", {}).get("selector")
        if selector and kind == ("v1", "ReplicationController"):
            exact.update(selector)
        elif selector:
            parts.append(selector)
    if exact:
        parts.insert(0, {"matchLabels": exact})
    return parts


OWNERS = {
    ("v1", "ReplicationController"): "replicationcontrollers",
    ("apps/v1", "ReplicaSet"): "replicasets.apps",
    ("apps/v1", "StatefulSet"): "statefulsets.apps",
}


def count_matching(cluster: Cluster, node: NodeInfo, constraint: Constraint, namespace: str) -> int:
    """Count the node's pods of the namespace that match and are not on their way out."""
    if constraint.counts_none:
        return 0
    known = cluster.spread_counts.get((namespace, constraint.identity))
    if known is None:
        if len(cluster.spread_counts) >= REMEMBERED:
            cluster.spread_counts.clear()
        known = cluster.spread_counts[(namespace, constraint.identity)] = {}
    seen = known.get(node.name)
    if seen is not None and seen[0] == node.generation:
        return seen[1]
    if cluster.is_past or cluster.kinds.might_match(namespace, constraint.exact):
        count = matching(node.pods.values(), constraint, namespace)
    else:
        count = 0
    known[node.name] = (node.generation, count)
    return count


def matching(pods: Iterable[PodInfo], constraint: Constraint, namespace: str) -> int:
    """Count the pods of the namespace that match and are not terminating."""
    return sum(p.namespace == namespace and not p.terminating and constraint.matches(p.labels) for p in pods)
