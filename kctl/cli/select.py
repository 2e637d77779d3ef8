"""What a command line names: ``pods web-1``, ``deploy/web svc/web``, ``pods,services``, ``all``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from kctl.api.errors import UsageError
from kctl.api.objects import printed_name
from kctl.api.registry import Kind, Registry


class Selection(NamedTuple):
    """Some objects of one kind: the named ones, or all of them when ``names`` is empty."""

    kind: Kind
    names: tuple[str, ...]


def parse(registry: Registry, args: Sequence[str]) -> list[Selection]:
    """Read the resource arguments of a command, as kubectl's resource builder.

    Raises UsageError for an unknown kind or a mixture of the two forms.
    """
    if not args:
        raise UsageError('you must specify the type of resource, for example "pods" or "deploy/web"')
    if any("/" in arg for arg in args):
        return _slashed(registry, args)
    names = tuple(dict.fromkeys(args[1:]))
    kinds = [kind for word in args[0].split(",") if word for kind in _kinds(registry, word)]
    return [Selection(kind, names) for kind in dict.fromkeys(kinds)]


def _slashed(registry: Registry, args: Sequence[str]) -> list[Selection]:
    found = []
    for arg in args:
        word, slash, name = arg.partition("/")
        if not slash or not name or "/" in name:
            raise UsageError(f"{arg!r}: give either TYPE NAME... or TYPE/NAME..., not both")
        found.append(Selection(_one(registry, word), (name,)))
    return found


def _kinds(registry: Registry, word: str) -> list[Kind]:
    named = registry.find(word)
    if named is not None and named.custom is None:  # the definitions need not be read
        return [named]
    members = [kind for kind in registry.all() if word in kind.categories]
    return members or [_one(registry, word)]


def _one(registry: Registry, word: str) -> Kind:
    kind = registry.find(word)
    if kind is None:
        raise UsageError(f'the server doesn\'t have a resource type "{word}"', hint='see "kctl api-resources"')
    return kind


def full_name(kind: Kind, name: str) -> str:
    """Return ``deployment.apps/web``, as ``-o name`` prints it."""
    return printed_name(kind.kind, kind.group, name)


def type_name(registry: Registry, kind: Kind) -> str:
    """Return the shortest word that means the kind: ``pods``, or ``deployments.apps`` where that is taken."""
    found = registry.find(kind.plural)
    return kind.plural if found is not None and found.resource == kind.resource else kind.resource
