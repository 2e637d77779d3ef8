"""A node of a schema: what a field may hold, and how patches and server-side apply treat it.

A node is made when first reached and kept; definitions that contain themselves are therefore
no problem. Nodes never change.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

SCALARS = {
    "string": ("string", ""),
    "byte": ("string", "byte"),
    "int32": ("integer", "int32"),
    "int64": ("integer", "int64"),
    "double": ("number", "double"),
    "boolean": ("boolean", ""),
    "quantity": ("quantity", ""),
    "int-or-string": ("int-or-string", ""),
    "any": ("any", ""),
    "object": ("object", ""),
    "array": ("array", ""),
}
"""The table's types: the node's type and format."""


class Definitions(Protocol):
    """Where a node gets the nodes below it."""

    def node(self, raw: Any) -> Node:
        """Return the node of a table entry."""
        ...

    def fields(self, name: str) -> dict[str, Node]:
        """Return the properties of a definition."""
        ...


class Node:
    """One place in a schema.

    ``name`` is the definition's (``core.v1.Container``), "" for what has none. ``additional`` is
    the schema of a map's values. ``list_map_defaults`` are the values that missing keys of a
    list's items stand for.
    """

    __slots__ = (
        "_definitions",
        "_fields",
        "_raw_additional",
        "_raw_items",
        "compiled",
        "enum",
        "format",
        "list_map_defaults",
        "list_map_keys",
        "list_type",
        "map_type",
        "merge_key",
        "name",
        "patch_strategy",
        "required",
        "type",
    )

    def __init__(self, definitions: Definitions, name: str, raw: Mapping[str, Any]) -> None:
        self._definitions = definitions
        self._fields: dict[str, Node] | None = None
        self._raw_items = raw.get("i")
        self._raw_additional = raw.get("a")
        self.compiled: Any = None
        """What :mod:`kctl.api.structural` made of this node; nobody else's business."""
        self.name = name
        self.type, self.format = SCALARS[raw["t"]]
        self.format = raw.get("f", self.format)
        self.required: tuple[str, ...] = tuple(raw.get("r", ()))
        self.enum: tuple[str, ...] = tuple(raw.get("e", ()))
        self.merge_key: str = raw.get("k", "")
        self.patch_strategy: str = raw.get("s", "")
        self.list_type: str = raw.get("l", "")
        self.list_map_keys: tuple[str, ...] = tuple(raw.get("m", ()))
        self.list_map_defaults: dict[str, Any] = raw.get("d", {})
        self.map_type: str = raw.get("M", "")

    @property
    def properties(self) -> dict[str, Node]:
        """The fields of an object; empty for a map and for an object of unknown form."""
        if self._fields is None:
            self._fields = self._definitions.fields(self.name)
        return self._fields

    @property
    def items(self) -> Node | None:
        """The schema of a list's items."""
        return None if self._raw_items is None else self._definitions.node(self._raw_items)

    @property
    def additional(self) -> Node | None:
        """The schema of a map's values."""
        return None if self._raw_additional is None else self._definitions.node(self._raw_additional)

    def definition(self, name: str) -> Node:
        """Return another definition of the same table."""
        return self._definitions.node(name)

    @property
    def keeps_unknown(self) -> bool:
        """Whether fields without a schema are kept; in custom resources alone."""
        return False

    def at(self, *path: str) -> Node | None:
        """Return the node below by field names; lists are stepped into. None when there is none."""
        node: Node | None = self
        for step in path:
            while node is not None and node.type == "array":
                node = node.items
            if node is None:
                return None
            node = node.properties.get(step) or node.additional
        return node

    def __repr__(self) -> str:
        return f"Node({self.name or self.type})"
