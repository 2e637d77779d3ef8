"""What a command that changes objects names: by type and name, by label, or by file.

In: the options of :func:`options`, as one :class:`Choice`. Out: the live objects, and a line for
each that is not there. As kubectl's resource builder, less what reads from URLs.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

import click

from kctl.api.objects import Key, Obj, key_of
from kctl.cli import options as common

if TYPE_CHECKING:
    from kctl.api.errors import StatusError
    from kctl.api.registry import Kind
    from kctl.plane.plane import ControlPlane

F = TypeVar("F", bound=Callable[..., Any])
NEED_NAMES = "resource(s) were provided, but no name was specified"


class Choice(NamedTuple):
    """The options that choose objects."""

    paths: tuple[str, ...] = ()
    recursive: bool = False
    kustomize: str | None = None
    ignore_not_manifest: bool = False
    namespace: str | None = None
    all_namespaces: bool = False
    selector: str = ""
    field_selector: str = ""
    everything: bool = False


class Target(NamedTuple):
    """One object as it is now."""

    kind: Kind
    object: Obj

    @property
    def key(self) -> Key:
        """What names the object."""
        return key_of(self.object)


class Found(NamedTuple):
    """The targets, and why others could not be had; ``is_single`` when one alone was named."""

    targets: list[Target]
    missing: list[StatusError]
    is_single: bool = False


def options(function: F) -> F:
    """Add ``-f -R -k -n -A -l --field-selector --all``; the command gets them as ``choice``."""

    @functools.wraps(function)
    def called(*args: Any, **given: Any) -> Any:
        choice = Choice(*(given.pop(name) for name in Choice._fields))
        common.refuse_kustomize(choice.kustomize)
        return function(*args, choice=choice, **given)

    for option in (
        click.option("--all", "everything", is_flag=True, help="All objects of the kinds named."),
        click.option("--field-selector", default="", metavar="SELECTOR", help="Only objects with these fields."),
        common.selector,
        common.all_namespaces,
        common.namespace,
        common.filenames(),
    ):
        called = option(called)
    return cast("F", called)


def find(plane: ControlPlane, args: Sequence[str], choice: Choice, *, bare: bool = False) -> Found:
    """Return the live objects that arguments and options name; UsageError for no such form.

    With ``bare`` a kind alone means all its objects, as in ``rollout restart deployments``.
    """
    if choice.paths:
        if args:
            from kctl.api.errors import UsageError

            raise UsageError("when paths are given with -f, no names may be given as arguments")
        return _fetch(plane, from_files(plane, choice))
    return from_args(plane, args, choice, bare=bare)


def from_args(plane: ControlPlane, args: Sequence[str], choice: Choice, *, bare: bool = False) -> Found:
    """Return the live objects named by type and name, or chosen by label, field or ``--all``."""
    from kctl.api.errors import UsageError
    from kctl.cli import select

    targets: list[Target] = []
    named: list[tuple[Kind, Key]] = []
    chooses = choice.selector or choice.field_selector or choice.everything
    for kind, names in select.parse(plane.server.registry, args):
        if names:
            if choice.everything or choice.selector:
                raise UsageError("name cannot be provided when a selector is specified")
            if choice.all_namespaces:
                raise UsageError("a resource cannot be retrieved by name across all namespaces")
            scope = (choice.namespace or "default") if kind.namespaced else ""
            named += [(kind, Key(scope, name)) for name in names]
        elif chooses or bare or choice.all_namespaces:
            scope = "" if choice.all_namespaces or not kind.namespaced else choice.namespace or "default"
            listed = plane.client.list(
                kind.resource, scope, label_selector=choice.selector, field_selector=choice.field_selector
            )
            targets += [Target(kind, item) for item in listed.items]
        else:
            raise UsageError(NEED_NAMES, hint="give names, -l or --all")
    found = _fetch(plane, named)
    return found._replace(targets=targets + found.targets)


def from_files(plane: ControlPlane, choice: Choice) -> list[tuple[Kind, Key]]:
    """Return what the manifests in files name."""
    return [(found.kind, found.key) for found in manifests(plane, choice)]


class Wanted(NamedTuple):
    """One manifest: what it describes and where it stands."""

    kind: Kind
    key: Key
    object: Obj
    place: str


def manifests(plane: ControlPlane, choice: Choice) -> list[Wanted]:
    """Return the manifests in files with their kinds; the namespace is that of ``-n`` where none is given."""
    from kctl.api.errors import KctlError
    from kctl.cli.manifests import load

    found = []
    for manifest in load(
        plane,
        choice.paths,
        recursive=choice.recursive,
        ignore_not_manifest=choice.ignore_not_manifest,
        namespace=choice.namespace,
    ):
        obj = manifest.object
        kind = plane.server.registry.by_kind(obj["apiVersion"], obj["kind"])
        if kind is None:
            raise KctlError(f"{manifest.place()}: no matches for kind {obj['kind']!r} in version {obj['apiVersion']!r}")
        own = obj["metadata"].get("namespace") or ""
        if kind.namespaced and own and choice.namespace and own != choice.namespace:
            raise KctlError(
                f'{manifest.place()}: the namespace from the provided object "{own}" does not match the namespace '
                f"\"{choice.namespace}\". You must pass '--namespace={own}' to perform this operation."
            )
        scope = (own or choice.namespace or "default") if kind.namespaced else ""
        found.append(Wanted(kind, Key(scope, obj["metadata"].get("name") or ""), obj, manifest.place()))
    return found


def _fetch(plane: ControlPlane, named: list[tuple[Kind, Key]]) -> Found:
    from kctl.api.errors import StatusError

    targets, missing = [], []
    for kind, key in named:
        try:
            targets.append(Target(kind, plane.client.get(kind.resource, key.namespace, key.name)))
        except StatusError as error:
            missing.append(error)
    return Found(targets, missing, len(named) == 1)


def pairs(args: Sequence[str], what: str) -> tuple[list[str], list[str]]:
    """Split arguments into resources and ``key=value`` or ``key-``, as GetResourcesAndPairs."""
    from kctl.api.errors import UsageError

    resources: list[str] = []
    changes: list[str] = []
    for arg in args:
        is_change = "=" in arg or arg.endswith("-")
        if is_change and not arg.startswith(("=", "-")):
            changes.append(arg)
        elif changes:
            raise UsageError(f"all resources must be specified before {what} changes: {arg}")
        else:
            resources.append(arg)
    return resources, changes
