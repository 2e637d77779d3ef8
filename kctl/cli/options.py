"""Options that several commands share, under kubectl's names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def _names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    from kctl.cli import complete

    return complete.resources(ctx, param, incomplete)


def _namespaces(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    from kctl.cli import complete

    return complete.namespaces(ctx, param, incomplete)


def _validation(ctx: click.Context, param: click.Parameter, value: str) -> str:
    """Read the two words that kubectl took before there were three."""
    return {"true": "strict", "false": "ignore"}.get(value, value)


namespace = click.option(
    "-n", "--namespace", metavar="NS", shell_complete=_namespaces, help="The namespace; default is the default."
)
all_namespaces = click.option("-A", "--all-namespaces", is_flag=True, help="All namespaces.")
selector = click.option(
    "-l", "--selector", default="", metavar="SELECTOR", help="Only objects with these labels: app=web,tier!=db."
)
show_secrets = click.option("--show-secrets", is_flag=True, help="Show the values of Secrets.")
no_headers = click.option("--no-headers", is_flag=True, help="Leave the head of the table out.")
prune = click.option("--prune", is_flag=True, help="Delete what this set brought earlier and has no longer.")
prune_by_default = click.option(
    "--prune/--no-prune",
    default=True,
    help="Delete what this set brought earlier and has no longer (the default), or leave it.",
)
prune_confirm = click.option(
    "--prune-confirm",
    is_flag=True,
    help="Prune also everything, Namespaces, CRDs and PVCs with content, and what asks for it.",
)
recreate = click.option(
    "--recreate", is_flag=True, help="Delete and create anew what has changed in fields that cannot be changed."
)
no_diff = click.option("--no-diff", is_flag=True, help="Leave the field changes out.")
folders = click.option(
    "--path",
    "folders",
    multiple=True,
    type=click.Path(file_okay=False),
    metavar="DIR",
    help="Only this folder of a commit; may be repeated, each is a set of its own.",
)
ignore_not_manifest = click.option("--ignore-not-manifest", is_flag=True, help="Skip files that hold no manifest.")
force_conflicts = click.option("--force-conflicts", is_flag=True, help="Take fields over that other managers own.")
field_manager = click.option(
    "--field-manager",
    default="kctl",
    show_default=True,
    metavar="NAME",
    help="Who is noted as the owner of the fields.",
)
ignore_not_found = click.option("--ignore-not-found", is_flag=True, help="What is not there is no error.")
timeout = click.option(
    "--timeout", default="1h", show_default=True, metavar="DURATION", help="Virtual time after which to give up."
)
wall = click.option(
    "--wall", metavar="DURATION", help="Real time after which to give up; what it comes to then depends on the machine."
)
validate = click.option(
    "--validate",
    type=click.Choice(("strict", "warn", "ignore", "true", "false")),
    default="strict",
    show_default=True,
    metavar="[strict|warn|ignore]",
    callback=_validation,
    help="What unknown fields are: errors, warnings, or nothing.",
)
dry_run = click.option(
    "--dry-run",
    type=click.Choice(("none", "client", "server")),
    is_flag=False,
    flag_value="client",
    default="none",
    show_default=True,
    help="Only say what would change.",
)


def resources(metavar: str, *, required: bool = True) -> Callable[[F], F]:
    """Return the argument that names objects; the shell completes it."""
    return click.argument("resources", nargs=-1, required=required, metavar=metavar, shell_complete=_names)


class Formats(click.Choice[str]):
    """Names of output formats, and those that take an expression: ``jsonpath=...``."""

    def __init__(self, formats: Sequence[str], prefixes: Sequence[str]) -> None:
        super().__init__((*formats, *prefixes))
        self._prefixes = tuple(prefixes)

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the format as it was given; an error names all there are."""
        return value if value.startswith(self._prefixes) else super().convert(value, param, ctx)


def output(*formats: str, expressions: Sequence[str] = ()) -> Callable[[F], F]:
    """Return the ``-o`` option with these formats, and those that begin with one of ``expressions``."""
    type_ = Formats(formats, expressions) if expressions else click.Choice(formats)
    return click.option("-o", "--output", type=type_, help="Output format.")


def filenames(*, required: bool = False) -> Callable[[F], F]:
    """Return ``-f``, ``-R``, ``-k`` and ``--ignore-not-manifest``."""

    def wrap(function: F) -> F:
        for option in reversed(
            (
                click.option(
                    "-f",
                    "--filename",
                    "paths",
                    type=click.Path(allow_dash=True),
                    multiple=True,
                    required=required,
                    metavar="PATH",
                    help="A file, a directory, or - for standard input; may be repeated.",
                ),
                click.option("-R", "--recursive", is_flag=True, help="Directories with everything below them."),
                click.option(
                    "-k",
                    "--kustomize",
                    type=click.Path(file_okay=False),
                    metavar="DIR",
                    help="A kustomization (not built yet).",
                ),
                ignore_not_manifest,
            )
        ):
            function = option(function)
        return function

    return wrap


def refuse_kustomize(kustomize: str | None) -> None:
    """Refuse ``-k``: kustomizations are not built yet."""
    if kustomize:
        from kctl.api.errors import UsageError

        raise UsageError("-k: kustomizations are not built yet", hint="render it first and apply the result with -f -")
