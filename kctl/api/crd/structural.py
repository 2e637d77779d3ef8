"""Whether a schema is structural: every field is specified, and alternatives only add conditions.

In: an OpenAPI v3 schema and its path in the definition. Out: field errors, sorted by their text as
upstream sorts them (apiextensions-apiserver pkg/apiserver/schema: convert.go, validation.go, complete.go).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kctl.api.errors import FieldError, forbidden_field, invalid, required
from kctl.api.objects import Obj
from kctl.api.regexp import BadRegexp, compiled

Errors = list[FieldError]
EITHER = [{"type": "integer"}, {"type": "string"}]
UNSUPPORTED = ("id", "$schema", "$ref", "additionalItems", "definitions", "patternProperties", "dependencies")
EMPTY = {
    "type": "must be empty to be structural",
    "additionalProperties": "must be undefined to be structural",
    "default": "must be undefined to be structural",
    "title": "must be empty to be structural",
    "description": "must be empty to be structural",
    "nullable": "must be false to be structural",
    "externalDocs": "must be undefined to be structural",
    "x-kubernetes-preserve-unknown-fields": "must be false to be structural",
    "x-kubernetes-embedded-resource": "must be false to be structural",
    "x-kubernetes-int-or-string": "must be false to be structural",
    "x-kubernetes-list-map-keys": "must be empty to be structural",
    "x-kubernetes-list-type": "must be undefined to be structural",
    "x-kubernetes-map-type": "must be undefined to be structural",
    "x-kubernetes-validations": "must be empty to be structural",
}
"""What alternatives may not say, and how that is refused."""
TYPELESS = {
    "root": "must not be empty at the root",
    "item": "must not be empty for specified array items",
    "field": "must not be empty for specified object fields",
}
KEEP, EMBEDDED, INT_OR_STRING = (
    "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-embedded-resource",
    "x-kubernetes-int-or-string",
)


def unsupported(schema: Obj) -> bool:
    """Say whether the schema has what no structural schema can be made of."""
    if any(schema.get(name) for name in UNSUPPORTED) or isinstance(schema.get("items"), list):
        return True
    return any(unsupported(below) for _, below in children(schema))


def children(schema: Obj) -> Iterator[tuple[str, Obj]]:
    """Yield the schemas inside a schema, with the rest of their paths."""
    for name in ("items", "additionalProperties", "not"):
        if isinstance(schema.get(name), dict):
            yield name, schema[name]
    for name in sorted(schema.get("properties") or ()):
        yield f"properties[{name}]", schema["properties"][name]
    for name in ("allOf", "anyOf", "oneOf"):
        for n, below in enumerate(schema.get(name) or ()):
            yield f"{name}[{n}]", below


def check(schema: Obj, path: str) -> Errors:
    """Return what keeps a schema from being structural."""
    out: Errors = []
    _invariants(schema, "root", path, out)
    _complete(schema, path, out)
    return sorted(out, key=str)


def _invariants(schema: Obj, level: str, path: str, out: Errors) -> None:
    """Check one place of the structure, and all below it (validateStructuralInvariants)."""
    kind = schema.get("type") or ""
    items, additional = schema.get("items"), schema.get("additionalProperties")
    properties: dict[str, Obj] = schema.get("properties") or {}
    if kind == "array" and items is None:
        out.append(required(f"{path}.items", "must be specified"))
    if isinstance(items, dict):
        _invariants(items, "item", f"{path}.items", out)
    for name, below in properties.items():
        _invariants(below, "field", f"{path}.properties[{name}]", out)
    if additional is not None:
        if level == "root":
            out.append(forbidden_field(f"{path}.additionalProperties", "must not be used at the root"))
        if isinstance(additional, dict):
            _invariants(additional, "field", f"{path}.additionalProperties", out)
    _extensions(schema, path, out)
    skip_any = schema.get("anyOf") == EITHER
    skip_first = bool(schema.get("allOf")) and schema["allOf"][0].get("anyOf") == EITHER
    _conditions(schema, path, out, skip_any=skip_any, skip_first=skip_first)
    _type(schema, kind, level, path, out)
    if level == "root" or schema.get(EMBEDDED):
        for name in ("kind", "apiVersion"):
            given = (properties.get(name) or {}).get("type") or ""
            if name in properties and given != "string":
                out.append(invalid(f"{path}.properties[{name}].type", given, "must be string"))
    if "metadata" in properties:
        at = f"{path}.properties[metadata]"
        _metadata(properties["metadata"], at, out, is_root=level == "root", is_object=bool(schema.get(EMBEDDED)))
    if schema.get(EMBEDDED) and not schema.get(KEEP) and not properties:
        why = f"must not be empty if {EMBEDDED} is true without {KEEP}"
        out.append(required(f"{path}.properties", why))


def _type(schema: Obj, kind: str, level: str, path: str, out: Errors) -> None:
    if schema.get(EMBEDDED) and kind != "object":
        why = f"must be object if {EMBEDDED} is true"
        out.append(invalid(f"{path}.type", kind, why) if kind else required(f"{path}.type", why))
    elif not kind and not schema.get(INT_OR_STRING) and not schema.get(KEEP):
        out.append(required(f"{path}.type", TYPELESS[level]))
    if schema.get(EMBEDDED) and schema.get("additionalProperties") is not None:
        out.append(forbidden_field(f"{path}.additionalProperties", f"must not be used if {EMBEDDED} is set"))
    if level == "root" and kind and kind != "object":
        out.append(invalid(f"{path}.type", kind, "must be object at the root"))


def _metadata(schema: Obj, path: str, out: Errors, *, is_root: bool, is_object: bool) -> None:
    """Check what is said of metadata: at the root that is names at most."""
    if (is_root or is_object) and schema.get("type") != "object":
        out.append(invalid(f"{path}.type", schema.get("type") or "", "must be object"))
    if not is_root:
        return
    names = set(schema.get("properties") or ())
    rest = {k for k, v in schema.items() if v not in (None, [], {}, "", False)} - {"type", "default"}
    if names and names <= {"name", "generateName"}:
        rest.discard("properties")
    if rest:
        why = "must not specify anything other than name and generateName, but metadata is implicitly specified"
        out.append(forbidden_field(path, why))


def _extensions(schema: Obj, path: str, out: Errors) -> None:
    if schema.get(INT_OR_STRING):
        for name in (KEEP, EMBEDDED):
            if schema.get(name):
                out.append(invalid(f"{path}.{name}", True, f"must be false if {INT_OR_STRING} is true"))


def _conditions(schema: Obj, path: str, out: Errors, *, skip_any: bool = False, skip_first: bool = False) -> None:
    """Check the alternatives and the pattern (validateValueValidation)."""
    if not skip_any:
        for n, below in enumerate(schema.get("anyOf") or ()):
            _nested(below, f"{path}.anyOf[{n}]", out)
    for n, below in enumerate(schema.get("allOf") or ()):
        _nested(below, f"{path}.allOf[{n}]", out, skip_any=skip_first and n == 0)
    for n, below in enumerate(schema.get("oneOf") or ()):
        _nested(below, f"{path}.oneOf[{n}]", out)
    if isinstance(schema.get("not"), dict):
        _nested(schema["not"], f"{path}.not", out)
    if schema.get("pattern"):
        try:
            compiled(schema["pattern"])
        except BadRegexp as error:
            why = f"must be a valid regular expression, but isn't: {error}"
            out.append(invalid(f"{path}.pattern", schema["pattern"], why))


def _nested(schema: Obj, path: str, out: Errors, *, skip_any: bool = False) -> None:
    """Check one alternative: it says nothing of the structure (validateNestedValueValidation)."""
    _conditions(schema, path, out, skip_any=skip_any)
    if isinstance(schema.get("items"), dict):
        _nested(schema["items"], f"{path}.items", out)
    for name, below in (schema.get("properties") or {}).items():
        _nested(below, f"{path}.properties[{name}]", out)
    for name, why in EMPTY.items():
        given = schema.get(name)
        if given or (given is not None and name in ("additionalProperties", "x-kubernetes-list-type", "default")):
            out.append(forbidden_field(f"{path}.{name}", why))
    if "metadata" in (schema.get("properties") or ()):
        out.append(forbidden_field(f"{path}.properties[metadata]", "must not be specified in a nested context"))


def _complete(schema: Obj, path: str, out: Errors) -> None:
    """Check that what alternatives at the root speak of is specified outside them (complete.go)."""
    _same(schema, schema, path, path, out)


def _same(nested: Obj, outer: Any, at: str, seen_at: str, out: Errors) -> None:
    for name in ("allOf", "anyOf", "oneOf"):
        for n, below in enumerate(nested.get(name) or ()):
            _covers(below, outer, at, f"{seen_at}.{name}[{n}]", out)
    if isinstance(nested.get("not"), dict):
        _covers(nested["not"], outer, at, f"{seen_at}.not", out)


def _covers(nested: Obj, outer: Obj | None, at: str, seen_at: str, out: Errors) -> None:
    if outer is None:
        out.append(required(at, f"because it is defined in {seen_at}"))
        return
    _same(nested, outer, at, seen_at, out)
    if isinstance(nested.get("items"), dict):
        items = outer.get("items")
        _covers(nested["items"], items if isinstance(items, dict) else None, f"{at}.items", f"{seen_at}.items", out)
    for name, below in (nested.get("properties") or {}).items():
        found = (outer.get("properties") or {}).get(name)
        _covers(below, found, f"{at}.properties[{name}]", f"{seen_at}.properties[{name}]", out)
