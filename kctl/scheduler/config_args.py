"""The arguments of plugins: ``pluginConfig`` of a KubeSchedulerConfiguration.

In: the ``args`` of one plugin. Out: what the plugin's class is made with. Defaults, checks and words
are those of kube-scheduler's v1 API (SetDefaults_*Args, validation_pluginargs.go).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kctl.api.errors import FieldError, duplicate, forbidden_field, invalid, not_supported, required
from kctl.scheduler.config_fields import INT64, Fields, decoded

Args = dict[str, Any]
VERSION = "kubescheduler.config.k8s.io/v1"
DEFAULT_RESOURCES = (("cpu", 1), ("memory", 1))
STRATEGIES = ("LeastAllocated", "MostAllocated", "RequestedToCapacityRatio")
ACTIONS = ("DoNotSchedule", "ScheduleAnyway")
MAX_CUSTOM_SCORE = 10


def read(name: str, fields: Fields) -> Args:
    """Read the arguments of a plugin; unknown ones are errors."""
    kind, version = fields.text("kind"), fields.text("apiVersion")
    if kind and kind != f"{name}Args":
        fields.errors.append(invalid(fields.at("kind"), kind, f"args for plugin {name} must be {name}Args"))
    if version and version != VERSION:
        fields.errors.append(not_supported(fields.at("apiVersion"), version, (VERSION,)))
    reader = READERS.get(name)
    args = reader(fields) if reader else {}
    fields.finish()
    return args


def preemption(fields: Fields) -> Args:
    """Read DefaultPreemptionArgs."""
    percent = fields.integer("minCandidateNodesPercentage", 10)
    absolute = fields.integer("minCandidateNodesAbsolute", 100)
    of_percent, of_absolute = fields.at("minCandidateNodesPercentage"), fields.at("minCandidateNodesAbsolute")
    if not 0 <= percent <= 100:
        fields.errors.append(invalid(of_percent, percent, "not in valid range [0, 100]"))
    if absolute < 0:
        fields.errors.append(invalid(of_absolute, absolute, "not in valid range [0, inf)"))
    if percent == absolute == 0:
        zero = "cannot be zero at the same time as minCandidateNodes"
        fields.errors.append(invalid(of_percent, percent, f"{zero}Absolute"))
        fields.errors.append(invalid(of_absolute, absolute, f"{zero}Percentage"))
    return {"min_percent": percent, "min_absolute": absolute}


def pod_affinity(fields: Fields) -> Args:
    """Read InterPodAffinityArgs."""
    weight = fields.integer("hardPodAffinityWeight", 1)
    if not 0 <= weight <= 100:
        fields.errors.append(invalid(fields.at("hardPodAffinityWeight"), weight, "not in valid range [0, 100]"))
    return {"hard_weight": weight, "ignore_preferred": fields.flag("ignorePreferredTermsOfExistingPods")}


def node_affinity(fields: Fields) -> Args:
    """Read NodeAffinityArgs."""
    value, path = fields.get("addedAffinity"), fields.at("addedAffinity")
    if value is None:
        return {}
    affinity = decoded("core.v1.NodeAffinity", value, path, fields.errors)
    if affinity is None:
        return {}
    from kctl.api.validation import scheduling

    found: list[FieldError] = []
    scheduling.affinity({"nodeAffinity": affinity}, "", found)
    fields.errors += [e._replace(field=path + e.field.removeprefix(".nodeAffinity")) for e in found]
    return {"added": affinity}


def volume_binding(fields: Fields) -> Args:
    """Read VolumeBindingArgs; scoring by ``shape`` is off in 1.36."""
    timeout = fields.integer("bindTimeoutSeconds", 600, below=INT64)
    if timeout < 0:
        why = "invalid BindTimeoutSeconds, should not be a negative value"
        fields.errors.append(invalid(fields.at("bindTimeoutSeconds"), timeout, why))
    shape = fields.get("shape")
    if shape is not None:
        why = "unexpected field `shape`, remove it or turn on the feature gate StorageCapacityScoring"
        fields.errors.append(invalid(fields.at("shape"), shape, why))
    return {"bind_timeout": timeout}


def balanced(fields: Fields) -> Args:
    """Read NodeResourcesBalancedAllocationArgs."""
    resources = _resources(fields)
    seen = set()
    for n, (name, weight) in enumerate(resources):
        path = f"{fields.at('resources')}[{n}]"
        if name in seen:
            fields.errors.append(duplicate(f"{path}.name", name))
        seen.add(name)
        if weight != 1:
            fields.errors.append(invalid(f"{path}.weight", weight, "must be 1"))
    return {"resources": tuple(name for name, _ in resources)}


def fit(fields: Fields) -> Args:
    """Read NodeResourcesFitArgs."""
    ignored, groups = fields.texts("ignoredResources"), fields.texts("ignoredResourceGroups")
    for path, name in ignored:
        _label_name(path, name, fields.errors)
    for path, name in groups:
        if "/" in name:
            fields.errors.append(invalid(path, name, "resource group name can't contain '/'"))
        _label_name(path, name, fields.errors)
    strategy = fields.fields("scoringStrategy")
    args = _strategy(strategy, given=fields.value.get("scoringStrategy") is not None)
    strategy.finish()
    return {**args, "ignored": frozenset(n for _, n in ignored), "ignored_groups": frozenset(n for _, n in groups)}


def _strategy(fields: Fields, *, given: bool) -> Args:
    """Read a ScoringStrategy; one that is given must say its type, as upstream."""
    kind = fields.text("type", "" if given else STRATEGIES[0])
    if kind not in STRATEGIES:
        fields.errors.append(not_supported(fields.at("type"), kind, STRATEGIES))
    resources = _resources(fields)
    for n, (name, weight) in enumerate(resources):
        if not 0 < weight <= 100:
            why = f"resource weight of {name} not in valid range (0, 100]"
            fields.errors.append(invalid(f"{fields.at('resources')}[{n}].weight", weight, why))
    shape: tuple[tuple[int, int], ...] = ()
    path = fields.at("requestedToCapacityRatio")
    ratio = fields.fields("requestedToCapacityRatio")
    has_ratio = fields.value.get("requestedToCapacityRatio") is not None
    if kind == STRATEGIES[2]:
        if has_ratio:
            shape = _shape(ratio)
        else:
            fields.errors.append(required(path, "must be specified when type is RequestedToCapacityRatio"))
    elif has_ratio:
        fields.errors.append(forbidden_field(path, "must be nil when type is not RequestedToCapacityRatio"))
    if has_ratio:
        ratio.get("shape")
        ratio.finish()
    return {"strategy": kind, "resources": resources, "shape": shape}


def _resources(fields: Fields) -> tuple[tuple[str, int], ...]:
    """Read ``resources``; none are cpu and memory, no weight is 1."""
    found = []
    for path, item in fields.items("resources"):
        resource = Fields(item, path, fields.errors)
        found.append((resource.text("name"), resource.integer("weight", 0, below=INT64) or 1))
        resource.finish()
    return tuple(found) or DEFAULT_RESOURCES


def _shape(fields: Fields) -> tuple[tuple[int, int], ...]:
    """Read the points of a broken linear function (validateFunctionShape)."""
    points = []
    for path, item in fields.items("shape"):
        point = Fields(item, path, fields.errors)
        points.append((point.integer("utilization", 0), point.integer("score", 0)))
        point.finish()
    path = fields.at("shape")
    if not points:
        fields.errors.append(required(path, "at least one point must be specified"))
    for n in range(1, len(points)):
        if points[n - 1][0] >= points[n][0]:
            why = "values must be sorted in increasing order"
            fields.errors.append(invalid(f"{path}[{n}].utilization", points[n][0], why))
            break
    for n, (utilization, score) in enumerate(points):
        if not 0 <= utilization <= 100:
            fields.errors.append(invalid(f"{path}[{n}].utilization", utilization, "not in valid range [0, 100]"))
        if not 0 <= score <= MAX_CUSTOM_SCORE:
            fields.errors.append(invalid(f"{path}[{n}].score", score, f"not in valid range [0, {MAX_CUSTOM_SCORE}]"))
    return tuple(points)


def spread(fields: Fields) -> Args:
    """Read PodTopologySpreadArgs."""
    constraints = []
    path = fields.at("defaultConstraints")
    for at, item in fields.items("defaultConstraints"):
        constraint = decoded("core.v1.TopologySpreadConstraint", item, at, fields.errors)
        if constraint is not None:
            constraints.append(constraint)
    kind = fields.text("defaultingType") or "System"
    if kind not in ("System", "List"):
        fields.errors.append(not_supported(fields.at("defaultingType"), kind, ("System", "List")))
    elif kind == "System" and constraints:
        fields.errors.append(invalid(fields.at("defaultingType"), kind, "when .defaultConstraints are not empty"))
    for n, constraint in enumerate(constraints):
        _constraint(constraint, f"{path}[{n}]", fields.errors)
        if _key(constraint) in map(_key, constraints[:n]):
            fields.errors.append(duplicate(f"{path}[{n}]", f"{{{', '.join(_key(constraint))}}}"))
    return {"defaults": None if kind == "System" else tuple(constraints)}


def _key(constraint: Mapping[str, Any]) -> tuple[str, str]:
    return (constraint.get("topologyKey") or "", constraint.get("whenUnsatisfiable") or "")


def _constraint(constraint: Mapping[str, Any], path: str, errors: list[FieldError]) -> None:
    skew = constraint.get("maxSkew") or 0
    key, action = _key(constraint)
    if skew <= 0:
        errors.append(invalid(f"{path}.maxSkew", skew, "not in valid range (0, inf)"))
    if not key:
        errors.append(required(f"{path}.topologyKey", "can not be empty"))
    else:
        _label_name(f"{path}.topologyKey", key, errors)
    if not action:
        errors.append(required(f"{path}.whenUnsatisfiable", "can not be empty"))
    elif action not in ACTIONS:
        errors.append(not_supported(f"{path}.whenUnsatisfiable", action, ACTIONS))
    if constraint.get("labelSelector") is not None:
        why = "constraint must not define a selector, as they deduced for each pod"
        errors.append(forbidden_field(f"{path}.labelSelector", why))


def _label_name(path: str, name: str, errors: list[FieldError]) -> None:
    from kctl.api.validation import formats

    errors += [invalid(path, name, why) for why in formats.qualified_name(name)]


def devices(fields: Fields) -> Args:
    """Read DynamicResourcesArgs: timeouts of what is not simulated; accepted."""
    fields.get("filterTimeout")
    fields.get("bindingTimeout")
    return {}


READERS: Mapping[str, Callable[[Fields], Args]] = {
    "DefaultPreemption": preemption,
    "DynamicResources": devices,
    "InterPodAffinity": pod_affinity,
    "NodeAffinity": node_affinity,
    "NodeResourcesBalancedAllocation": balanced,
    "NodeResourcesFit": fit,
    "PodTopologySpread": spread,
    "VolumeBinding": volume_binding,
}
