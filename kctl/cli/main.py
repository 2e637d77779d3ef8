"""The ``kctl`` command: a click group that imports a command when it is used."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

import click
from click.shell_completion import CompletionItem

from kctl import __version__
from kctl.cli.commands import COMMANDS, GROUPS
from kctl.cli.errors import exit_code_of

EXIT_CODES = """\
Exit codes: 0 ok; 1 failed (diff: differences); 2 usage (diff: error); 3 not converged, or
settled with failures; 4 refused by a safety guard."""


class LazyGroup(click.Group):
    """Knows its commands by the table in ``commands.py``."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the help page."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        command: click.Command = importlib.import_module(f"kctl.cli.{entry.module}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the groups from the table; no command is imported."""
        for title, group in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(name, entry.help) for name, entry in group.items()], col_max=16)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete command names from the table; options as click does."""
        if incomplete.startswith("-"):
            return click.Command.shell_complete(self, ctx, incomplete)
        return [CompletionItem(name, help=e.help) for name, e in COMMANDS.items() if name.startswith(incomplete)]


@click.group(
    cls=LazyGroup,
    name="kctl",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EXIT_CODES,
)
@click.version_option(__version__, message="kctl %(version)s")
@click.option("--state", metavar="DIR", help="The cluster's state folder; else KCTL_STATE, else the nearest .kctl.")
@click.option("--seed", type=int, default=0, show_default=True, help="Vary what is legitimately random.")
@click.pass_context
def root(ctx: click.Context, state: str | None, seed: int) -> None:
    """A Kubernetes control plane in a folder.

    Apply a directory of manifests and see what the cluster becomes and why: pods and where
    they run, what stays pending, rollouts, load balancers. Nothing is run for real: kubelets
    are simulated, on a virtual clock.
    """
    from kctl.cli.session import Settings

    ctx.obj = Settings(state, seed)


def help_page() -> str:
    """Return the page ``kctl --help`` prints, at 80 columns."""
    context = click.Context(root, info_name="kctl", terminal_width=80, max_content_width=80)
    return root.get_help(context) + "\n"


def run(args: Sequence[str]) -> int:
    """Run one command line and return the exit code; errors are printed, never raised."""
    try:
        result = root.main(list(args), prog_name="kctl", standalone_mode=False)
    except Exception as error:  # the one place where every error becomes a line and a code
        return exit_code_of(error, args)
    return result if isinstance(result, int) else 0
