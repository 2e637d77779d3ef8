"""What the commands of ``kctl store`` share: the open store of this directory, and asking first."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from kctl.cli import options
from kctl.cli.session import Settings

if TYPE_CHECKING:
    from kctl.apiserver.encryption import SealedStore
    from kctl.plane.stores import Placement
    from kctl.store.api import Consistency

OUTPUT = options.output("json", "yaml")
YES = click.option("-y", "--yes", is_flag=True, help="Do not ask.")


class Here(NamedTuple):
    """The state folder of this directory, where its replicas lie, and the open store."""

    folder: Path
    place: Placement
    store: SealedStore


def located(settings: Settings) -> tuple[Path, Placement]:
    """Return the state folder that is here and where its replicas lie; NoCluster."""
    from kctl.cli.session import state_folder
    from kctl.plane import state, stores

    folder = state_folder(settings)
    place = stores.placement(folder) if folder is not None else None
    if folder is None or place is None:
        raise state.NoCluster
    return folder, place


def opened(settings: Settings, consistency: Consistency = "serializable") -> Here:
    """Open the store of the cluster that is here; when it is only read also without a majority."""
    from kctl.plane import stores

    folder, place = located(settings)
    store = stores.open_store(folder, create=False, consistency=consistency)
    return Here(folder, place, store)  # type: ignore[arg-type]


def ask(what: str, *, yes: bool) -> None:
    """Say what will be lost and ask; Refused when nobody can answer or the answer is no."""
    from kctl.api.errors import Refused

    if yes:
        return
    if not sys.stdin.isatty():
        raise Refused(what, hint="--yes does it all the same")
    if not click.confirm(f"{what}. Go on?", err=True):
        raise Refused("nothing was changed")
