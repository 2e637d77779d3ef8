"""What the scheduler knows of volumes and claims: as cached, with its own decisions laid over.

In: the caches of volumes, claims and storage classes. Out: their newest state, in which a volume that was just
promised to a claim is taken already, and a claim for which a node was chosen names it. What is assumed here counts
until the object itself comes back newer (as upstream's assume caches), or until it is given up.
"""

from __future__ import annotations

from kctl.api import volumes as vol
from kctl.api.objects import Key, Obj, key_of
from kctl.client.cache import Caches, Index
from kctl.scheduler.match import node_selector
from kctl.scheduler.nodeinfo import NodeInfo
from kctl.scheduler.podinfo import PodInfo

CLAIMS = "persistentvolumeclaims"
VOLUMES = "persistentvolumes"
CLASSES = "storageclasses.storage.k8s.io"
CSI_NODES = "csinodes.storage.k8s.io"
DRIVERS = "csidrivers.storage.k8s.io"
CAPACITIES = "csistoragecapacities.storage.k8s.io"
ATTACHMENTS = "volumeattachments.storage.k8s.io"
RESOURCES = (CLAIMS, VOLUMES, CLASSES, CSI_NODES, DRIVERS, CAPACITIES, ATTACHMENTS)
"""What the plugins for volumes read."""


class Volumes:
    """Volumes and claims as the scheduler sees them."""

    def __init__(self, caches: Caches) -> None:
        self._caches = caches
        self._assumed: dict[tuple[str, Key], Obj] = {}

    def claim(self, namespace: str, name: str) -> Obj | None:
        """Return a claim."""
        return self._newest(CLAIMS, Key(namespace, name))

    def volume(self, name: str) -> Obj | None:
        """Return a volume."""
        return self._newest(VOLUMES, Key("", name))

    def of_class(self, name: str) -> list[Obj]:
        """Return the volumes of a storage class in order of their names."""
        found = [self.volume(volume["metadata"]["name"]) for volume in self._by_class().get(name)]
        return [volume for volume in found if volume is not None]

    def storage_class(self, name: str) -> Obj | None:
        """Return a storage class."""
        return self._caches[CLASSES].get(Key("", name)) if name else None

    def csi_node(self, name: str) -> Obj | None:
        """Return what is known of the drivers on a node."""
        return self._caches[CSI_NODES].get(Key("", name))

    def attached(self, node: str) -> list[Obj]:
        """Return the VolumeAttachments to a node."""
        return self._caches[ATTACHMENTS].index("node", _node_of).get(node)

    def driver(self, name: str) -> Obj | None:
        """Return a CSIDriver."""
        return self._caches[DRIVERS].get(Key("", name))

    def capacities(self, storage_class: str) -> list[Obj]:
        """Return the CSIStorageCapacities of a storage class."""
        return self._caches[CAPACITIES].index("storage class", _class_of).get(storage_class)

    def assume(self, resource: str, obj: Obj) -> None:
        """Let an object count as changed before it is written."""
        self._assumed[resource, key_of(obj)] = obj

    def restore(self, resource: str, key: Key) -> None:
        """Give up what was assumed about an object."""
        self._assumed.pop((resource, key), None)

    def current(self, resource: str, key: Key) -> Obj | None:
        """Return an object as the server has it, whatever is assumed about it."""
        return self._caches[resource].get(key)

    def _newest(self, resource: str, key: Key) -> Obj | None:
        cached = self._caches[resource].get(key)
        assumed = self._assumed.get((resource, key))
        if assumed is None:
            return cached
        if cached is None or version(cached) > version(assumed):
            del self._assumed[resource, key]
            return cached
        return assumed

    def _by_class(self) -> Index:
        return self._caches[VOLUMES].index("storage class", lambda volume: (vol.class_name(volume),))


def version(obj: Obj) -> int:
    """Return the revision an object was written at."""
    found = str(obj["metadata"].get("resourceVersion") or "0")
    return int(found) if found.isdigit() else 0


def reaches(volume: Obj, node: NodeInfo) -> bool:
    """Say whether a volume can be used on a node, as CheckNodeAffinity."""
    required = (volume["spec"].get("nodeAffinity") or {}).get("required")
    return not required or node_selector(required)(node.name, node.labels)


def is_for_pod(claim: Obj, pod: PodInfo) -> bool:
    """Say whether an ephemeral volume's claim is the pod's own, as ephemeral.VolumeIsForPod."""
    refs = claim["metadata"].get("ownerReferences") or ()
    return any(ref.get("controller") and ref.get("uid") == pod.obj["metadata"].get("uid") for ref in refs)


def _node_of(attachment: Obj) -> tuple[str, ...]:
    return (attachment["spec"].get("nodeName") or "",)


def _class_of(found: Obj) -> tuple[str, ...]:
    return (found.get("storageClassName") or "",)
