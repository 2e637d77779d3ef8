"""Does this node fit: node selectors and required node affinity.

In: parts of pod specs and volumes. Out: predicates over a node's name and labels, compiled once
where many nodes are asked about. The rules are k8s.io/component-helpers/scheduling/corev1;
matching never fails here, since the API server has validated what is stored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kctl.api.objects import Obj

Labels = Mapping[str, str]
LabelMatch = Callable[[Labels], bool]
NodeMatch = Callable[[str, Labels], bool]
"""Takes a node's name and labels."""


def nothing(_labels: Labels) -> bool:
    """Match no labels at all."""
    return False


def required_node_affinity(spec: Obj) -> NodeMatch | None:
    """Compile nodeSelector and required node affinity (both must hold); None when neither is set."""
    checks: list[NodeMatch] = []
    selector = spec.get("nodeSelector")
    if selector:
        wanted = selector.items()
        checks.append(lambda _name, labels: wanted <= labels.items())
    affinity = ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get(
        "requiredDuringSchedulingIgnoredDuringExecution"
    )
    if affinity is not None:
        checks.append(node_selector(affinity))
    if not checks:
        return None
    if len(checks) == 1:
        return checks[0]
    return lambda name, labels: all(check(name, labels) for check in checks)


def node_selector(selector: Obj) -> NodeMatch:
    """Compile a NodeSelector: its terms are alternatives, an empty term matches nothing."""
    terms = [node_selector_term(term) for term in selector.get("nodeSelectorTerms") or ()]
    return lambda name, labels: any(term(name, labels) for term in terms)


def node_selector_term(term: Obj) -> NodeMatch:
    """Compile a NodeSelectorTerm: all its expressions and fields must hold."""
    expressions = [requirement(r) for r in term.get("matchExpressions") or ()]
    fields = [requirement(r) for r in term.get("matchFields") or ()]
    if not expressions and not fields:
        return lambda _name, _labels: False

    def matches(name: str, labels: Labels) -> bool:
        if not all(check(labels) for check in expressions):
            return False
        return not fields or all(check({"metadata.name": name}) for check in fields)

    return matches


def requirement(found: Obj) -> LabelMatch:
    """Compile one NodeSelectorRequirement."""
    key = found["key"]
    values = found.get("values") or ()
    operator = found["operator"]
    if operator == "In":
        allowed = frozenset(values)
        return lambda labels: key in labels and labels[key] in allowed
    if operator == "NotIn":
        refused = frozenset(values)
        return lambda labels: labels.get(key) not in refused
    if operator == "Exists":
        return lambda labels: key in labels
    if operator == "DoesNotExist":
        return lambda labels: key not in labels
    bound = integer(values[0]) if values else None
    if bound is None or operator not in ("Gt", "Lt"):
        return nothing
    limit: int = bound
    if operator == "Gt":
        return lambda labels: (number := integer(labels.get(key))) is not None and number > limit
    return lambda labels: (number := integer(labels.get(key))) is not None and number < limit


def integer(text: Any) -> int | None:
    """Read a decimal integer of 64 bits as strconv.ParseInt does, None when it is not one."""
    if not isinstance(text, str) or not text.lstrip("+-").isdecimal() or not text.isascii():
        return None
    try:
        number = int(text)
    except ValueError:
        return None
    return number if -(2**63) <= number < 2**63 else None
