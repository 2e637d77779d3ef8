"""``kctl completion``: the shells' completion scripts, also kept in ``completions/``."""

from __future__ import annotations

import click

SHELLS = ("bash", "zsh", "fish")


@click.command("completion", short_help="Print the completion script of a shell.")
@click.argument("shell", type=click.Choice(SHELLS))
def command(shell: str) -> None:
    """Print the completion script of a shell: add ``eval "$(kctl completion bash)"`` to its start-up file."""
    from kctl.cli.output import write

    write(script(shell))


def script(shell: str) -> str:
    """Return the completion script, made by click from its own template."""
    from click.shell_completion import get_completion_class

    from kctl.cli.main import root

    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"no completion for {shell}")
    return found(root, {}, "kctl", "_KCTL_COMPLETE").source() + "\n"
