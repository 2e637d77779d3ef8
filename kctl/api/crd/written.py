"""How Go shows parts of a definition in messages: its internal types, written as JSON."""

from __future__ import annotations

from typing import Any

from kctl.api.objects import Obj

VERSION = (
    ("Name", "name", ""),
    ("Served", "served", False),
    ("Storage", "storage", False),
    ("Deprecated", "deprecated", False),
    ("DeprecationWarning", "deprecationWarning", None),
    ("Schema", "schema", None),
    ("Subresources", "subresources", None),
    ("AdditionalPrinterColumns", "additionalPrinterColumns", None),
    ("SelectableFields", "selectableFields", None),
)
RULE = (
    ("Rule", "rule", ""),
    ("Message", "message", ""),
    ("MessageExpression", "messageExpression", ""),
    ("Reason", "reason", None),
    ("FieldPath", "fieldPath", ""),
    ("OptionalOldSelf", "optionalOldSelf", None),
)


def _shown(value: Obj, fields: tuple[tuple[str, str, Any], ...]) -> Obj:
    return {go: value.get(name, missing) for go, name, missing in fields}


def versions(entries: list[Obj]) -> list[Obj]:
    """Return versions as a message shows them."""
    return [_shown(entry, VERSION) for entry in entries]


def rule(value: Obj) -> Obj:
    """Return a validation rule as a message shows it."""
    return _shown(value, RULE)
