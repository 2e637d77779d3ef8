"""What was made of a Service's pods is made again only when a pod, the Service or a zone changed."""

from __future__ import annotations

from kctl.api.objects import Key, Obj
from kctl.controllers.remembered import Remembered

KEY = Key("default", "s")
SERVICE: Obj = {"metadata": {"name": "s"}, "spec": {}}
POD: Obj = {"metadata": {"name": "p", "uid": "u"}}


class Counted:
    """A rule that answers how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, service: Obj, pod: Obj, zone: str) -> int:
        self.asked += 1
        return self.asked


def test_a_look_that_asks_nothing_forgets_nothing() -> None:
    known: Remembered[int] = Remembered(Counted())
    assert known.of(KEY)(SERVICE, POD, "") == 1
    known.of(KEY)
    assert known.of(KEY)(SERVICE, POD, "") == 1


def test_a_pod_that_was_not_asked_about_is_forgotten() -> None:
    known: Remembered[int] = Remembered(Counted())
    other = {"metadata": {"name": "q", "uid": "v"}}
    known.of(KEY)(SERVICE, POD, "")
    known.of(KEY)(SERVICE, other, "")
    assert known.of(KEY)(SERVICE, POD, "") == 3


def test_another_state_of_the_pod_is_asked_about() -> None:
    known: Remembered[int] = Remembered(Counted())
    known.of(KEY)(SERVICE, POD, "")
    assert known.of(KEY)(SERVICE, {**POD}, "") == 2
