"""``kctl converge``: run the control plane until nothing would change any more."""

from __future__ import annotations

import click

from kctl.cli import options
from kctl.cli.session import Settings


@click.command("converge", short_help="Run the control plane until nothing would change any more.")
@options.timeout
@options.wall
@click.option("--full", is_flag=True, help="Run although this revision was found quiet before.")
@options.output("json", "yaml")
@click.pass_obj
def command(settings: Settings, timeout: str, wall: str | None, full: bool, output: str | None) -> int:
    """Run every loop until none has work; print what it did and what is still not as desired.

    Nodes that kctl.yaml has no more are taken away, those it describes anew are replaced.
    """
    from kctl.cli.run import duration, finish, run
    from kctl.cli.session import open_existing

    within, limit = duration(timeout), duration(wall) if wall else None
    with open_existing(settings, remove=True) as plane:
        plane.use_mark(not full)
        outcome = run(plane, within=within, wall=limit)
        return finish(plane, outcome, output)
