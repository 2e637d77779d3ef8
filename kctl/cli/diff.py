"""``kctl diff``: what apply would change, or what has drifted from what was applied."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kctl.cli import options
from kctl.cli.session import Settings

if TYPE_CHECKING:
    from kctl.api.objects import Obj
    from kctl.api.structural import Unknown
    from kctl.gitops.changes import Change
    from kctl.plane.plane import ControlPlane


@click.command("diff", short_help="Show what apply would change, or what has drifted since.")
@click.argument("revisions", required=False, metavar="[REV..REV]")
@options.filenames()
@options.namespace
@options.prune
@options.recreate
@options.force_conflicts
@options.field_manager
@options.validate
@options.show_secrets
@click.option(
    "--ignore",
    "ignored",
    multiple=True,
    metavar="[TYPE[/NAME]:]POINTER",
    help="Leave a field out, may be repeated: deployments.apps/web:/spec/replicas.",
)
@click.option(
    "--ignore-manager", "managers", multiple=True, metavar="NAME", help="Leave out what this field manager owns."
)
@options.output("json", "yaml", "name", "markdown")
@click.pass_obj
def command(
    settings: Settings,
    revisions: str | None,
    paths: tuple[str, ...],
    recursive: bool,
    kustomize: str | None,
    ignore_not_manifest: bool,
    namespace: str | None,
    prune: bool,
    recreate: bool,
    force_conflicts: bool,
    field_manager: str,
    validate: Unknown,
    show_secrets: bool,
    ignored: tuple[str, ...],
    managers: tuple[str, ...],
    output: str | None,
) -> int:
    """Compare the manifests in PATH with the cluster, or two revisions; nothing is written.

    Without either, compare what was last applied with what is. PATH needs no cluster: without
    one, the manifests are compared with an empty cluster of the shape in kctl.yaml. Exit code 0 when
    nothing differs, 1 when something does, 2 on errors. KUBECTL_EXTERNAL_DIFF names a program to show
    the differences; ignoreDifferences in kctl.yaml, in Argo CD's form, what they leave out.
    """
    from kctl.cli import carry
    from kctl.cli.manifests import load, set_name
    from kctl.cli.output import warn
    from kctl.cli.session import open_for_diff, open_reader
    from kctl.gitops import apply

    options.refuse_kustomize(kustomize)
    if revisions is not None:
        return compare_revisions(settings, revisions, paths, output, show_secrets)
    how = apply.Options(
        namespace=namespace or "",
        force=force_conflicts or not paths,
        prune=prune,
        prune_confirm=True,
        recreate=recreate,
        validate=validate,
        secrets=show_secrets,
        field_manager=field_manager,
    )
    with open_for_diff(settings) if paths else open_reader(settings) as plane:
        if paths:
            manifests = load(
                plane, paths, recursive=recursive, ignore_not_manifest=ignore_not_manifest, namespace=namespace
            )
            base = (plane.folder or Path.cwd() / ".kctl").resolve().parent
            planned = carry.plan(plane, manifests, carry.Job(set_name(base, paths), {}, how))
            warn(planned.warnings)
            changes, lints = planned.changes, planned.lints
        else:
            lints = ()
            changes = apply.drift(plane.client, registry=plane.server.registry, fork=plane.server.fork, options=how)
        changes = _without(settings, plane, changes, ignored, managers, secrets=show_secrets)
    differing = [change for change in changes if change.change != "unchanged"]
    return _tell(differing, output, lints, secrets=show_secrets)


def _tell(differing: list[Change], output: str | None, lints: Sequence[Obj] = (), *, secrets: bool) -> int:
    """Print the changes, as data with what lints say, and return the exit code."""
    import os

    from kctl.cli import external_diff, markdown
    from kctl.cli.output import document, write
    from kctl.gitops import unified

    if output in ("json", "yaml"):
        entries = [{**change.data(), "patch": unified.patch(change, secrets=secrets)} for change in differing]
        write(document({"apiVersion": "kctl.dev/v1", "kind": "Diff", "objects": entries, "lints": [*lints]}, output))
    elif output == "name":
        write("".join(f"{change.object}\n" for change in differing))
    elif output == "markdown":
        write(markdown.changes([change.data() for change in differing], title="kctl diff"))
    elif differing and (command := os.environ.get(external_diff.VARIABLE)):
        return external_diff.run(command, differing, secrets=secrets)
    else:
        lines = (line for change in differing for line in unified.lines(change, secrets=secrets))
        write("".join(map(_coloured, lines)))
    return 1 if differing else 0


def _without(
    settings: Settings,
    plane: ControlPlane,
    changes: list[Change],
    ignored: tuple[str, ...],
    managers: tuple[str, ...],
    *,
    secrets: bool,
) -> list[Change]:
    """Return the changes without what the flags and ``kctl.yaml`` leave out."""
    from kctl.cli.session import cluster_file, load_cluster

    is_written = cluster_file(settings) is not None
    if not (ignored or managers or is_written):
        return changes
    from kctl.gitops import ignoring

    rules = [ignoring.of_text(text, plane.server.registry) for text in ignored]
    rules += [ignoring.Rule(managers=managers)] if managers else []
    rules += load_cluster(settings).ignored if is_written else ()
    registry = plane.server.registry
    return [ignoring.without(change, rules, registry, secrets=secrets) for change in changes]


def compare_revisions(
    settings: Settings, revisions: str, paths: tuple[str, ...], output: str | None, secrets: bool
) -> int:
    """Print the fields that differ between two revisions."""
    from kctl.api.errors import UsageError
    from kctl.cli import past, revision_diff
    from kctl.cli.session import open_reader

    found = past.parse_range(revisions)
    if found is None or paths:
        raise UsageError(f"{revisions!r}: give two revisions as A..B, or manifests with -f PATH")
    with open_reader(settings) as plane:
        first, last = (past.revision_of(plane, text) for text in found)
        return revision_diff.show(plane, first, last, output, secrets=secrets)


def _coloured(line: str) -> str:
    colour = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1])
    return click.style(line, fg=colour) if colour else line
