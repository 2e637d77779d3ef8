"""``kctl apply``: the main job."""

from __future__ import annotations

from pathlib import Path

import click

from kctl.cli import carry, options
from kctl.cli.session import Settings


@click.command("apply", short_help="Apply manifests, run the control plane until it settles, show what became of it.")
@options.filenames(required=True)
@options.namespace
@click.option("--server-side", is_flag=True, expose_value=False, hidden=True, help="Always so.")
@carry.options
@click.pass_obj
def command(
    settings: Settings,
    paths: tuple[str, ...],
    recursive: bool,
    kustomize: str | None,
    ignore_not_manifest: bool,
    namespace: str | None,
    how: carry.How,
) -> int:
    """Apply the manifests in PATH, run the control plane until nothing would change any more.

    Prints what was asked (a line per object), what became of it, what is still not as desired,
    and what was used but not simulated. Exit code 0 when the cluster converged, 3 when not.
    """
    from kctl.cli.manifests import load, set_name
    from kctl.cli.session import open_or_draft
    from kctl.gitops.sources import shown

    options.refuse_kustomize(kustomize)
    opened = open_or_draft(settings, reading=how.is_dry)
    with opened.plane as plane:
        manifests = load(
            plane, paths, recursive=recursive, ignore_not_manifest=ignore_not_manifest, namespace=namespace
        )
        base = (opened.folder or plane.folder or Path.cwd()).resolve().parent
        job = carry.Job(set_name(base, paths), {"paths": sorted(map(shown, paths))}, how.options(namespace))
        return carry.carry_out(opened, manifests, job, how)
