"""What the event recorder makes of events, against an API server in memory."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kctl.api.clock import EPOCH, FixedClock, rfc3339
from kctl.api.objects import Key, Obj
from kctl.api.registry import builtin
from kctl.apiserver.server import APIServer
from kctl.client.local import LocalClient
from kctl.runtime.actions import Emit
from kctl.runtime.events import BURST, COMBINED, Recorder
from kctl.store.memory import MemoryStore


class Desk:
    """Records events about one ConfigMap, each by a recorder of its own."""

    def __init__(self) -> None:
        self.client = LocalClient(APIServer(MemoryStore(), clock=FixedClock(EPOCH), registry=builtin(), frozen=True))
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "default"}}
        self.about = self.client.create("configmaps", body)

    def say(self, message: str, at: float = 0.0, *, component: str = "me", **more: Any) -> None:
        event = Emit(self.about, more.pop("type", "Normal"), more.pop("reason", "Said"), message, **more)
        Recorder(self.client, now=EPOCH + at, component=component).record(event)

    def events(self) -> list[Obj]:
        return self.client.list("events").items

    def told(self) -> list[tuple[str, int]]:
        return [(event["message"], event["count"]) for event in self.events()]


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_an_equal_event_is_counted(desk: Desk) -> None:
    for at in (0, 5, 9):
        desk.say("hello", at)
    [event] = desk.events()
    assert (event["count"], event["firstTimestamp"], event["lastTimestamp"]) == (3, rfc3339(EPOCH), rfc3339(EPOCH + 9))


@pytest.mark.parametrize(
    "other",
    [{"type": "Warning"}, {"reason": "Cried"}, {"field_path": "spec.containers{a}"}, {"component": "you"}],
    ids=lambda other: next(iter(other)),
)
def test_events_that_differ_in_one_thing_are_two(desk: Desk, other: dict[str, str]) -> None:
    desk.say("hello")
    desk.say("hello", **other)
    assert desk.told() == [("hello", 1), ("hello", 1)]


def test_from_the_tenth_message_on_they_share_one_event(desk: Desk) -> None:
    for n in range(13):
        desk.say(f"number {n}", n)
    assert desk.told() == [*((f"number {n}", 1) for n in range(9)), (f"{COMBINED}number 12", 4)]


def test_one_of_the_first_nine_messages_is_still_counted_by_itself(desk: Desk) -> None:
    for n in (*range(12), 3):
        desk.say(f"number {n}")
    assert ("number 3", 2) in desk.told()


def test_messages_of_different_kinds_do_not_combine(desk: Desk) -> None:
    for n in range(18):
        desk.say(f"number {n}", reason=f"Kind{n % 2}")
    assert [count for _, count in desk.told()] == [1] * 18


def test_after_a_long_pause_messages_stand_for_themselves_again(desk: Desk) -> None:
    for n in range(11):
        desk.say(f"number {n}", n)
    desk.say("within", 10 + 600)
    desk.say("after", 10 + 600 + 601)
    told = dict(desk.told())
    assert "within" not in told
    assert told["after"] == 1


def test_messages_with_short_pauses_combine_however_long_it_takes(desk: Desk) -> None:
    for n in range(10):
        desk.say(f"number {n}", n * 599)
    assert desk.told()[-1] == (f"{COMBINED}number 9", 1)


def test_a_source_falls_silent_after_a_burst_and_may_speak_again_later(desk: Desk) -> None:
    for _ in range(BURST + 5):
        desk.say("again")
    desk.say("something else")
    assert desk.told() == [("again", BURST)]
    desk.say("again", 299)
    assert desk.told() == [("again", BURST)]
    desk.say("again", 300)
    desk.say("again", 301)
    assert desk.told() == [("again", BURST + 1)]


def test_another_source_may_speak_when_one_is_silent(desk: Desk) -> None:
    for _ in range(BURST + 1):
        desk.say("again")
    desk.say("hello", component="you")
    assert ("hello", 1) in desk.told()


def test_events_of_the_newer_recorder_are_neither_combined_nor_held_back(desk: Desk) -> None:
    for n in range(BURST + 5):
        desk.say(f"number {n}", action="Counting")
    assert len(desk.told()) == BURST + 5


def test_an_event_that_was_deleted_leaves_the_others_usable(desk: Desk) -> None:
    for n in range(3):
        desk.say(f"number {n}")
    desk.client.delete("events", Key("default", desk.events()[0]["metadata"]["name"]))
    recorder = Recorder(desk.client, now=EPOCH, component="me")
    for n in (0, 3, 1):
        recorder.record(Emit(desk.about, "Normal", "Said", f"number {n}"))
    assert sorted(desk.told()) == [("number 0", 1), ("number 1", 2), ("number 2", 1), ("number 3", 1)]


def test_a_namespace_that_takes_no_events_fails_nobody(desk: Desk) -> None:
    gone = {**desk.about, "metadata": {**desk.about["metadata"], "namespace": "nowhere"}}
    Recorder(desk.client, now=EPOCH, component="me").record(Emit(gone, "Normal", "Said", "hello"))
    assert desk.events() == []


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 14), st.integers(0, 400)), max_size=40))
def test_one_recorder_for_an_instant_and_one_for_each_event_agree(said: list[tuple[int, int]]) -> None:
    one, other = Desk(), Desk()
    at = 0
    for message, pause in said:
        at += pause // 100 * 100
        one.say(f"number {message}", at)
    recorder, at, since = None, 0, -1
    for message, pause in said:
        at += pause // 100 * 100
        if recorder is None or at != since:
            recorder, since = Recorder(other.client, now=EPOCH + at, component="me"), at
        recorder.record(Emit(other.about, "Normal", "Said", f"number {message}"))
    assert one.told() == other.told()
    assert sum(count for _, count in one.told()) <= BURST + at // 300 + 1


ABOUT = st.integers(0, 2)
SAID = st.tuples(ABOUT, st.sampled_from(["Said", "Cried"]), st.integers(0, 14), st.sampled_from(["", "Binding"]))


@given(
    st.lists(SAID, max_size=40), st.sets(st.tuples(ABOUT, st.integers(0, 3)), max_size=3), st.lists(SAID, max_size=20)
)
@settings(max_examples=40, deadline=None)
def test_events_recorded_together_are_those_recorded_one_by_one(before: list, gone: set, after: list) -> None:
    outcomes = []
    for together in (True, False):
        desk = Desk()
        objects = [
            desk.client.create("configmaps", {**desk.about, "metadata": {"name": f"o{n}", "namespace": "default"}})
            for n in range(3)
        ]
        emits = [
            Emit(objects[n], "Normal", reason, f"number {m}", action) for n, reason, m, action in (*before, *after)
        ]
        for at, some in ((0.0, emits[: len(before)]), (7.0, emits[len(before) :])):
            recorder = Recorder(desk.client, now=EPOCH + at, component="me")
            if together:
                recorder.record_all(some)
            else:
                for emit in some:
                    recorder.record(emit)
            if not at:
                for event in desk.events():
                    about, number = event["involvedObject"]["name"], int(event["metadata"]["name"][-4:], 16)
                    if (int(about[1:]), number) in gone:
                        desk.client.delete("events", Key("default", event["metadata"]["name"]))
        outcomes.append(
            sorted(
                (event["involvedObject"]["name"], event["reason"], event["message"], event["count"])
                for event in desk.events()
            )
        )
    assert outcomes[0] == outcomes[1]
