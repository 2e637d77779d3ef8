"""The ``kctl`` command: a click group that imports a command when it is used."""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from typing import Any

import click
from click.shell_completion import CompletionItem

from kctl import __version__
from kctl.cli.commands import COMMANDS, GROUPS
from kctl.cli.errors import exit_code_of

EXIT_CODES = """\
Exit codes: 0 ok; 1 failed (diff: differences); 2 usage (diff: error); 3 not converged, or
settled with failures; 4 refused by a safety guard."""
HELP = ["-h", "--help"]
CONTAINER_COMMANDS = ("attach", "cp", "debug", "exec", "logs", "port-forward")
STATE_HELP = "The cluster's state folder; else KCTL_STATE, else the nearest .kctl."
SEED_HELP = "Vary what is legitimately random; default 0."


class LazyGroup(click.Group):
    """Knows its commands by the table in ``commands.py``."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the help page."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command, with the options that every command takes."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        command: click.Command = importlib.import_module(f"kctl.cli.{entry.module}").command
        _add_common(command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; say what was perhaps meant, and what kctl cannot do by its nature."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-") and not ctx.resilient_parsing:
            raise _unknown(ctx, name)
        return super().resolve_command(ctx, args)

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


def _add_common(command: click.Command) -> None:
    """Give a command, and those below it, the options that may stand anywhere."""
    if not any(param.name == "state" for param in command.params):
        command.params += [state_option(), seed_option()]
    if isinstance(command, click.Group):
        for below in command.commands.values():
            _add_common(below)


def _unknown(ctx: click.Context, name: str) -> Exception:
    """Return the error of a command that is not there."""
    if name in CONTAINER_COMMANDS:
        from kctl.api.errors import KctlError

        return KctlError("kctl simulates pods and runs no containers")
    if name == "top":
        from kctl.api.errors import KctlError

        hint = "kctl simulates pods, which use nothing; what they request is in: kctl describe nodes"
        return KctlError("Metrics API not available", hint=hint)
    from difflib import get_close_matches

    near = get_close_matches(name, COMMANDS, n=1)
    return click.UsageError(f"no such command: {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""), ctx)


def _keep(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    """Note an option that may stand before or behind the command's name; the nearer to the end wins."""
    from kctl.cli.session import Settings

    settings = ctx.obj or Settings(None, 0)
    if value is not None:
        settings = settings._replace(**{str(param.name): value})
    ctx.obj = settings


def state_option() -> click.Option:
    """Return ``--state``."""
    folder = click.Path(file_okay=False)
    return click.Option(
        ["--state"], metavar="DIR", type=folder, help=STATE_HELP, callback=_keep, expose_value=False, is_eager=True
    )


def seed_option() -> click.Option:
    """Return ``--seed``."""
    return click.Option(["--seed"], type=int, help=SEED_HELP, callback=_keep, expose_value=False, is_eager=True)


@click.group(
    cls=LazyGroup,
    name="kctl",
    context_settings={"help_option_names": HELP, "max_content_width": 100},
    epilog=EXIT_CODES,
    params=[state_option(), seed_option()],
)
@click.version_option(__version__, message="kctl %(version)s")
@click.option("-n", "--namespace", metavar="NS", help="The namespace, for commands that take one.")
@click.pass_context
def root(ctx: click.Context, namespace: str | None) -> None:
    """A Kubernetes control plane in a folder.

    Apply a directory of manifests and see what the cluster becomes and why: pods and where
    they run, what stays pending, rollouts, load balancers. Nothing is run for real: kubelets
    are simulated, on a virtual clock.
    """
    if namespace is not None:
        ctx.default_map = {ctx.invoked_subcommand or "": {"namespace": namespace}}


def help_page() -> str:
    """Return the page ``kctl --help`` prints, at 80 columns."""
    context = click.Context(root, info_name="kctl", terminal_width=80, max_content_width=80, help_option_names=HELP)
    return root.get_help(context) + "\n"


def _colour() -> bool | None:
    """Return False where colours are not wanted, else None: on a terminal only."""
    return False if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" else None


def run(args: Sequence[str]) -> int:
    """Run one command line and return the exit code; errors are printed, never raised."""
    try:
        result = root.main(list(args), prog_name="kctl", standalone_mode=False, color=_colour())
    except Exception as error:  # the one place where every error becomes a line and a code
        return exit_code_of(error, args)
    return result if isinstance(result, int) else 0
