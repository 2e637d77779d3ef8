"""The devices of machines: the short form in which a node group has them, and the ResourceSlices they are offered in.

In: ``devices`` of a node group: ``{driver: gpu.example.com, count: 8, attributes: {model: a100}, capacity: {memory: 80Gi}}``,
one or a list. Out: every mistake by its field; the slices that a driver on the node would publish.
"""

from __future__ import annotations

from typing import Any

from kctl.api import quantity
from kctl.api.errors import FieldError, invalid, required
from kctl.api.objects import Obj, dig, evolve

FIELD = "devices"
"""The field of a node group, and of an Instance's spec."""
FIELDS = ("attributes", "capacity", "count", "driver", "name", "taints")
A_SLICE, A_RICH_SLICE = 128, 64
"""So many devices a slice holds, and one of devices with taints."""
TYPES: dict[str, type] = {"bool": bool, "int": int, "string": str, "version": str}
"""The kinds of values an attribute may have."""
MOST = 1024


def read(given: Any, path: str, errors: list[FieldError]) -> tuple[Obj, ...]:
    """Read the devices of a node group."""
    if given is None or given == []:
        return ()
    single = isinstance(given, dict)
    listed = [given] if single else given
    if not isinstance(listed, list):
        errors.append(invalid(path, given, "must be a map with driver and count, or a list of them"))
        return ()
    before, found = len(errors), []
    for n, one in enumerate(listed):
        at = path if single else f"{path}[{n}]"
        if not isinstance(one, dict):
            errors.append(invalid(at, one, "must be a map with driver and count"))
            continue
        found.append(_read(one, at, errors))
    names = [(one["driver"], one["name"]) for one in found]
    errors += [
        invalid(f"{path}[{n}].name", name[1], "names must be unique for a driver")
        for n, name in enumerate(names)
        if name in names[:n]
    ]
    return tuple(found) if len(errors) == before else ()


def _read(one: Obj, at: str, errors: list[FieldError]) -> Obj:
    errors += [
        invalid(f"{at}.{name}", one[name], f"unknown field; known are {', '.join(FIELDS)}")
        for name in sorted(map(str, one))
        if name not in FIELDS
    ]
    if not one.get("driver"):
        errors.append(required(f"{at}.driver"))
    count = one.get("count", 1)
    if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= MOST:
        errors.append(invalid(f"{at}.count", count, f"must be a number from 1 to {MOST}"))
        count = 1
    found: Obj = {"driver": str(one.get("driver") or "d"), "name": str(one.get("name", "gpu")), "count": count}
    for name, as_value in (("attributes", _attribute), ("capacity", _amount)):
        values = one.get(name)
        if values is not None and not isinstance(values, dict):
            errors.append(invalid(f"{at}.{name}", values, "must be a map"))
        elif values:
            found[name] = {str(key): as_value(value, f"{at}.{name}[{key}]", errors) for key, value in values.items()}
    taints = one.get("taints") or []
    if isinstance(taints, list) and all(isinstance(taint, dict) for taint in taints):
        found |= {"taints": taints} if taints else {}
    else:
        errors.append(invalid(f"{at}.taints", taints, "must be a list of maps with key and effect"))
    _check(found, at, errors)
    return found


def _check(found: Obj, at: str, errors: list[FieldError]) -> None:
    """Hold a slice of such devices to what the API server would say of it."""
    from kctl.api.validation import devices

    wrong: list[FieldError] = []
    devices.device_slice(slices_of({"spec": {FIELD: [{**found, "count": 1}]}}, {"name": "n", "uid": ""})[0], wrong)
    for error in wrong:
        field = error.field.removeprefix("spec.").removeprefix("devices[0].")
        errors.append(error._replace(field=f"{at}.{field}"))


def _attribute(value: Any, at: str, errors: list[FieldError]) -> Obj:
    """Return an attribute by the type of its value; a map says it itself (``{version: 1.2.3}``)."""
    if isinstance(value, dict):
        for kind, given in value.items():
            if not isinstance(given, TYPES.get(kind, ())) or (kind == "int" and isinstance(given, bool)):
                errors.append(
                    invalid(at, value, "must be one of {string: text}, {version: text}, {int: 1}, {bool: true}")
                )
                return {"string": ""}
        return value
    if isinstance(value, bool):
        return {"bool": value}
    if isinstance(value, int):
        return {"int": value}
    if not isinstance(value, str):
        errors.append(invalid(at, value, "must be a text, a whole number, true or false"))
    return {"string": str(value)}


def _amount(value: Any, at: str, errors: list[FieldError]) -> Obj:
    try:
        if isinstance(value, dict):
            return {**value, "value": quantity.canonical(value.get("value", ""))}
        return {"value": quantity.canonical(value)}
    except ValueError as error:
        errors.append(invalid(at, value, str(error)))
        return {"value": "0"}


def slices_of(instance: Obj, owner: Obj) -> list[Obj]:
    """Return the slices with the devices of a machine; ``owner`` has name and uid of its node."""
    by_driver: dict[str, list[Obj]] = {}
    found = dig(instance, "spec", FIELD)
    for one in found if isinstance(found, list) else ():
        listed = by_driver.setdefault(one["driver"], [])
        about = {name: one[name] for name in ("attributes", "capacity", "taints") if one.get(name)}
        listed += [{"name": f"{one['name']}-{n}", **about} for n in range(one["count"])]
    return [made for driver in sorted(by_driver) for made in _slices(driver, by_driver[driver], owner)]


def _slices(driver: str, devices: list[Obj], owner: Obj) -> list[Obj]:
    node = owner["name"]
    most = A_RICH_SLICE if any("taints" in device for device in devices) else A_SLICE
    parts = [devices[n : n + most] for n in range(0, len(devices), most)]
    reference = {"apiVersion": "v1", "kind": "Node", "name": node, "uid": owner["uid"], "controller": True}
    made: Obj = {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceSlice",
        "metadata": {"ownerReferences": [reference]},
        "spec": {
            "driver": driver,
            "nodeName": node,
            "pool": {"name": node, "generation": 1, "resourceSliceCount": len(parts)},
        },
    }
    return [
        evolve(made, {"metadata": {"name": f"{node}-{driver}-{n}"}, "spec": {"devices": part}})
        for n, part in enumerate(parts)
    ]
