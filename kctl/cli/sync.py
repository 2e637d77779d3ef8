"""``kctl sync``: the manifests of a commit, read from git's objects."""

from __future__ import annotations

import sys

import click

from kctl.cli import options
from kctl.cli.session import Settings


@click.command("sync", short_help="Apply the manifests of a git commit.")
@click.argument("repository", default=".", type=click.Path(file_okay=False), metavar="[REPO]")
@click.option("--ref", default="HEAD", show_default=True, metavar="REV", help="The commit, branch or tag.")
@click.option(
    "--path", default="", type=click.Path(file_okay=False), metavar="DIR", help="Only this folder of the commit."
)
@options.namespace
@options.ignore_not_manifest
@options.prune
@options.prune_confirm
@options.force_conflicts
@options.field_manager
@options.validate
@options.dry_run
@options.timeout
@options.no_diff
@options.show_secrets
@options.output("json", "yaml", "name")
@click.pass_obj
def command(
    settings: Settings,
    repository: str,
    ref: str,
    path: str,
    namespace: str | None,
    ignore_not_manifest: bool,
    prune: bool,
    prune_confirm: bool,
    force_conflicts: bool,
    field_manager: str,
    validate: str,
    dry_run: str,
    timeout: str,
    no_diff: bool,
    show_secrets: bool,
    output: str | None,
) -> int:
    """Apply what a commit holds, whatever the working tree looks like, and converge.

    REPO is a repository, bare or not; the current directory without it. What is wrong with any
    manifest of the commit is reported, and nothing is changed then.
    """
    from kctl.cli.carry import Job, carry_out
    from kctl.cli.manifests import options as reading
    from kctl.cli.run import duration
    from kctl.cli.session import open_or_draft
    from kctl.gitops.apply import Options
    from kctl.gitops.sync import sync_commit

    within = duration(timeout)
    opened = open_or_draft(settings, reading=dry_run != "none")
    with opened.plane as plane:
        how = reading(plane.folder, ignore_not_manifest=ignore_not_manifest, namespace=namespace)
        synced = sync_commit(repository, ref, path, options=how)
        print(f"commit {synced.commit.sha[:12]} {synced.commit.subject}", file=sys.stderr)
        for skipped in synced.skipped:
            print(f"skipped {skipped}", file=sys.stderr)
        job = Job(
            synced.set_name,
            synced.source,
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
        return carry_out(opened, synced.manifests, job, output, show_diff=not no_diff)
