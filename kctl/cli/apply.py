"""``kctl apply``: the main job."""

from __future__ import annotations

from pathlib import Path

import click

from kctl.cli import options
from kctl.cli.session import Settings


@click.command("apply", short_help="Apply manifests, run the control plane until it settles, show what became of it.")
@options.filenames(required=True)
@options.namespace
@options.prune
@options.prune_confirm
@options.force_conflicts
@options.field_manager
@click.option("--server-side", is_flag=True, hidden=True, help="Always so.")
@options.validate
@options.dry_run
@options.timeout
@options.no_diff
@options.show_secrets
@options.output("json", "yaml", "name")
@click.pass_obj
def command(
    settings: Settings,
    paths: tuple[str, ...],
    recursive: bool,
    kustomize: str | None,
    ignore_not_manifest: bool,
    namespace: str | None,
    prune: bool,
    prune_confirm: bool,
    force_conflicts: bool,
    field_manager: str,
    server_side: bool,
    validate: str,
    dry_run: str,
    timeout: str,
    no_diff: bool,
    show_secrets: bool,
    output: str | None,
) -> int:
    """Apply the manifests in PATH, run the control plane until nothing would change any more.

    Prints what was asked (a line per object), what became of it, what is still not as desired,
    and what was used but not simulated. Exit code 0 when the cluster converged, 3 when not.
    """
    from kctl.cli.carry import Job, carry_out
    from kctl.cli.manifests import load, set_name
    from kctl.cli.run import duration
    from kctl.cli.session import open_or_draft
    from kctl.gitops.apply import Options
    from kctl.gitops.sources import shown

    options.refuse_kustomize(kustomize)
    within = duration(timeout)
    opened = open_or_draft(settings, reading=dry_run != "none")
    with opened.plane as plane:
        manifests = load(
            plane, paths, recursive=recursive, ignore_not_manifest=ignore_not_manifest, namespace=namespace
        )
        base = (opened.folder or plane.folder or Path.cwd()).resolve().parent
        job = Job(
            set_name(base, paths),
            {"paths": sorted(map(shown, paths))},
            Options(
                namespace=namespace or "",
                force=force_conflicts,
                prune=prune,
                prune_confirm=prune_confirm,
                validate=validate,
                secrets=show_secrets,
                field_manager=field_manager,
            ),
            within=within,
            dry_run=dry_run != "none",
        )
        return carry_out(opened, manifests, job, output, show_diff=not no_diff)
