"""Options that several commands share, under kubectl's names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

namespace = click.option("-n", "--namespace", metavar="NS", help="The namespace; default is the default.")
all_namespaces = click.option("-A", "--all-namespaces", is_flag=True, help="All namespaces.")
selector = click.option("-l", "--selector", default="", metavar="SELECTOR", help="Only objects with these labels.")
show_secrets = click.option("--show-secrets", is_flag=True, help="Show the values of Secrets.")
timeout = click.option(
    "--timeout", default="1h", show_default=True, metavar="DURATION", help="Virtual time after which to give up."
)

validate = click.option(
    "--validate",
    type=click.Choice(("strict", "warn", "ignore")),
    default="strict",
    show_default=True,
    help="What unknown fields are: errors, warnings, or nothing.",
)
dry_run = click.option(
    "--dry-run",
    type=click.Choice(("none", "client", "server")),
    default="none",
    show_default=True,
    help="Only say what would change.",
)


def output(*formats: str) -> Callable[[F], F]:
    """Return the ``-o`` option with these formats."""
    return click.option("-o", "--output", type=click.Choice(formats), help="Output format.")


def filenames(*, required: bool = False) -> Callable[[F], F]:
    """Return ``-f``, ``-R``, ``-k`` and ``--ignore-not-manifest``."""

    def wrap(function: F) -> F:
        for option in reversed(
            (
                click.option(
                    "-f",
                    "--filename",
                    "paths",
                    multiple=True,
                    required=required,
                    metavar="PATH",
                    help="A file, a directory, or - for standard input; may be repeated.",
                ),
                click.option("-R", "--recursive", is_flag=True, help="Directories with everything below them."),
                click.option("-k", "--kustomize", metavar="DIR", help="A kustomization (not built yet)."),
                click.option("--ignore-not-manifest", is_flag=True, help="Skip files that hold no manifest."),
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
