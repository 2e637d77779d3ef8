"""Does this fit that: taints and tolerations, label selectors; node selectors are in :mod:`kctl.api.nodeselectors`.

Pure predicates over parts of objects, compiled once per pod where a pod is compared with many
nodes or pods. The rules are k8s.io/component-helpers/scheduling/corev1; matching never fails
here, since the API server has validated what is stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kctl.api import selectors
from kctl.api.nodeselectors import (
    LabelMatch,
    Labels,
    NodeMatch,
    integer,
    node_selector,
    node_selector_term,
    nothing,
    required_node_affinity,
    requirement,
)
from kctl.api.objects import Obj
from kctl.api.tolerations import tolerates

__all__ = [
    "LabelMatch",
    "Labels",
    "NodeMatch",
    "equal",
    "everything",
    "integer",
    "labels_matching",
    "node_selector",
    "node_selector_term",
    "nothing",
    "required_node_affinity",
    "requirement",
    "untolerated",
]


def everything(_labels: Labels) -> bool:
    """Match all labels (a selector that is empty)."""
    return True


def labels_matching(selector: Obj | None) -> LabelMatch:
    """Compile a metav1.LabelSelector: not set matches nothing, empty matches everything."""
    if selector is None:
        return nothing
    exact = selector.get("matchLabels") or {}
    if selector.get("matchExpressions"):
        match: LabelMatch = selectors.from_label_selector(selector).matches
        return match
    if not exact:
        return everything
    return equal(exact)


def equal(wanted: Labels) -> LabelMatch:
    """Match labels that carry every pair of ``wanted``."""
    if len(wanted) == 1:
        ((key, value),) = wanted.items()
        return lambda labels: labels.get(key) == value
    pairs = wanted.items()
    return lambda labels: pairs <= labels.items()


def untolerated(taints: Iterable[Obj], tolerations: Sequence[Obj]) -> Obj | None:
    """Return the first taint that no toleration covers, as FindMatchingUntoleratedTaint."""
    for taint in taints:
        if not any(tolerates(toleration, taint) for toleration in tolerations):
            return taint
    return None
