"""Which loops a control plane runs, made by name and only when asked for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from kctl.api.errors import UsageError
from kctl.client.local import LocalClient
from kctl.runtime.controller import Controller, Loop
from kctl.runtime.loop import ControllerLoop
from kctl.runtime.manager import Manager
from kctl.runtime.profile import Profile

if TYPE_CHECKING:
    from kctl.apiserver.server import APIServer

SCHEDULER = "kube-scheduler"
SCHEDULER_USER = "system:kube-scheduler"


def build(
    manager: Manager, server: APIServer, names: Sequence[str] | None, *, cloud: str, profile: Profile, seed: int
) -> None:
    """Add the loops named (None: all) to the manager.

    Raises UsageError for a name that no loop has.
    """
    controllers = list(_controllers(cloud, profile))
    known = {controller.name for controller in controllers} | {SCHEDULER}
    unknown = sorted(set(names or ()) - known)
    if unknown:
        raise UsageError(f"no such controller: {', '.join(unknown)}; known are {', '.join(sorted(known))}")
    for controller, manager_name in zip(controllers, _managers(controllers), strict=True):
        if names is None or controller.name in names:
            client = LocalClient(server, user=controller.user, field_manager=manager_name)
            manager.add(ControllerLoop(controller, client, manager.caches))
    if names is None or SCHEDULER in names:
        manager.add(_scheduler(manager, server, seed))


def _controllers(cloud: str, profile: Profile) -> Iterable[Controller]:
    from kctl import cloud as clouds
    from kctl import controllers, kubelet
    from kctl.gitops.intent import IntentController

    yield IntentController()
    yield from controllers.build()
    yield from kubelet.build(profile)
    yield from clouds.build(cloud, profile)


def _managers(controllers: Iterable[Controller]) -> Iterable[str]:
    """Yield the field manager each controller writes as: the program it is part of upstream."""
    programs = {"controllers": "kube-controller-manager", "kubelet": "kubelet", "cloud": "cloud-controller-manager"}
    for controller in controllers:
        yield programs.get(type(controller).__module__.split(".")[1], "kctl")


def _scheduler(manager: Manager, server: APIServer, seed: int) -> Loop:
    from kctl.scheduler.loop import SchedulerLoop

    client = LocalClient(server, user=SCHEDULER_USER, field_manager=SCHEDULER)
    return SchedulerLoop(client, manager.caches, seed=seed)
