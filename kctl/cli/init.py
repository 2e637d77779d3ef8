"""``kctl init``: a new cluster in this directory."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from kctl.cli import options
from kctl.cli.session import Settings


@click.command("init", short_help="Create a cluster in this directory.")
@click.option("--nodes", type=int, default=None, help="How many nodes; default 3, spread over 3 zones.")
@click.option("--node-type", default=None, metavar="SIZE", help='Size of a node; default "4cpu,16Gi".')
@click.option(
    "--cloud", type=click.Choice(("local", "aws", "gcp", "azure")), default=None, help="The cloud; default local."
)
@click.option("--region", default=None, help="The cloud's region; default local.")
@click.option(
    "--replicas",
    type=click.Choice(("1", "3", "5")),
    default=None,
    help="Replicas of the log; default 1.",
)
@click.option(
    "--replica",
    "places",
    multiple=True,
    type=click.Path(file_okay=False),
    metavar="DIR",
    help="Where a replica lies; 1, 3 or 5 of them, on disks of their own.",
)
@click.option("--kubernetes", default=None, metavar="MINOR", help="Kubernetes minor; kctl has 1.36.")
@options.output("json", "yaml")
@click.pass_obj
def command(
    settings: Settings,
    nodes: int | None,
    node_type: str | None,
    cloud: str | None,
    region: str | None,
    replicas: str | None,
    places: tuple[str, ...],
    kubernetes: str | None,
    output: str | None,
) -> None:
    """Create the cluster that kctl.yaml describes, or the one these options do.

    Options write a kctl.yaml to commit beside the manifests; there must be none yet.
    """
    from kctl.api.errors import Refused, UsageError
    from kctl.cli.output import document, write
    from kctl.cli.session import load_cluster, shown, state_folder
    from kctl.gitops.yaml import dump
    from kctl.plane import cluster as clusters
    from kctl.plane import state, stores
    from kctl.plane.plane import ControlPlane

    folder = Path(settings.state) if settings.state else None
    folder = folder or (state_folder(settings) if "KCTL_STATE" in os.environ else None) or Path.cwd() / state.STATE
    if state.is_cluster(folder):
        raise Refused(f"{shown(folder)} holds a cluster already", hint="remove the folder to start anew")
    directories = [Path(place) for place in places]
    count = replica_count(replicas, directories)
    given: dict[str, Any] = {
        "nodes": nodes,
        "node_type": node_type,
        "cloud": cloud,
        "region": region,
        "replicas": count,
        "kubernetes": kubernetes,
    }
    chosen = {name: value for name, value in given.items() if value is not None}
    file = folder.parent / state.CLUSTER_FILE
    if file.exists() and (chosen.keys() - {"replicas"} or (chosen and not places)):
        raise UsageError(f"{shown(file)} describes the cluster already; edit it instead of giving options")
    is_new = bool(chosen) and not file.exists()
    cluster = clusters.default(**chosen) if is_new else load_cluster(settings)
    if places and cluster.replicas != count:
        raise UsageError(f"{shown(file)} asks for {cluster.replicas} replicas, {count} are named")
    if places:
        for directory in directories:
            state.create(directory)
        stores.open_store(folder, directories=directories).close()
    with ControlPlane.for_cluster(folder, cluster, seed=settings.seed) as plane:
        plane.run()  # so that its nodes are there
    if is_new:
        file.write_text(dump(clusters.manifest_of(cluster)), encoding="utf-8")
        print(f"wrote {shown(file)}", file=sys.stderr)
    size = sum(group.size for group in cluster.groups)
    text = f"created a cluster of {size} nodes in {shown(folder)}\n"
    write(document(clusters.manifest_of(cluster), output) if output else text)
    if cluster.replicas > 1:
        _say_placement(folder)


def replica_count(replicas: str | None, directories: Sequence[Path]) -> int | None:
    """Return how many replicas are asked for, None when nothing is said; UsageError when it cannot be."""
    from kctl.api.errors import UsageError

    if not directories:
        return int(replicas) if replicas else None
    if replicas and int(replicas) != len(directories):
        raise UsageError(f"--replicas {replicas} and {len(directories)} directories do not go together")
    if len(directories) not in (1, 3, 5):
        raise UsageError(f"{len(directories)} replicas: want 1, 3 or 5, so that a majority decides")
    if len({os.path.realpath(directory) for directory in directories}) < len(directories):
        raise UsageError("a directory is named twice: each replica needs its own")
    return len(directories)


def _say_placement(folder: Path) -> None:
    """Say on standard error what the places of the replicas survive."""
    from kctl.cli import store_placement
    from kctl.plane import stores

    place = stores.placement(folder)
    if place is not None:
        for line in store_placement.sentences([store_placement.place_of(where) for where in place.directories]):
            print(line, file=sys.stderr)
