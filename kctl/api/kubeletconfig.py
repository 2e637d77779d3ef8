"""How the kubelets of a node group are configured, as far as it is simulated, in the names of KubeletConfiguration.

In: ``kubelet`` of a node group. Out: every mistake by its field; what of a machine's capacity is for pods, below which
amounts its node is short of something, and how long a shutdown takes. As pkg/kubelet/cm (GetNodeAllocatableReservation) and
the defaults of KubeletConfiguration. Without ``kubelet`` a node gives pods all it has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kctl.api import durations, quantity
from kctl.api.behaviour import EVICTION_HARD, SHUTDOWN_GRACE, graces_of, graces_text
from kctl.api.errors import FieldError, invalid, not_supported
from kctl.api.objects import Obj

FIELD = "kubelet"
RESERVED = ("kubeReserved", "systemReserved")
RESOURCES = ("cpu", "memory", "ephemeral-storage", "pid")
EVICTION = "evictionHard"
DEFAULT_HARD = {"memory.available": "100Mi", "nodefs.available": "10%"}
SIGNALS = {"memory.available": "memory", "nodefs.available": "ephemeral-storage"}
WHOLE, CRITICAL, BY_PRIORITY = (
    "shutdownGracePeriod",
    "shutdownGracePeriodCriticalPods",
    "shutdownGracePeriodByPodPriority",
)
FIELDS = (EVICTION, *RESERVED, BY_PRIORITY, WHOLE, CRITICAL)


def read(given: Any, path: str, errors: list[FieldError]) -> Obj | None:
    """Return the configuration as it was given; None without one."""
    if given is None:
        return None
    if not isinstance(given, dict):
        errors.append(invalid(path, given, "must be a map"))
        return None
    errors += [
        invalid(f"{path}.{name}", given[name], f"unknown field; known are {', '.join(sorted(FIELDS))}")
        for name in sorted(given)
        if name not in FIELDS
    ]
    for name in RESERVED:
        _amounts(given.get(name), f"{path}.{name}", RESOURCES, quantity.milli, errors)
    _amounts(given.get(EVICTION), f"{path}.{EVICTION}", tuple(SIGNALS), _threshold, errors)
    try:
        graces(given)
    except ValueError as error:
        field = BY_PRIORITY if given.get(BY_PRIORITY) else WHOLE
        errors.append(invalid(f"{path}.{field}", given.get(field), str(error)))
    return given


def _amounts(
    given: Any, path: str, known: tuple[str, ...], read_one: Callable[[str], object], errors: list[FieldError]
) -> None:
    if given is None:
        return
    if not isinstance(given, dict):
        errors.append(invalid(path, given, "must be a map"))
        return
    for name in sorted(given):
        if name not in known:
            errors.append(not_supported(f"{path}.{name}", name, known))
            continue
        try:
            read_one(_text(given[name]))
            if str(given[name]).startswith("-"):
                raise ValueError("must not be negative")
        except ValueError as error:
            errors.append(invalid(f"{path}.{name}", given[name], str(error)))


def _text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("must be a quantity")
    return str(value)


def _threshold(text: str) -> float:
    """Read ``100Mi`` or ``10%``."""
    if not text.endswith("%"):
        return float(quantity.value(text))
    share = float(text[:-1])
    if not 0 <= share <= 100:
        raise ValueError("must be from 0% to 100%")
    return share


def graces(config: Mapping[str, Any]) -> str:
    """Return how long pods have when the machine goes off, "" for not at all; ValueError for what cannot be read."""
    listed = config.get(BY_PRIORITY)
    if listed:
        if config.get(WHOLE) or config.get(CRITICAL):
            raise ValueError(f"may not be set together with {WHOLE}")
        if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
            raise ValueError("must be a list of priority and shutdownGracePeriodSeconds")
        pairs = [(one.get("priority"), one.get("shutdownGracePeriodSeconds")) for one in listed]
        if not all(isinstance(part, int) and not isinstance(part, bool) for pair in pairs for part in pair):
            raise ValueError("priority and shutdownGracePeriodSeconds must be whole numbers")
        return graces_text(graces_of(",".join(f"{priority}={seconds}s" for priority, seconds in pairs)))
    whole, critical = str(config.get(WHOLE) or "0s"), str(config.get(CRITICAL) or "0s")
    found = graces_of(f"{whole}/{critical}")
    return graces_text(found) if durations.parse(whole) else ""


def notes_of(config: Mapping[str, Any] | None) -> dict[str, str]:
    """Return the annotations of a Node that say how its kubelet is configured."""
    if config is None:
        return {}
    notes = {EVICTION_HARD: ",".join(f"{signal}={value}" for signal, value in sorted(_hard(config).items()))}
    said = graces(config)
    return {**notes, **({SHUTDOWN_GRACE: said} if said else {})}


def _hard(config: Mapping[str, Any]) -> dict[str, str]:
    """Return the thresholds: those that are given stand for all, as upstream."""
    given = config.get(EVICTION)
    return DEFAULT_HARD if given is None else {signal: str(value) for signal, value in given.items()}


def allocatable_of(capacity: Mapping[str, str], config: Mapping[str, Any] | None) -> Mapping[str, str]:
    """Return what of the capacity is for pods: less what is reserved, less what is to be left free."""
    if config is None:
        return capacity
    found = dict(capacity)
    for resource in ("cpu", "memory", "ephemeral-storage"):
        whole = _number(resource, capacity[resource])
        for name in RESERVED:
            reserved = (config.get(name) or {}).get(resource)
            whole -= _number(resource, str(reserved)) if reserved is not None else 0
        for signal, text in _hard(config).items():
            if SIGNALS[signal] == resource:
                whole -= least_of(text, _number(resource, capacity[resource]))
        left = max(whole, 0)
        found[resource] = quantity.canonical({"cpu": f"{left}m", "memory": f"{left >> 10}Ki"}.get(resource, str(left)))
    return found


def _number(resource: str, text: str) -> int:
    return quantity.milli(text) if resource == "cpu" else quantity.value(text)


def least_of(text: str, whole: int) -> int:
    """Return how much a threshold is of what there is."""
    return int(whole * float(text[:-1]) / 100) if text.endswith("%") else quantity.value(text)


def thresholds_of(node: Obj) -> dict[str, str]:
    """Return below what the node is short of memory and disk, by resource, as its annotation says."""
    text = (node["metadata"].get("annotations") or {}).get(EVICTION_HARD, "")
    pairs = (part.partition("=") for part in text.split(",") if part)
    return {SIGNALS[signal]: value for signal, _, value in pairs if signal in SIGNALS}
