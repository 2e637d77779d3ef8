"""Pods made like those before them are what the pipeline would have made of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kctl.api.clock import FixedClock
from kctl.api.errors import StatusError
from kctl.api.objects import Key, Obj
from kctl.apiserver import alike_pods, create
from kctl.apiserver.server import APIServer
from kctl.client.local import LocalClient
from kctl.store.memory import MemoryStore

CONTAINER: Obj = {"name": "main", "image": "web:1", "resources": {"requests": {"cpu": "100m"}}}
TEMPLATES: tuple[Obj, ...] = (
    {"containers": [CONTAINER]},
    {"containers": [{**CONTAINER, "image": "web:2"}], "priorityClassName": "high"},
    {"containers": [CONTAINER], "automountServiceAccountToken": False, "serviceAccountName": "other"},
    {"initContainers": [{"name": "init", "image": "i"}], "containers": [CONTAINER, {"name": "two", "image": "t"}]},
    {"containers": [{**CONTAINER, "securityContext": {"privileged": True}}]},
    {"containers": [CONTAINER], "hostname": "same"},
)
OWNERS = st.sampled_from((0, 0, 0, 0, 1, 1, 2, 3, 4, 5))
CHANGES = st.sampled_from(
    ("limits", "class", "account", "warn", "enforce", "quota", "policy", "later", "later", "later")
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("pod"), OWNERS, st.booleans()),
        st.tuples(st.just("pod"), OWNERS, st.just(False)),
        st.tuples(CHANGES, st.just(0), st.booleans()),
    ),
    min_size=10,
    max_size=30,
)


def world() -> tuple[APIServer, LocalClient, FixedClock]:
    clock = FixedClock()
    server = APIServer(MemoryStore(), clock=clock, frozen=True)
    client = LocalClient(server, user="system:serviceaccount:kube-system:replicaset-controller")
    for name in ("default", "other"):
        meta = {"name": name, "namespace": "default"}
        client.create("serviceaccounts", {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta})
    return server, client, clock


def pod(owner: int, template: Obj, number: int) -> Obj:
    ref = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": f"rs-{owner}", "uid": f"uid-{owner}"}
    meta = {
        "name": f"rs-{owner}-{number:05}",
        "generateName": f"rs-{owner}-",
        "namespace": "default",
        "labels": {"app": str(owner)},
        "ownerReferences": [{**ref, "controller": True, "blockOwnerDeletion": True}],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": template}


def put(client: LocalClient, resource: str, obj: Obj) -> None:
    key = Key(obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
    try:
        client.create(resource, obj)
    except StatusError:
        client.delete(resource, key)


def disturb(client: LocalClient, clock: FixedClock, what: str, which: bool) -> None:
    """Change something that pods are judged by."""
    here = {"name": "x", "namespace": "default"}
    if what == "limits":
        limit = {"type": "Container", "defaultRequest": {"memory": "64Mi"}, "max": {"cpu": "50m" if which else "2"}}
        put(
            client,
            "limitranges",
            {"apiVersion": "v1", "kind": "LimitRange", "metadata": here, "spec": {"limits": [limit]}},
        )
    elif what == "class":
        made = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "high"}, "value": 7}
        put(client, "priorityclasses.scheduling.k8s.io", {**made, "globalDefault": bool(which)})
    elif what == "account":
        client.patch("serviceaccounts", Key("default", "default"), {"automountServiceAccountToken": bool(which)})
    elif what in ("warn", "enforce"):
        label = f"pod-security.kubernetes.io/{what}"
        client.patch("namespaces", Key("", "default"), {"metadata": {"labels": {label: "baseline" if which else None}}})
    elif what == "quota":
        quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": here, "spec": {"hard": {"pods": "3"}}}
        put(client, "resourcequotas", quota)
        if client.list("resourcequotas").items:
            status = {"status": {"hard": {"pods": "3"}, "used": {"pods": "1"}}}
            client.patch("resourcequotas", Key("default", "x"), status, subresource="status")
    elif what == "policy":
        admission = "admissionregistration.k8s.io"
        rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
        spec: Obj = {"matchConstraints": {"resourceRules": [rule]}}
        spec["validations"] = [{"expression": "!object.metadata.name.endsWith('3')"}]
        common = {"apiVersion": f"{admission}/v1", "metadata": {"name": "p"}}
        put(
            client,
            f"validatingadmissionpolicies.{admission}",
            {**common, "kind": "ValidatingAdmissionPolicy", "spec": spec},
        )
        binding = {"policyName": "p", "validationActions": ["Deny"]}
        put(
            client,
            f"validatingadmissionpolicybindings.{admission}",
            {**common, "kind": "ValidatingAdmissionPolicyBinding", "spec": binding},
        )
    else:
        clock.set(clock.now() + 1 + which)


def play(steps: list[tuple[str, int, bool]]) -> tuple[list[Any], Any]:
    server, client, clock = world()
    answers: list[Any] = []
    for number, (what, owner, which) in enumerate(steps):
        if what != "pod":
            disturb(client, clock, what, which)
            continue
        try:
            template = TEMPLATES[(owner + (which and number % 3)) % len(TEMPLATES)]
            answers.append(client.create("pods", pod(owner, template, number)))
        except StatusError as error:
            answers.append(error.status())
    return answers, (server.revision, dict(server.storage.objects("pods")))


@settings(max_examples=40, deadline=None)
@given(STEPS)
def test_pods_alike_are_made_as_the_pipeline_makes_each(steps: list[tuple[str, int, bool]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(alike_pods, "created", lambda *_: None)
        expected = play(steps)
    assert play(steps) == expected


def count_pipelines(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    counted = [0]
    insert = create.insert

    def counting(*args: Any) -> Obj:
        counted[0] += 1
        return insert(*args)

    monkeypatch.setattr(create, "insert", counting)
    return counted


@pytest.mark.parametrize("number", [10, 100])
def test_an_owners_pods_take_the_pipeline_twice_however_many_and_whenever(
    monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    _, client, clock = world()
    counted = count_pipelines(monkeypatch)
    for n in range(number):
        clock.set(clock.now() + 10)
        client.create("pods", pod(0, TEMPLATES[0], n))
    assert counted == [2]


@pytest.mark.parametrize("what", ["limits", "class", "account", "warn"])
def test_what_pods_are_judged_by_is_looked_at_anew_when_it_changes(monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    _, client, clock = world()
    for n in range(3):
        client.create("pods", pod(0, TEMPLATES[0], n))
    counted = count_pipelines(monkeypatch)
    client.create("pods", pod(0, TEMPLATES[0], 3))
    assert counted == [0]
    disturb(client, clock, what, what != "limits")
    before = counted[0]
    client.create("pods", pod(0, TEMPLATES[0], 4))
    assert counted[0] == before + 1


def test_a_taken_name_is_refused_in_the_same_words() -> None:
    _, client, _ = world()
    for n in range(3):
        client.create("pods", pod(0, TEMPLATES[0], n))
    with pytest.raises(StatusError, match='pods "rs-0-00002" already exists'):
        client.create("pods", pod(0, TEMPLATES[0], 2))
