"""Convergence: its verdicts, its timers, crashes, retries."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.api.clock import EPOCH
from kctl.api.errors import forbidden
from kctl.api.objects import Key, Obj
from kctl.client.cache import Caches
from kctl.client.client import Client
from kctl.client.local import LocalClient
from kctl.plane.plane import ControlPlane
from kctl.runtime.actions import Patch
from kctl.runtime.controller import Controller, Decision, Watch, keys_of_self
from kctl.runtime.converge import Outcome, Timeline, converge
from kctl.runtime.loop import ControllerLoop
from kctl.runtime.manager import Manager


def config_map(name: str, **data: str) -> Obj:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "default"},
        "data": dict(data),
    }


class OnConfigMaps(Controller):
    """Base of the controllers below."""

    user = "system:serviceaccount:kube-system:test"
    watches = (Watch("configmaps", keys_of_self),)
    writes = ("configmaps",)

    def observe(self, caches: Caches, key: Key) -> Any | None:
        return caches["configmaps"].get(key)

    def set(self, seen: Obj, field: str, value: str) -> Decision:
        key = Key(seen["metadata"]["namespace"], seen["metadata"]["name"])
        return Decision((Patch("configmaps", key, {"data": {field: value}}),))


class Flipper(OnConfigMaps):
    """Never content."""

    name = "flipper"

    def decide(self, seen: Obj, now: float) -> Decision:
        return self.set(seen, "x", "b" if seen["data"].get("x") == "a" else "a")


class Counter(OnConfigMaps):
    """Counts to a number, one a second."""

    name = "counter"

    def __init__(self, most: int) -> None:
        self.most = most

    def decide(self, seen: Obj, now: float) -> Decision:
        due = int(now - EPOCH)
        count = int(seen["data"].get("x", "0"))
        if count >= self.most:
            return Decision()
        if count > due:
            return Decision((), wake_at=EPOCH + count)
        return self.set(seen, "x", str(count + 1))


class Spinner(OnConfigMaps):
    """Turns a wheel of three states, one a second, for ever."""

    name = "spinner"

    def decide(self, seen: Obj, now: float) -> Decision:
        wanted = str(int(now - EPOCH) % 3)
        if seen["data"].get("x") == wanted:
            return Decision((), wake_at=now + 1)
        return self.set(seen, "x", wanted)._replace(wake_at=now + 1)


class Broken(OnConfigMaps):
    """Has a bug."""

    name = "broken"

    def decide(self, seen: Obj, now: float) -> Decision:
        raise KeyError("spec")


class Refused(OnConfigMaps):
    """Wants what the server refuses."""

    name = "refused"

    def decide(self, seen: Obj, now: float) -> Decision:
        return self.set(seen, "x", "1")

    def act(self, client: Client, decision: Decision, now: float) -> None:
        raise forbidden("pods", "x", "exceeded quota")


def run(*controllers: Controller, within: float = 3600.0) -> tuple[Outcome, Manager, Obj]:
    with ControlPlane.open(None, controllers=[]) as plane:
        plane.client.create("configmaps", config_map("one", y="1"))
        client = LocalClient(plane.server, user="test", field_manager="test")
        manager = Manager(client)
        for controller in controllers:
            manager.add(ControllerLoop(controller, client, manager.caches))
        timeline = Timeline(plane.clock.now, plane.clock.set)
        outcome = converge(manager, timeline, deadline=EPOCH + within, commit=plane.commit)
        return outcome, manager, plane.client.get("configmaps", "default", "one")


def test_nothing_to_do_is_quiet_at_once() -> None:
    outcome, _, _ = run()
    assert (outcome.end, outcome.instants, outcome.now) == ("Quiet", 1, EPOCH)


def test_progress_timers_are_waited_for_in_virtual_time() -> None:
    outcome, _, obj = run(Counter(30))
    assert outcome.end == "Quiet"
    assert outcome.now == EPOCH + 29
    assert obj["data"]["x"] == "30"


def test_the_deadline_ends_a_run_at_the_horizon() -> None:
    outcome, _, obj = run(Counter(30), within=10.0)
    assert (outcome.end, outcome.now) == ("Horizon", EPOCH + 10)
    assert obj["data"]["x"] == "11"


def test_an_object_rewritten_within_one_instant_oscillates_and_is_named() -> None:
    outcome, _, _ = run(Flipper())
    assert outcome.end == "Oscillating"
    assert "configmaps default/one" in outcome.why
    assert "flipper" in outcome.why


def test_a_cycle_over_time_that_moves_data_oscillates_and_is_named() -> None:
    outcome, _, _ = run(Spinner(), within=300.0)
    assert outcome.end == "Oscillating"
    assert outcome.why == (
        "everything comes back to what it was every 3s: configmaps default/one is changed by spinner"
    )


def test_a_crash_takes_one_loop_out_and_lets_the_others_finish() -> None:
    outcome, manager, obj = run(Broken(), Counter(3))
    assert outcome.end == "Quiet"
    assert [crash.loop for crash in manager.crashes] == ["broken"]
    assert "KeyError" in manager.crashes[0].error
    assert obj["data"]["x"] == "3"


def test_a_refusal_is_retried_a_bounded_number_of_times_and_remembered() -> None:
    outcome, manager, _ = run(Refused())
    assert outcome.end == "Quiet"
    assert list(manager.last_errors()) == [("refused", Key("default", "one"))]
    assert outcome.now - EPOCH < 1.0


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_order_in_which_loops_are_added_does_not_change_the_outcome(order: tuple[int, int]) -> None:
    controllers = [Counter(5), Broken()]
    outcome, _, obj = run(*(controllers[n] for n in order))
    assert (outcome.end, obj["data"]["x"]) == ("Quiet", "5")
