"""``kctl advance``: let virtual time pass."""

from __future__ import annotations

import click

from kctl.cli import options
from kctl.cli.session import Settings


@click.command("advance", short_help="Let virtual time pass.")
@click.argument("duration")
@options.output("json", "yaml")
@click.pass_obj
def command(settings: Settings, duration: str, output: str | None) -> int:
    """Let DURATION (90s, 10m, 1h30m) of virtual time pass; periodic timers fire on the way."""
    from kctl.cli.run import duration as seconds_of
    from kctl.cli.run import finish, run
    from kctl.cli.session import open_existing
    from kctl.plane.plane import HORIZON

    seconds = seconds_of(duration)
    with open_existing(settings) as plane:
        outcome = run(plane, within=max(seconds, HORIZON), advance=seconds)
        return finish(plane, outcome, output)
