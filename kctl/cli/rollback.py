"""``kctl rollback``: what people asked for as it was at an earlier revision, as a new revision."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kctl.api.objects import Key, Obj
from kctl.cli import options, writing
from kctl.cli.session import Settings

if TYPE_CHECKING:
    from kctl.cli.restoring import Applied
    from kctl.plane.plane import ControlPlane

SERVICES = "10.96.0.0/12"


@click.command("rollback", short_help="Go back to an earlier revision.")
@click.argument("place", metavar="REV|COMMIT")
@options.dry_run
@click.option("--prune-confirm", is_flag=True, help="Delete also Namespaces, CRDs and PVCs made since.")
@options.timeout
@click.option("--no-diff", is_flag=True, help="Leave the field changes out.")
@options.output("json", "yaml", "name")
@click.pass_obj
def command(
    settings: Settings,
    place: str,
    dry_run: str,
    prune_confirm: bool,
    timeout: str,
    no_diff: bool,
    output: str | None,
) -> int:
    """Write everything that people wrote as it was at REV and run the control plane.

    Of a COMMIT that was synced, at the revision at which the cluster was done with it. History is kept: the rollback is a new revision. --dry-run only says what would change.
    """
    from kctl.cli import past
    from kctl.cli.run import finish, run
    from kctl.cli.session import open_existing
    from kctl.plane.plane import parse_duration

    within = parse_duration(timeout)
    with open_existing(settings) as plane:
        revision = past.revision_of(plane, place)
        if dry_run != "none":
            with plane.server.fork():
                entries = rolled_back(plane, revision, confirmed=True)
            return preview(entries, revision, output, show_diff=not no_diff)
        entries = []

        def step(said: writing.Said) -> None:
            entries[:] = rolled_back(plane, revision, confirmed=prune_confirm)
            said.text = ""

        writing.durably(plane, writing.How(cause=f"rollback {revision}"), step)
        outcome = run(plane, within=within)
        return finish(plane, outcome, output, intent=entries, show_diff=not no_diff)


def rolled_back(plane: ControlPlane, revision: int, *, confirmed: bool) -> list[Obj]:
    """Write what was at a revision, nothing of it durable yet; return an entry for each object."""
    from kctl.apiserver import bootstrap
    from kctl.cli import restoring, revision_diff

    always = {(resource, key) for resource, key, _ in bootstrap.objects(plane.shape.seed, plane.now, SERVICES)}
    found = revision_diff.between(plane, revision, plane.store.head().revision)
    wanted = restoring.wanted(found, always)
    restoring.guard(wanted, confirmed=confirmed)
    client = writing.client_of(plane, writing.How(field_manager=restoring.NAME))
    try:
        entries = restoring.restore(client, wanted, applied_at(plane, revision))
        restoring.books(client, found)
    except Exception:  # whatever it was: it goes on to the caller
        if not plane.server.storage.is_forked:  # which drops what was written by itself
            plane.refresh()  # drops what was written: all of it or nothing
        raise
    return entries


def applied_at(plane: ControlPlane, revision: int) -> dict[tuple[str, Key], Applied]:
    """Return what the sets of a revision brought, as it was rendered then."""
    from kctl.api.objects import key_of
    from kctl.cli import past, restoring
    from kctl.gitops import intent, inventory

    view = past.at(plane, revision)
    rendered = {one["metadata"]["name"]: one for one in view.client.list(intent.RENDERED_SETS).items}
    out = {}
    for wish in view.client.list(intent.INTENTS).items:
        found = rendered.get(wish["spec"]["renderedSet"])
        for item in found["spec"]["objects"] if found is not None else ():
            manager = wish["spec"].get("fieldManager") or inventory.MANAGER
            out[item["resource"], key_of(item["object"])] = restoring.Applied(item["object"], manager)
    return out


def preview(entries: list[Obj], revision: int, output: str | None, *, show_diff: bool) -> int:
    """Print what a rollback would change."""
    from kctl.cli import layers
    from kctl.cli.output import document, write

    if output in ("json", "yaml"):
        write(
            document({"apiVersion": "kctl.dev/v1", "kind": "Changes", "revision": revision, "intent": entries}, output)
        )
    elif output == "name":
        write("".join(f"{entry['object']}\n" for entry in entries))
    else:
        lines = layers.intent_lines(entries, show_diff=show_diff, suffix=" (dry run)")
        write("".join(f"{line}\n" for line in lines) or f"nothing differs from revision {revision}\n")
    return 0
