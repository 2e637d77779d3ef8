"""Whether a custom resource may be stored, as its definition has it.

In: a decoded and defaulted object, on an update also the one before. Out: field errors, in the order
of apiextensions-apiserver pkg/registry/customresource (strategy.go, status_strategy.go, validator.go):
metadata, schema, scale, embedded objects, lists, and the rules in CEL when nothing before them makes
their types uncertain.
"""

from __future__ import annotations

from typing import Any

from kctl.api.crd import lists, values
from kctl.api.crd.pruning import EMBEDDED
from kctl.api.crd.version import Version
from kctl.api.errors import FieldError, invalid, required
from kctl.api.objects import FrozenDict, FrozenList, Obj
from kctl.api.registry import Kind
from kctl.api.validation import formats, meta

BLOCKING = frozenset(
    {
        "FieldValueNotSupported",
        "FieldValueRequired",
        "FieldValueTooLong",
        "FieldValueTooMany",
        "FieldValueTypeInvalid",
    }
)
UNCHECKED = (
    "some validation rules were not checked because the object was invalid; correct the existing errors to complete "
    "validation"
)
INT32_MAX = (1 << 31) - 1
Warn = list[str]


def create(kind: Kind, version: Version, obj: Obj) -> list[FieldError]:
    """Return what is wrong with a new object."""
    out = _type_meta(kind, obj)
    if out:
        return out
    meta.create(obj.get("metadata") or {}, namespaced=kind.namespaced, names=meta.SUBDOMAIN, kube=False, out=out)
    out += values.check(obj, version.schema)
    out += scale_spec(version, obj) + scale_status(version, obj)
    out += embedded(obj, version.schema, "") + lists.check(obj, version.schema)
    return out + _rules(version, obj, None, out)


def update(kind: Kind, version: Version, new: Obj, old: Obj) -> list[FieldError]:
    """Return what is wrong with a changed object; what did not change is not judged again."""
    out = _type_meta(kind, new)
    if out:
        return out
    meta.update(new.get("metadata") or {}, old["metadata"], out)
    out += values.check(new, version.schema, old)
    out += scale_spec(version, new) + scale_status(version, new)
    out += embedded(new, version.schema, "")
    if not lists.check(old, version.schema):
        out += lists.check(new, version.schema)
    return out + _rules(version, new, old, out)


def update_status(kind: Kind, version: Version, new: Obj, old: Obj) -> list[FieldError]:
    """Return what is wrong with a changed status."""
    out = _type_meta(kind, new)
    if out:
        return out
    meta.update(new.get("metadata") or {}, old["metadata"], out)
    schema = (version.schema.get("properties") or {}).get("status")
    if schema is not None and "status" in new:
        before = old.get("status", values.NOTHING)
        out += values.check(new["status"], schema, before, prefix="status")
    out += scale_status(version, new)
    out += embedded(new, version.schema, "")
    if not lists.check(old, version.schema):
        out += lists.check(new, version.schema)
    return out + _rules(version, new, old, out)


def _type_meta(kind: Kind, obj: Obj) -> list[FieldError]:
    out = []
    if obj.get("kind") != kind.kind:
        out.append(invalid("kind", obj.get("kind"), f"must be {kind.kind}"))
    if obj.get("apiVersion") != kind.api_version:
        out.append(invalid("apiVersion", obj.get("apiVersion"), f"must be {kind.api_version}"))
    return out


def _rules(version: Version, new: Obj, old: Obj | None, found: list[FieldError]) -> list[FieldError]:
    """Return what the rules in CEL say, once all else allows them to be tried."""
    rules = version.rules
    if rules is None:
        return []
    if any(error.type in BLOCKING for error in found):
        return [invalid("<nil>", None, UNCHECKED)]
    return rules.check(new, old)


# scale


def replicas(obj: Obj, path: str) -> Any:
    """Return what stands at the path of a scale subresource; None for nothing."""
    value: Any = obj
    for name in path.removeprefix(".").split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def scale_spec(version: Version, obj: Obj) -> list[FieldError]:
    """Check the number of replicas asked for."""
    return [] if version.scale is None else _count(obj, str(version.scale["specReplicasPath"]))


def scale_status(version: Version, obj: Obj) -> list[FieldError]:
    """Check the number of replicas there are, and the selector that finds them."""
    if version.scale is None:
        return []
    out = _count(obj, version.scale["statusReplicasPath"])
    path = version.scale.get("labelSelectorPath")
    selector = replicas(obj, path) if path else None
    if path and selector is not None and not isinstance(selector, str):
        out.append(invalid(path, "", _accessor(path, selector, "string")))
    return out


def _count(obj: Obj, path: str) -> list[FieldError]:
    value = replicas(obj, path)
    if value is None:
        return []
    if isinstance(value, bool) or not isinstance(value, int):
        return [invalid(path, 0, _accessor(path, value, "int64"))]
    if value < 0:
        return [invalid(path, value, "should be a non-negative integer")]
    if value > INT32_MAX:
        return [invalid(path, value, f"should be less than or equal to {INT32_MAX}")]
    return []


GO_TYPES = {
    bool: "bool",
    str: "string",
    int: "int64",
    float: "float64",
    list: "[]interface {}",
    dict: "map[string]interface {}",
    FrozenList: "[]interface {}",
    FrozenDict: "map[string]interface {}",
}


def _accessor(path: str, value: Any, wanted: str) -> str:
    return f"{path} accessor error: {value} is of the type {GO_TYPES[type(value)]}, expected {wanted}"


# embedded objects


def embedded(value: Any, schema: Obj | None, path: str) -> list[FieldError]:
    """Check type and metadata of whole objects that stand inside, as schemaobjectmeta.Validate."""
    if schema is None:
        return []
    out: list[FieldError] = []
    if isinstance(value, list):
        items = schema.get("items")
        for n, item in enumerate(value):
            out += embedded(item, items if isinstance(items, dict) else None, f"{path}[{n}]")
    if not isinstance(value, dict):
        return out
    if path and schema.get(EMBEDDED):
        out += _object(value, path)
    properties = schema.get("properties") or {}
    additional = schema.get("additionalProperties")
    for name in sorted(value):
        below = properties.get(name)
        at = f"{path}.{name}" if path else name
        if below is None and isinstance(additional, dict):
            below, at = additional, f"{path}[{name}]"
        out += embedded(value[name], below, at)
    return out


def _object(value: Obj, path: str) -> list[FieldError]:
    out: list[FieldError] = []
    for field in ("apiVersion", "kind"):
        given = value.get(field)
        at = f"{path}.{field}"
        if given in (None, ""):
            out.append(required(at, "must not be empty"))
        elif not isinstance(given, str):
            out.append(FieldError("FieldValueTypeInvalid", at, given, "must be string"))
        elif field == "apiVersion" and given.count("/") > 1:
            out.append(invalid(at, given, f"unexpected GroupVersion string: {given}"))
        elif field == "kind" and (wrong := formats.dns_1035_label(given.lower())):
            out.append(invalid(at, given, f"may have mixed case, but should otherwise match: {','.join(wrong)}"))
    metadata = value.get("metadata")
    if isinstance(metadata, dict):
        found: list[FieldError] = []
        meta.common(metadata, found)
        if metadata.get("name"):
            meta.formatted(formats.dns_subdomain, metadata["name"], "metadata.name", found)
        out += [error._replace(field=f"{path}.{error.field}") for error in found]
    return out
