"""``kctl hook``: git hooks that sync commits, and judge pushes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from kctl.cli import options
from kctl.cli.session import Settings

if TYPE_CHECKING:
    from kctl.gitops.hooks import Hook, What

TYPE = click.option(
    "--type",
    "types",
    multiple=True,
    metavar="TYPE",
    help="Which hook, may be repeated: post-commit, post-merge, post-rewrite, pre-push; pre-receive, post-receive. "
    "Default: post-commit; in a bare repository pre-receive and post-receive.",
)
REPO = click.argument("repository", default=".", type=click.Path(file_okay=False), metavar="[REPO]")
OUTPUT = options.output("json", "yaml")
BRANCH = click.option(
    "--branch",
    "branches",
    multiple=True,
    metavar="PATTERN",
    help="Only these branches, may be repeated. Default: what HEAD is at; for pre-push any.",
)


@click.group("hook", short_help="Install git hooks that sync commits, or judge pushes.")
def command() -> None:
    """Manage the git hooks that apply commits to the cluster, and refuse those that would break it."""


@command.command("install")
@REPO
@TYPE
@options.folders
@BRANCH
@OUTPUT
@click.pass_obj
def install(
    settings: Settings,
    repository: str,
    types: Sequence[str],
    folders: Sequence[str],
    branches: Sequence[str],
    output: str | None,
) -> None:
    """Install hooks in REPO (the current directory's repository); twice is as good as once.

    post-commit, post-merge and post-rewrite sync the commit that HEAD is at; post-receive the branch that
    was pushed. pre-push and pre-receive try the push on an image of the cluster and refuse it
    when it would not converge. A hook that is there already goes on working, before this one.
    """
    from kctl.gitops import hooks

    what = _what(settings, folders, branches)
    _say([hooks.install(repository, name, what) for name in types or hooks.default_types(repository)], output)


@command.command("uninstall")
@REPO
@TYPE
@OUTPUT
def uninstall(repository: str, types: Sequence[str], output: str | None) -> None:
    """Take the hooks out again; what was there before comes back."""
    from kctl.gitops import hooks

    _say([hooks.uninstall(repository, name) for name in types or hooks.default_types(repository)], output)


@command.command("status")
@REPO
@TYPE
@options.folders
@BRANCH
@OUTPUT
@click.pass_obj
def status(
    settings: Settings,
    repository: str,
    types: Sequence[str],
    folders: Sequence[str],
    branches: Sequence[str],
    output: str | None,
) -> int:
    """Say which hooks are there: installed, outdated, foreign or absent; exit code 1 unless all are installed."""
    from kctl.gitops import hooks

    what = _what(settings, folders, branches)
    found = [hooks.status(repository, name, what) for name in types or hooks.default_types(repository)]
    _say(found, output)
    return 0 if all(hook.state == "installed" for hook in found) else 1


@command.command("run", hidden=True, context_settings={"ignore_unknown_options": True})
@click.argument("type_", metavar="TYPE")
@options.folders
@BRANCH
@click.argument("arguments", nargs=-1)
@click.pass_obj
def run(
    settings: Settings, type_: str, folders: Sequence[str], branches: Sequence[str], arguments: Sequence[str]
) -> int:
    """Do what the hook of a TYPE is for; the installed hooks call this, with git's arguments."""
    from kctl.cli import hook_run
    from kctl.gitops import hooks

    text = sys.stdin.read() if type_ in hooks.WITH_INPUT else ""
    return hook_run.run(settings, type_, paths=folders, branches=branches, text=text)


def _what(settings: Settings, folders: Sequence[str], branches: Sequence[str]) -> What:
    import os

    from kctl.gitops.hooks import What

    state = os.path.abspath(settings.state) if settings.state else ""  # noqa: PTH100
    return What([sys.executable, "-m", "kctl"], folders, state, branches)


def _say(hooks: Sequence[Hook], output: str | None) -> None:
    from kctl.cli.output import document, write

    if not output:
        write("".join(f"{hook.file}: {hook.state}\n" for hook in hooks))
        return
    rows = [
        {"apiVersion": "kctl.dev/v1", "kind": "Hook", "file": str(hook.file), "state": hook.state} for hook in hooks
    ]
    listed = {"apiVersion": "kctl.dev/v1", "kind": "HookList", "items": rows}
    write(document(rows[0] if len(rows) == 1 else listed, output))
