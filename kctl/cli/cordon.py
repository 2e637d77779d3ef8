"""``kctl cordon``: let no new pods onto nodes."""

from __future__ import annotations

import click

from kctl.cli import cordoning, options, writing
from kctl.cli.session import Settings


@click.command("cordon", short_help="Let no new pods onto nodes.")
@click.argument("nodes", nargs=-1, metavar="NODE...")
@options.selector
@writing.options("kctl-cordon")
@click.pass_obj
def command(settings: Settings, nodes: tuple[str, ...], selector: str, how: writing.How) -> int:
    """Let no new pods onto nodes."""
    return cordoning.run(settings, nodes, selector, how, unschedulable=True)
