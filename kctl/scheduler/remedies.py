"""Small changes that may let a pod onto a node: one :class:`Change` for each way around an obstacle.

In: obstacles, the pod, the nodes. Out: changes, as pure functions from the old object to the new one, with what they
cost (how much they change) and their words. Whether a change helps is not known here: :mod:`kctl.scheduler.trial`
tries it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Literal, NamedTuple

from kctl.api.objects import Obj, evolve, replace
from kctl.scheduler.amounts import printed_amount, rounded_up, written
from kctl.scheduler.nodeinfo import REGION, ZONE, NodeInfo
from kctl.scheduler.obstacles import CORDON, Obstacle
from kctl.scheduler.plugins.spread_constraints import HOSTNAME
from kctl.scheduler.podinfo import PodInfo
from kctl.scheduler.requests import amount

Target = Literal["pod", "node", "newNode"]
NUMBER = re.compile(r"\d+[A-Za-z]*")
GIVEN = frozenset(
    {HOSTNAME, ZONE, REGION, "kubernetes.io/os", "kubernetes.io/arch", "node.kubernetes.io/instance-type"}
)
"""Labels that say what a node is: to write another value on it would be a lie."""
CONDITIONS = ("node.kubernetes.io/", "node.cloudprovider.kubernetes.io/")
"""Taints under these prefixes follow the node's state: they come and go with it."""
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


class Change(NamedTuple):
    """One change of one object. ``edit`` makes a pod's spec, or a node, of the old one."""

    target: Target
    name: str
    """The node's name; "" for the pod."""
    text: str
    """As in "fits if ..." or "fits with ..."."""
    cost: float
    edit: Callable[[Obj], Obj]
    siblings: bool = False
    """Whether the pods of the same owner, which have the same template, must change with the pod."""
    is_event: bool = False
    """Whether it is something that happens to a node, not something that people write."""

    @property
    def sort(self) -> str:
        """What is done, whatever the node and the amount."""
        return NUMBER.sub("#", self.text.replace(self.name, "#") if self.name else self.text)

    @property
    def identity(self) -> tuple[str, str, str]:
        """Changes with equal identities do the same."""
        return self.target, self.name, self.text


def around(obstacle: Obstacle, pod: PodInfo, node: NodeInfo) -> list[Change]:
    """Return the changes that may take an obstacle on a node away."""
    match obstacle.kind:
        case "cordoned":
            return [_uncordon(node.name)]
        case "taint":
            return list(_taint(obstacle.what, node.name))
        case "affinity":
            return [*_label(pod.spec, node), *_without_affinity(pod.spec, obstacle)]
        case "port":
            return [_without_ports(obstacle.what)]
        case "resource":
            return [*_lower(obstacle, pod), _roomier(obstacle, node)]
        case "pods":
            return [_more_pods(node)]
        case "spread" if obstacle.what:
            return list(_spread(obstacle))
        case "missingTopologyLabel":
            key = obstacle.what[0]
            labels = [] if key in GIVEN else [_labelled(node.name, {key: node.name})]
            return [*labels, *_spread(obstacle)]
        case "podAffinity" | "podAntiAffinity":
            return [_softened(obstacle.kind, obstacle.what)]
        case "existingPodAntiAffinity" if pod.anti_affinity:
            return [_softened("podAntiAffinity", ())]
    return []


# -- nodes


def _uncordon(name: str) -> Change:
    def edit(node: Obj) -> Obj:
        spec = {k: v for k, v in (node.get("spec") or {}).items() if k != "unschedulable"}
        taints = [t for t in spec.pop("taints", None) or () if t.get("key") != CORDON]
        return {**node, "spec": {**spec, "taints": taints} if taints else spec}

    return Change("node", name, f"if node {name} is uncordoned", 1, edit)


def _taint(what: tuple[str, ...], node_name: str) -> Iterator[Change]:
    key, value, effect = what
    printed = f"{key}={value}:{effect}" if value else f"{key}:{effect}"
    toleration: Obj = {"key": key, "operator": "Equal" if value else "Exists", "effect": effect}
    if value:
        toleration["value"] = value

    def tolerate(spec: Obj) -> Obj:
        return {**spec, "tolerations": [*(spec.get("tolerations") or ()), toleration]}

    def clean(node: Obj) -> Obj:
        left = [
            taint
            for taint in node["spec"].get("taints") or ()
            if (taint.get("key") or "", taint.get("value") or "", taint.get("effect") or "") != what
        ]
        return {**node, "spec": {**node["spec"], "taints": left}}

    if key.startswith(CONDITIONS):
        text = f"once node {node_name} is rid of the taint {key}"
        yield Change("node", node_name, text, 1.5, clean, is_event=True)
        return
    yield Change("pod", "", f"if the pod tolerates {printed}", 2, tolerate)
    yield Change("node", node_name, f"if the taint {printed} is taken off node {node_name}", 3, clean)


def missing_labels(spec: Obj, node: NodeInfo) -> Iterator[dict[str, str | None]]:
    """Yield the labels (None: to take away) with which the node would match the pod, for each alternative."""
    wanted: dict[str, str | None] = {
        key: value for key, value in (spec.get("nodeSelector") or {}).items() if node.labels.get(key) != value
    }
    required = ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get(REQUIRED) or {}
    for term in required.get("nodeSelectorTerms") or [{}]:
        if term.get("matchFields") or (required and not term.get("matchExpressions")):
            continue
        needs = _labels_for(term.get("matchExpressions") or (), node)
        if needs is not None and (wanted or needs):
            yield wanted | needs


def _label(spec: Obj, node: NodeInfo) -> Iterator[Change]:
    """Yield the labelling of the node, where labels are concerned that one may set."""
    seen: list[dict[str, str | None]] = []
    for labels in missing_labels(spec, node):
        if labels not in seen and not any(key in GIVEN for key in labels):
            seen.append(labels)
            yield _labelled(node.name, labels)


def _labelled(name: str, labels: Mapping[str, str | None]) -> Change:
    added = ",".join(f"{key}={value}" for key, value in sorted(labels.items()) if value is not None)
    removed = ",".join(key for key, value in sorted(labels.items()) if value is None)
    parts = [f"has the label {added}"] if added else []
    if removed:
        parts.append(f"does not have the label {removed}")

    def edit(node: Obj) -> Obj:
        found = {k: v for k, v in (node["metadata"].get("labels") or {}).items() if labels.get(k, "") is not None}
        found |= {k: v for k, v in labels.items() if v is not None}
        return {**node, "metadata": {**node["metadata"], "labels": found}}

    return Change("node", name, f"if node {name} {' and '.join(parts)}", 2 + 0.5 * (len(labels) - 1), edit)


def _labels_for(expressions: Iterable[Obj], node: NodeInfo) -> dict[str, str | None] | None:
    """Return the labels to set (None: to take away) so that the expressions hold; None when no label does it."""
    found: dict[str, str | None] = {}
    for expression in expressions:
        key, values = expression["key"], expression.get("values") or ()
        value = node.labels.get(key)
        match expression["operator"]:
            case "In" if values:
                if value not in values:
                    found[key] = values[0]
            case "Exists":
                if value is None:
                    found[key] = ""
            case "NotIn":
                if value in values:
                    found[key] = None
            case "DoesNotExist":
                if value is not None:
                    found[key] = None
            case "Gt" | "Lt" if values:
                bound = int(values[0])
                found[key] = str(bound + 1 if expression["operator"] == "Gt" else bound - 1)
            case _:
                return None
    return found


def _roomier(obstacle: Obstacle, node: NodeInfo) -> Change:
    name = obstacle.what[0]
    more = printed_amount(name, obstacle.short)

    def edit(found: Obj) -> Obj:
        return with_capacity(found, {name: obstacle.short})

    return Change("node", node.name, f"with {more} more {name} on node {node.name}", 5, edit)


def _more_pods(node: NodeInfo) -> Change:
    missing = len(node.pods) + 1 - node.allowed_pods

    def edit(found: Obj) -> Obj:
        return with_capacity(found, {"pods": missing})

    text = f"if node {node.name} may run {node.allowed_pods + missing} pods"
    return Change("node", node.name, text, 5, edit)


def with_capacity(node: Obj, more: Mapping[str, int]) -> Obj:
    """Return the node with that much more of each resource, capacity and allocatable alike."""
    status = node.get("status") or {}
    out = dict(status)
    for field in ("capacity", "allocatable"):
        have = dict(status.get(field) or {})
        for name, by in more.items():
            have[name] = written(name, amount(name, have.get(name, "0")) + rounded_up(name, by))
        out[field] = have
    return {**node, "status": out}


# -- the pod


def _without_affinity(spec: Obj, obstacle: Obstacle) -> Iterator[Change]:
    if spec.get("nodeSelector"):
        printed = ",".join(f"{key}={value}" for key, value in sorted(spec["nodeSelector"].items()))

        def drop(old: Obj) -> Obj:
            return {name: value for name, value in old.items() if name != "nodeSelector"}

        yield Change("pod", "", f"if the pod has no nodeSelector {printed}", 4, drop)
    if ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get(REQUIRED):
        listed = " or ".join(obstacle.what)

        def relax(old: Obj) -> Obj:
            affinity = old.get("affinity") or {}  # a template may not have what somebody gave the pod
            of_node = affinity.get("nodeAffinity") or {}
            if REQUIRED not in of_node:
                return old
            kept = {name: value for name, value in of_node.items() if name != REQUIRED}
            return {**old, "affinity": {**affinity, "nodeAffinity": kept}}

        yield Change("pod", "", f"if the pod does not require node affinity ({listed})", 4, relax)


def _without_ports(ports: tuple[str, ...]) -> Change:
    taken = set(ports)

    def strip(port: Obj) -> Obj:
        if f"{port.get('hostPort')}/{port.get('protocol') or 'TCP'}" not in taken:
            return port
        return {name: value for name, value in port.items() if name not in ("hostPort", "hostIP")}

    def edit(spec: Obj) -> Obj:
        out = dict(spec)
        for field in ("containers", "initContainers"):
            if spec.get(field):
                out[field] = [
                    {**c, "ports": [strip(port) for port in c["ports"]]} if c.get("ports") else c for c in spec[field]
                ]
        return out

    return Change("pod", "", f"if the pod does not use host port {', '.join(ports)}", 4, edit)


def _lower(obstacle: Obstacle, pod: PodInfo) -> Iterator[Change]:
    """Yield the lowering of the largest request, among containers and among init containers."""
    name = obstacle.what[0]
    by = rounded_up(name, obstacle.short)
    if ((pod.spec.get("resources") or {}).get("requests") or {}).get(name) is not None:
        asked = amount(name, pod.spec["resources"]["requests"][name])
        if asked > by:
            yield _lowered(name, asked, by, lambda old, to: {**old, "resources": _requesting(old, name, to)}, "the pod")
        return
    for field in ("containers", "initContainers"):
        found = [(_asked(c, name), -n) for n, c in enumerate(pod.spec.get(field) or ())]
        asked, at = max(found, default=(0, 0))
        if asked <= by:
            continue
        container = pod.spec[field][-at]["name"]
        yield _lowered(name, asked, by, _in_container(field, container, name), f"container {container}")


def _in_container(field: str, container: str, name: str) -> Callable[[Obj, str], Obj]:
    def edit(spec: Obj, to: str) -> Obj:
        return {
            **spec,
            field: [{**c, "resources": _requesting(c, name, to)} if c["name"] == container else c for c in spec[field]],
        }

    return edit


def _lowered(name: str, asked: int, by: int, edit: Callable[[Obj, str], Obj], who: str) -> Change:
    to = written(name, asked - by)
    text = f"with {printed_amount(name, by)} less {name} requested ({who}: {written(name, asked)} -> {to})"
    return Change("pod", "", text, 2 + 4 * by / asked, lambda spec: edit(spec, to))


def _requesting(holder: Obj, name: str, to: str) -> Obj:
    """Return the resources with another request; what cannot be overcommitted keeps its limit equal to it."""
    resources = holder.get("resources") or {}
    out = {**resources, "requests": {**(resources.get("requests") or {}), name: to}}
    if name not in ("cpu", "memory", "ephemeral-storage") and name in (resources.get("limits") or {}):
        out["limits"] = {**resources["limits"], name: to}
    return out


def _asked(container: Obj, name: str) -> int:
    text = ((container.get("resources") or {}).get("requests") or {}).get(name)
    return 0 if text is None else amount(name, text)


def _spread(obstacle: Obstacle) -> Iterator[Change]:
    key = obstacle.what[0]

    def with_each(spec: Obj, **fields: object) -> Obj:
        constraints = [
            {**c, **fields} if (c["topologyKey"], c["whenUnsatisfiable"]) == (key, "DoNotSchedule") else c
            for c in spec.get("topologySpreadConstraints") or ()
        ]
        return {**spec, "topologySpreadConstraints": constraints}

    if obstacle.short:
        skew = obstacle.short
        yield Change(
            "pod", "", f"if maxSkew of its spread over {key} is {skew}", 3, lambda spec: with_each(spec, maxSkew=skew)
        )

    def soften(spec: Obj) -> Obj:
        out = with_each(spec, whenUnsatisfiable="ScheduleAnyway")
        for constraint in out["topologySpreadConstraints"]:
            if constraint["topologyKey"] == key and "minDomains" in constraint:
                return evolve(out, {"topologySpreadConstraints": _without_domains(out, key)})
        return out

    yield Change("pod", "", f"if its spread over {key} is ScheduleAnyway", 4, soften)


def _without_domains(spec: Obj, key: str) -> list[Obj]:
    """Return the constraints without minDomains, which only hard ones may have."""
    return [
        {name: value for name, value in c.items() if name != "minDomains" or c["topologyKey"] != key}
        for c in spec["topologySpreadConstraints"]
    ]


def _softened(kind: str, keys: tuple[str, ...]) -> Change:
    """Return the change of required terms (of these topology keys; of all without) into preferred ones."""

    def edit(spec: Obj) -> Obj:
        affinity = spec.get("affinity") or {}
        of_kind = affinity.get(kind) or {}
        hard = of_kind.get(REQUIRED) or ()
        soft = [term for term in hard if not keys or term["topologyKey"] in keys]
        kept = [term for term in hard if term not in soft]
        rest = {name: value for name, value in of_kind.items() if name not in (REQUIRED, PREFERRED)}
        if kept:
            rest[REQUIRED] = kept
        rest[PREFERRED] = [
            *(of_kind.get(PREFERRED) or ()),
            *({"weight": 100, "podAffinityTerm": term} for term in soft),
        ]
        return {**spec, "affinity": {**affinity, kind: rest}}

    word = "affinity" if kind == "podAffinity" else "anti-affinity"
    over = f" over {', '.join(keys)}" if keys else ""
    text = f"if its pod {word}{over} is preferred, not required"
    return Change("pod", "", text, 4, edit, siblings=kind == "podAntiAffinity")


def outranking(name: str, value: int) -> Change:
    """Return the change of a pod's priority to that of a PriorityClass."""

    def edit(spec: Obj) -> Obj:
        return replace(spec, priorityClassName=name, priority=value)

    return Change("pod", "", f"if its priorityClassName is {name}", 5, edit)


def is_condition(taint: Obj) -> bool:
    """Say whether a taint follows the node's state."""
    return (taint.get("key") or "").startswith(CONDITIONS)
