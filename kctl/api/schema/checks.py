"""Compiled checks: whether a value is already in the form its schema gives it.

In: a node of a schema. Out: a function that answers yes or no as fast as Python can; the checks of
fields are made when a field first occurs. What is wrong, and where, is said by
:mod:`kctl.api.structural`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kctl.api import quantity
from kctl.api.schema.node import Node
from kctl.api.schema.wire import base64_error, is_micro_time, is_time

Check = Callable[[Any], bool] | type
"""A function, or the one class a value has to be of."""


PROPS = "apiextensions.v1.JSONSchemaProps"
UNIONS = {f"{PROPS}OrBool": "bool", f"{PROPS}OrArray": "array", f"{PROPS}OrStringArray": "text"}
"""Types of definitions that are a schema or something else, which their published schema does not say."""


def check_of(node: Node) -> Callable[[Any], bool]:
    """Return the compiled check of an object's node, making it when first asked."""
    if node.compiled is None:
        node.compiled = _object(node)
    compiled: Callable[[Any], bool] = node.compiled
    return compiled


def fits(node: Node, value: Any) -> bool:
    """Say whether a value is as its node wants it."""
    known = _compile(node)
    return value.__class__ is known if isinstance(known, type) else known(value)


def _object(node: Node) -> Callable[[Any], bool]:
    """Compile an object: the checks of its fields are made when a field first occurs."""
    checks: dict[str, Check] = {}
    fields = node.properties

    def check(value: Any) -> bool:
        if not isinstance(value, dict):
            return False
        for name, child in value.items():
            known = checks.get(name)
            if known is None:
                field = fields.get(name)
                if field is None:
                    return False
                known = checks[name] = _compile(field)
            if known.__class__ is type:
                if child.__class__ is not known:
                    return False
            elif not known(child):
                return False
        return True

    return check


def _compile(node: Node) -> Check:
    """Return the check of a node; a plain class where comparing it is enough."""
    kind = node.type
    if kind == "array":
        return _array(node.items)
    if kind == "object":
        if node.properties:
            return check_of(node)
        return _any if node.additional is None else _map(node.additional)
    if kind == "string" and not node.format:
        return str
    if kind == "boolean":
        return bool
    if node.name == "meta.v1.MicroTime":
        return is_micro_time
    if node.name in UNIONS:
        return _union(node)
    return SCALARS.get(node.format) or SCALARS[kind]


def _union(node: Node) -> Check:
    """Compile what is a schema inside a schema or something else."""
    other, inner = UNIONS[node.name], check_of(node.definition(PROPS))

    def check(value: Any) -> bool:
        if isinstance(value, dict):
            return inner(value)
        if other == "bool":
            return value.__class__ is bool
        return isinstance(value, list) and all(one.__class__ is str if other == "text" else inner(one) for one in value)

    return check


def _array(item: Node | None) -> Check:
    """Compile a list."""
    known = _compile(item) if item is not None else _any
    if isinstance(known, type):

        def plain(value: Any) -> bool:
            return isinstance(value, list) and all(child.__class__ is known for child in value)

        return plain

    def check(value: Any) -> bool:
        return isinstance(value, list) and all(map(known, value))

    return check


def _map(item: Node) -> Check:
    """Compile a map; the values of most are strings."""
    known = _compile(item)
    if isinstance(known, type):

        def plain(value: Any) -> bool:
            return isinstance(value, dict) and all(child.__class__ is known for child in value.values())

        return plain

    def check(value: Any) -> bool:
        return isinstance(value, dict) and all(map(known, value.values()))

    return check


def _any(value: Any) -> bool:
    """Accept what has no schema; null means absent."""
    return value is not None


def is_int32(value: Any) -> bool:
    """Say whether a value is an int32 of Go; a boolean is none."""
    return value.__class__ is int and -0x80000000 <= value <= 0x7FFFFFFF


def _int64(value: Any) -> bool:
    return value.__class__ is int and -(1 << 63) <= value < 1 << 63


def _number(value: Any) -> bool:
    return value.__class__ is float or value.__class__ is int


def _int_or_string(value: Any) -> bool:
    return value.__class__ is str or is_int32(value)


def _quantity(value: Any) -> bool:
    if value.__class__ is not str:
        return False
    try:
        return quantity.canonical(value) == value
    except ValueError:
        return False


def _bytes(value: Any) -> bool:
    return value.__class__ is str and not base64_error(value)


SCALARS: dict[str, Check] = {
    "int32": is_int32,
    "int64": _int64,
    "double": _number,
    "number": _number,
    "int-or-string": _int_or_string,
    "quantity": _quantity,
    "byte": _bytes,
    "date-time": is_time,
    "any": _any,
}
