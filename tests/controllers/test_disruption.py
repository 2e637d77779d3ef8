"""PodDisruptionBudgets: what they count, what evictions they let pass, what they say when they cannot tell."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kctl.api.clock import rfc3339
from kctl.api.errors import StatusError
from kctl.api.objects import Key, Obj, condition
from kctl.controllers.disruption import shown
from kctl.controllers.pods import is_ready

B = "poddisruptionbudgets.policy"
QUICK = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def budget(name: str = "pdb", selector: Any = None, **spec: Any) -> Obj:
    selector = {"matchLabels": {"app": "web"}} if selector is None else selector
    meta = {"name": name, "namespace": "default"}
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": meta,
        "spec": {**spec, "selector": selector},
    }


def bare_pod(name: str, app: str = "web", **meta: Any) -> Obj:
    metadata = {"name": name, "namespace": "default", "labels": {"app": app}, **meta}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {"containers": [{"name": "c", "image": "x"}]},
    }


def numbers(world: Any, name: str = "pdb") -> tuple[int, int, int, int]:
    status = world.get(B, name)["status"]
    fields = ("expectedPods", "desiredHealthy", "currentHealthy", "disruptionsAllowed")
    return tuple(status[field] for field in fields)  # type: ignore[return-value]


def notes(world: Any) -> list[tuple[str, str]]:
    return [(event["reason"], event["message"]) for event in world.client.list("events").items]


def evicted(world: Any, key: Key) -> int:
    """Evict a pod and return the answer's code."""
    try:
        world.client.evict(key)
    except StatusError as error:
        return error.code
    return 201


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"minAvailable": 1}, (3, 1, 3, 2)),
        ({"minAvailable": 5}, (3, 5, 3, 0)),
        ({"minAvailable": "50%"}, (3, 2, 3, 1)),
        ({"minAvailable": "100%"}, (3, 3, 3, 0)),
        ({"maxUnavailable": 1}, (3, 2, 3, 1)),
        ({"maxUnavailable": 0}, (3, 3, 3, 0)),
        ({"maxUnavailable": "30%"}, (3, 2, 3, 1)),
        ({"maxUnavailable": 9}, (3, 0, 3, 3)),
    ],
    ids=str,
)
def test_a_budget_counts_by_the_scale_of_the_owner(world, deployment, spec, expected):
    world.create(deployment(replicas=3))
    world.create(budget(**spec))
    world.run_all()
    assert numbers(world) == expected


def test_pods_that_are_not_ready_count_as_missing(world, deployment):
    world.create(deployment(replicas=3))
    world.create(budget(maxUnavailable=1))
    world.run_all()
    world.run(world.pods()[0], ready=False)
    world.settle()
    assert numbers(world) == (3, 2, 2, 0)
    found = condition(world.get(B, "pdb"), "DisruptionAllowed")
    assert (found["status"], found["reason"]) == ("False", "InsufficientPods")


def test_the_scale_counts_although_pods_are_missing(world, deployment):
    world.create(deployment(replicas=2))
    world.create(budget(maxUnavailable="50%"))
    world.run_all()
    world.client.patch("deployments.apps", Key("default", "web"), {"spec": {"replicas": 6}})
    world.settle()
    assert numbers(world) == (6, 3, 2, 0)


def test_without_pods_nothing_is_allowed_and_that_is_told(world):
    world.create(budget(minAvailable=1))
    world.settle()
    assert numbers(world) == (0, 1, 0, 0)
    assert ("NoPods", "No matching pods found") in notes(world)


def test_an_empty_selector_is_everything(world):
    world.create(budget("all", {}, minAvailable=0))
    world.create(bare_pod("a"))
    world.create(bare_pod("b", "other"))
    world.run_all()
    assert numbers(world, "all") == (2, 0, 2, 2)


def test_a_budget_may_ask_for_the_name_of_a_stateful_pod(world):
    labels = {"statefulset.kubernetes.io/pod-name": "db-0"}
    world.create(budget("one", {"matchLabels": labels}, minAvailable=0))
    for name in ("db-0", "db-1"):
        pod = bare_pod(name)
        pod["metadata"]["labels"]["statefulset.kubernetes.io/pod-name"] = name
        world.create(pod)
    world.run_all()
    assert numbers(world, "one") == (1, 0, 1, 1)


def test_pods_nobody_controls_cannot_be_counted_by_scale(world):
    world.create(bare_pod("a"))
    world.create(budget(maxUnavailable=1))
    world.run_all()
    assert numbers(world) == (0, 0, 1, 0)
    text = next(text for reason, text in notes(world) if reason == "UnmanagedPods")
    assert "(selector: &LabelSelector{MatchLabels:map[string]string{app: web,}," in text


def test_an_owner_without_scale_makes_the_sync_fail(world):
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "j", "namespace": "default"},
        "spec": {
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "x"}]},
            }
        },
    }
    world.create(job)
    world.settle()
    world.create(budget(maxUnavailable=1))
    world.settle()
    found = condition(world.get(B, "pdb"), "DisruptionAllowed")
    assert (found["reason"], found["message"]) == (
        "SyncFailed",
        "jobs.batch does not implement the scale subresource",
    )
    assert any(reason == "CalculateExpectedPodCountFailed" for reason, _ in notes(world))


def test_a_custom_owner_counts_by_the_scale_of_its_definition(world):
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "crowds.x.io"},
        "spec": {
            "group": "x.io",
            "scope": "Namespaced",
            "names": {"plural": "crowds", "kind": "Crowd"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
                    "subresources": {"scale": {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.size"}},
                }
            ],
        },
    }
    world.client.create("customresourcedefinitions.apiextensions.k8s.io", crd)
    world.settle()
    meta = {"name": "c", "namespace": "default"}
    made = world.client.create(
        "crowds.x.io", {"apiVersion": "x.io/v1", "kind": "Crowd", "metadata": meta, "spec": {"size": 7}}
    )
    ref = {"apiVersion": "x.io/v1", "kind": "Crowd", "name": "c", "uid": made["metadata"]["uid"], "controller": True}
    world.create(bare_pod("a", ownerReferences=[ref]))
    world.create(budget(maxUnavailable=2))
    world.run_all()
    assert numbers(world) == (7, 5, 1, 0)


def test_evicted_pods_count_as_gone_until_two_minutes_are_over(world, deployment):
    world.create(deployment(replicas=3))
    world.create(budget(maxUnavailable=1))
    world.run_all()
    name = world.names("pods")[0]
    status = world.get(B, "pdb")["status"]
    body = {"status": {**status, "disruptedPods": {name: rfc3339(world.clock.now())}}}
    world.client.patch(B, Key("default", "pdb"), body, subresource="status")
    world.settle()
    assert numbers(world) == (3, 2, 2, 0)
    world.pass_time(125)
    assert numbers(world) == (3, 2, 3, 1)
    assert any(reason == "NotDeleted" for reason, _ in notes(world))


def test_a_mark_of_a_disruption_that_did_not_come_is_taken_off(world):
    world.create(bare_pod("a"))
    world.run_all()
    mark = {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}
    mark["lastTransitionTime"] = rfc3339(world.clock.now())
    conditions = [*world.get("pods", "a")["status"]["conditions"], mark]
    world.client.patch("pods", Key("default", "a"), {"status": {"conditions": conditions}}, subresource="status")
    world.settle()
    world.pass_time(60)
    assert condition(world.get("pods", "a"), "DisruptionTarget")["status"] == "True"
    world.pass_time(61)
    assert condition(world.get("pods", "a"), "DisruptionTarget")["status"] == "False"


@pytest.mark.parametrize(
    ("policy", "unready", "answers"),
    [
        ("IfHealthyBudget", [], [201, 429, 429]),
        ("IfHealthyBudget", [0], [201, 429, 429]),
        ("IfHealthyBudget", [0, 1], [429, 429, 429]),
        ("AlwaysAllow", [0, 1], [201, 201, 429]),
    ],
)
def test_evictions_of_unready_pods_go_by_policy(world, deployment, policy, unready, answers):
    world.create(deployment(replicas=4))
    world.create(budget(minAvailable=3, unhealthyPodEvictionPolicy=policy))
    world.run_all()
    names = world.names("pods")[:3]
    for index in unready:
        world.run(world.get("pods", names[index]), ready=False)
    world.settle()
    found = [evicted(world, Key("default", name)) for name in names]
    assert found == answers


def test_overlapping_budgets_are_told_and_forbid_evictions(world, deployment):
    world.create(budget("one", minAvailable=0))
    world.create(budget("two", minAvailable=0))
    world.create(deployment(replicas=1))
    world.run_all()
    name = world.names("pods")[0]
    with pytest.raises(StatusError) as refused:
        world.client.evict(Key("default", name))
    assert refused.value.code == 500
    text = f'Pod "default"/"{name}" matches multiple PodDisruptionBudgets.  Chose "one" arbitrarily.'
    assert ("MultiplePodDisruptionBudgets", text) in notes(world)
    assert numbers(world, "one")[:2] == numbers(world, "two")[:2]


def test_a_selector_is_shown_as_go_prints_one():
    selector = {
        "matchLabels": {"b": "2", "a": "1"},
        "matchExpressions": [{"key": "k", "operator": "In", "values": ["x", "y"]}],
    }
    assert shown(selector) == (
        "&LabelSelector{MatchLabels:map[string]string{a: 1,b: 2,},"
        "MatchExpressions:[]LabelSelectorRequirement{LabelSelectorRequirement{Key:k,Operator:In,Values:[x y],},},}"
    )
    assert shown({}) == "&LabelSelector{MatchLabels:map[string]string{},MatchExpressions:[]LabelSelectorRequirement{},}"


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("evict"), st.integers(0, 7)),
        st.tuples(st.just("unready"), st.integers(0, 7)),
        st.tuples(st.just("start"), st.integers(0, 7)),
        st.tuples(st.just("stop"), st.integers(0, 7)),
        st.tuples(st.just("replicas"), st.integers(0, 6)),
        st.tuples(st.just("settle"), st.just(0)),
    ),
    max_size=16,
)
SPECS = st.one_of(
    st.builds(lambda n: {"minAvailable": n}, st.sampled_from([0, 1, 3, "50%"])),
    st.builds(lambda n: {"maxUnavailable": n}, st.sampled_from([0, 1, 2, "34%"])),
)


@QUICK
@given(STEPS, SPECS)
def test_an_eviction_never_takes_a_healthy_pod_that_the_budget_needs(make_world, deployment, steps, spec):
    world = make_world()
    world.create(deployment(replicas=4))
    world.create(budget(**spec))
    world.run_all()
    for what, value in steps:
        pods = world.pods()
        healthy = [pod for pod in pods if is_ready(pod) and not pod["metadata"].get("deletionTimestamp")]
        needed = world.get(B, "pdb")["status"]["desiredHealthy"]
        if what == "replicas":
            world.client.patch("deployments.apps", Key("default", "web"), {"spec": {"replicas": value}})
            world.settle()
        elif what == "settle":
            world.settle()
        elif pods:
            pod = pods[value % len(pods)]
            key = Key("default", pod["metadata"]["name"])
            if what == "stop":
                world.client.delete("pods", key, grace=0)
                world.settle()
            elif what != "evict":
                if not pod["metadata"].get("deletionTimestamp"):
                    world.run(pod, ready=what == "start")
                    world.settle()
            else:
                answer = evicted(world, key)
                assert answer in (201, 429)
                assert answer == 429 or pod not in healthy or len(healthy) - 1 >= needed
    world.settle()
    for cache in world.caches.known():
        cache.check()
    assert [one for one in world.decisions() if one[0] == "disruption-controller"] == []
