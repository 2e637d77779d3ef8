"""How server-side apply sees a schema: where it merges, and where it replaces.

In: a schema node (or None for kinds without a schema). Out: a Shape, made when first reached.
The rules are structured-merge-diff's: an object or map merges field by field unless it is atomic,
a list merges by its keys or as a set when its list type says so, everything else is one value.
Without a schema maps merge, lists are one value; only metadata is known.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from kctl.api.patch import fieldsets
from kctl.api.schema.node import Node

LEAF, MAP, KEYED, SET, DEDUCED = range(5)

SCALARS = {"string": "string", "boolean": "boolean", "integer": "numeric", "number": "numeric"}
ZERO = {"string": "", "boolean": False, "integer": 0, "number": 0}


class BadItem(Exception):
    """A list item that has no place of its own in its list."""


def _no_element(item: Any) -> str:
    raise BadItem("items of this list have no keys")


class Shape:
    """One place of a schema as server-side apply sees it."""

    __slots__ = ("_fields", "_items", "_known", "container", "element_of", "kind", "node")

    def __init__(self, node: Node | None, kind: int, container: str = "") -> None:
        self.node = node
        self.kind = kind
        self.container = container
        """``map`` or ``list`` where a value must be one, also when it is atomic."""
        self._fields: dict[str, Shape | None] = {}
        self._known: set[str] = set()
        self._items: Shape | None = None
        self.element_of: Callable[[Any], str] = _no_element
        """Return the path element of an item; :class:`BadItem` when it has none."""

    def field(self, name: str) -> Shape | None:
        """Return the shape of a field or of a map's value; None when the schema has no such field."""
        try:
            return self._fields[name]
        except KeyError:
            return self._find(name)

    def is_declared(self, name: str) -> bool:
        """Say whether the schema names the field (a map's keys it does not name)."""
        if name not in self._fields:
            self._find(name)
        return name in self._known

    def _find(self, name: str) -> Shape | None:
        found: Shape | None
        if self.kind == DEDUCED or self.node is None:
            found = DEDUCED_SHAPE
        elif (node := self.node.properties.get(name)) is not None:
            found = _shape(node)
            self._known.add(name)
        elif self.node.additional is not None:
            found = self._item_of(self.node.additional)
        elif self.node.keeps_unknown:
            found = DEDUCED_SHAPE
        else:
            found = None if self.node.properties else UNTYPED
        self._fields[name] = found
        return found

    def _item_of(self, node: Node) -> Shape:
        if self._items is None:
            self._items = _shape(node)
        return self._items

    @property
    def items(self) -> Shape:
        """The shape of a list's items."""
        if self._items is None:
            node = None if self.node is None else self.node.items
            self._items = UNTYPED if node is None else _shape(node)
        return self._items

    def declare(self, name: str, shape: Shape) -> None:
        """Give a field a shape that the schema does not."""
        self._fields[name] = shape
        self._known.add(name)

    @property
    def scalar(self) -> str:
        """What a scalar must be: string, boolean, numeric, or "" for anything."""
        return "" if self.node is None else SCALARS.get(self.node.type, "")

    def zero(self) -> Any:
        """Return the zero value of a scalar, None for anything else."""
        return None if self.node is None else ZERO.get(self.node.type)


DEDUCED_SHAPE = Shape(None, DEDUCED)
UNTYPED = Shape(None, LEAF)


def _shape(node: Node) -> Shape:
    """Return the shape of a node below the root."""
    if node.name.endswith(".RawExtension"):
        return Shape(node, LEAF, "map")
    if node.type == "object":
        return Shape(node, LEAF if node.map_type == "atomic" else MAP, "map")
    if node.type != "array":
        return DEDUCED_SHAPE if node.keeps_unknown else Shape(node, LEAF)
    if node.list_type == "map":
        shape = Shape(node, KEYED, "list")
        shape.element_of = _keyed(node)
    elif node.list_type == "set":
        shape = Shape(node, SET, "list")
        shape.element_of = _valued
    else:
        shape = Shape(node, LEAF, "list")
    return shape


def _keyed(node: Node) -> Callable[[Any], str]:
    """Return the function from an item to its path element; missing keys have their defaults."""
    keys = tuple(sorted(node.list_map_keys))
    item = node.items
    missing = {}
    for key in keys:
        field = item.properties.get(key) if item is not None else None
        default = node.list_map_defaults.get(key)
        if default is None and field is not None and item is not None and key in item.required:
            default = ZERO.get(field.type)
        missing[key] = default

    def element(value: Any) -> str:
        if not isinstance(value, dict):
            what = "null" if value is None else "non-map"
            raise BadItem(f"associative list with keys may not have {what} elements")
        found = {}
        for key in keys:
            have = value.get(key)
            if have is None:
                have = missing[key]
            if have is not None:
                found[key] = have
        if not found:
            raise BadItem(
                f"associative list with keys has an element that omits all key fields {list(keys)} "
                "(and doesn't have default values for any key fields)"
            )
        return fieldsets.key_element(found)

    if len(keys) != 1:
        return element
    (only,) = keys

    def element_by_one(value: Any) -> str:
        try:
            have = value[only]
        except (KeyError, TypeError):
            return element(value)
        return f'k:{{"{only}":{fieldsets.scalar(have)}}}' if have is not None else element(value)

    return element_by_one


def _valued(value: Any) -> str:
    if value is None:
        raise BadItem("associative list without keys may not have null elements")
    if isinstance(value, dict | list):
        raise BadItem("associative list without keys may only have scalar elements")
    return fieldsets.value_element(value)


@lru_cache(maxsize=1024)
def of(node: Node | None) -> Shape:
    """Return the shape of a kind; for kinds without a schema all but metadata is deduced."""
    if node is not None:
        return _shape(node)
    from kctl.api import schema

    root = Shape(None, MAP, "map")
    root.declare("metadata", _shape(schema.definition("meta.v1.ObjectMeta")))
    root.declare("apiVersion", UNTYPED)
    root.declare("kind", UNTYPED)
    return root
