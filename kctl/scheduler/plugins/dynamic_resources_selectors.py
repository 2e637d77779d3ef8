"""Does an expression select a device? CEL over ``device.driver``, ``device.attributes`` and ``device.capacity``.

In: an expression and a device. Out: yes or no, or :class:`Wrong` with what went wrong when it was computed. Loaded
with the first claim that is to be allocated.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from kctl.api.cel import program, quantities, semvers
from kctl.api.cel.errors import CelError, CompileError, EvaluationError
from kctl.api.validation.expressions import device_type
from kctl.scheduler.plugins.dynamic_resources_pools import Device

MOST_COST = 1_000_000
"""What one expression may cost (CELSelectorExpressionMaxCost)."""
HINT = ". Consider using CEL optional chaining (?), has() macro, or orValue() for optional fields"


class Wrong(Exception):
    """An expression that does not compile, or that cannot be computed for a device."""


class _ByDomain(dict[str, Any]):
    """Attributes by domain: what no device has is an empty map, not a mistake."""

    def __missing__(self, key: str) -> dict[str, Any]:
        return {}


@lru_cache(maxsize=256)
def compiled(expression: str) -> program.Program | str:
    """Return an expression ready to run, or why it does not compile."""
    try:
        return program.compile(expression, {"device": device_type()})
    except CompileError as error:
        return f"CEL compile error: compilation failed: {error}"


def selects(expression: str, device: Device) -> bool:
    """Say whether the expression selects the device; Wrong when that cannot be told."""
    found = device.matches.get(expression)
    if found is None:
        found = device.matches[expression] = _selects(expression, device)
    if isinstance(found, str):
        raise Wrong(found)
    return found


def _selects(expression: str, device: Device) -> bool | str:
    ready = compiled(expression)
    if isinstance(ready, str):
        return ready
    try:
        found, _ = ready.run({"device": as_value(device)}, limit=MOST_COST)
    except CelError as error:
        text = str(error)
        hint = HINT if isinstance(error, EvaluationError) and text.startswith("no such key:") else ""
        return f"on device {device.id}: CEL runtime error: {text}{hint}"
    if not isinstance(found, bool):
        return f"on device {device.id}: CEL runtime error: the expression gives no bool"
    return found


def as_value(device: Device) -> dict[str, Any]:
    """Return the device as expressions see it."""
    attributes, capacity = _ByDomain(), _ByDomain()
    for name, (kind, value) in device.attributes.items():
        domain, plain = _split(name, device.id.driver)
        attributes.setdefault(domain, {})[plain] = _attribute(kind, value)
    for name, found in device.capacity.items():
        domain, plain = _split(name, device.id.driver)
        capacity.setdefault(domain, {})[plain] = quantities.parse(str(found["value"]))
    return {
        "driver": device.id.driver,
        "allowMultipleAllocations": device.is_shared,
        "attributes": attributes,
        "capacity": capacity,
    }


def _split(name: str, driver: str) -> tuple[str, str]:
    domain, slash, plain = name.partition("/")
    return (domain, plain) if slash else (driver, name)


def _attribute(kind: str, value: Any) -> Any:
    if kind == "version":
        return semvers.parse(value)
    if kind == "versions":
        return [semvers.parse(one) for one in value]
    return value
