"""Which plugin runs at which extension point, in which order and with which weight.

In: the ``plugins`` of a profile of a KubeSchedulerConfiguration. Out: :class:`Points`. The rules are those of
kube-scheduler: what is configured for a point goes before ``multiPoint``, what is configured
before what is default (mergePluginSet, expandMultiPointPlugins, getScoreWeights).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from kctl.api.errors import FieldError, invalid
from kctl.scheduler.config_fields import Fields

DEFAULTS = (
    ("SchedulingGates", 0),
    ("PrioritySort", 0),
    ("NodeUnschedulable", 0),
    ("NodeName", 0),
    ("TaintToleration", 3),
    ("NodeAffinity", 2),
    ("NodePorts", 0),
    ("NodeResourcesFit", 1),
    ("VolumeRestrictions", 0),
    ("NodeVolumeLimits", 0),
    ("VolumeBinding", 0),
    ("VolumeZone", 0),
    ("PodTopologySpread", 2),
    ("InterPodAffinity", 2),
    ("DynamicResources", 2),
    ("DefaultPreemption", 0),
    ("NodeResourcesBalancedAllocation", 1),
    ("ImageLocality", 1),
    ("DefaultBinder", 0),
    ("NodeDeclaredFeatures", 0),
)
"""The plugins of 1.36 that are enabled by default (``multiPoint``), in order, with their weights."""

POINTS = (
    "preFilter",
    "filter",
    "postFilter",
    "reserve",
    "preScore",
    "score",
    "preBind",
    "bind",
    "postBind",
    "permit",
    "preEnqueue",
    "queueSort",
)
"""The extension points, in upstream's order."""

FILTERS = ("preFilter", "filter")
SCORES = ("preScore", "score")
EXTENDS: Mapping[str, tuple[str, ...]] = {
    "SchedulingGates": ("preEnqueue",),
    "PrioritySort": ("queueSort",),
    "NodeUnschedulable": ("filter",),
    "NodeName": ("filter",),
    "TaintToleration": ("filter", *SCORES),
    "NodeAffinity": (*FILTERS, *SCORES),
    "NodePorts": FILTERS,
    "NodeResourcesFit": (*FILTERS, *SCORES),
    "VolumeRestrictions": FILTERS,
    "NodeVolumeLimits": FILTERS,
    "VolumeBinding": (*FILTERS, *SCORES, "reserve", "preBind"),
    "VolumeZone": FILTERS,
    "PodTopologySpread": (*FILTERS, *SCORES),
    "InterPodAffinity": (*FILTERS, *SCORES),
    "DynamicResources": ("preEnqueue", *FILTERS, "postFilter", "score", "reserve", "preBind"),
    "DefaultPreemption": ("preEnqueue", "postFilter"),
    "NodeResourcesBalancedAllocation": SCORES,
    "ImageLocality": ("score",),
    "DefaultBinder": ("bind",),
    "NodeDeclaredFeatures": FILTERS,
}
"""The extension points of each plugin, as upstream's implements them."""

NEEDS = {"filter": "preFilter", "score": "preScore"}
"""A plugin's Filter and Score read what its PreFilter and PreScore found."""
SELF_RELIANT = {
    ("NodeAffinity", "filter"),
    ("NodeAffinity", "score"),
    ("NodeResourcesFit", "score"),
    ("NodeResourcesBalancedAllocation", "score"),
}
"""These find it themselves where it was not found before."""

REMOVED = ("AzureDiskLimits", "CinderLimits", "EBSLimits", "GCEPDLimits")
"""Plugins that version 1 of the configuration does not have any more."""

VERSION = "kubescheduler.config.k8s.io/v1"


class Points(NamedTuple):
    """The plugins of each extension point in order, and the weights of those that score."""

    plugins: Mapping[str, tuple[str, ...]]
    weights: Mapping[str, int]


class Enabled(NamedTuple):
    """A plugin that is enabled somewhere."""

    name: str
    weight: int
    path: str


class PluginSet(NamedTuple):
    """What is enabled and disabled at a point."""

    enabled: tuple[Enabled, ...] = ()
    disabled: frozenset[str] = frozenset()


def defaults() -> Points:
    """Return the default profile's plugins."""
    return expanded({}, [])


def read(fields: Fields) -> dict[str, PluginSet]:
    """Read the ``plugins`` of a profile: a set for each point and ``multiPoint``."""
    sets = {point: _plugin_set(fields.fields(point)) for point in (*POINTS, "multiPoint")}
    fields.finish()
    return sets


def _plugin_set(fields: Fields) -> PluginSet:
    enabled, disabled = [], set()
    for path, item in fields.items("enabled"):
        plugin = Fields(item, path, fields.errors)
        name = plugin.text("name")
        weight = plugin.integer("weight", 0)
        plugin.finish()
        enabled.append(Enabled(name, weight, path))
    for path, item in fields.items("disabled"):
        plugin = Fields(item, path, fields.errors)
        name = plugin.text("name")
        plugin.integer("weight", 0)
        plugin.finish()
        if name != "*" and name not in EXTENDS and name not in REMOVED:
            fields.errors.append(invalid(f"{path}.name", name, "there is no such plugin"))
        disabled.add(name)
    fields.finish()
    return PluginSet(tuple(enabled), frozenset(disabled))


def expanded(sets: Mapping[str, PluginSet], errors: list[FieldError]) -> Points:
    """Return the plugins of each point; what upstream refuses to start with is an error."""
    multi = _merged(sets.get("multiPoint", PluginSet()))
    for point in POINTS:
        _check(point, sets.get(point, PluginSet()).enabled, errors)
    errors += [_missing(plugin, POINTS[0]) for plugin in multi if plugin.name not in EXTENDS]
    if errors:
        return Points({}, {})
    plugins = {point: _at(point, sets.get(point, PluginSet()), multi, errors) for point in POINTS}
    return Points(plugins, _weights((*sets.get("score", PluginSet()).enabled, *multi)))


def _merged(custom: PluginSet) -> list[Enabled]:
    """Merge what ``multiPoint`` says into the default plugins (mergePluginSet)."""
    given = {plugin.name: plugin for plugin in custom.enabled}
    found: list[Enabled] = []
    if "*" not in custom.disabled:
        for name, weight in DEFAULTS:
            if name not in custom.disabled:
                found.append(given.get(name) or Enabled(name, weight, ""))
    kept = {plugin.path for plugin in found if plugin.path}
    return found + [plugin for plugin in custom.enabled if plugin.path not in kept]


def _check(point: str, enabled: tuple[Enabled, ...], errors: list[FieldError]) -> None:
    """Check what is enabled for a point itself (updatePluginList)."""
    seen: set[str] = set()
    for plugin in enabled:
        if plugin.name not in EXTENDS:
            errors.append(_missing(plugin, point))
        elif point not in EXTENDS[plugin.name]:
            why = f'plugin "{plugin.name}" does not extend {type_of(point)} plugin'
            errors.append(invalid(f"{plugin.path}.name", plugin.name, why))
        elif plugin.name in seen:
            errors.append(_twice(plugin, point))
        seen.add(plugin.name)


def _missing(plugin: Enabled, point: str) -> FieldError:
    why = f'{type_of(point)} "{plugin.name}" does not exist'
    if plugin.name in REMOVED:
        why = f'was invalid in version "{VERSION}" (KubeSchedulerConfiguration is version "{VERSION}")'
    return invalid(f"{plugin.path}.name", plugin.name, why)


def _twice(plugin: Enabled, point: str) -> FieldError:
    why = f'plugin "{plugin.name}" already registered as "{type_of(point)}"'
    return invalid(f"{plugin.path}.name", plugin.name, why)


def type_of(point: str) -> str:
    """Return the name of a point's interface upstream: ``PreFilterPlugin``."""
    return f"{point[0].upper()}{point[1:]}Plugin"


def _at(point: str, own: PluginSet, multi: list[Enabled], errors: list[FieldError]) -> tuple[str, ...]:
    """Return the plugins of one point (expandMultiPointPlugins).

    First those that stand in both lists, in their own order; then those of ``multiPoint``; then the others.
    """
    mine = [plugin.name for plugin in own.enabled]
    if "*" in own.disabled:
        return tuple(mine)
    override, shared = set(), []
    for plugin in multi:
        if point not in EXTENDS[plugin.name] or plugin.name in own.disabled:
            continue
        if plugin.name in mine:
            override.add(plugin.name)
        elif plugin.name in shared:
            errors.append(_twice(plugin, point))
        else:
            shared.append(plugin.name)
    first = [name for name in mine if name in override]
    return (*first, *shared, *(name for name in mine if name not in override))


def _weights(plugins: tuple[Enabled, ...]) -> dict[str, int]:
    """Return the weights of plugins that score; the point's own come first, 0 is 1 (getScoreWeights)."""
    weights: dict[str, int] = {}
    for plugin in plugins:
        if "score" in EXTENDS[plugin.name] and plugin.name not in weights:
            weights[plugin.name] = plugin.weight or 1
    return weights


def complaints(points: Points, path: str, scheduler: str) -> list[FieldError]:
    """Say why a profile with these plugins cannot work."""
    plugins = points.plugins
    errors = []
    sorts = len(plugins["queueSort"])
    if sorts != 1:
        why = f'only one queue sort plugin required for profile with scheduler name "{scheduler}", but got {sorts}'
        errors.append(invalid(f"{path}.queueSort", sorts, why))
    if not plugins["bind"]:
        why = f'at least one bind plugin is needed for profile with scheduler name "{scheduler}"'
        errors.append(invalid(f"{path}.bind", 0, why))
    for point, before in NEEDS.items():
        for name in plugins[point]:
            if before in EXTENDS[name] and name not in plugins[before] and (name, point) not in SELF_RELIANT:
                why = f"its {point} needs what its {before} finds: without it every pod fails with an error"
                errors.append(invalid(f"{path}.{before}", name, why))
    return errors
