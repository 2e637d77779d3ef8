"""KubeSchedulerConfiguration (kubescheduler.config.k8s.io/v1): read, defaulted and checked.

In: the configuration as YAML or JSON has it. Out: a :class:`Configuration`, or every mistake with its field.
What concerns the process and not its decisions (leader election, the connection, profiling, parallelism) is
checked and has no consequence. Two things differ from upstream: nodes are not sampled unless
``percentageOfNodesToScore`` is written, and names of plugins that do not exist are errors everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from kctl.api.errors import FieldError, duplicate, forbidden_field, invalid, not_supported, required
from kctl.scheduler import config_args, config_plugins
from kctl.scheduler.config_fields import INT64, Fields

KIND = "KubeSchedulerConfiguration"
VERSION = config_plugins.VERSION
DEFAULT_SCHEDULER = "default-scheduler"
LEADER_ELECTION = (
    "leaderElect",
    "leaseDuration",
    "renewDeadline",
    "resourceLock",
    "resourceName",
    "resourceNamespace",
    "retryPeriod",
)
CONNECTION = ("acceptContentTypes", "burst", "contentType", "kubeconfig", "qps")


class Profile(NamedTuple):
    """One scheduler: its name, its plugins, how they are made."""

    name: str = DEFAULT_SCHEDULER
    points: config_plugins.Points = config_plugins.defaults()
    args: Mapping[str, config_args.Args] = {}
    percentage: int | None = None
    """How many of the nodes are to be found feasible, in percent; 0: as upstream, None: all."""


class Configuration(NamedTuple):
    """What a kube-scheduler is started with."""

    profiles: tuple[Profile, ...] = (Profile(),)
    initial_backoff: float = 1.0
    max_backoff: float = 10.0

    @property
    def names(self) -> frozenset[str]:
        """The schedulers that pods can ask for."""
        return frozenset(profile.name for profile in self.profiles)


def parse(value: Any, path: str = "") -> tuple[Configuration, list[FieldError]]:
    """Read a configuration that stands at ``path`` of its document."""
    errors: list[FieldError] = []
    fields = Fields(value, path, errors)
    version, kind = fields.text("apiVersion"), fields.text("kind")
    if version != VERSION:
        errors.append(not_supported(fields.at("apiVersion"), version, (VERSION,)))
    if kind != KIND:
        errors.append(not_supported(fields.at("kind"), kind, (KIND,)))
    percentage = _percentage(fields)
    if fields.integer("parallelism", 16) <= 0:
        why = "should be an integer value greater than zero"
        errors.append(invalid(fields.at("parallelism"), fields.value["parallelism"], why))
    initial, most = _backoff(fields)
    _process(fields)
    profiles = _profiles(fields, percentage)
    if any(True for _ in fields.items("extenders")):
        errors.append(forbidden_field(fields.at("extenders"), "kctl does not call scheduler extenders"))
    fields.finish()
    return Configuration(profiles, initial, most), errors


def _percentage(fields: Fields) -> int | None:
    found: int | None = fields.integer("percentageOfNodesToScore")
    if found is not None and not 0 <= found <= 100:
        fields.errors.append(invalid(fields.at("percentageOfNodesToScore"), found, "not in valid range [0-100]"))
    return found


def _backoff(fields: Fields) -> tuple[float, float]:
    initial = fields.integer("podInitialBackoffSeconds", 1, below=INT64)
    most = fields.integer("podMaxBackoffSeconds", 10, below=INT64)
    if initial <= 0:
        fields.errors.append(invalid(fields.at("podInitialBackoffSeconds"), initial, "must be greater than 0"))
    if most < initial:
        why = "must be greater than or equal to PodInitialBackoffSeconds"
        fields.errors.append(invalid(fields.at("podMaxBackoffSeconds"), most, why))
    return float(initial), float(most)


def _process(fields: Fields) -> None:
    """Look at what has no consequence here."""
    for name in ("enableProfiling", "enableContentionProfiling", "delayCacheUntilActive"):
        fields.flag(name)
    leader = fields.fields("leaderElection")
    for name in LEADER_ELECTION:
        leader.get(name)
    lock = leader.text("resourceLock", "leases")
    if lock != "leases" and leader.flag("leaderElect", default=True):
        fields.errors.append(invalid(leader.at("resourceLock"), lock, 'resourceLock value must be "leases"'))
    leader.finish()
    connection = fields.fields("clientConnection")
    for name in CONNECTION:
        connection.get(name)
    connection.finish()


def _profiles(fields: Fields, percentage: int | None) -> tuple[Profile, ...]:
    listed = list(fields.items("profiles")) or [(f"{fields.at('profiles')}[0]", {})]
    default = DEFAULT_SCHEDULER if len(listed) == 1 else ""
    profiles = [_profile(Fields(item, path, fields.errors), default, percentage) for path, item in listed]
    sorting = profiles[0].points.plugins.get("queueSort")
    for n, (profile, (path, _)) in enumerate(zip(profiles, listed, strict=True)):
        if profile.name and profile.name in [other.name for other in profiles[:n]]:
            fields.errors.append(duplicate(f"{path}.schedulerName", profile.name))
        found = profile.points.plugins.get("queueSort")
        if found != sorting and found is not None and sorting is not None:
            fields.errors.append(invalid(f"{path}.plugins.queueSort", found, "must be the same for all profiles"))
    return tuple(profiles)


def _profile(fields: Fields, default: str, percentage: int | None) -> Profile:
    name = fields.text("schedulerName", default)
    if not name:
        fields.errors.append(required(fields.at("schedulerName")))
    own = _percentage(fields)
    wrong: list[FieldError] = []
    plugins = Fields(fields.get("plugins"), fields.at("plugins"), wrong)
    points = config_plugins.expanded(config_plugins.read(plugins), wrong)
    if not wrong:
        wrong += config_plugins.complaints(points, plugins.path, name)
    fields.errors += wrong
    args = _args(fields)
    fields.finish()
    return Profile(name, points, args, percentage if own is None else own)


def _args(fields: Fields) -> dict[str, config_args.Args]:
    """Read ``pluginConfig``; plugins that are not listed have no entry."""
    found: dict[str, config_args.Args] = {}
    for path, item in fields.items("pluginConfig"):
        entry = Fields(item, path, fields.errors)
        name = entry.text("name")
        if name in found:
            fields.errors.append(duplicate(path, name))
        elif name not in config_plugins.EXTENDS:
            fields.errors.append(invalid(entry.at("name"), name, "there is no such plugin"))
            entry.get("args")
        else:
            found[name] = config_args.read(name, entry.fields("args"))
        entry.get("args")
        entry.finish()
    return found
