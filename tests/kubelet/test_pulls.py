"""One pull at a time on each node, in the order in which the images were asked for."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kctl.api.behaviour import ON_DEMAND
from kctl.api.clock import EPOCH, parse_time
from kctl.kubelet.pulls import Pull, Request, requests_of, serve


def a_pod(name, image, node="n1", **more):
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"nodeName": node, "containers": [{"name": "c", "image": image, **more}]},
    }


def started(world):
    """Return when each pod's container started."""
    return {
        pod["metadata"]["name"]: parse_time(pod["status"]["containerStatuses"][0]["state"]["running"]["startedAt"])
        - EPOCH
        for pod in world.pods()
    }


def test_images_are_pulled_one_after_the_other_in_order_of_name(world):
    for name in ("c", "a", "b"):
        world.create(a_pod(name, f"{name}:1"))
    world.settle()
    assert started(world) == {"a": 3, "b": 5, "c": 7}
    assert ("Pulled", 'Successfully pulled image "c:1" in 2s (6s including waiting)') in world.events("c")
    assert ("Pulling", 'Pulling image "c:1"') in world.events("c")


def test_nodes_pull_side_by_side(world):
    world.node("n2")
    world.create(a_pod("a", "a:1"))
    world.create(a_pod("b", "b:1", node="n2"))
    world.settle()
    assert started(world) == {"a": 3, "b": 3}


def test_an_image_brought_by_another_waits_its_turn_and_takes_no_time(world):
    for name, image in (("a", "x:1"), ("b", "y:1"), ("c", "x:1")):
        world.create(a_pod(name, image))
    world.settle()
    assert started(world) == {"a": 3, "b": 5, "c": 5}
    assert ("Pulled", 'Successfully pulled image "x:1" in 0s (4s including waiting)') in world.events("c")


def test_who_finds_its_image_does_not_queue_unless_it_always_pulls(world):
    world.create(a_pod("first", "x:1"))
    world.settle()
    world.create(a_pod("a", "y:1"))
    world.create(a_pod("b", "x:1"))
    world.create(a_pod("c", "x:1", imagePullPolicy="Always"))
    world.settle()
    assert started(world) == {"first": 3, "a": 6, "b": 4, "c": 6}


def test_the_later_bound_pod_waits_whatever_its_name(world):
    world.create(a_pod("z", "z:1"))
    world.until(1)
    world.create(a_pod("a", "a:1"))
    world.settle()
    assert started(world) == {"z": 3, "a": 5}


def test_a_pod_that_goes_away_lets_the_others_move_up(world):
    for name in ("a", "b", "c"):
        world.create(a_pod(name, f"{name}:1"))
    world.until(1)
    world.delete("a")
    world.settle()
    assert started(world) == {"b": 3, "c": 5}


def test_a_pod_that_cannot_be_configured_has_pulled_its_image_all_the_same(world):
    reference = {"configMapKeyRef": {"name": "conf", "key": "k"}}
    world.create(a_pod("a", "a:1", env=[{"name": "A", "valueFrom": reference}]))
    world.create(a_pod("b", "b:1"))
    world.until(2)
    world.restart()
    world.settle()
    world.create(a_pod("c", "a:1"))
    world.settle()
    assert world.pod("b")["status"]["containerStatuses"][0]["state"]["running"]["startedAt"].endswith(":05Z")
    assert ("Pulling", 'Pulling image "a:1"') not in world.events("c")


def test_events_name_the_container_and_the_node(world):
    pod = a_pod("p", "nginx")
    pod["spec"]["initContainers"] = [{"name": "i", "image": "busybox"}]
    world.create(pod)
    world.settle()
    world.delete("p")
    world.settle()
    found = [event for event in world.client.list("events").items if event["involvedObject"]["name"] == "p"]
    assert {event["involvedObject"]["fieldPath"] for event in found} == {
        "spec.initContainers{i}",
        "spec.containers{c}",
    }
    assert {(event["source"]["component"], event["source"]["host"]) for event in found} == {("kubelet", "n1")}


IMAGES = st.sampled_from(["x:1", "y:1", "z:1", "w:1"])


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    arrivals=st.lists(st.tuples(st.integers(0, 3), IMAGES, st.booleans()), min_size=1, max_size=9),
    pull=st.integers(0, 3),
    restarts=st.sets(st.integers(0, 8)),
)
def test_pods_start_as_behind_a_puller_that_serves_one_at_a_time(make_world, arrivals, pull, restarts):
    world = make_world(image_pull=float(pull), container_start=1.0)
    world.node("n1")
    at, free, there, expected = 0, 0, {}, {}
    for number, (pause, image, always) in enumerate(arrivals):
        at += pause
        world.until(at)
        if number in restarts:
            world.restart()
        policy = "Always" if always else "IfNotPresent"
        world.create(a_pod(f"p{number}", image, imagePullPolicy=policy))
        world.settle(within=0)
        if there.get(image, at + 1) <= at and not always:
            expected[f"p{number}"] = at + 1
            continue
        turn = max(at, free)
        free = turn if there.get(image, turn + 1) <= turn else turn + pull
        there.setdefault(image, free)
        expected[f"p{number}"] = free + 1
    world.settle()
    assert started(world) == expected


def test_the_queue_is_walked_no_further_than_to_the_one_who_asks():
    def asked(number):
        return Request(0.0, 0.0, "d", f"p{number}", 0, f"i{number}", False)

    queue = [asked(0), asked(1), asked(2)]
    assert [serve(own, queue, {}, 2.0).done for own in queue] == [2.0, 4.0, 6.0]
    assert serve(asked(1), queue, {"i0": 2.0}, 2.0).done == 4.0


def test_a_pod_without_status_asks_for_nothing():
    assert list(requests_of(a_pod("p", "x:1"))) == []


def served_simply(own, queue, images, seconds):
    """As serve, looking at every pull for every request."""
    busy = sorted(at for at in set(images.values()) if at > min([own.since, *(q.since for q in queue)]))
    brought = {}

    def one(asked):
        there = images.get(asked.image)
        if there is None or brought.get(asked.image, there) < there:
            there = brought.get(asked.image)
        if there is not None and there <= asked.since and not asked.always:
            return Pull(True, asked.since, asked.since)
        turn = asked.since
        for until in sorted(busy):
            if until - seconds <= turn < until:
                turn = until
        return Pull(False, turn, turn if there is not None and there <= turn else turn + seconds)

    for asked in queue:
        if asked >= own:
            break
        if (asked.pod, asked.number) != (own.pod, own.number):
            pull = one(asked)
            if not pull.was_there and pull.done > pull.begun:
                brought[asked.image] = pull.done
                busy.append(pull.done)
    return one(own)


WANTS = st.builds(
    Request,
    st.integers(0, 6).map(float),
    st.integers(0, 2).map(float),
    st.just("default"),
    st.sampled_from("abcdef"),
    st.integers(0, 1),
    st.sampled_from("xyz"),
    st.booleans(),
    st.just(ON_DEMAND),
)


@given(
    WANTS,
    st.lists(WANTS, max_size=10),
    st.dictionaries(st.sampled_from("vwxyz"), st.integers(0, 9).map(float)),
    st.sampled_from([0.0, 1.0, 2.0, 3.0]),
)
@settings(max_examples=300, deadline=None)
def test_the_turn_of_a_request_is_found_without_looking_at_every_pull(own, queue, images, seconds):
    queue = tuple(sorted(set(queue)))
    assert serve(own, queue, images, seconds) == served_simply(own, queue, images, seconds)
