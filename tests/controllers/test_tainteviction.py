"""taint-eviction-controller."""

from __future__ import annotations

import json

import pytest

from kctl.api.clock import rfc3339
from kctl.api.objects import Key
from kctl.controllers.tainteviction import SINCE, TaintedNode, TaintedPod, TaintEvictionController, due_at, has_to_leave
from kctl.runtime.actions import Delete, Emit, Update

NOW = 1_000_000.0
BOUND = NOW - 1000


def taint(key="k", value="v", *, at=None, effect="NoExecute"):
    return {"key": key, "value": value, "effect": effect, **({"timeAdded": rfc3339(at)} if at else {})}


def node(*taints, noted=None):
    annotations = {SINCE: json.dumps(noted)} if noted is not None else {}
    return {"metadata": {"name": "n1", "annotations": annotations}, "spec": {"taints": list(taints)}}


def pod(*tolerations, bound=BOUND, **status):
    meta = {"name": "p", "namespace": "default", "uid": "u", "creationTimestamp": rfc3339(BOUND - 5)}
    scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": rfc3339(bound)}
    spec = {"nodeName": "n1", "tolerations": list(tolerations)}
    return {"metadata": meta, "spec": spec, "status": {"conditions": [scheduled], **status}}


def tolerates(key="k", **more):
    return {"key": key, "operator": "Exists", **more}


AT_ONCE = BOUND
EVER = None
T = NOW - 100
"""When taints came, unless a case says otherwise."""


@pytest.mark.parametrize(
    ("tolerations", "taints", "due"),
    [
        ([], [taint(at=T)], AT_ONCE),
        ([tolerates("other")], [taint(at=T)], AT_ONCE),
        ([{"key": "k", "value": "w"}], [taint(at=T)], AT_ONCE),
        ([tolerates(effect="NoSchedule")], [taint(at=T)], AT_ONCE),
        ([tolerates()], [taint(at=T), taint("other", at=T)], AT_ONCE),
        ([tolerates(tolerationSeconds=300)], [taint(at=T), taint("other", at=T)], AT_ONCE),
        ([], [taint(effect="NoSchedule", at=T)], EVER),
        ([tolerates()], [taint(at=T)], EVER),
        ([{"operator": "Exists"}], [taint(at=T), taint("other", at=T)], EVER),
        ([{"key": "k", "value": "v", "effect": "NoExecute"}], [taint(at=T)], EVER),
        ([tolerates(tolerationSeconds=300)], [taint(at=T)], T + 300),
        ([tolerates(tolerationSeconds=0)], [taint(at=T)], T),
        ([tolerates(tolerationSeconds=-5)], [taint(at=T)], T),
        ([tolerates(tolerationSeconds=60), tolerates()], [taint(at=T)], T + 60),
        ([tolerates(), tolerates(tolerationSeconds=60)], [taint(at=T)], EVER),
        ([tolerates(), tolerates("o", tolerationSeconds=60)], [taint(at=T), taint("o", at=T)], T + 60),
        ([{"operator": "Exists", "tolerationSeconds": 60}], [taint(at=T), taint("o", at=T)], T + 60),
        (
            [tolerates(tolerationSeconds=60), tolerates("o", tolerationSeconds=9)],
            [taint(at=T), taint("o", at=T)],
            T + 9,
        ),
        (
            [tolerates(tolerationSeconds=60), tolerates("o", tolerationSeconds=9)],
            [taint(at=T), taint("o", at=NOW)],
            T + 60,
        ),
        ([tolerates(tolerationSeconds=60)], [taint(at=BOUND - 500)], BOUND + 60),
        ([tolerates(tolerationSeconds=60)], [taint()], NOW + 60),
    ],
    ids=[
        "nothing tolerated",
        "another key tolerated",
        "another value tolerated",
        "another effect tolerated",
        "one of two taints tolerated",
        "one of two taints tolerated for a while",
        "a taint that evicts nothing",
        "the key tolerated",
        "everything tolerated",
        "exactly it tolerated",
        "tolerated for a while",
        "tolerated for no time",
        "tolerated for less than no time",
        "the first toleration that matches counts",
        "for ever when that is the first",
        "one for ever, one for a while",
        "both by the same toleration",
        "the shorter of two that came together",
        "a later taint does not bring it forward",
        "a pod that came after the taint",
        "a taint seen for the first time",
    ],
)
def test_when_a_pod_has_to_go(tolerations, taints, due):
    assert due_at(pod(*tolerations), node(*taints), NOW) == due
    assert has_to_leave(pod(*tolerations), node(*taints)) is (due is not None)


def test_the_time_of_a_taint_that_does_not_say_it_is_the_noted_one():
    tainted = node(taint(), noted={"k=v": rfc3339(T)})
    assert due_at(pod(tolerates(tolerationSeconds=60)), tainted, NOW) == T + 60


@pytest.mark.parametrize("noted", ["no JSON", "[]", '{"k=v": 5}', '{"k=v": "soon"}'])
def test_a_note_that_somebody_spoiled_counts_as_none(noted):
    tainted = {**node(taint()), "metadata": {"name": "n1", "annotations": {SINCE: noted}}}
    assert due_at(pod(tolerates(tolerationSeconds=60)), tainted, NOW) == NOW + 60


def decide(seen):
    return TaintEvictionController().decide(seen, NOW)


def test_an_eviction_says_so_marks_the_pod_and_deletes_it():
    said, marked, deleted = decide(TaintedPod(pod(), node(taint()))).actions
    assert isinstance(said, Emit)
    assert (said.reason, said.message) == ("TaintManagerEviction", "Marking for deletion Pod default/p")
    assert isinstance(marked, Update)
    assert marked.obj["status"]["conditions"][-1] == {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": "DeletionByTaintManager",
        "message": "Taint manager: deleting due to NoExecute taint",
        "lastTransitionTime": rfc3339(NOW),
    }
    assert isinstance(deleted, Delete)
    assert (deleted.uid, deleted.grace) == ("u", None)


def test_a_pod_that_is_marked_already_is_not_marked_again():
    marked = decide(TaintedPod(pod(), node(taint()))).actions[1]
    again = pod(conditions=marked.obj["status"]["conditions"])
    assert [type(action) for action in decide(TaintedPod(again, node(taint()))).actions] == [Emit, Delete]


def test_what_is_tolerated_for_a_while_waits_for_its_time():
    decision = decide(TaintedPod(pod(tolerates(tolerationSeconds=300)), node(taint(at=T))))
    assert (decision.actions, decision.wake_at, decision.periodic) == ((), T + 300, False)


@pytest.mark.parametrize(
    ("tainted", "wanted"),
    [
        (node(), []),
        (node(taint(at=T)), []),
        (node(taint(effect="NoSchedule")), []),
        (node(taint()), [{"k=v": rfc3339(NOW)}]),
        (node(taint(), noted={"k=v": rfc3339(T)}), []),
        (node(taint(), taint("o"), noted={"k=v": rfc3339(T)}), [{"k=v": rfc3339(T), "o=v": rfc3339(NOW)}]),
        (node(taint("o"), noted={"k=v": rfc3339(T)}), [{"o=v": rfc3339(NOW)}]),
        (node(noted={"k=v": rfc3339(T)}), [None]),
    ],
    ids=[
        "nothing to note",
        "the taint knows its time",
        "another effect",
        "a new taint",
        "a noted one",
        "one more",
        "another one",
        "gone",
    ],
)
def test_when_taints_came_is_noted_once_and_as_long_as_they_are_there(tainted, wanted):
    texts = [action.patch["metadata"]["annotations"][SINCE] for action in decide(TaintedNode(tainted)).actions]
    assert [text if text is None else json.loads(text) for text in texts] == wanted


@pytest.fixture
def tainted(world, deployment):
    """Two pods that tolerate the taint ``k`` for five minutes, on a node that gets it."""
    wanted = deployment(replicas=2)
    wanted["spec"]["template"]["spec"]["tolerations"] = [tolerates(effect="NoExecute", tolerationSeconds=300)]
    world.node("n1")
    world.create(wanted)
    world.run_all()
    world.pass_time(1000)
    taints(world, taint())
    return world


def taints(world, *wanted):
    world.client.patch("nodes", Key("", "n1"), {"spec": {"taints": list(wanted) or None}})
    world.settle()


def leaving(world):
    return [found for found in world.pods() if found["metadata"].get("deletionTimestamp")]


def test_pods_leave_when_the_time_they_tolerate_is_over(tainted):
    tainted.pass_time(299)
    assert leaving(tainted) == []
    tainted.pass_time(1)
    assert len(leaving(tainted)) == 2
    assert len(tainted.pods()) == 4  # the ReplicaSet makes new ones at once
    assert tainted.decisions() == []


def test_the_time_goes_on_in_a_new_process(tainted, world):
    tainted.pass_time(200)
    seen = TaintedPod(tainted.pods()[0], tainted.client.get("nodes", "", "n1"))
    fresh = TaintEvictionController().decide(seen, tainted.clock.now())
    assert fresh.wake_at == tainted.clock.now() + 100


def test_a_taint_that_goes_in_time_takes_the_timer_along(tainted):
    tainted.pass_time(200)
    taints(tainted)
    assert tainted.manager.next_wake(periodic=False) is None
    tainted.pass_time(1000)
    assert leaving(tainted) == []
    assert SINCE not in (tainted.client.get("nodes", "", "n1")["metadata"].get("annotations") or {})


def test_a_toleration_that_comes_in_time_takes_the_timer_along(tainted):
    for found in tainted.pods():
        key = Key("default", found["metadata"]["name"])
        more = [*found["spec"]["tolerations"], tolerates("k", effect="NoExecute")]
        tainted.client.patch("pods", key, {"spec": {"tolerations": more}})
    tainted.settle()
    tainted.pass_time(200)
    assert leaving(tainted) == []


def test_a_second_taint_that_is_not_tolerated_ends_the_wait(tainted):
    tainted.pass_time(10)
    taints(tainted, taint(), taint("other"))
    assert len(leaving(tainted)) == 2


def test_a_node_that_goes_takes_the_timers_along(tainted):
    tainted.client.delete("nodes", Key("", "n1"))
    tainted.settle()
    assert leaving(tainted) == []
    tainted.pass_time(40)  # until the pod garbage collector takes them
    assert all(found["spec"].get("nodeName") is None for found in tainted.pods())
