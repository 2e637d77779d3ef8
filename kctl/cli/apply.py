"""``kctl apply``: the main job."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from kctl.cli import carry, options, whatif
from kctl.cli import seeds as trial
from kctl.cli.session import Opened, Settings

if TYPE_CHECKING:
    from kctl.api.objects import Obj
    from kctl.gitops.manifests import Manifest
    from kctl.plane.plane import ControlPlane


@click.command("apply", short_help="Apply manifests, run the control plane until it settles, show what became of it.")
@options.filenames(required=True)
@options.namespace
@click.option("--server-side", is_flag=True, expose_value=False, hidden=True, help="Always so.")
@trial.option
@whatif.scenario
@carry.options
@click.pass_obj
def command(
    settings: Settings,
    paths: tuple[str, ...],
    recursive: bool,
    kustomize: str | None,
    ignore_not_manifest: bool,
    namespace: str | None,
    seeds: int | None,
    scenario: str | None,
    how: carry.How,
) -> int:
    """Apply the manifests in PATH, run the control plane until nothing would change any more.

    Prints what was asked (a line per object), what became of it, what is still not as desired,
    and what was used but not simulated. Exit code 0 when the cluster converged, 3 when not.

    What a --scenario does really happens to this cluster, and the scenario stays: what it says of images,
    containers and clouds holds until it is deleted (kctl delete scenario NAME).
    """
    from kctl.cli.session import open_or_draft, state_folder

    options.refuse_kustomize(kustomize)
    trial.check(seeds, paths)
    play = whatif.Play(whatif.Asked(scenario)) if scenario else None
    reading = Reading(paths, recursive, ignore_not_manifest, namespace)
    chance = None
    if seeds:
        here = state_folder(settings) or Path.cwd() / ".kctl"
        chance = trial.chance(settings, seeds, lambda plane: reading.tried(plane, here, how))
    opened = open_or_draft(settings, reading=how.is_dry)
    with opened.plane as plane:
        manifests = reading.manifests(plane)
        job = reading.job(opened.folder or plane.folder or Path.cwd(), how)
        return carry.carry_out(opened, manifests, job, how, chance=chance, play=play)


class Reading(NamedTuple):
    """What is applied, and how it is read."""

    paths: tuple[str, ...]
    recursive: bool
    ignore_not_manifest: bool
    namespace: str | None

    def manifests(self, plane: ControlPlane) -> list[Manifest]:
        """Return the manifests."""
        from kctl.cli.manifests import load

        return load(
            plane,
            self.paths,
            recursive=self.recursive,
            ignore_not_manifest=self.ignore_not_manifest,
            namespace=self.namespace,
        )

    def job(self, folder: Path, how: carry.How) -> carry.Job:
        """Return what they are applied as to the cluster in the folder."""
        from kctl.cli.manifests import set_name
        from kctl.gitops.sources import shown

        source = {"paths": sorted(map(shown, self.paths))}
        return carry.Job(set_name(folder.resolve().parent, self.paths), source, how.options(self.namespace))

    def tried(self, plane: ControlPlane, folder: Path, how: carry.How) -> list[Obj]:
        """Apply them to an image of the cluster."""
        manifests = self.manifests(plane)
        return [carry.report_of(Opened(plane, None), manifests, self.job(folder, how), how.timeout)]
