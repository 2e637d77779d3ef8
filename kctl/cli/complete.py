"""What the shell offers on TAB: types, names of the cluster here, namespaces.

Completion never fails and never speaks: whatever goes wrong, nothing is offered.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from kctl.api.registry import Kind, Registry
    from kctl.plane.plane import ControlPlane

Offer = Callable[[click.Context, click.Parameter, str], list[str]]


def quietly(offer: Offer) -> Offer:
    """Make an offer empty where it would fail."""

    def wrapped(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
        try:
            return offer(ctx, param, incomplete)
        except Exception:  # a shell that waits for words is told nothing else
            return []

    return wrapped


@quietly
def resources(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Offer types for the first word, names for the next ones, names behind ``TYPE/``."""
    from kctl.cli import select

    before = list(ctx.params.get(str(param.name)) or ())
    if "/" in incomplete or any("/" in word for word in before):
        word, slash, start = incomplete.partition("/")
        return [f"{word}/{name}" for name in _names(ctx, [word]) if name.startswith(start)] if slash else []
    if before:
        found = [name for name in _names(ctx, before[0].split(",")) if name not in before[1:]]
        return [name for name in found if name.startswith(incomplete)]
    first, comma, last = incomplete.rpartition(",")
    registry = _registry(ctx)
    words = {select.type_name(registry, kind) for kind in registry.all() if "list" in kind.verbs}
    words |= {category for kind in registry.all() for category in kind.categories}
    return [f"{first}{comma}{word}" for word in sorted(words) if word.startswith(last)]


def _registry(ctx: click.Context) -> Registry:
    """Return the kinds of the cluster here, custom ones too; the built-in ones where there is none."""
    from kctl.api.registry import builtin
    from kctl.cli.session import Settings, open_reader

    try:
        with open_reader(ctx.obj or Settings(None, 0)) as plane:
            return plane.server.registry
    except Exception:  # no cluster, or none that can be read
        return builtin()


@quietly
def namespaces(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Offer the namespaces of the cluster."""
    return [name for name in _names(ctx, ["namespaces"]) if name.startswith(incomplete)]


def _names(ctx: click.Context, types: list[str]) -> list[str]:
    from kctl.cli.session import Settings, open_reader

    with open_reader(ctx.obj or Settings(None, 0)) as plane:
        return sorted({name for word in types for name in _listed(ctx, plane, plane.server.registry, word)})


def _listed(ctx: click.Context, plane: ControlPlane, registry: Registry, word: str) -> list[str]:
    kind: Kind | None = registry.find(word)
    if kind is None:
        return []
    given = ctx.params.get("namespace") or (ctx.parent and ctx.parent.params.get("namespace"))
    everywhere = ctx.params.get("all_namespaces") or not kind.namespaced
    items = plane.client.list(kind.resource, "" if everywhere else given or "default").items
    return [item["metadata"]["name"] for item in items]
