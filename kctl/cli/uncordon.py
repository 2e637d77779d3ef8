"""``kctl uncordon``: let pods onto nodes again."""

from __future__ import annotations

import click

from kctl.cli import cordoning, options, writing
from kctl.cli.session import Settings


@click.command("uncordon", short_help="Let pods onto nodes again.")
@click.argument("nodes", nargs=-1, metavar="NODE...")
@options.selector
@writing.options("kctl-uncordon")
@click.pass_obj
def command(settings: Settings, nodes: tuple[str, ...], selector: str, how: writing.How) -> int:
    """Let pods onto nodes again."""
    return cordoning.run(settings, nodes, selector, how, unschedulable=False)
