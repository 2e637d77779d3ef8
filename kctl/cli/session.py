"""From the global options to an open control plane."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from kctl.plane import state

if TYPE_CHECKING:
    from kctl.plane.cluster import Cluster
    from kctl.plane.plane import ControlPlane
    from kctl.store.api import Store


class Settings(NamedTuple):
    """The options before the command: ``--state`` and ``--seed``."""

    state: str | None
    seed: int


def state_folder(settings: Settings) -> Path | None:
    """Return the state folder of this directory, None when there is none."""
    return state.find_state(Path.cwd(), settings.state, os.environ)


def open_existing(settings: Settings, *, remove: bool = False) -> ControlPlane:
    """Open the cluster that is here, to read and write; NoCluster when there is none.

    With ``remove`` its run takes away and replaces the nodes that ``kctl.yaml`` has no more or
    describes anew; without, or without that file, that is only said.
    """
    from kctl.plane.plane import ControlPlane

    folder = state_folder(settings)
    if not state.is_cluster(folder):
        raise state.NoCluster
    is_written = cluster_file(settings) is not None
    cluster = load_cluster(settings)
    plane = ControlPlane.for_cluster(folder, cluster, seed=settings.seed, remove=remove and is_written)
    say_standing(plane.store)
    if is_written:
        for note in (*plane.shape_notes, *_replica_notes(folder, cluster.replicas)):
            print(f"warning: {state.CLUSTER_FILE}: {note}", file=sys.stderr)
    return plane


def _replica_notes(folder: Path | None, wanted: int) -> list[str]:
    """Say that the log lies on another number of replicas than the shape wants: only people change that."""
    from kctl.plane import stores

    place = stores.placement(folder) if folder is not None else None
    if place is None or len(place.directories) == wanted:
        return []
    verb = "add" if len(place.directories) < wanted else "remove"
    return [f"it wants {wanted} replicas of the log, there are {len(place.directories)}: see kctl store member {verb}"]


def open_reader(settings: Settings) -> ControlPlane:
    """Open the cluster that is here for reading: its shape is not looked at, no loop is made.

    Without a majority of the replicas it is read all the same, and how old it is is said.
    """
    from kctl.plane.plane import ControlPlane, Shape, open_store

    folder = state_folder(settings)
    if not state.is_cluster(folder):
        raise state.NoCluster
    store = open_store(folder, create=False, consistency="serializable")
    say_standing(store, folder)
    plane = ControlPlane(store, folder, Shape(seed=settings.seed))
    plane.is_reading = True
    return plane


def open_explaining(settings: Settings) -> ControlPlane:
    """Open the cluster that is here for reading, with the loops of its shape: they are asked why.

    What is wrong with ``kctl.yaml`` is said and keeps nobody from reading; the loops are those of a default cluster then.
    """
    from kctl.api.errors import KctlError

    plane = open_reader(settings)
    try:
        plane.take_shape(load_cluster(settings))
    except KctlError as error:
        print(f"warning: {error}", file=sys.stderr)
    return plane


def say_standing(store: Store, folder: Path | None = None) -> None:
    """Say on stderr which replicas are missing, and without a majority how old is what can be read.

    With the state folder also that the log is older than what was seen of it.
    """
    from kctl.plane import stores

    fresh = store.freshness()
    old = stores.forgotten(folder, store.cluster_id, fresh.head) if folder is not None and fresh.is_confirmed else None
    if old is not None:
        print(f"warning: {old.message}", file=sys.stderr)
    if not fresh.missing:
        return
    missing = "; ".join(about(place, why) for place, why in fresh.missing)
    if fresh.is_confirmed:
        print(f'warning: the store is degraded: {missing}; see "kctl store status"', file=sys.stderr)
        return
    print(
        f"warning: too few replicas answer: this is revision {fresh.head.revision}, written {_ago(fresh.changed)}; "
        f"{missing}",
        file=sys.stderr,
    )


def about(place: str, what: str) -> str:
    """Say something of a replica, its place as short as it can be said and once."""
    if not place:
        return what
    return what.replace(place, shown(Path(place))) if place in what else f"{shown(Path(place))}: {what}"


def _ago(moment: float) -> str:
    """Return how long ago a file was changed, by the machine's clock."""
    import time

    from kctl.api import durations

    return f"{durations.age(max(0.0, time.time() - moment))} ago" if moment else "nobody knows when"


class Opened(NamedTuple):
    """A plane, and the folder it has to settle in when it is new."""

    plane: ControlPlane
    folder: Path | None

    def settle(self) -> bool:
        """Create the state folder of a new cluster, and say so on stderr.

        Returns False when another process was faster and what was planned has to be planned anew.
        """
        if self.folder is None:
            return True
        if not self.plane.settle(self.folder):
            return False
        count = len(self.plane.client.list("instances.cloud.kctl.dev").items)
        print(f"created a cluster of {count} nodes in {shown(self.folder)}", file=sys.stderr)
        return True


def open_or_draft(settings: Settings, *, reading: bool = False) -> Opened:
    """Open the cluster that is here, or draft one: nothing is written before :meth:`Opened.settle`.

    With ``reading`` (a dry run) nothing is written afterwards either.
    """
    from kctl.plane.plane import ControlPlane

    folder = state_folder(settings) or Path.cwd() / state.STATE
    if state.is_cluster(folder):
        return Opened(open_reader(settings) if reading else open_existing(settings, remove=True), None)
    return Opened(ControlPlane.drafted(load_cluster(settings), seed=settings.seed), folder)


def open_imagined(settings: Settings) -> ControlPlane:
    """Open a plane to try something on: the cluster that is here, else one of the shape in ``kctl.yaml``.

    Nothing that is done to it is kept.
    """
    from kctl.plane.plane import ControlPlane

    folder = state_folder(settings)
    if folder is None or not state.is_cluster(folder):
        return open_ephemeral(settings)
    is_written = cluster_file(settings) is not None
    plane = ControlPlane.imagined(folder, load_cluster(settings), seed=settings.seed, remove=is_written)
    say_standing(plane.store)
    return plane


def open_ephemeral(settings: Settings) -> ControlPlane:
    """Open a plane in memory with the shape that ``kctl.yaml`` gives."""
    from kctl.plane.plane import ControlPlane

    return ControlPlane.for_cluster(None, load_cluster(settings), seed=settings.seed)


def open_for_diff(settings: Settings) -> ControlPlane:
    """Open the cluster that is here for reading, an ephemeral one when there is none."""
    if state.is_cluster(state_folder(settings)):
        return open_reader(settings)
    return open_ephemeral(settings)


def load_cluster(settings: Settings) -> Cluster:
    """Read the nearest ``kctl.yaml``; defaults when there is none. ClusterError names its mistakes."""
    from kctl.plane import cluster as clusters

    found = cluster_file(settings)
    return clusters.default() if found is None else read_cluster(found)


def cluster_file(settings: Settings) -> Path | None:
    """Return the nearest ``kctl.yaml``."""
    folder = state_folder(settings)
    start = folder.resolve().parent if folder is not None else Path.cwd()
    return state.find(start, state.CLUSTER_FILE)


def read_cluster(path: Path) -> Cluster:
    """Read a Cluster manifest, its errors with file and line."""
    from kctl.gitops import manifests
    from kctl.plane import cluster as clusters

    found = manifests.load_cluster(path)
    manifest = found.object
    if isinstance((manifest.get("spec") or {}).get("scheduler"), str):
        from kctl.cli.scheduler_file import read

        manifest = {**manifest, "spec": {**manifest["spec"], "scheduler": read(found, path.parent)}}
    if "staticPods" in str((manifest.get("spec") or {}).get("nodeGroups")):
        from kctl.cli import static_pods_file

        if static_pods_file.is_named(manifest):
            manifest = static_pods_file.placed(found._replace(object=manifest), path.parent)
    try:
        return clusters.parse(manifest)
    except clusters.ClusterError as error:
        raise manifests.located(found, error.errors, "Cluster") from None


def shown(path: Path) -> str:
    """Return a path as short as it can be said from here."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
