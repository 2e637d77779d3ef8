"""``kctl annotate``: set and take away annotations."""

from __future__ import annotations

import click

from kctl.cli import options, targets, writing
from kctl.cli.session import Settings


@click.command("annotate", short_help="Set and take away annotations.")
@options.resources("TYPE NAME... KEY=VALUE... KEY-...", required=False)
@click.option("--overwrite", is_flag=True, help="Set annotations that have another value.")
@click.option("--list", "listing", is_flag=True, help="Show the annotations.")
@click.option("--resource-version", default="", metavar="REV", help="Only when this is the object's revision now.")
@targets.options
@writing.options("kctl-annotate")
@click.pass_obj
def command(
    settings: Settings,
    resources: tuple[str, ...],
    overwrite: bool,
    listing: bool,
    resource_version: str,
    choice: targets.Choice,
    how: writing.How,
) -> int:
    """Set annotations (KEY=VALUE) and take them away (KEY-)."""
    from kctl.cli import marks
    from kctl.cli.session import open_existing

    names, specs = targets.pairs(resources, "annotation")
    wanted = marks.parse_annotations(specs)
    marks.check(names, choice, listing, how, "annotation", wanted)
    job = marks.Job("annotations", wanted, overwrite, listing, resource_version)
    how = how._replace(wait=how.wait and not listing)
    with open_existing(settings) as plane:
        return writing.carry_out(plane, how, lambda said: marks.step(plane, names, choice, how, job, said))
