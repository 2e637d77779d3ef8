"""What the local cloud brings for storage: its CSI driver, and a default StorageClass.

In: machines of the local cloud. Out: the objects that a managed cluster's add-ons make: a CSIDriver, and the class
``standard``, the default one unless another is that already: volumes are made where their first pod goes, can grow, and go
with their claims. That such a cluster has a default class, and this name, are choices: GKE and AKS have one,
EKS has none. As an add-on's, the class comes back when it is deleted, and edits of it are kept.
"""

from __future__ import annotations

from typing import NamedTuple

from kctl.api import volumes as vol
from kctl.api.objects import Key, Obj, dig
from kctl.client.cache import Caches
from kctl.runtime.actions import Action, Create
from kctl.runtime.controller import Controller, Decision, Watch

CLASSES = "storageclasses.storage.k8s.io"
DRIVERS = "csidrivers.storage.k8s.io"
INSTANCES = "instances.cloud.kctl.dev"
STANDARD = "standard"
ADD_ON = Key("", "storage")


class Seen(NamedTuple):
    """What is there of the add-on, and whether some class is the default."""

    has_driver: bool
    has_class: bool
    has_default: bool


class StorageAddOn(Controller):
    """Keeps the driver and the class there."""

    name = "cloud-storage-controller"
    user = "system:serviceaccount:kube-system:cloud-storage-controller"
    level = 11
    """After what a set brings: a class of the same name, or another default, is the user's, and stays."""
    writes = (CLASSES, DRIVERS)

    def __init__(self) -> None:
        self.watches = (
            Watch(INSTANCES, _keys_of_instance),
            Watch(CLASSES, _keys_of_gone),
            Watch(DRIVERS, _keys_of_gone),
        )

    def observe(self, caches: Caches, key: Key) -> Seen | None:
        """Look what is there, if there are machines of this cloud."""
        if not any(_is_local(instance) for instance in caches[INSTANCES]):
            return None
        classes = caches[CLASSES]
        return Seen(
            caches[DRIVERS].get(Key("", vol.LOCAL_DRIVER)) is not None,
            classes.get(Key("", STANDARD)) is not None,
            bool(vol.default_class(classes)),
        )

    def decide(self, seen: Seen, now: float) -> Decision:
        """Make what is missing."""
        actions: list[Action] = [] if seen.has_driver else [Create(DRIVERS, csi_driver())]
        if not seen.has_class:
            actions.append(Create(CLASSES, standard(is_default=not seen.has_default)))
        return Decision(tuple(actions))


def csi_driver() -> Obj:
    """Return the driver's object: volumes are attached before they are mounted."""
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "CSIDriver",
        "metadata": {"name": vol.LOCAL_DRIVER},
        "spec": {"attachRequired": True, "podInfoOnMount": False, "volumeLifecycleModes": ["Persistent"]},
    }


def standard(*, is_default: bool) -> Obj:
    """Return the class of the local cloud."""
    annotations = {"annotations": {vol.IS_DEFAULT_CLASS[0]: "true"}} if is_default else {}
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": STANDARD, **annotations},
        "provisioner": vol.LOCAL_DRIVER,
        "reclaimPolicy": "Delete",
        "volumeBindingMode": vol.WAIT_FOR_FIRST_CONSUMER,
        "allowVolumeExpansion": True,
    }


def _is_local(instance: Obj) -> bool:
    return bool(dig(instance, "spec", "provider") == "local")


def _keys_of_instance(old: Obj | None, new: Obj | None, caches: Caches) -> tuple[Key, ...]:
    return (ADD_ON,) if old is None and new is not None and _is_local(new) else ()


def _keys_of_gone(old: Obj | None, new: Obj | None, caches: Caches) -> tuple[Key, ...]:
    return (ADD_ON,) if new is None else ()
