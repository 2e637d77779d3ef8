"""``kctl sync``: the manifests of a commit, read from git's objects."""

from __future__ import annotations

import sys
from functools import partial

import click

from kctl.cli import carry, options
from kctl.cli.session import Settings


@click.command("sync", short_help="Apply the manifests of a git commit.")
@click.argument("repository", default=".", type=click.Path(file_okay=False), metavar="[REPO]")
@click.option("--ref", default="HEAD", show_default=True, metavar="REV", help="The commit, branch or tag.")
@click.option(
    "--path", default="", type=click.Path(file_okay=False), metavar="DIR", help="Only this folder of the commit."
)
@options.namespace
@options.ignore_not_manifest
@partial(carry.options, prune=options.prune_by_default)
@click.pass_obj
def command(
    settings: Settings,
    repository: str,
    ref: str,
    path: str,
    namespace: str | None,
    ignore_not_manifest: bool,
    how: carry.How,
) -> int:
    """Apply what a commit holds, whatever the working tree looks like, and converge.

    REPO is a repository, bare or not; the current directory without it. What is wrong with any
    manifest of the commit is reported, and nothing is changed then.
    """
    from kctl.cli.manifests import options as reading
    from kctl.cli.session import open_or_draft
    from kctl.gitops.sync import sync_commit

    opened = open_or_draft(settings, reading=how.is_dry)
    with opened.plane as plane:
        manner = reading(plane.folder, ignore_not_manifest=ignore_not_manifest, namespace=namespace)
        synced = sync_commit(repository, ref, path, options=manner)
        print(f"commit {synced.commit.sha[:12]} {synced.commit.subject}", file=sys.stderr)
        for skipped in synced.skipped:
            print(f"skipped {skipped}", file=sys.stderr)
        job = carry.Job(synced.set_name, synced.source, how.options(namespace))
        return carry.carry_out(opened, synced.manifests, job, how)
