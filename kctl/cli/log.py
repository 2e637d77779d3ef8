"""``kctl log``: the revisions of the cluster, with virtual time, cause and what changed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import click

from kctl.api.objects import Obj, dig
from kctl.cli import options
from kctl.cli.session import Settings

if TYPE_CHECKING:
    from kctl.plane.plane import ControlPlane
    from kctl.store.api import Change, Entry

INTENTS = "intents.kctl.dev"
OWN = ("intents.kctl.dev", "renderedsets.kctl.dev", "inventories.kctl.dev")
QUIET = ("leases.coordination.k8s.io", "events", "events.events.k8s.io")
"""Kinds that change all the time: they are counted last, as one."""
RUNS = ("converge", "advance")


class Record(NamedTuple):
    """Some entries of the log that belong together."""

    first: int
    last: int
    started: float
    ended: float
    cause: str
    commit: str
    changes: dict[str, tuple[int, int, int]]
    """Per resource: created, changed, deleted."""

    def data(self) -> Obj:
        """Return the record as the JSON output lists it."""
        from kctl.api.clock import rfc3339

        changes = [
            {"resource": resource, "created": created, "changed": changed, "deleted": deleted}
            for resource, (created, changed, deleted) in sorted(self.changes.items())
        ]
        out: Obj = {
            "first": self.first,
            "revision": self.last,
            "time": rfc3339(self.ended),
            "cause": self.cause,
            "commit": self.commit,
            "changes": changes,
        }
        return out


@click.command("log", short_help="List the revisions of the cluster.")
@options.resources("[TYPE NAME | TYPE/NAME]", required=False)
@options.namespace
@click.option("--limit", type=int, default=20, show_default=True, metavar="N", help="So many at most; 0 for all.")
@click.option("--all", "every", is_flag=True, help="Every entry, also each step of a convergence.")
@click.option("--reverse", is_flag=True, help="The oldest first.")
@options.no_headers
@options.output("json", "yaml")
@click.pass_obj
def command(
    settings: Settings,
    resources: tuple[str, ...],
    namespace: str | None,
    limit: int,
    every: bool,
    reverse: bool,
    no_headers: bool,
    output: str | None,
) -> int:
    """List what was written when and why, the newest first; only what touched the objects named."""
    from kctl.cli import output as out
    from kctl.cli.session import open_reader

    with open_reader(settings) as plane:
        names = keys_of(plane, resources, namespace)
        found = records(plane, names)
        if not every:
            found = list(joined(found))
        found = found if reverse else found[::-1]
        found = found[:limit] if limit > 0 else found
        if output:
            rows = [record.data() for record in found]
            out.write(out.document({"apiVersion": "kctl.dev/v1", "kind": "Log", "records": rows}, output))
        else:
            out.write(text(found, show_headers=not no_headers))
        oldest = plane.store.compacted()
        if oldest > 1 and output is None:
            click.echo(f"what was before revision {oldest} has been compacted", err=True)
    return 0


def keys_of(plane: ControlPlane, resources: Sequence[str], namespace: str | None) -> set[str]:
    """Return the store keys of the objects named; empty for all."""
    from kctl.api.objects import Key
    from kctl.apiserver.storage import store_key
    from kctl.cli import select

    if not resources:
        return set()
    return {
        store_key(kind.resource, Key((namespace or "default") if kind.namespaced else "", name)) if name else ""
        for kind, names in select.parse(plane.server.registry, resources)
        for name in names or _required()
    }


def _required() -> tuple[str, ...]:
    from kctl.api.errors import UsageError

    raise UsageError("name an object, for example deploy/web")


def records(plane: ControlPlane, names: set[str]) -> list[Record]:
    """Return a record for each entry, oldest first; with ``names`` only those that touched them."""
    from kctl.apiserver.encoding import PLACE
    from kctl.cli import past

    stored = plane.store.changes(plane.store.compacted())
    changes = (change for change in stored if not change.key.startswith(PLACE))
    waiting = next(changes, None)
    out = []
    for entry in past.entries(plane):
        mine: list[Change] = []
        while waiting is not None and waiting.revision <= entry.last:
            mine.append(waiting)
            waiting = next(changes, None)
        if names:
            mine = [change for change in mine if change.key in names]
        if mine or (entry.cause == "advance" and not names):
            out.append(record(entry, mine))
    return out


def record(entry: Entry, changes: Sequence[Change]) -> Record:
    """Return what one entry did."""
    counts: dict[str, tuple[int, int, int]] = {}
    commit, cause = "", entry.cause
    for change in changes:
        resource = change.key.split("/", 2)[1]
        created, changed, deleted = counts.get(resource, (0, 0, 0))
        if change.value is None:
            deleted += 1
        elif change.create_revision >= entry.first:
            created += 1
        else:
            changed += 1
        counts[resource] = (created, changed, deleted)
        if resource == INTENTS and change.value is not None and cause not in RUNS:
            source = dig(json.loads(change.value), "spec", "source", default={})
            commit = str(source.get("commit") or commit)
            cause = cause or ("sync" if source.get("commit") else " ".join(["apply", *source.get("paths", ())]))
    first = min(entry.first, entry.last)  # an entry of time alone holds no revision of its own
    return Record(first, entry.last, entry.now, entry.now, cause or "write", commit, counts)


def joined(found: Sequence[Record]) -> Iterator[Record]:
    """Join the steps of a convergence, which are an entry each, to one record."""
    held: Record | None = None
    for one in found:
        if held is not None and held.cause == one.cause == "converge":
            counts = dict(held.changes)
            for resource, three in one.changes.items():
                old = counts.get(resource, (0, 0, 0))
                counts[resource] = (old[0] + three[0], old[1] + three[1], old[2] + three[2])
            held = held._replace(last=one.last, ended=one.ended, changes=counts)
            continue
        if held is not None:
            yield held
        held = one
    if held is not None:
        yield held


def text(found: Sequence[Record], *, show_headers: bool = True) -> str:
    """Return the records as a table."""
    from kctl.api.clock import rfc3339
    from kctl.cli import tables

    rows = [
        [
            str(one.last) if one.first == one.last else f"{one.first}-{one.last}",
            rfc3339(one.ended),
            one.cause,
            one.commit[:12] or "-",
            counts_text(one.changes) or "-",
        ]
        for one in found
    ]
    return tables.plain(["REVISION", "TIME", "CAUSE", "COMMIT", "CHANGES"], rows, show_headers=show_headers)


def counts_text(changes: dict[str, tuple[int, int, int]]) -> str:
    """Return ``+1 deployments.apps, +3 ~2 pods``; what always changes is one word at the end."""
    parts = []
    for resource, three in sorted(changes.items()):
        if resource not in QUIET and resource not in OWN:
            signs = [f"{sign}{count}" for sign, count in zip("+~-", three, strict=True) if count]
            parts.append(f"{' '.join(signs)} {resource}")
    quiet = sum(sum(three) for resource, three in changes.items() if resource in QUIET)
    if quiet:
        parts.append(f"{quiet} events and leases")
    return ", ".join(parts)
