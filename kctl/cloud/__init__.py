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
    return [CloudNode(provider), CloudNodeLifecycle(provider), ServiceLB(provider)]
