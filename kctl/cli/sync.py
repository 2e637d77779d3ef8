"""``kctl sync``: the manifests of a commit, read from git's objects."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import click

from kctl.cli import carry, options
from kctl.cli.session import Settings

if TYPE_CHECKING:
    from kctl.gitops.sync import Wanted


class Read(NamedTuple):
    """What is synced, and how its files are read."""

    repository: str
    wanted: Wanted
    namespace: str | None
    ignore_not_manifest: bool


@click.command("sync", short_help="Apply the manifests of a git commit.")
@click.argument("repository", default=".", type=click.Path(file_okay=False), metavar="[REPO]")
@click.option("--ref", default="HEAD", show_default=True, metavar="REV", help="The commit, branch or tag.")
@options.folders
@click.option("--verify", type=click.Choice(("gpg", "ssh")), help="Take only a commit with a good signature.")
@click.option(
    "--allowed-signers", default="", type=click.Path(dir_okay=False), metavar="FILE", help="Whose SSH keys count."
)
@click.option("-w", "--watch", is_flag=True, help="Go on: sync whenever REV is another commit, until interrupted.")
@click.option("--interval", default="5s", show_default=True, metavar="DURATION", help="How often --watch looks.")
@options.namespace
@options.ignore_not_manifest
@partial(carry.options, prune=options.prune_by_default)
@click.pass_obj
def command(
    settings: Settings,
    repository: str,
    ref: str,
    folders: Sequence[str],
    verify: str | None,
    allowed_signers: str,
    watch: bool,
    interval: str,
    namespace: str | None,
    ignore_not_manifest: bool,
    how: carry.How,
) -> int:
    """Apply what a commit holds, whatever the working tree looks like, and converge.

    REPO is a repository, bare or not; the current directory without it. What is wrong with any
    manifest of the commit is reported, and nothing is changed then. What an earlier sync brought and
    this commit no longer has is pruned.
    """
    from kctl.cli.run import duration
    from kctl.gitops.sync import Wanted

    wanted = Wanted(ref, folders or ("",), verify or "", allowed_signers)
    read = Read(repository, wanted, namespace, ignore_not_manifest)
    if watch:
        follow(lambda: latest(read), lambda: sync(settings, read, how), every=duration(interval))
        return 0
    return sync(settings, read, how)


def sync(settings: Settings, read: Read, how: carry.How) -> int:
    """Sync one commit and return the exit code."""
    from kctl.cli.manifests import options as reading
    from kctl.cli.session import open_or_draft
    from kctl.gitops.sync import sync_commits

    opened = open_or_draft(settings, reading=how.is_dry)
    with opened.plane as plane:
        manner = reading(plane.folder, ignore_not_manifest=read.ignore_not_manifest, namespace=read.namespace)
        found = sync_commits(read.repository, read.wanted, options=manner)
        print(f"commit {found[0].commit.sha[:12]} {found[0].commit.subject}", file=sys.stderr)
        for skipped in sorted({text for synced in found for text in synced.skipped}):
            print(f"skipped {skipped}", file=sys.stderr)
        given = how.options(read.namespace)
        sets = [(synced.manifests, carry.Job(synced.set_name, synced.source, given)) for synced in found]
        return carry.carry_out_sets(opened, sets, how)


def latest(read: Read) -> str:
    """Return the commit that is to be synced now."""
    from kctl.gitops.git import Repository

    with Repository(read.repository) as repo:
        return repo.resolve(read.wanted.ref)


def follow(
    latest: Callable[[], str],
    sync: Callable[[], int],
    *,
    every: float,
    wait: Callable[[float], None] = time.sleep,
) -> None:
    """Sync every new commit, until interrupted; what is wrong with one, or with the repository, is said once."""
    from kctl.api.errors import KctlError, Refused
    from kctl.cli.errors import text_of
    from kctl.gitops.sources import ManifestErrors

    seen, said = "", ""
    try:
        while True:
            try:
                commit = latest()
                if commit != seen:
                    seen, said = commit, ""
                    sync()
            except KctlError as error:
                if not isinstance(error, ManifestErrors | Refused):
                    seen = ""  # it may go away
                if text_of(error) != said:
                    said = text_of(error)
                    print(said, file=sys.stderr)
            wait(every)
    except KeyboardInterrupt:
        return
