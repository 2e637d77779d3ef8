"""The cluster's shape: what ``kctl.yaml`` says, read and checked.

In: the manifest of kind Cluster (``kctl.dev/v1``), or the flags of ``kctl init``. Out: a
:class:`Cluster` and the Instance objects the cloud starts with. Every mistake in the manifest
is found in one pass and named by its field.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from kctl.api import durations
from kctl.api import latencies as latencies_api
from kctl.api.errors import FieldError, KctlError, UsageError, invalid, not_supported
from kctl.api.latencies import MOST, RATE
from kctl.api.objects import Obj
from kctl.api.staticpods import FIELD as STATIC
from kctl.plane.groups import DEVICES, KUBELET, NodeGroup, read_groups
from kctl.plane.retention import History
from kctl.runtime.flags import DEFAULT_FLAGS, Flags, named
from kctl.runtime.flags import parse as parse_flags
from kctl.runtime.profile import Profile

if TYPE_CHECKING:
    from kctl.gitops.ignoring import Rule

API_VERSION = "kctl.dev/v1"
KIND = "Cluster"
MANAGED_LABEL = "kctl.dev/cluster-shape"
CLOUDS = ("local", "none", "aws", "gcp", "azure")
SPEC_FIELDS = (
    "cloud",
    "controllerManager",
    "controllers",
    "history",
    "ignoreDifferences",
    "kubernetes",
    "latencies",
    "nodeGroups",
    "nodes",
    "nodeType",
    "region",
    "replicas",
    "scheduler",
)


class ClusterError(KctlError):
    """The cluster manifest is not valid; one error a field."""

    hint = 'see "The cluster\'s shape" in the README'

    def __init__(self, errors: list[FieldError]) -> None:
        super().__init__("\n".join(f"Cluster: {error}" for error in errors))
        self.errors = errors


class Cluster(NamedTuple):
    """The shape of a cluster."""

    groups: tuple[NodeGroup, ...]
    cloud: str
    region: str
    kubernetes: str
    replicas: int
    profile: Profile
    history: History = History()
    ignored: tuple[Rule, ...] = ()
    """What a diff leaves out."""
    flags: Flags = DEFAULT_FLAGS
    scheduler: Mapping[str, Any] | None = None
    """A KubeSchedulerConfiguration that was found to be valid."""
    controllers: tuple[str, ...] | None = None
    """Which control loops run, None for all."""


def default(
    *,
    nodes: int = 3,
    node_type: str = "4cpu,16Gi",
    cloud: str = "local",
    region: str = "local",
    replicas: int = 1,
    kubernetes: str = "1.36",
) -> Cluster:
    """Return the cluster that the flags of ``kctl init`` describe; UsageError when they cannot."""
    spec = {
        "nodes": nodes,
        "nodeType": node_type,
        "cloud": cloud,
        "region": region,
        "replicas": replicas,
        "kubernetes": kubernetes,
    }
    try:
        return parse({"apiVersion": API_VERSION, "kind": KIND, "spec": spec})
    except ClusterError as error:
        raise UsageError(error.message) from None


def parse(manifest: Mapping[str, Any]) -> Cluster:
    """Read a Cluster manifest.

    Raises ClusterError with every mistake.
    """
    errors: list[FieldError] = []
    spec = manifest.get("spec") or {}
    if not isinstance(spec, dict):
        raise ClusterError([invalid("spec", spec, "must be a map")])
    errors += [
        invalid(f"spec.{name}", spec[name], f"unknown field; known are {', '.join(SPEC_FIELDS)}")
        for name in sorted(spec)
        if name not in SPEC_FIELDS
    ]
    cloud = str(spec.get("cloud", "local"))
    if cloud not in CLOUDS:
        errors.append(not_supported("spec.cloud", cloud, CLOUDS))
    elif cloud not in ("local", "none"):
        errors.append(invalid("spec.cloud", cloud, "this cloud's provider is not built yet; use local"))
    kubernetes = str(spec.get("kubernetes", "1.36"))
    if kubernetes != "1.36":
        errors.append(not_supported("spec.kubernetes", kubernetes, ("1.36",)))
    replicas = spec.get("replicas", 1)
    if isinstance(replicas, bool) or replicas not in (1, 3, 5):
        errors.append(not_supported("spec.replicas", str(replicas), ("1", "3", "5")))
    region = str(spec.get("region", "local"))
    groups = read_groups(spec, region, errors)
    profile = _profile(spec.get("latencies") or {}, errors)
    history = _history(spec.get("history") or {}, errors)
    ignored = _ignored(spec["ignoreDifferences"], errors) if "ignoreDifferences" in spec else ()
    flags = _flags(spec.get("controllerManager") or {}, errors)
    scheduler = _scheduler(spec["scheduler"], errors) if spec.get("scheduler") is not None else None
    loops = _controllers(spec["controllers"], errors) if spec.get("controllers") is not None else None
    if errors:
        raise ClusterError(errors)
    return Cluster(groups, cloud, region, kubernetes, replicas, profile, history, ignored, flags, scheduler, loops)


def _controllers(given: Any, errors: list[FieldError]) -> tuple[str, ...] | None:
    """Read which control loops run, as kube-controller-manager's ``--controllers``: ``["*", "-job-controller"]``."""
    from kctl.plane.loops import every_loop

    known = every_loop()
    if not isinstance(given, list) or not all(isinstance(item, str) for item in given):
        errors.append(invalid("spec.controllers", given, 'must be a list of names, as ["*", "-job-controller"]'))
        return None
    for n, item in enumerate(given):
        if item != "*" and item.removeprefix("-") not in known:
            errors.append(not_supported(f"spec.controllers[{n}]", item, sorted(known)))
    without = {item[1:] for item in given if item.startswith("-")}
    chosen = known if "*" in given else {item for item in given if not item.startswith("-")}
    return tuple(sorted(chosen - without))


def _scheduler(given: Any, errors: list[FieldError]) -> Mapping[str, Any] | None:
    """Check a scheduler configuration that stands in the manifest; whoever reads files puts it there."""
    from kctl.scheduler import config

    if not isinstance(given, dict):
        errors.append(invalid("spec.scheduler", given, f"must be a {config.KIND} or the path of one"))
        return None
    errors += config.parse(given, "spec.scheduler")[1]
    return given


def _flags(given: Any, errors: list[FieldError]) -> Flags:
    """Read ``{node-monitor-grace-period: 40s}``."""
    try:
        if not isinstance(given, dict):
            raise ValueError("must be a map of flags")
        return parse_flags(given)
    except ValueError as error:
        errors.append(invalid("spec.controllerManager", given, str(error)))
        return DEFAULT_FLAGS


def _ignored(listed: Any, errors: list[FieldError]) -> tuple[Rule, ...]:
    from kctl.gitops import ignoring

    return ignoring.of_data(listed, "spec.ignoreDifferences", errors)


def _profile(latencies: Any, errors: list[FieldError]) -> Profile:
    """Read ``{imagePull: 5s, containerStart: 1s..10s, imagePullRate: 50Mi}``."""
    profile = Profile()
    if not isinstance(latencies, dict):
        errors.append(invalid("spec.latencies", latencies, "must be a map"))
        return profile
    known = {_camel(name): name for name in Profile._fields if not name.endswith(MOST)}
    for name in sorted(latencies):
        value, field = latencies[name], f"spec.latencies.{name}"
        if name not in known:
            errors.append(not_supported("spec.latencies", name, sorted(known)))
            continue
        try:
            profile = profile._replace(**latencies_api.read(known[name], str(value)))
        except ValueError as error:
            errors.append(invalid(field, value, str(error)))
    return profile


def _written(profile: Profile) -> dict[str, str]:
    """Return the latencies that are not the default, as :func:`_profile` reads them."""
    values, found = profile._asdict(), {}
    for name, value in values.items():
        most = values.get(f"{name}{MOST}")
        if name.endswith(MOST) or (value == Profile._field_defaults[name] and not most):
            continue
        found[_camel(name)] = f"{value:g}" if name == RATE else f"{value:g}s" + (f"..{most:g}s" if most else "")
    return found


def _history(given: Any, errors: list[FieldError]) -> History:
    """Read ``{revisions: 5000, commands: 20, age: 720h}``."""
    if not isinstance(given, dict):
        errors.append(invalid("spec.history", given, "must be a map"))
        return History()
    history = History()
    for name in sorted(given):
        value, field = given[name], f"spec.history.{name}"
        if name not in History._fields:
            errors.append(invalid(field, value, f"unknown field; known are {', '.join(History._fields)}"))
        elif name == "age":
            try:
                history = history._replace(age=durations.parse(str(value)))
            except ValueError as error:
                errors.append(invalid(field, value, str(error)))
        elif not isinstance(value, int) or isinstance(value, bool) or value < 0:
            errors.append(invalid(field, value, "must be a number, 0 or greater"))
        else:
            history = history._replace(**{name: value})
    return history


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def instances(cluster: Cluster) -> list[Obj]:
    """Return the Instance objects of the shape, in order of group and number."""
    found: list[Obj] = []
    for group in cluster.groups:
        for n in range(group.size):
            name = f"{group.name}-{n + 1}"
            found.append(
                {
                    "apiVersion": "cloud.kctl.dev/v1",
                    "kind": "Instance",
                    "metadata": {"name": name, "labels": {MANAGED_LABEL: group.name}},
                    "spec": {
                        "nodeName": name,
                        "provider": cluster.cloud,
                        "instanceType": f"{group.cpu}cpu-{group.memory}".lower(),
                        "cpu": group.cpu,
                        "memory": group.memory,
                        "pods": group.pods,
                        "ephemeralStorage": "100Gi",
                        "zone": group.zones[n % len(group.zones)] if group.zones else "",
                        "region": cluster.region,
                        "labels": dict(group.labels),
                        "taints": list(group.taints),
                        **({STATIC: list(group.static_pods)} if group.static_pods else {}),
                        **({DEVICES: list(group.devices)} if group.devices else {}),
                        **({KUBELET: group.kubelet} if group.kubelet is not None else {}),
                    },
                }
            )
    return found


def manifest_of(cluster: Cluster) -> Obj:
    """Return the Cluster manifest that :func:`parse` reads back as this cluster."""
    groups = [
        {
            "name": group.name,
            "count": group.size,
            "type": f"{group.cpu}cpu,{group.memory}",
            "pods": group.pods,
            "zones": list(group.zones),
            "labels": dict(group.labels),
            "taints": list(group.taints),
            **({STATIC: list(group.static_pods)} if group.static_pods else {}),
            **({DEVICES: list(group.devices)} if group.devices else {}),
            **({KUBELET: group.kubelet} if group.kubelet is not None else {}),
        }
        for group in cluster.groups
    ]
    latencies = _written(cluster.profile)
    spec: Obj = {
        "kubernetes": cluster.kubernetes,
        "cloud": cluster.cloud,
        "region": cluster.region,
        "replicas": cluster.replicas,
        "nodeGroups": groups,
    }
    if latencies:
        spec["latencies"] = latencies
    flags = {
        named(name): f"{value:g}s" if name.endswith("_period") else value
        for name, value in cluster.flags._asdict().items()
        if value != Flags._field_defaults[name]
    }
    if cluster.controllers is not None:
        spec["controllers"] = list(cluster.controllers)
    if flags:
        spec["controllerManager"] = flags
    if cluster.scheduler is not None:
        spec["scheduler"] = cluster.scheduler
    if cluster.history != History():
        kept: Obj = {"revisions": cluster.history.revisions, "commands": cluster.history.commands}
        spec["history"] = kept | ({"age": f"{cluster.history.age:g}s"} if cluster.history.age else {})
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": "cluster"}, "spec": spec}
