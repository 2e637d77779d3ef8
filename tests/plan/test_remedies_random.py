"""Random clusters: whatever is told to help a pod that fits nowhere does place it."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kctl.client.cache import Cache, Caches
from kctl.scheduler.podinfo import PodInfo
from kctl.scheduler.trial import Trial
from tests.plan.test_remedies import GPU, HOST, ZONE, apart, node, pod, spread

Obj = dict[str, Any]
zones = st.sampled_from(["a", "b"])
nodes = st.lists(
    st.builds(
        lambda cpu, zone, taints, cordoned, pods: {
            "cpu": cpu,
            "zone": zone,
            "taints": taints,
            "pods": pods,
            **({"unschedulable": True} if cordoned else {}),
        },
        st.sampled_from(["500m", "1", "2"]),
        zones,
        st.sampled_from([[], [GPU]]),
        st.booleans(),
        st.sampled_from(["1", "110"]),
    ),
    min_size=1,
    max_size=5,
)
specs = st.fixed_dictionaries(
    {},
    optional={
        "nodeSelector": st.sampled_from([{"disk": "ssd"}, {ZONE: "b"}]),
        "affinity": st.sampled_from([apart(), apart(ZONE)]),
        "topologySpreadConstraints": st.just(spread()),
    },
)


def world(made: list[Obj], others: list[Obj]) -> Caches:
    """Return caches with these nodes and placed pods."""
    by_resource = {"nodes": made, "pods": others}

    def fill(cache: Cache) -> None:
        cache.replace(by_resource.get(cache.resource, []), 1)

    return Caches(fill)


def placed(name: str, cpu: str, on: str, spec: Obj) -> Obj:
    found = pod(name, cpu, **spec)
    meta = {**found["metadata"], "uid": name, "resourceVersion": "1"}
    return {**found, "metadata": meta, "spec": {**found["spec"], "nodeName": on}}


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(nodes, st.lists(st.tuples(st.sampled_from(["250m", "1"]), st.integers(0, 4), specs), max_size=5), specs)
def test_every_remedy_places_the_pod_on_the_nodes_it_names(
    shapes: list[Obj], others: list[tuple[str, int, Obj]], spec: Obj
) -> None:
    made = []
    for n, shape in enumerate(shapes):
        found = node(f"n{n}", **shape)
        made.append({**found, "metadata": {**found["metadata"], "resourceVersion": "1"}})
    running = [placed(f"p{n}", cpu, f"n{at % len(made)}", own) for n, (cpu, at, own) in enumerate(others)]
    asked = pod("x", "1", **spec)
    asked["metadata"]["uid"] = "x"
    told = Trial(world(made, running), asked).remedies(most=20)
    before = Trial(world(made, running), asked).passes(())
    assert not (told and before)
    for remedy in told:
        changed_pod, changed = asked, {one["metadata"]["name"]: one for one in made}
        for change in remedy.changes:
            if change.target == "pod":
                changed_pod = {**changed_pod, "spec": change.edit(changed_pod["spec"])}
            else:
                old = changed.get(change.name, {})
                new = change.edit(old)
                changed[change.name] = {**new, "metadata": {**new["metadata"], "resourceVersion": "2"}}
        fresh = Trial(world(list(changed.values()), running), changed_pod)
        assert fresh.passes(()) == remedy.nodes, remedy.text
        if any(change.target == "node" and change.name == "n0" for change in remedy.changes):
            assert made[0] == {**node("n0", **shapes[0]), "metadata": made[0]["metadata"]}


def test_trying_changes_leaves_the_picture_as_it_was() -> None:
    made = [node("n0", "1", taints=[GPU]), node("n1", "500m", unschedulable=True)]
    for one in made:
        one["metadata"]["resourceVersion"] = "1"
    trial = Trial(world(made, [placed("p", "250m", "n0", {"affinity": apart(HOST)})]), pod("x"))
    before = {info.name: (info.aggregates(), info.node) for info in trial.cluster.order()}
    assert trial.remedies()
    assert {info.name: (info.aggregates(), info.node) for info in trial.cluster.order()} == before
    assert PodInfo(trial.pod).spec == pod("x")["spec"]


def test_pods_of_the_same_owner_are_as_they_were_after_a_trial() -> None:
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "o", "controller": True}

    def owned(made: Obj) -> Obj:
        return {**made, "metadata": {**made["metadata"], "ownerReferences": [owner]}}

    one = node("n0")
    one["metadata"]["resourceVersion"] = "1"
    sibling = owned(placed("p", "250m", "n0", {"affinity": apart()}))
    trial = Trial(world([one], [sibling]), owned(pod("x", affinity=apart())))
    assert any(change.siblings for remedy in trial.remedies() for change in remedy.changes)
    assert [info.obj for info in trial.cluster.pods.values()] == [sibling]
