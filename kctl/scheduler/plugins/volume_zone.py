"""VolumeZone: a bound volume with zone or region labels is used where nodes carry the same."""

from __future__ import annotations

from kctl.api import volumes as vol
from kctl.api.objects import Obj, labels_of
from kctl.scheduler.extension import SKIP, Cycle, No, Skip
from kctl.scheduler.nodeinfo import NodeInfo
from kctl.scheduler.plugins.volume_restrictions import missing

NAME = "VolumeZone"
REFUSAL = No(NAME, ("node(s) had no available volume zone",), True)
STABLE = {
    "failure-domain.beta.kubernetes.io/zone": "topology.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region": "topology.kubernetes.io/region",
}
LABELS = (*STABLE, *STABLE.values())
Topology = tuple[str, frozenset[str]]
"""A label and the values that nodes may have of it."""


class VolumeZone:
    """Compares the places of bound volumes with those of nodes."""

    name = NAME

    def pre_filter(self, cycle: Cycle) -> No | Skip | frozenset[str] | None:
        """Collect the places of the pod's bound volumes; step aside when there are none."""
        places: list[Topology] = []
        for name, is_ephemeral in cycle.pod.claims:
            if is_ephemeral:
                continue
            found = self._places(cycle, name)
            if isinstance(found, No):
                return found
            places += found
        if not places:
            return SKIP
        cycle.data[self.name] = tuple(places)
        return None

    def _places(self, cycle: Cycle, name: str) -> tuple[Topology, ...] | No:
        volumes = cycle.cluster.volumes
        claim = volumes.claim(cycle.pod.namespace, name)
        if claim is None:
            return missing(NAME, name)
        bound = claim["spec"].get("volumeName")
        if bound:
            volume = volumes.volume(bound)
            return _no(f'persistentvolume "{bound}" not found') if volume is None else topologies(volume)
        wanted = vol.class_name(claim)
        if not wanted:
            return _no("PersistentVolumeClaim had no pv name and storageClass name")
        found = volumes.storage_class(wanted)
        if found is None:
            return _no(f'storageclass.storage.k8s.io "{wanted}" not found')
        return () if vol.is_delayed(claim, found) else _no("PersistentVolume had no name")

    def filter(self, cycle: Cycle, node: NodeInfo) -> No | None:
        """Refuse a node in another place; one without any place is taken to be everywhere."""
        places: tuple[Topology, ...] = cycle.data.get(self.name, ())
        labels = node.labels
        if not places or not any(label in labels for label in LABELS):
            return None
        for label, values in places:
            value = labels.get(label)
            if value is None:
                value = labels.get(STABLE.get(label, label))
            if value not in values:
                return REFUSAL
        return None


def _no(reason: str) -> No:
    return No(NAME, (reason,), True)


def topologies(volume: Obj) -> tuple[Topology, ...]:
    """Return the place labels of a volume; several zones are joined with "__"."""
    labels = labels_of(volume)
    found = [(label, labels[label].split("__")) for label in LABELS if label in labels]
    return tuple((label, frozenset(map(str.strip, values))) for label, values in found if all(map(str.strip, values)))
