"""The ends a run can come to besides rest: fights, endless syncs, runs that are too big or take too long."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.api.clock import EPOCH
from kctl.api.objects import Key, Obj, dig, evolve
from kctl.client.cache import Caches
from kctl.client.client import WatchEvent
from kctl.client.local import LocalClient
from kctl.plan import door
from kctl.plane.plane import ControlPlane
from kctl.runtime import limits
from kctl.runtime.actions import Patch
from kctl.runtime.controller import Controller, Decision, Watch, keys_of_self
from kctl.runtime.converge import Outcome, Timeline, converge
from kctl.runtime.declared import UndeclaredWrite, only
from kctl.runtime.fights import Fights
from kctl.runtime.loop import ControllerLoop
from kctl.runtime.manager import MAX_SYNCS_AN_INSTANT, Manager

DEPLOYMENTS = "deployments.apps"


def deployment(replicas: int) -> Obj:
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "a"}]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": spec,
    }


class Wants(Controller):
    """Wants a number of replicas, and looks once a second at one of two moments."""

    user = "test"
    watches = (Watch(DEPLOYMENTS, keys_of_self),)
    writes = (DEPLOYMENTS,)

    def __init__(self, name: str, replicas: int, turn: int) -> None:
        self.name = name  # type: ignore[misc]
        self.replicas, self.turn = replicas, turn

    def observe(self, caches: Caches, key: Key) -> Obj | None:
        return caches[DEPLOYMENTS].get(key)

    def decide(self, seen: Obj, now: float) -> Decision:
        if int(now - EPOCH) % 2 != self.turn:
            return Decision((), now + 1)
        if seen["spec"]["replicas"] == self.replicas:
            return Decision((), now + 2)
        key = Key("default", "web")
        return Decision((Patch(DEPLOYMENTS, key, {"spec": {"replicas": self.replicas}}),), now + 2)


class Restless(Wants):
    """Looks again and again at the same instant and changes nothing."""

    def decide(self, seen: Obj, now: float) -> Decision:
        return Decision((), now)


class Trespasser(Wants):
    """Writes what it has not declared."""

    writes = ("pods",)


def run(*controllers: Controller, **more: Any) -> tuple[Outcome, Manager]:
    with ControlPlane.open(None, controllers=[]) as plane:
        plane.client.create(DEPLOYMENTS, deployment(3))
        client = LocalClient(plane.server, user="test", field_manager="test")
        manager = Manager(client)
        for controller in controllers:
            manager.add(ControllerLoop(controller, client, manager.caches))
        more.pop("prepare", lambda _: None)(manager)
        timeline = Timeline(plane.clock.now, plane.clock.set)
        return converge(manager, timeline, deadline=EPOCH + 3600, commit=plane.commit, **more), manager


def test_two_controllers_that_undo_each_other_oscillate_and_both_are_named_with_the_field() -> None:
    outcome, _ = run(Wants("autoscaler", 5, 0), Wants("gitops", 3, 1))
    assert outcome.end == "Oscillating"
    assert "deployments.apps default/web: spec.replicas goes" in outcome.why
    assert "autoscaler and gitops undo each other's change" in outcome.why
    assert outcome.now - EPOCH < 10


def test_a_key_that_is_synced_without_end_is_a_livelock_although_nothing_is_written() -> None:
    outcome, manager = run(Restless("restless", 3, 0), prepare=restless)
    assert outcome.end == "Oscillating"
    assert f"restless looked at default/web {MAX_SYNCS_AN_INSTANT + 1} times" in outcome.why
    assert manager.steps < 2 * MAX_SYNCS_AN_INSTANT


def restless(manager: Manager) -> None:
    """Let the only loop queue its key again whenever it was synced."""
    (loop,) = manager.loops
    assert isinstance(loop, ControllerLoop)
    step = loop.step

    def again(now: float) -> int:
        count = step(now)
        loop.queue.add(Key("default", "web"))
        return count

    loop.step = again  # type: ignore[method-assign]


def test_a_write_that_was_not_declared_is_a_crash_of_that_controller_alone() -> None:
    outcome, manager = run(Trespasser("trespasser", 9, 0), Wants("other", 5, 0))
    assert outcome.end == "Quiet" or outcome.end == "Horizon"
    assert [(crash.loop, crash.error) for crash in manager.crashes] == [
        ("trespasser", "UndeclaredWrite: trespasser has not declared that it writes deployments.apps")
    ]
    assert manager.caches[DEPLOYMENTS].all()[0]["spec"]["replicas"] == 5


def test_a_clock_that_is_not_virtual_can_end_a_run() -> None:
    outcome, _ = run(Wants("one", 5, 0), out_of_time=lambda: "it took too long")
    assert (outcome.end, outcome.why, outcome.now) == ("Horizon", "it took too long", EPOCH)


def test_who_waits_for_rest_is_asked_once_there_is_nothing_left_to_do() -> None:
    asked: list[float] = []

    def prepare(manager: Manager) -> None:
        manager.on_quiet.append(lambda now: not asked.append(now) and len(asked) < 2)

    outcome, _ = run(prepare=prepare)
    assert outcome.end == "Quiet"
    assert asked == [EPOCH, EPOCH]


def test_time_passes_as_long_as_somebody_wants_it_to() -> None:
    outcome, _ = run(prepare=lambda manager: manager.passing.append(lambda: EPOCH + 90))
    assert (outcome.end, outcome.now) == ("Quiet", EPOCH + 90)


@pytest.mark.parametrize(
    ("values", "writers", "is_fight"),
    [
        ((1, 2, 1, 2, 1), "abab", True),
        ((1, 2, 1, 2, 1), "aaaa", False),
        ((1, 2, 1, 2), "aba", False),
        ((1, 2, 3, 4, 5), "abab", False),
        ((1, 2, 1, 2, 1, 2), ["a", "b", "", "a", "b"], False),
    ],
)
def test_a_fight_is_three_times_back_between_different_writers(values: Any, writers: Any, *, is_fight: bool) -> None:
    fights = Fights()
    for n, writer in enumerate(writers):
        old, new = (evolve(deployment(values[m]), {"metadata": {"generation": m}}) for m in (n, n + 1))
        fights.see(WatchEvent("MODIFIED", DEPLOYMENTS, new, old), writer)
    assert (fights.found is not None) is is_fight


def test_more_pods_than_a_cluster_could_hold_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "FREE_PODS", 40)
    with door.ControlPlane.open(None, nodes=1) as plane:
        plane.client.create(DEPLOYMENTS, deployment(2_000_000_000))
        report = plane.converge()
        assert report["verdict"] == "Horizon"
        assert "the nodes have room for 110" in report["why"]
        assert "default/web" in report["why"]
        assert "asks for 2000000000" in report["why"]
        assert len(plane.client.list("pods").items) < 3000


def test_a_client_that_may_write_one_kind_reads_all_and_writes_no_other() -> None:
    with ControlPlane.open(None, controllers=[]) as plane:
        client = only(plane.client, ["configmaps", "*/scale"], "me")
        obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "default"}}
        client.create("configmaps", obj)
        assert client.list("namespaces").items
        plane.client.create(DEPLOYMENTS, deployment(1))
        scale = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "web", "namespace": "default"}}
        client.update(DEPLOYMENTS, {**scale, "spec": {"replicas": 4}}, subresource="scale")
        assert dig(plane.client.get(DEPLOYMENTS, "default", "web"), "spec", "replicas") == 4
        for write in (
            lambda: client.create("secrets", {**obj, "kind": "Secret"}),
            lambda: client.delete("pods", Key("default", "x")),
            lambda: client.patch("nodes", Key("", "x"), {}),
            lambda: client.evict(Key("default", "x")),
            lambda: client.bind(Key("default", "x"), "", "n"),
        ):
            with pytest.raises(UndeclaredWrite):
                write()
        assert only(plane.client, ["*"], "me") is plane.client


def test_actions_of_the_manager_are_attributed_to_their_loops() -> None:
    _, manager = run(Wants("one", 5, 0))
    assert manager.written["one"] == 1
