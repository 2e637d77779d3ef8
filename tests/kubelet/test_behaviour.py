"""Annotations say what goes wrong; what cannot be read says nothing and is told."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kctl.api.behaviour import FIELDS, PREFIX, Annotated, Works, note, pod_behaviour, problems, silent_as, silent_since
from kctl.kubelet.behaviour import ContainerBehaviour, Ending, NodeBehaviour, PodBehaviour, Pulling


def said(**texts):
    return {PREFIX + name.replace("_", "-"): text for name, text in texts.items()}


@pytest.mark.parametrize(
    ("annotations", "wanted"),
    [
        (said(start="3s"), ContainerBehaviour(start=3.0)),
        (said(ready_after="never", up_after="1m"), ContainerBehaviour(up_after=60.0, ready_after=inf)),
        (said(run="40s", exit_code="2"), ContainerBehaviour(ends=Ending(40.0, 2))),
        (said(exit_code="1", exit_times="4"), ContainerBehaviour(ends=Ending(0.0, 1, times=4))),
        (said(exit_times="4"), ContainerBehaviour()),
        (
            said(run="1s", exit_code="137", exit_reason="OOMKilled"),
            ContainerBehaviour(ends=Ending(1, 137, "OOMKilled")),
        ),
        (said(stop="never", stop_code="3", pre_stop="5s"), ContainerBehaviour(stop=inf, stop_code=3, pre_stop=5.0)),
        (said(cpu="250m", memory="1Ki", disk="1Gi"), ContainerBehaviour(cpu=250, memory=1024, disk=1 << 30)),
        (said(pull="fail", pull_error="no"), ContainerBehaviour(pulling=Pulling(None, inf, "no"))),
        (said(pull="fail", pull_times="2"), ContainerBehaviour(pulling=Pulling(None, 2))),
        (said(pull="20s", size="1Ki"), ContainerBehaviour(pulling=Pulling(20.0, size=1024))),
        (said(start="soon", stop="-1s", exit_code="256", memory="lots"), ContainerBehaviour()),
        (said(startt="3s"), ContainerBehaviour()),
    ],
)
def test_what_annotations_say_of_containers(annotations, wanted):
    assert pod_behaviour(annotations) == PodBehaviour(wanted)


def test_one_container_may_be_another():
    found = pod_behaviour({PREFIX + "stop": "2s", PREFIX + "stop.app": "9s", PREFIX + "start.app": "1s"})
    assert found.of("app") == ContainerBehaviour(stop=9.0, start=1.0)
    assert found.of("other") == ContainerBehaviour(stop=2.0)


def test_annotations_go_on_top_of_another_source():
    class Slow(Works):
        def pod(self, pod):
            return PodBehaviour(ContainerBehaviour(start=5.0, stop=5.0))

    world = Annotated(Slow())
    assert world.pod({"metadata": {}}) == PodBehaviour(ContainerBehaviour(start=5.0, stop=5.0))
    assert world.pod({"metadata": {"annotations": said(stop="1s")}}) == PodBehaviour(ContainerBehaviour(5.0, stop=1.0))


@pytest.mark.parametrize(
    ("annotations", "wanted"),
    [
        ({}, NodeBehaviour()),
        (said(state="dead"), NodeBehaviour("dead")),
        (said(state="asleep"), NodeBehaviour()),
        (said(boot="2", pressure="disk, memory,heat"), NodeBehaviour(boot="2", pressure=("memory", "disk"))),
    ],
)
def test_what_annotations_say_of_nodes(annotations, wanted):
    assert Annotated().node({"metadata": {"annotations": annotations}}, 0.0) == wanted


def test_problems_name_the_annotation():
    found = problems({**said(start="soon", nap="1s", run="never"), "else/start": "x"})
    assert [text.partition(":")[0] for text in found] == [PREFIX + "nap", PREFIX + "start"]


@given(st.dictionaries(st.sampled_from([*sorted(FIELDS), "x", ""]), st.text(max_size=8), max_size=6))
def test_no_annotation_is_a_traceback(texts):
    annotations = {PREFIX + name: text for name, text in texts.items()}
    assert isinstance(pod_behaviour(annotations), PodBehaviour)
    problems(annotations)
    Annotated().node({"metadata": {"annotations": annotations}}, 0.0)


@pytest.mark.parametrize("text", ["", "yesterday", "2026-99-01T00:00:00Z", "5"])
def test_a_note_that_somebody_spoiled_counts_as_none(text):
    node = {"metadata": {"annotations": {PREFIX + "silent-since": text}}}
    assert (silent_since(node), silent_as(node)) == (None, "")


def test_a_note_is_read_as_it_was_written():
    node = {"metadata": {"annotations": {PREFIX + "silent-since": note(1767225600.0, "dead")}}}
    assert (silent_since(node), silent_as(node)) == (1767225600.0, "dead")
