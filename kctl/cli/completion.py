"""``kctl completion``: the shells' completion scripts, also kept in ``completions/``."""

from __future__ import annotations

import click

SHELLS = ("bash", "zsh", "fish")
HELP = """Print the completion script of a shell.

\b
bash  eval "$(kctl completion bash)"            in ~/.bashrc
zsh   eval "$(kctl completion zsh)"             in ~/.zshrc
fish  kctl completion fish | source             in ~/.config/fish/config.fish
"""
"""Click keeps the lines behind a backspace as they are."""


@click.command("completion", short_help="Print the completion script of a shell.", help=HELP)
@click.argument("shell", type=click.Choice(SHELLS))
def command(shell: str) -> None:
    """Print the completion script of a shell."""
    from kctl.cli.output import write

    write(script(shell))


def script(shell: str) -> str:
    """Return the completion script, made by click from its own template.

    click would ask the bash that is installed for its version first; the script does not depend on it.
    """
    from click.shell_completion import ShellComplete, get_completion_class

    from kctl.cli.main import root

    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"no completion for {shell}")
    return ShellComplete.source(found(root, {}, "kctl", "_KCTL_COMPLETE")).strip("\n") + "\n"
