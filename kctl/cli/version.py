"""``kctl version``."""

from __future__ import annotations

import click

from kctl import __version__
from kctl.cli import options

KUBERNETES = "v1.36"


@click.command("version", short_help="Print the version.")
@options.output("json", "yaml")
def command(output: str | None) -> None:
    """Print kctl's version and the Kubernetes minor it has the rules of."""
    from kctl.cli.output import document, write

    if output is None:
        write(f"kctl {__version__} (Kubernetes {KUBERNETES})\n")
        return
    write(
        document(
            {"apiVersion": "kctl.dev/v1", "kind": "Version", "kctl": __version__, "kubernetes": KUBERNETES}, output
        )
    )
