"""The schema of a definition, place by place: what OpenAPI has and a custom resource may not say.

In: an OpenAPI v3 schema and its path. Out: field errors, as ValidateCustomResourceDefinitionOpenAPISchema
of apiextensions-apiserver; whether the schema is structural is judged in :mod:`structural`. The rules
in CEL are compiled when everything else is in order.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from kctl.api.crd import instances, lists, paths, pruning, structural, values
from kctl.api.errors import FieldError, forbidden_field, invalid, not_supported, required
from kctl.api.objects import Obj

Errors = list[FieldError]
TYPES = ("array", "boolean", "integer", "number", "object", "string")
UNSUPPORTED = {
    "id": "id is not supported",
    "additionalItems": "additionalItems is not supported",
    "patternProperties": "patternProperties is not supported",
    "definitions": "definitions is not supported",
    "dependencies": "dependencies is not supported",
    "$ref": "$ref is not supported",
}
REASONS = ("FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired")
META = ("metadata", "kind", "apiVersion")
RULES = "x-kubernetes-validations"
LIST_TYPE, MAP_TYPE, KEYS = "x-kubernetes-list-type", "x-kubernetes-map-type", "x-kubernetes-list-map-keys"


@dataclass(frozen=True)
class Place:
    """Where in a schema we are, as far as that changes what may be said."""

    no_defaults: str | None = None
    in_metadata: bool = False
    uncorrelatable: str = ""
    """The path above which old and new values cannot be told to belong together."""


def check(schema: Obj, path: str) -> Errors:
    """Return what is wrong with the schema of a custom resource."""
    from kctl.api.crd.costs import Account

    out: Errors = []
    unstructured = structural.unsupported(schema)
    account: Account | None = None
    if not unstructured:
        out = structural.check(schema, path)
        if not out:
            out = defaults(schema, path)
            account = Account(schema)
    checker = _Checker(account, schema)
    checker.place(schema, path, Place(), is_root=True)
    out += checker.errors + checker.rule_errors
    if account is not None:
        out += account.verdict(path)
    return out


# defaults


def defaults(schema: Obj, path: str) -> Errors:
    """Check that defaults are what their own schema allows (defaulting/validation.go)."""
    return _defaults(schema, path, in_meta=False, is_object=True)


def _defaults(schema: Obj, path: str, *, in_meta: bool, is_object: bool) -> Errors:
    is_object = is_object or bool(schema.get(pruning.EMBEDDED))
    in_meta = in_meta and not is_object
    out: Errors = []
    value = schema.get("default")
    if value is not None:
        out += _default(value, schema, f"{path}.default", in_meta=in_meta)
    items = schema.get("items")
    if isinstance(items, dict):
        out += _defaults(items, f"{path}.items", in_meta=in_meta, is_object=False)
    for name in sorted(schema.get("properties") or ()):
        inside = in_meta or (is_object and name in META)
        out += _defaults(schema["properties"][name], f"{path}.properties[{name}]", in_meta=inside, is_object=False)
    return out


def _default(value: Any, schema: Obj, path: str, *, in_meta: bool) -> Errors:
    out: Errors = []
    if not in_meta and pruning.prune(value, schema, root=False) != value:
        out.append(invalid(path, value, "must not have unknown fields"))
    out += instances.embedded(value, schema, path) if schema.get(pruning.EMBEDDED) else []
    return out + values.check(value, schema, prefix=path) + lists.check(value, schema, path)


# one place


class _Checker:
    """Goes through a schema; errors of the schema and of its rules are kept apart."""

    def __init__(self, account: Any, root: Obj) -> None:
        self.errors: Errors = []
        self.rule_errors: Errors = []
        self._account = account
        self._root = root

    def place(self, schema: Obj, path: str, where: Place, *, is_root: bool = False) -> None:
        """Check one place and all below it."""
        before = len(self.errors)
        self._own(schema, path, where)
        if schema.get("uniqueItems"):
            why = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
            self.errors.append(forbidden_field(f"{path}.uniqueItems", why))
        self._below(schema, path, where, is_root=is_root)
        if schema.get("x-kubernetes-preserve-unknown-fields") is False:
            at = f"{path}.x-kubernetes-preserve-unknown-fields"
            self.errors.append(invalid(at, False, "must be true or undefined"))
        self._map_type(schema, path)
        self._list_type(schema, path)
        self._keys(schema, path)
        self._sets(schema, path)
        if schema.get(RULES):
            self._rules(schema, path)
            if self._account is not None and len(self.errors) == before:
                self.rule_errors += self._account.rules(schema, path, where.uncorrelatable)

    def _own(self, schema: Obj, path: str, where: Place) -> None:
        kind = schema.get("type") or ""
        if kind and kind not in TYPES:
            self.errors.append(not_supported(f"{path}.type", kind, TYPES))
        if schema.get("default") is not None and where.no_defaults is not None:
            self.errors.append(forbidden_field(f"{path}.default", f"must not be set {where.no_defaults}".rstrip()))
        for name, why in UNSUPPORTED.items():
            if schema.get(name):
                self.errors.append(forbidden_field(f"{path}.{name}", why))
        if kind == "null":
            why = "type cannot be set to null, use nullable as an alternative"
            self.errors.append(forbidden_field(f"{path}.type", why))
        if isinstance(schema.get("items"), list):
            self.errors.append(forbidden_field(f"{path}.items", "items must be a schema object and not an array"))
        if where.in_metadata and schema.get(pruning.EMBEDDED):
            self.errors.append(
                forbidden_field(f"{path}.{pruning.EMBEDDED}", "must not be used inside of resource meta")
            )

    def _below(self, schema: Obj, path: str, where: Place, *, is_root: bool) -> None:
        additional, properties = schema.get("additionalProperties"), schema.get("properties") or {}
        if additional is not None:
            if properties and additional is not True:
                why = "additionalProperties and properties are mutual exclusive"
                self.errors.append(forbidden_field(f"{path}.additionalProperties", why))
            if isinstance(additional, dict):
                inside = where
                if where.in_metadata:
                    inside = replace(where, no_defaults="inside additionalProperties applying to object metadata")
                self.place(additional, f"{path}.additionalProperties", self._correlated(inside, schema, path))
        is_object = is_root or bool(schema.get(pruning.EMBEDDED))
        for name in sorted(properties):
            inside = replace(where, in_metadata=True) if is_object and name in META else where
            at = f"{path}.properties[{name}]"
            self.place(properties[name], at, self._correlated(inside, schema, path))
        if isinstance(schema.get("not"), dict):
            self.place(schema["not"], f"{path}.not", replace(where, no_defaults="inside not"))
        for name in ("allOf", "oneOf", "anyOf"):
            for n, below in enumerate(schema.get(name) or ()):
                self.place(below, f"{path}.{name}[{n}]", replace(where, no_defaults=f"inside {name}"))
        if isinstance(schema.get("items"), dict):
            inside = where
            if schema.get(LIST_TYPE) != "map" and not where.uncorrelatable:
                inside = replace(where, uncorrelatable=path)
            self.place(schema["items"], f"{path}.items", inside)

    @staticmethod
    def _correlated(where: Place, schema: Obj, path: str) -> Place:
        if schema.get(MAP_TYPE) == "atomic" and not where.uncorrelatable:
            return replace(where, uncorrelatable=path)
        return where

    def _map_type(self, schema: Obj, path: str) -> None:
        kind = schema.get(MAP_TYPE)
        if kind is None:
            return
        if schema.get("type") != "object":
            self._wants(schema, path, "object", MAP_TYPE)
        if kind not in ("atomic", "granular"):
            self.errors.append(not_supported(f"{path}.{MAP_TYPE}", kind, ("atomic", "granular")))

    def _wants(self, schema: Obj, path: str, kind: str, because: str) -> None:
        why = f"must be {kind} if {because} is specified"
        given = schema.get("type")
        self.errors.append(invalid(f"{path}.type", given, why) if given else required(f"{path}.type", why))

    def _list_type(self, schema: Obj, path: str) -> None:
        kind, keys = schema.get(LIST_TYPE), schema.get(KEYS)
        if kind is not None and schema.get("type") != "array":
            self._wants(schema, path, "array", LIST_TYPE)
        elif kind is not None and kind not in ("atomic", "set", "map"):
            self.errors.append(not_supported(f"{path}.{LIST_TYPE}", kind, ("atomic", "set", "map")))
        if keys and kind != "map":
            why = f"must be map if {KEYS} is non-empty"
            at = f"{path}.{LIST_TYPE}"
            self.errors.append(required(at, why) if kind is None else invalid(at, kind, why))

    def _keys(self, schema: Obj, path: str) -> None:
        """Check what a list of type ``map`` needs."""
        if schema.get(LIST_TYPE) != "map":
            return
        keys, items = schema.get(KEYS) or [], schema.get("items")
        if not keys:
            self.errors.append(required(f"{path}.{KEYS}", f"must not be empty if {LIST_TYPE} is map"))
        if items is None:
            self.errors.append(required(f"{path}.items", f"must have a schema if {LIST_TYPE} is map"))
        if not isinstance(items, dict):
            return
        if items.get("type") != "object":
            why = f"must be object if parent array's {LIST_TYPE} is map"
            self.errors.append(invalid(f"{path}.items.type", items.get("type") or "", why))
            return
        properties, seen = items.get("properties") or {}, set()
        for key in keys:
            found = properties.get(key)
            if found is None:
                self.errors.append(invalid(f"{path}.{KEYS}", keys, "entries must all be names of item properties"))
            elif found.get("type") in ("array", "object"):
                why = f"must be a scalar type if parent array's {LIST_TYPE} is map"
                self.errors.append(invalid(f"{path}.items.properties[{key}].type", found["type"], why))
            if key in seen:
                self.errors.append(invalid(f"{path}.{KEYS}", keys, "must not contain duplicate entries"))
            seen.add(key)

    def _sets(self, schema: Obj, path: str) -> None:
        """Check items of sets and maps: not null, of one piece, their keys always there."""
        kind, items = schema.get(LIST_TYPE), schema.get("items")
        if kind not in ("set", "map") or not isinstance(items, dict):
            return
        if kind == "set":
            for of, name in (("array", LIST_TYPE), ("object", MAP_TYPE)):
                if items.get("type") == of and items.get(name, "atomic" if of == "array" else None) != "atomic":
                    why = f"must be atomic as item of a list with {LIST_TYPE}=set"
                    self.errors.append(forbidden_field(f"{path}.items.{name}", why))
        if items.get("nullable"):
            why = f"cannot be nullable when {LIST_TYPE} is {kind}"
            self.errors.append(forbidden_field(f"{path}.items.nullable", why))
        for key in (schema.get(KEYS) or ()) if kind == "map" else ():
            found = (items.get("properties") or {}).get(key)
            at = f"{path}.items.properties[{key}]"
            if found is None:
                continue
            if key not in (items.get("required") or ()) and found.get("default") is None:
                why = f"this property is in {KEYS}, so it must have a default or be a required property"
                self.errors.append(required(f"{at}.default", why))
            if found.get("nullable"):
                why = f"this property is in {KEYS}, so it cannot be nullable"
                self.errors.append(forbidden_field(f"{at}.nullable", why))

    def _rules(self, schema: Obj, path: str) -> None:
        """Check the rules as texts."""
        for n, rule in enumerate(schema[RULES]):
            at = f"{path}.{RULES}[{n}]"
            text, message = (rule.get("rule") or "").strip(), rule.get("message") or ""
            if not text:
                self.errors.append(required(f"{at}.rule", "rule is not specified"))
            elif message and not message.strip():
                self.errors.append(invalid(f"{at}.message", message, "must be non-empty if specified"))
            elif _has_breaks(message.strip()):
                self.errors.append(invalid(f"{at}.message", message, "must not contain line breaks"))
            elif _has_breaks(text) and not message.strip():
                self.errors.append(required(f"{at}.message", "must be specified if rule contains line breaks"))
            expression = rule.get("messageExpression") or ""
            if expression and not expression.strip():
                self.errors.append(required(f"{at}.messageExpression", "must be non-empty if specified"))
            reason = rule.get("reason")
            if reason is not None and reason not in REASONS:
                self.errors.append(not_supported(f"{at}.reason", reason, REASONS))
            self._field_path(schema, rule.get("fieldPath") or "", f"{at}.fieldPath")

    def _field_path(self, schema: Obj, path: str, at: str) -> None:
        if not path:
            return
        if not path.strip():
            self.errors.append(invalid(at, path, "must be non-empty if specified"))
        if _has_breaks(path):
            self.errors.append(invalid(at, path, "must not contain line breaks"))
        try:
            paths.resolve(path, schema)
        except paths.BadPath:
            self.errors.append(invalid(at, path, "must be a valid path"))


def _has_breaks(text: str) -> bool:
    return "\n" in text or "\r" in text
