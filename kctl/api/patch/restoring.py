"""Why the outcome of a strategic merge patch cannot be read, in the words of Go's converter.

A strategic merge patch is merged as maps, which upstream turns into the Go struct without
another round through JSON (runtime.DefaultUnstructuredConverter); so its complaints are other
than those of the JSON decoder, which reads what other patches make.
"""

from __future__ import annotations

from typing import Any

from kctl.api import schema, structural
from kctl.api.objects import Obj
from kctl.api.registry import Kind
from kctl.api.schema.node import Node
from kctl.api.structural import Reader, Steps

KINDS = {dict: "map", list: "slice", str: "string", bool: "bool", int: "int64", float: "float64"}
TYPES = {**KINDS, dict: "map[string]interface {}", list: "[]interface {}"}


def why(kind: Kind, obj: Obj) -> str:
    """Return the first complaint about an object, "" when there is none."""
    node = schema.of(kind)
    if node is None:
        return ""
    reader = _Restorer("ignore")
    reader.object(node, obj, (), structural.struct(kind.kind))
    return reader.errors[0].go if reader.errors else ""


class _Restorer(Reader):
    """Reads as the structural reader does and complains as the converter does."""

    def _wrong_type(self, node: Node, value: Any, steps: Steps, go: Any, *, rank: int = 1) -> Any:
        given = KINDS.get(type(value), "invalid")
        if node.type == "array":
            text = f"cannot restore slice from {given}"
        elif node.type == "object":
            text = f"cannot restore struct from: {given}" if node.properties else f"cannot restore map from {given}"
        elif node.type == "int-or-string" or node.format == "date-time":  # they read themselves, from JSON
            word = structural.go_value(node, value).partition(" ")[0]
            wanted = "int32" if node.type == "int-or-string" else "string"
            text = f"json: cannot unmarshal {word} into Go value of type {wanted}"
        else:
            text = f"cannot convert {TYPES.get(type(value), 'nil')} to {structural.go_type(node, go.type)}"
        return self._fail(steps, text, text, 0)

    def _fail(self, steps: Steps, text: str, go: str, rank: int) -> Any:
        if "illegal base64" in go:
            go = f"error decoding from json: {go}"
        return super()._fail(steps, text, go, rank)
