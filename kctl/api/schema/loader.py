"""Read the generated table once, and make nodes of it when they are asked for."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from kctl.api.registry import Kind
from kctl.api.schema.node import Node

MINOR = "1.36"


class Table:
    """The definitions of one Kubernetes minor."""

    __slots__ = ("_fields", "_kinds", "_nodes", "_raw")

    def __init__(self, raw: dict[str, Any]) -> None:
        self._kinds: dict[str, str] = raw.pop("kinds")
        self._raw = raw
        self._nodes: dict[str, Node] = {}
        self._fields: dict[str, dict[str, Node]] = {}

    def of(self, kind: Kind) -> Node | None:
        """Return the schema of a kind, None when the table has none."""
        name = self._kinds.get(f"{kind.api_version}/{kind.kind}")
        return None if name is None else self.definition(name)

    def definition(self, name: str) -> Node:
        """Return the node of a definition (``core.v1.PodSpec``). Raises KeyError for no such one."""
        found = self._nodes.get(name)
        if found is None:
            raw = self._raw[name]
            found = self._nodes[name] = Node(self, name, {"t": raw} if isinstance(raw, str) else raw)
        return found

    def node(self, raw: Any) -> Node:
        """Return the node of a table entry; plain references and scalars are made once."""
        if not isinstance(raw, str):
            return self._refined(raw)
        if "." in raw:
            return self.definition(raw)
        found = self._nodes.get(raw)
        if found is None:
            found = self._nodes[raw] = Node(self, "", {"t": raw})
        return found

    def fields(self, name: str) -> dict[str, Node]:
        """Return the properties of a definition, in alphabetical order."""
        found = self._fields.get(name)
        if found is None:
            raw = self._raw.get(name)
            properties = raw.get("p", {}) if isinstance(raw, dict) else {}
            found = self._fields[name] = {field: self.node(child) for field, child in properties.items()}
        return found

    def _refined(self, raw: dict[str, Any]) -> Node:
        """Return a node that adds to a definition (its place is atomic, say), or a list or map."""
        name = raw["t"]
        if "." not in name:
            return Node(self, "", raw)
        base = self._raw[name]
        return Node(self, name, {**({"t": base} if isinstance(base, str) else base), **raw, "t": self.base_type(name)})

    def base_type(self, name: str) -> str:
        """Return the table type of a definition."""
        base = self._raw[name]
        return str(base if isinstance(base, str) else base["t"])


@cache
def table() -> Table:
    """Read the table; about 2 ms."""
    return Table(_read(f"v{MINOR}.json"))


def of(kind: Kind) -> Node | None:
    """Return the schema of a kind; None for kctl's own kinds."""
    if kind.custom is not None:
        return kind.custom.node
    return table().of(kind)


def definition(name: str) -> Node:
    """Return the node of a definition (``core.v1.PodSpec``). Raises KeyError for no such one."""
    return table().definition(name)


def describe(node: Node) -> tuple[str, dict[str, str]]:
    """Return the description of a node's definition and those of its fields (for ``explain``)."""
    if node.name.startswith("custom:"):
        from kctl.api.crd.nodes import CustomNode

        if isinstance(node, CustomNode):
            return node.about()
    text, fields = _descriptions().get(node.name, ("", {}))
    return text, fields


@cache
def _descriptions() -> dict[str, tuple[str, dict[str, str]]]:
    """Read the descriptions, which nothing but ``explain`` needs."""
    return {name: (text, fields) for name, (text, fields) in _read(f"v{MINOR}.descriptions.json").items()}


def _read(name: str) -> dict[str, Any]:
    """Read a table that lies beside this module."""
    return dict(json.loads(Path(__file__).with_name(name).read_bytes()))
