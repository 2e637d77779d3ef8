"""Which loops a control plane runs, made by name and only when asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from kctl.api import latencies
from kctl.api.errors import UsageError
from kctl.api.objects import Obj
from kctl.client.cache import Change
from kctl.client.local import LocalClient
from kctl.controllers import ABOUT
from kctl.plane.playing import Playing
from kctl.runtime import dormant
from kctl.runtime.controller import Controller, Loop
from kctl.runtime.flags import DEFAULT_FLAGS, Flags
from kctl.runtime.loop import ControllerLoop
from kctl.runtime.manager import Manager
from kctl.runtime.profile import Profile

if TYPE_CHECKING:
    from kctl.api.behaviour import Behaviours
    from kctl.apiserver.server import APIServer
    from kctl.scheduler.config import Configuration

SCHEDULER = "kube-scheduler"
SCHEDULER_USER = "system:kube-scheduler"


KUBELET = ("kubelet-registration", "kubelet-node-status", "kubelet-volumes", "kubelet-eviction", "kubelet")
OF_MACHINES = {"kubelet-static-pods": ("staticPods", "static_pods"), "kubelet-devices": ("devices", "node_devices")}
"""The loops of kubelets that wait for a machine with a field, and what makes each."""
INSTANCES = "instances.cloud.kctl.dev"
CLOUD = (
    *("cloud-node-controller", "cloud-node-lifecycle-controller", "service-lb-controller"),
    *("cloud-storage-controller", "csi-provisioner", "csi-attacher", "csi-resizer"),
)
INTENT = "intent-controller"
SCENARIO = "scenario-controller"
AUTOSCALER = "horizontal-pod-autoscaler-controller"


def build(
    manager: Manager,
    server: APIServer,
    names: Sequence[str] | None,
    *,
    cloud: str,
    profile: Profile,
    seed: int,
    scheduler: Mapping[str, Any] | None = None,
    behaviours: Behaviours | None = None,
    flags: Flags = DEFAULT_FLAGS,
) -> None:
    """Add the loops named (None: all) to the manager; a room none of whose loops is named is not loaded.

    ``scheduler`` is a KubeSchedulerConfiguration, ``behaviours`` says what goes wrong in the kubelets' world, ``flags`` how controllers are set.
    Raises UsageError for a name that no loop has.
    """
    known = every_loop()
    wanted = known if names is None else set(names)
    if KUBELET[-1] in wanted:
        wanted.update((*KUBELET, *OF_MACHINES))
    unknown = sorted(wanted - known)
    if unknown:
        raise UsageError(f"no such controller: {', '.join(unknown)}; known are {', '.join(sorted(known))}")
    playing = Playing(behaviours)
    if SCENARIO in wanted:
        profile = _play(manager, server, playing, profile)

    def loop_of(program: str, controller: Controller) -> Loop:
        if controller.name == AUTOSCALER:
            _measure(controller, playing, manager)
        client = LocalClient(server, user=controller.user, field_manager=program)
        return ControllerLoop(controller, client, manager.caches)

    waiting = wanted & ABOUT.keys()
    for program, controller in _controllers(wanted - waiting, cloud, profile, playing, flags, seed):
        if controller.name in wanted:
            manager.add(loop_of(program, controller))
    for name in sorted(waiting):
        dormant.add(manager, name, ABOUT[name], partial(_late, loop_of, name, flags))
    for name in sorted(wanted & OF_MACHINES.keys()):
        field, maker = OF_MACHINES[name]
        make = partial(_of_machines, loop_of, maker)
        has_some = any(_has(instance, field) for instance in manager.caches[INSTANCES])
        manager.add(make() if has_some else _DormantMachines(name, field, make, manager))
    if SCHEDULER in wanted:
        manager.add(_scheduler(manager, server, seed, scheduler))


def _late(loop_of: Callable[[str, Controller], Loop], name: str, flags: Flags) -> Loop:
    """Return the loop of a controller whose first object has come."""
    from kctl.controllers import build as controllers_of

    (controller,) = controllers_of((name,), flags)
    return loop_of("kube-controller-manager", controller)


class _DormantMachines(dormant.Dormant):
    """Stands for a loop until a machine with a field comes."""

    def __init__(self, name: str, field: str, make: Callable[[], Loop], manager: Manager) -> None:
        super().__init__(name, (INSTANCES,), make, manager)
        self._field = field

    def deliver(self, changes: Sequence[Change]) -> None:
        """Make way for the loop when such a machine has come."""
        super().deliver([change for change in changes if change.new is not None and _has(change.new, self._field)])


def _of_machines(loop_of: Callable[[str, Controller], Loop], maker: str) -> Loop:
    from kctl import kubelet

    return loop_of("kubelet", getattr(kubelet, maker)())


def _has(instance: Obj, field: str) -> bool:
    return bool((instance.get("spec") or {}).get(field))


def _measure(controller: Controller, playing: Playing, manager: Manager) -> None:
    """Give the autoscaler what scenarios and annotations say of the use of pods."""
    from kctl.controllers.podautoscaler import PodAutoscalerController
    from kctl.plane.loads import Loads

    assert isinstance(controller, PodAutoscalerController)  # noqa: S101 - it is the one of that name
    controller.metrics = Loads(playing, manager.caches)


def _play(manager: Manager, server: APIServer, playing: Playing, profile: Profile) -> Profile:
    """Add what plays scenarios; return the latencies with what those there are say of them."""
    from kctl.plane.player import ScenarioController

    controller = ScenarioController(playing)
    client = LocalClient(server, user=controller.user, field_manager="kctl")
    loop = ControllerLoop(controller, client, manager.caches)
    manager.add(loop)
    manager.on_quiet.append(lambda _: controller.quiet(loop.queue))
    manager.passing.append(controller.passes_until)
    for played in reversed(playing.all()):
        profile = profile._replace(**latencies.whole(dict(played.scenario.latencies)))
    return profile


def _controllers(
    wanted: set[str], cloud: str, profile: Profile, playing: Playing, flags: Flags, seed: int = 0
) -> Iterator[tuple[str, Controller]]:
    """Yield the controllers, each with the program it is part of upstream: its field manager."""
    from kctl import controllers

    if INTENT in wanted:
        from kctl.gitops.intent import IntentController

        yield "kctl", IntentController()
    for found in controllers.build(wanted, flags):
        yield "kube-controller-manager", found
    if not wanted.isdisjoint(KUBELET):
        from kctl import kubelet

        for found in kubelet.build(profile, playing, seed):
            yield "kubelet", found
    if not wanted.isdisjoint(CLOUD):
        from kctl import cloud as clouds

        for found in clouds.build(cloud, profile, playing):
            yield "cloud-controller-manager", found


def _scheduler(manager: Manager, server: APIServer, seed: int, scheduler: Mapping[str, Any] | None) -> Loop:
    from kctl.scheduler.loop import SchedulerLoop

    client = LocalClient(server, user=SCHEDULER_USER, field_manager=SCHEDULER)
    return SchedulerLoop(client, manager.caches, seed=seed, configuration=scheduler_configuration(scheduler))


def scheduler_configuration(value: Mapping[str, Any] | None) -> Configuration:
    """Read a KubeSchedulerConfiguration, None for the default; UsageError names all that is wrong with it."""
    from kctl.scheduler import config

    if value is None:
        return config.Configuration()
    configuration, errors = config.parse(value)
    if errors:
        raise UsageError("\n".join(f"scheduler configuration: {error}" for error in errors))
    return configuration


def every_loop() -> set[str]:
    """Return the names of all loops there are."""
    from kctl.controllers import ALL

    return {SCHEDULER, INTENT, SCENARIO, *KUBELET, *OF_MACHINES, *CLOUD, *ALL}


def descriptors(chosen: Sequence[str] | None, *, cloud: str) -> list[dict[str, Any]]:
    """Return what loops there are, by level: who each is, what it watches and writes, whether it is enabled."""
    from kctl.plane.player import ScenarioController

    every = every_loop()
    enabled = every if chosen is None else set(chosen)
    if KUBELET[-1] in enabled:
        enabled.update((*KUBELET, *OF_MACHINES))
    playing = Playing()
    from kctl import kubelet

    made = [
        ("kctl", ScenarioController(playing)),
        *_controllers(every, cloud, Profile(), playing, DEFAULT_FLAGS),
        ("kubelet", kubelet.static_pods()),
        ("kubelet", kubelet.node_devices()),
    ]
    found = [
        {
            "name": controller.name,
            "program": program,
            "level": controller.level,
            "user": controller.user,
            "watches": sorted({watch.resource for watch in controller.watches}),
            "kinds": sorted(set(controller.writes)),
            "enabled": controller.name in enabled,
        }
        for program, controller in made
        if controller.name in every
    ]
    from kctl.scheduler.loop import SchedulerLoop

    found.append(
        {
            "name": SCHEDULER,
            "program": SCHEDULER,
            "level": SchedulerLoop.level,
            "user": SCHEDULER_USER,
            "watches": sorted(SchedulerLoop.resources),
            "kinds": [
                "events",
                "persistentvolumeclaims",
                "persistentvolumes",
                "pods",
                "resourceclaims.resource.k8s.io",
            ],
            "enabled": SCHEDULER in enabled,
        }
    )
    return sorted(found, key=lambda row: (row["level"], row["name"]))
