"""``kctl explain``: what a kind and its fields mean, from the schema, as kubectl lays it out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from kctl.cli.session import Settings

if TYPE_CHECKING:
    from kctl.api.registry import Kind, Registry
    from kctl.api.schema import Node

WIDTH = 76
ENUM_LIMIT = 4
NAMED_TYPES = {"quantity": "Quantity", "int-or-string": "IntOrString"}


@click.command("explain", short_help="Explain the fields of a kind.")
@click.argument("what", metavar="TYPE[.FIELD...]")
@click.option("--recursive", is_flag=True, help="All fields below, without their descriptions.")
@click.option("--api-version", default="", metavar="GROUP/VERSION", help="The kind in this version.")
@click.pass_obj
def command(settings: Settings, what: str, recursive: bool, api_version: str) -> int:
    """Explain a kind, or a field of it: kctl explain pods.spec.containers."""
    from kctl.api import schema
    from kctl.api.errors import KctlError
    from kctl.cli.output import write

    kind, fields = find(what, api_version, custom=settings)
    node = schema.of(kind)
    if node is None:
        raise KctlError(f"{kind.kind} of {kind.api_version} has no schema: its fields are kept as they are")
    write(text(kind, node, fields, recursive=recursive))
    return 0


def find(what: str, api_version: str, *, custom: Settings | None = None) -> tuple[Kind, list[str]]:
    """Return the kind and the path of fields below it; UsageError for no such kind.

    What is not built in is looked for in the cluster that ``custom`` leads to, if there is one.
    """
    from kctl.api.errors import UsageError
    from kctl.api.registry import builtin

    registry = builtin()
    parts = [part for part in what.split(".") if part]
    found = _longest(registry, parts)
    if found is None and custom is not None:
        registry = _of_cluster(custom)
        found = _longest(registry, parts)
    if found is None:
        raise UsageError(f'the server doesn\'t have a resource type "{parts[0] if parts else what}"')
    kind, count = found
    if api_version:
        other = registry.by_kind(api_version, kind.kind)
        if other is None:
            raise UsageError(f'couldn\'t find resource for "{api_version}, Resource={kind.plural}"')
        kind = other
    return kind, parts[count:]


def _longest(registry: Registry, parts: list[str]) -> tuple[Kind, int] | None:
    """Return the kind that most of the words name (``deployments.apps.spec``), and how many they are."""
    for count in range(len(parts), 0, -1):
        kind = registry.find(".".join(parts[:count]))
        if kind is not None:
            return kind, count
    return None


def _of_cluster(settings: Settings) -> Registry:
    from kctl.api.registry import builtin
    from kctl.cli.session import open_reader, state_folder
    from kctl.plane import state

    if not state.is_cluster(state_folder(settings)):
        return builtin()
    with open_reader(settings) as plane:
        registry = plane.server.registry
        registry.all()  # read while the cluster is open
        return registry


def text(kind: Kind, node: Node, fields: Sequence[str], *, recursive: bool = False) -> str:
    """Return the page about a kind or one of its fields; KctlError when there is no such field."""
    from kctl.api.schema import describe

    head = f"GROUP:      {kind.group}\n" if kind.group else ""
    head += f"KIND:       {kind.kind}\nVERSION:    {kind.version}\n\n"
    about = ""
    for field in fields:
        node, about = _step(node, field)
    if fields:
        head += f"FIELD: {fields[-1]} <{type_name(node)}>\n{_long_enum(node)}\n\n"
    meant = inner(node)
    paragraphs = [about, describe(meant)[0] if meant.name else ""]
    description = "".join(f"{paragraph}\n" for paragraph in paragraphs if paragraph) or "<empty>"
    page = f"{head}DESCRIPTION:\n{_indented(description, WIDTH, 4)}\n"
    listed = "".join(_fields(meant, 1, recursive, ()))
    return page + (f"FIELDS:\n{listed}" if listed else "") + "\n"


def _step(node: Node, field: str) -> tuple[Node, str]:
    """Return a field's node and its description."""
    from kctl.api.errors import KctlError
    from kctl.api.schema import describe

    holder = inner(node)
    found = holder.properties.get(field)
    if found is None:
        raise KctlError(f'field "{field}" does not exist')
    return found, describe(holder)[1].get(field, "")


def inner(node: Node) -> Node:
    """Return what lists and maps hold in the end."""
    while True:
        below = node.items or (node.additional if not node.properties else None)
        if below is None:
            return node
        node = below


def type_name(node: Node) -> str:
    """Return ``string``, ``[]Container``, ``map[string]Quantity``."""
    if node.items is not None:
        return f"[]{type_name(node.items)}"
    if node.additional is not None and not node.properties:
        return f"map[string]{type_name(node.additional)}"
    if node.type in NAMED_TYPES:
        return NAMED_TYPES[node.type]
    if node.type in ("object", "any"):
        return node.name.rpartition(".")[2] or "Object"
    return node.type


def _fields(node: Node, level: int, recursive: bool, path: tuple[str, ...]) -> Iterator[str]:
    """Yield the fields of an object; a definition within itself is not entered again."""
    from kctl.api.schema import describe

    if node.name and node.name in path:
        return
    about = describe(node)[1] if node.name and not recursive else {}
    indent = 2 * level
    for name, field in sorted(node.properties.items()):
        required = " -required-" if name in node.required else ""
        yield f"{' ' * indent}{name}\t<{type_name(field)}>{required}{_short_enum(field, indent)}\n"
        if recursive:
            yield from _fields(inner(field), level + 1, recursive, (*path, node.name))
        else:
            yield _indented(about.get(name) or "<no description>", 78 - indent, indent + 2) + "\n\n"


def _short_enum(node: Node, indent: int) -> str:
    if not node.enum:
        return ""
    values = [value or '""' for value in node.enum[:ENUM_LIMIT]]
    more = ", ...." if len(node.enum) > ENUM_LIMIT else ""
    return f"\n{' ' * indent}enum: {', '.join(values)}{more}"


def _long_enum(node: Node) -> str:
    return "ENUM:" + "".join(f"\n    {value or chr(34) * 2}" for value in node.enum) if node.enum else ""


def _indented(paragraphs: str, width: int, indent: int) -> str:
    """Wrap a text at blanks and indent every line, also the empty one behind the last newline."""
    return "\n".join(" " * indent + line for part in paragraphs.split("\n") for line in _wrapped(part, width))


def _wrapped(line: str, width: int) -> Iterator[str]:
    """Yield the parts of a line that fit; words are never broken and their blanks are kept."""
    current = ""
    for word in line.split(" "):
        longer = f"{current} {word}" if current else word
        if current and len(longer) > width:
            yield current
            longer = word
        current = longer
    yield current
