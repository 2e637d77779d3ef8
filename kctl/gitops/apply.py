"""From manifests to an intent: plan every change in a fork, then write down what is to be done.

:func:`plan` applies the whole set, in order, inside a fork of the API server, where a Namespace
of the set exists for what is in it and everything passes admission and validation as it will
later. Whatever is refused is collected with its place; if anything is, nothing is written.
:func:`commit` writes the intent that the intent controller carries out; when nothing would
change it writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

from kctl.api.errors import StatusError
from kctl.api.objects import Key, Obj
from kctl.api.registry import Kind
from kctl.api.structural import Unknown
from kctl.client.client import Client
from kctl.gitops import applied, autoscaled, intent, inventory, order, refusals, replacing, waves
from kctl.gitops.changes import Change, change_of
from kctl.gitops.changes import pruned as pruned_change
from kctl.gitops.inventory import Entry
from kctl.gitops.manifests import Manifest
from kctl.gitops.sources import ManifestError, ManifestErrors
from kctl.gitops.targets import Kinds, Target, resolve

Fork = Callable[[], AbstractContextManager[Any]]


class Registry(Kinds, Protocol):
    """Finds kinds, and lists them all."""

    def all(self) -> list[Kind]:
        """Return every kind in every served version."""
        ...


class Plan(NamedTuple):
    """What an apply would do: the objects in their stages, the changes, what is pruned."""

    set_name: str
    stages: list[list[Target]]
    changes: list[Change]
    pruned: list[Entry]
    owned: list[Entry]
    force: bool
    prune: bool
    warnings: tuple[str, ...] = ()
    field_manager: str = inventory.MANAGER
    waves: Sequence[int] = ()
    """Of each stage the wave it belongs to."""
    lints: tuple[Obj, ...] = ()
    """What will most likely not do what was meant, as entries of a report; planning leaves them to its caller."""

    @property
    def changes_anything(self) -> bool:
        """Say whether carrying the plan out would write anything."""
        return any(change.change != "unchanged" for change in self.changes)

    def are(self, change: str) -> list[bool]:
        """Say of each object, stage by stage, whether this is what becomes of it."""
        same = {(c.resource, c.namespace, c.name) for c in self.changes if c.change == change}
        return [inventory.entry_of(target).identity in same for stage in self.stages for target in stage]

    def data(self) -> list[Obj]:
        """Return the report's first layer, in order of file and line."""
        return [change.data() for change in self.changes]


class Options(NamedTuple):
    """How a set is applied; the flags of ``kctl apply``.

    ``elsewhere`` are objects that sets applied right after this one bring: they move there.
    ``recreate`` makes anew what cannot be changed.
    """

    namespace: str = ""
    force: bool = False
    prune: bool = False
    prune_confirm: bool = False
    validate: Unknown = "strict"
    secrets: bool = False
    field_manager: str = inventory.MANAGER
    elsewhere: frozenset[tuple[str, str, str]] = frozenset()
    recreate: bool = False


DEFAULTS = Options()


def plan(
    client: Client,
    manifests: Sequence[Manifest],
    *,
    set_name: str,
    registry: Registry,
    fork: Fork,
    options: Options = DEFAULTS,
) -> Plan:
    """Return what applying the manifests would do; nothing is written.

    Raises ManifestErrors with everything the API server would refuse, Refused when a prune
    needs to be confirmed.
    """
    resolved = resolve(manifests, registry, namespace=options.namespace)
    targets, unknown = refusals.pruned(resolved, validate=options.validate)
    targets, left = autoscaled.released(client, targets, options.field_manager)
    arranged = waves.arrange(targets)
    if arranged.errors:
        raise ManifestErrors(arranged.errors)
    stages, numbers = order.staged(arranged.waves)
    targets = [target for stage in stages for target in stage]
    trial = run_trial(client, stages, fork=fork, options=options)
    changes = trial.sorted_changes()
    gone = [
        entry for entry in inventory.leftovers(client, set_name, targets) if entry.identity not in options.elsewhere
    ]
    pruned: list[Entry] = []
    if options.prune:
        doomed = [entry for entry in gone if not inventory.is_kept(client, entry)]
        inventory.check_prune(client, registry.all(), targets, doomed, confirmed=options.prune_confirm)
        pruned = sorted(doomed, key=order.prune_key, reverse=True)
        changes += [pruned_change(entry, inventory.read_at(client, entry.resource, entry.key)) for entry in pruned]
    changes = replacing.with_hooks(changes, targets, is_pruning=bool(pruned))
    kept = [entry for entry in gone if entry not in pruned]
    owned = sorted({*map(inventory.entry_of, targets), *kept})
    return Plan(
        set_name,
        stages,
        changes,
        pruned,
        owned,
        options.force,
        options.prune,
        tuple(map(str, sorted({*unknown, *left, *arranged.remarks, *trial.warnings}))),
        options.field_manager,
        numbers,
    )


def commit(client: Client, planned: Plan, *, source: Obj) -> str | None:
    """Write the intent that carries the plan out and return its name; None when nothing is to do.

    ``source`` says where the set comes from: ``{"paths": [...]}`` or ``{"repository", "commit"}``.
    """
    known = inventory.entries(inventory.read(client, inventory.RESOURCE, planned.set_name))
    pending = intent.pending(client, planned.set_name)
    is_listed = {entry.identity for entry in known} == {entry.identity for entry in planned.owned}
    if not planned.changes_anything and is_listed and pending is None:
        return None
    rendered = intent.told_apart(client, intent.rendered_set(planned.stages, planned.waves))
    if pending is not None and pending["spec"]["renderedSet"] == rendered["metadata"]["name"] and not planned.pruned:
        return planned.set_name  # the same is under way already
    wish = intent.Wish(
        planned.set_name,
        source,
        planned.force,
        planned.prune,
        planned.pruned,
        planned.field_manager,
        planned.are("unchanged"),
        planned.are("replaced"),
    )
    intent.write(client, wish, rendered, [*planned.owned, *planned.pruned])
    return planned.set_name


def drift(client: Client, *, registry: Registry, fork: Fork, options: Options = DEFAULTS) -> list[Change]:
    """Return what applying every set again, under the field manager it was applied by, would change."""
    found: list[Change] = []
    for last in applied.sets(client):
        how = options._replace(field_manager=last.field_manager)
        planned = plan(client, last.manifests, set_name=last.name, registry=registry, fork=fork, options=how)
        found += planned.changes
    return found


def run_trial(client: Client, stages: Iterable[Sequence[Target]], *, fork: Fork, options: Options = DEFAULTS) -> Trial:
    """Apply every object inside a fork; ManifestErrors when any is refused."""
    with fork():
        trial = Trial(client, stages, options)
        trial.run()
    if trial.errors:
        raise ManifestErrors(trial.errors)
    return trial


class Trial:
    """Applies a set inside a fork and remembers what came of it."""

    def __init__(self, client: Client, stages: Iterable[Sequence[Target]], options: Options) -> None:
        self.changes: list[Change] = []
        self.errors: list[ManifestError] = []
        self.warnings: list[ManifestError] = []
        self._client = client
        self._targets = [target for stage in stages for target in stage]
        self._options = options
        self._brought = {target.key.name for target in self._targets if target.resource == "namespaces"}
        self._missing: dict[str, bool] = {}

    def sorted_changes(self) -> list[Change]:
        """Return what becomes of each object, in order of file and line."""
        return sorted(self.changes, key=lambda change: change[:7])

    def run(self) -> None:
        """Apply one object after the other."""
        for target in self._targets:
            errors = refusals.undecodable(target, validate=self._options.validate)
            if not errors and target.key.namespace and self._lacks_namespace(target):
                continue
            if not errors:
                errors = self._apply(target)
            self.errors += errors
            if errors and target.resource == "namespaces":
                self._missing[target.key.name] = True

    def _lacks_namespace(self, target: Target) -> bool:
        """Say whether the target's namespace is not there, and complain when nothing brings it."""
        name = target.key.namespace
        if name not in self._missing:
            self._missing[name] = inventory.read(self._client, "namespaces", name) is None
            if not self._missing[name]:
                self._furnish(name)  # in a new cluster no controller has seen its namespaces yet
        if self._missing[name] and name not in self._brought:
            message = f'namespaces "{name}" not found: no manifest here brings it and the cluster has none'
            self.errors.append(target.error("metadata.namespace", message))
        return self._missing[name]

    def _apply(self, target: Target) -> list[ManifestError]:
        client = self._client
        remarks: list[str] = []
        before: Obj | None = None
        try:
            before = inventory.read_at(client, target.resource, target.key)
            after = client.apply(
                target.resource,
                target.object,
                field_manager=self._options.field_manager,
                force=self._options.force,
                warnings=remarks,
            )
            if before is None and target.resource == "namespaces":
                self._furnish(target.key.name)
        except StatusError as error:
            if replacing.is_about_immutable(error):
                return self._replace(target, before, error)
            return refusals.located(target, error)
        self.warnings += refusals.remarked(target, remarks)
        self.changes.append(change_of(target, before, after, secrets=self._options.secrets))
        return []

    def _replace(self, target: Target, before: Obj | None, error: StatusError) -> list[ManifestError]:
        """Make the object anew where that is wanted; else say how it would be."""
        if not (self._options.recreate or replacing.may_be_replaced(target)):
            said = refusals.located(target, error)
            return [one._replace(message=f"{one.message}: --recreate deletes it and creates it anew") for one in said]
        try:
            replacing.make_room(self._client, target.resource, target.object)
            after = self._client.apply(
                target.resource, target.object, field_manager=self._options.field_manager, force=self._options.force
            )
        except StatusError as second:
            return refusals.located(target, second)
        change = change_of(target, before, after, secrets=self._options.secrets)
        self.changes.append(change._replace(change="replaced"))
        return []

    def _furnish(self, namespace: str) -> None:
        """Give a new namespace of the fork what a controller would give it: its default ServiceAccount."""
        account = {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": "default", "namespace": namespace},
        }
        if inventory.read_at(self._client, "serviceaccounts", Key(namespace, "default")) is None:
            self._client.create("serviceaccounts", account)
