"""Flags of kube-controller-manager that controllers here go by, by upstream's names.

In: ``{"node-monitor-grace-period": "40s"}`` from ``kctl.yaml`` or an embedding program. Out: a
:class:`Flags`. Defaults are those of 1.36. A flag that nothing here goes by is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from kctl.api import durations


class Flags(NamedTuple):
    """What kube-controller-manager was started with; times in seconds, rates a second."""

    node_monitor_period: float = 5.0
    node_monitor_grace_period: float = 50.0
    node_startup_grace_period: float = 60.0
    node_eviction_rate: float = 0.1
    secondary_node_eviction_rate: float = 0.01
    unhealthy_zone_threshold: float = 0.55
    large_cluster_size_threshold: int = 50
    terminated_pod_gc_threshold: int = 12_500
    horizontal_pod_autoscaler_sync_period: float = 15.0
    pvclaimbinder_sync_period: float = 15.0


DEFAULT_FLAGS = Flags()


def named(name: str) -> str:
    """Return the flag's name as upstream writes it."""
    return name.replace("_", "-")


KNOWN = {named(field): field for field in Flags._fields}


def parse(given: Mapping[str, object]) -> Flags:
    """Return the flags with what is given; ValueError names the first that is wrong."""
    flags = DEFAULT_FLAGS
    for name in sorted(given):
        field = KNOWN.get(name)
        if field is None:
            raise ValueError(f"{name}: no such flag is known; known are {', '.join(sorted(KNOWN))}")
        try:
            value = _value(getattr(DEFAULT_FLAGS, field), name, given[name])
        except (ValueError, TypeError) as error:
            raise ValueError(f"{name}: {given[name]!r}: {error}") from None
        flags = flags._replace(**{field: value})  # type: ignore[arg-type]  # of the type of its default
    return flags


def _value(default: object, name: str, given: object) -> float | int:
    if isinstance(given, bool):
        raise ValueError("is no number")
    value: float | int
    if name.endswith("-period"):
        value = durations.parse(given) if isinstance(given, str) else float(str(given))
    else:
        value = int(str(given)) if isinstance(default, int) else float(str(given))
    if not 0 <= value < float("inf"):
        raise ValueError("must be 0 or more")
    return value
