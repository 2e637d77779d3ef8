"""Simulated node agents: registration, node status, pod lifecycle.

One set of controllers plays the kubelet of every node. They keep nothing between syncs: what
a real kubelet has in memory (images, addresses, timers) derives from the pods' own statuses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kctl.kubelet.behaviour import Behaviours
    from kctl.runtime.controller import Controller
    from kctl.runtime.profile import Profile


def build(profile: Profile, behaviours: Behaviours | None = None, seed: int = 0) -> list[Controller]:
    """Return the kubelets' controllers for the given latencies.

    ``behaviours`` says what goes wrong in the world; annotations go on top of it. By the ``seed`` latencies are drawn.
    """
    from kctl.kubelet.agent import Kubelet
    from kctl.kubelet.behaviour import Annotated
    from kctl.kubelet.eviction import Eviction
    from kctl.kubelet.node import NodeStatus
    from kctl.kubelet.registration import Registration
    from kctl.kubelet.volumes import NodeVolumes

    world = Annotated(behaviours)
    if profile.image_pull_most or profile.container_start_most or profile.image_pull_rate:
        from kctl.kubelet.measured import Measured

        world = Measured(behaviours, profile, seed)
    status, eviction = NodeStatus(profile, world), Eviction(profile, world)
    return [Registration(profile), status, NodeVolumes(), Kubelet(profile, world), eviction]


def static_pods() -> Controller:
    """Return the controller of mirror pods, which nobody needs whose machines bring no pods."""
    from kctl.kubelet.static import StaticPods

    return StaticPods()


def node_devices() -> Controller:
    """Return the controller of the slices of devices, which nobody needs whose machines have none."""
    from kctl.kubelet.devices import NodeDevices

    return NodeDevices()
