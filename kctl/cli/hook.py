"""``kctl hook``: git hooks that sync commits."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from kctl.cli import options
from kctl.cli.session import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from kctl.gitops.hooks import Hook

TYPE = click.option("--type", "type_", default="post-commit", show_default=True, metavar="TYPE", help="Which hook.")
REPO = click.argument("repository", default=".", type=click.Path(file_okay=False), metavar="[REPO]")
OUTPUT = options.output("json", "yaml")
PATH = click.option(
    "--path", default="", type=click.Path(file_okay=False), metavar="DIR", help="Only this folder of each commit."
)


@click.group("hook", short_help="Install the git hook that syncs every commit.")
def command() -> None:
    """Manage the git hook that applies every commit to the cluster as it is made."""


@command.command("install")
@REPO
@TYPE
@PATH
@OUTPUT
@click.pass_obj
def install(settings: Settings, repository: str, type_: str, path: str, output: str | None) -> None:
    """Install the hook in REPO (the current directory's repository); twice is as good as once."""
    from kctl.gitops import hooks

    _say(_call(hooks.install, settings, repository, type_, path), output)


@command.command("uninstall")
@REPO
@TYPE
@OUTPUT
def uninstall(repository: str, type_: str, output: str | None) -> None:
    """Take the hook out again; what others wrote into its file stays."""
    from kctl.gitops import hooks

    _say(hooks.uninstall(repository, type_), output)


@command.command("status")
@REPO
@TYPE
@PATH
@OUTPUT
@click.pass_obj
def status(settings: Settings, repository: str, type_: str, path: str, output: str | None) -> int:
    """Say whether the hook is there: installed, outdated, foreign or absent; exit code 1 unless installed."""
    from kctl.gitops import hooks

    found = _call(hooks.status, settings, repository, type_, path)
    _say(found, output)
    return 0 if found.state == "installed" else 1


def _call(action: Callable[..., Hook], settings: Settings, repository: str, type_: str, path: str) -> Hook:
    import os

    state = os.path.abspath(settings.state) if settings.state else ""  # noqa: PTH100
    return action(repository, type_, command=[sys.executable, "-m", "kctl"], path=path, state=state)


def _say(hook: Hook, output: str | None) -> None:
    from kctl.cli.output import document, write

    if output:
        found = {"apiVersion": "kctl.dev/v1", "kind": "Hook", "file": str(hook.file), "state": hook.state}
        write(document(found, output))
    else:
        write(f"{hook.file}: {hook.state}\n")
