"""``kctl init``: a new cluster in this directory."""

from __future__ import annotations

import sys
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
    help="Replicas of the store; 1, more are not built yet.",
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
    from kctl.plane import state
    from kctl.plane.plane import ControlPlane

    folder = Path(settings.state) if settings.state else None
    folder = folder or (state_folder(settings) if "KCTL_STATE" in _environ() else None) or Path.cwd() / state.STATE
    if state.is_cluster(folder):
        raise Refused(f"{shown(folder)} holds a cluster already", hint="remove the folder to start anew")
    given: dict[str, Any] = {
        "nodes": nodes,
        "node_type": node_type,
        "cloud": cloud,
        "region": region,
        "replicas": int(replicas) if replicas else None,
        "kubernetes": kubernetes,
    }
    chosen = {name: value for name, value in given.items() if value is not None}
    file = folder.parent / state.CLUSTER_FILE
    if chosen and file.exists():
        raise UsageError(f"{shown(file)} describes the cluster already; edit it instead of giving options")
    cluster = clusters.default(**chosen) if chosen else load_cluster(settings)
    with ControlPlane.for_cluster(folder, cluster, seed=settings.seed) as plane:
        plane.run()  # so that its nodes are there
    if chosen:
        file.write_text(dump(clusters.manifest_of(cluster)), encoding="utf-8")
        print(f"wrote {shown(file)}", file=sys.stderr)
    count = sum(group.size for group in cluster.groups)
    text = f"created a cluster of {count} nodes in {shown(folder)}\n"
    write(document(clusters.manifest_of(cluster), output) if output else text)


def _environ() -> dict[str, str]:
    import os

    return dict(os.environ)
