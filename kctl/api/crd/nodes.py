"""The schema of a custom resource as a node, for patches, server-side apply and ``explain``.

In: an OpenAPI v3 schema with Kubernetes' extensions. Out: the same interface as
:class:`kctl.api.schema.node.Node`; ``apiVersion``, ``kind`` and ``metadata`` are those of every
object. What a value may be beyond its type is not here but in :mod:`values`.
"""

from __future__ import annotations

from typing import Any

from kctl.api.objects import Obj
from kctl.api.schema.node import Node

SCALARS = {"string": "string", "boolean": "boolean", "integer": "int64", "number": "double"}
PREFIX = "custom:"
"""What the names of such nodes begin with; they end in a dot, as a definition without a name."""
IMPLICIT = {
    "apiVersion": "APIVersion defines the versioned schema of this representation of an object.",
    "kind": "Kind is a string value representing the REST resource this object represents.",
    "metadata": "Standard object's metadata.",
}


class CustomNode(Node):
    """A node made of an OpenAPI schema instead of the generated table."""

    __slots__ = ("_children", "_source")

    def __init__(self, source: Obj, place: str, children: dict[str, Any] | None = None) -> None:
        super().__init__(_NOBODY, f"{PREFIX}{place}.", _raw(source))
        self._source = source
        self._children = children
        if self.list_type == "map":
            keys = ((source.get("items") or {}).get("properties")) or {}
            self.list_map_defaults = {
                name: keys[name]["default"]
                for name in self.list_map_keys
                if isinstance(keys.get(name), dict) and keys[name].get("default") is not None
            }

    @property
    def properties(self) -> dict[str, Node]:
        """The fields of an object."""
        if self._fields is None:
            found: dict[str, Node] = {
                name: CustomNode(child, f"{self.name[len(PREFIX) : -1]}/{name}")
                for name, child in (self._source.get("properties") or {}).items()
            }
            self._fields = {**found, **(self._children or {})}
        return self._fields

    @property
    def items(self) -> Node | None:
        """The schema of a list's items."""
        child = self._source.get("items")
        return CustomNode(child, f"{self.name[len(PREFIX) : -1]}/[]") if isinstance(child, dict) else None

    @property
    def additional(self) -> Node | None:
        """The schema of a map's values."""
        child = self._source.get("additionalProperties")
        return CustomNode(child, f"{self.name[len(PREFIX) : -1]}/{{}}") if isinstance(child, dict) else None

    @property
    def keeps_unknown(self) -> bool:
        """Say whether fields that the schema does not name are kept."""
        return bool(self._source.get("x-kubernetes-preserve-unknown-fields"))

    @property
    def has_embedded(self) -> bool:
        """Say whether a whole object of another kind stands here."""
        return bool(self._source.get("x-kubernetes-embedded-resource"))

    def about(self) -> tuple[str, dict[str, str]]:
        """Return the description of this place and those of its fields."""
        fields = {
            name: str(child.get("description") or "")
            for name, child in (self._source.get("properties") or {}).items()
            if isinstance(child, dict)
        }
        if not self._children:  # what is inside is described where it is named
            return "", fields
        return str(self._source.get("description") or ""), {**IMPLICIT, **fields}


class _Nobody:
    """Definitions that are never asked."""

    def node(self, raw: Any) -> Node:
        raise KeyError(raw)

    def fields(self, name: str) -> dict[str, Node]:
        return {}


_NOBODY = _Nobody()


def root(schema: Obj, place: str) -> CustomNode:
    """Return the node of a whole custom resource."""
    from kctl.api.schema import loader

    known: dict[str, Any] = {
        "apiVersion": loader.table().node("string"),
        "kind": loader.table().node("string"),
        "metadata": loader.definition("meta.v1.ObjectMeta"),
    }
    return CustomNode(schema, place, known)


def _raw(schema: Obj) -> Obj:
    """Return what :class:`Node` reads, in the table's short form."""
    out: Obj = {"t": _type(schema)}
    if schema.get("required"):
        out["r"] = schema["required"]
    if schema.get("enum"):
        out["e"] = [value for value in schema["enum"] if isinstance(value, str)]
    if schema.get("x-kubernetes-list-type"):
        out["l"] = schema["x-kubernetes-list-type"]
    if schema.get("x-kubernetes-list-map-keys"):
        out["m"] = schema["x-kubernetes-list-map-keys"]
    if schema.get("x-kubernetes-map-type"):
        out["M"] = schema["x-kubernetes-map-type"]
    return out


def _type(schema: Obj) -> str:
    kind = schema.get("type")
    if schema.get("x-kubernetes-int-or-string"):
        return "int-or-string"
    if kind in ("object", "array"):
        return str(kind)
    if schema.get("x-kubernetes-preserve-unknown-fields") or not kind:
        return "any"
    return SCALARS.get(str(kind), "any")
