"""cloud-controller-manager: the provider interface, its controllers, one provider per file."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from kctl.cloud.provider import CloudProvider
    from kctl.runtime.controller import Controller
    from kctl.runtime.faults import Faults
    from kctl.runtime.profile import Profile


def build(cloud: str, profile: Profile, faults: Faults | None = None) -> list[Controller]:
    """Return the controllers of a cloud; without one (``none``) there are none. ``faults`` say what it refuses.

    Raises KctlError for a cloud that is not built.
    """
    if cloud == "none":
        return []
    from kctl.cloud.node import CloudNode
    from kctl.cloud.nodelifecycle import CloudNodeLifecycle
    from kctl.cloud.provider import by_name
    from kctl.cloud.service import ServiceLB

    provider = by_name(cloud, create_seconds=profile.load_balancer_create, delete_seconds=profile.load_balancer_delete)
    if faults is not None:
        from kctl.cloud.faults import Faulty

        provider = cast("CloudProvider", Faulty(provider, faults))
    loops: list[Controller] = [CloudNode(provider), CloudNodeLifecycle(provider), ServiceLB(provider)]
    return [*loops, *_storage(profile, faults)] if "volumes" in provider.capabilities else loops


def _storage(profile: Profile, faults: Faults | None) -> list[Controller]:
    """Return what plays the CSI driver's sidecars, and the add-on that brings its class."""
    from kctl.cloud.storage import StorageAddOn

    create, delete, resize = profile.volume_create, profile.volume_delete, profile.volume_resize
    attach, detach = profile.volume_attach, profile.volume_detach
    if faults is not None:
        from kctl.cloud.storage_faults import FaultyAttacher, FaultyProvisioner, FaultyResizer

        faulty = FaultyProvisioner(create, delete, faults), FaultyAttacher(attach, detach, faults)
        return [StorageAddOn(), *faulty, FaultyResizer(resize, faults)]
    from kctl.cloud.attacher import Attacher
    from kctl.cloud.provisioner import Provisioner
    from kctl.cloud.resizer import Resizer

    return [StorageAddOn(), Provisioner(create, delete), Attacher(attach, detach), Resizer(resize)]
