"""Writes alike leave behind what each would have left behind alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kctl.api import likeness, recorded
from kctl.api.clock import FixedClock, rfc3339
from kctl.api.errors import StatusError
from kctl.api.objects import Key, Obj, evolve
from kctl.apiserver import alike
from kctl.apiserver.request import Request
from kctl.apiserver.server import APIServer
from kctl.client.local import LocalClient
from kctl.runtime.actions import Emit
from kctl.runtime.events import form_of, own_of
from kctl.store.memory import MemoryStore


def cluster(*, models: bool) -> tuple[APIServer, LocalClient]:
    server = APIServer(MemoryStore(), clock=FixedClock(), frozen=True)
    if not models:
        server.models.lasting = lambda *_: []  # type: ignore[method-assign]
    client = LocalClient(server, user="system:kube-controller-manager", field_manager="kubelet")
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": "default"}}
    client.create("serviceaccounts", account)
    return server, client


def pods(client: LocalClient, count: int) -> list[Obj]:
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "u", "controller": True}
    common: Obj = {"namespace": "default", "labels": {"app": "web"}, "ownerReferences": [owner]}
    template = {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"name": "main", "image": "web:1"}]}}
    made = client.create_many("pods", template, [{**common, "name": f"web-{n}"} for n in range(count)])
    client.bind_many([(Key("default", p["metadata"]["name"]), p["metadata"]["uid"], "node-1") for p in made])
    return [client.get("pods", "default", p["metadata"]["name"]) for p in made]


def running(n: int, **more: Any) -> Obj:
    address = f"10.244.0.{n + 2}"
    return {
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": "True", "lastProbeTime": None}],
        "hostIP": "172.18.0.2",
        "podIP": address,
        "podIPs": [{"ip": address}],
        "containerStatuses": [
            {
                "name": "main",
                "containerID": f"containerd://{n}",
                "image": "web:1",
                "imageID": "",
                "ready": True,
                "restartCount": 0,
            }
        ],
        **more,
    }


def write(client: LocalClient, pod: Obj, status: Obj) -> Obj:
    return client.update("pods", {**pod, "status": status}, subresource="status")


def event(pod: Obj, message: str, reason: str = "Started", now: float = 0.0) -> Obj:
    emit = Emit(pod, "Normal", reason, message, field_path="spec.containers{main}", host="node-1")
    name = f"{pod['metadata']['name']}.{reason.lower()}"
    return recorded.event(form_of(emit, at=rfc3339(now), component="kubelet"), own_of(emit, name, message))


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "1", ""]), st.sampled_from(["Started", "Pulled"])), max_size=12))
@settings(max_examples=25, deadline=None)
def test_events_are_the_same_with_and_without_models(wanted: list[tuple[str, str]]) -> None:
    outcomes = []
    for models in (True, False):
        _, client = cluster(models=models)
        found = []
        for n, (message, reason) in enumerate(wanted):
            pod = {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": f"p{n}", "namespace": "default", "uid": str(n)},
            }
            found.append(client.create("events", event(pod, message, reason)))
        outcomes.append(found)
    assert outcomes[0] == outcomes[1]


MOMENTS = st.lists(
    st.tuples(st.sampled_from(["Started", "Pulled"]), st.integers(0, 2), st.sampled_from(["", "old", "odd"])),
    max_size=12,
)


@given(MOMENTS, st.booleans())
@settings(max_examples=50, deadline=None)
def test_events_of_different_moments_are_the_same_with_and_without_models(
    wanted: list[tuple[str, int, str]], together: bool
) -> None:
    outcomes = []
    for models in (True, False):
        server, client = cluster(models=models)
        for n, (reason, passed, form) in enumerate(wanted):
            server.clock.set(server.clock.now() + passed)  # type: ignore[attr-defined]
            at = {"old": "2025-01-01T00:00:00Z", "odd": "2025-01-01T00:00:00+01:00"}
            events = []
            for k in range(3):
                pod = {"metadata": {"name": f"p{n}-{k}", "namespace": "default", "uid": f"{n}-{k}"}}
                emit = Emit({"apiVersion": "v1", "kind": "Pod", **pod}, "Normal", reason, f"m{k}", host="node-1")
                told = form_of(emit, at=at.get(form, rfc3339(server.clock.now())), component="kubelet")
                events.append((told, own_of(emit, f"p{n}-{k}.{reason.lower()}", f"m{k}")))
            if together:
                assert set(client.record(events)) == {None}
            else:
                for one in events:
                    client.create("events", recorded.event(*one))
        outcomes.append(json.dumps(client.list("events").items, sort_keys=True))
    assert outcomes[0] == outcomes[1]


STATUSES: dict[str, Callable[[int], Obj]] = {
    "running": running,
    "unready": lambda n: running(n, conditions=[{"type": "Ready", "status": "False"}]),
    "without an address": lambda _: {"phase": "Pending", "hostIP": "172.18.0.2"},
    "with two addresses": lambda n: running(n, podIPs=[{"ip": f"10.244.0.{n + 2}"}, {"ip": f"fd00::{n + 1}"}]),
    "ended": lambda n: {**running(n), "phase": "Succeeded"},
}


@given(st.lists(st.sampled_from(sorted(STATUSES)), min_size=2, max_size=10), st.booleans())
@settings(max_examples=30, deadline=None)
def test_statuses_are_the_same_with_and_without_models(wanted: list[str], again: bool) -> None:
    outcomes = []
    for models in (True, False):
        _, client = cluster(models=models)
        found = pods(client, len(wanted))
        for name in ("", *(["ended"] if again else [])):
            found = [
                write(client, pod, STATUSES[name or kind](n))
                for n, (pod, kind) in enumerate(zip(found, wanted, strict=True))
            ]
        outcomes.append(found)
    assert outcomes[0] == outcomes[1]


class TestWhatIsNotAlike:
    """A write that differs in more takes the whole pipeline, and is refused as ever."""

    @pytest.mark.parametrize(
        ("changed", "why"),
        [
            ({"podIP": "10.244.0.300", "podIPs": [{"ip": "10.244.0.300"}]}, "must be a valid IP address"),
            ({"conditions": [{"type": "Ready", "status": "Perhaps"}]}, "Unsupported value"),
            ({"phase": 7}, "cannot unmarshal number"),
            (
                {"containerStatuses": [{**running(1)["containerStatuses"][0], "restartCount": False}]},
                "cannot unmarshal",
            ),
        ],
    )
    def test_a_status_that_is_wrong(self, changed: Obj, why: str) -> None:
        _, client = cluster(models=True)
        first, second = pods(client, 2)
        write(client, first, running(0))
        with pytest.raises(StatusError, match=why):
            write(client, second, running(1, **changed))

    def test_an_old_state_is_a_conflict(self) -> None:
        _, client = cluster(models=True)
        first, second = pods(client, 2)
        write(client, first, running(0))
        write(client, second, running(1))
        with pytest.raises(StatusError) as refused:
            write(client, second, running(1, phase="Failed"))
        assert refused.value.reason == "Conflict"

    def test_the_same_status_again_writes_nothing(self) -> None:
        server, client = cluster(models=True)
        first, second = pods(client, 2)
        write(client, first, running(0))
        second = write(client, second, running(1))
        revision = server.revision
        assert write(client, second, running(1)) == second
        assert server.revision == revision

    def test_an_event_that_is_there_already(self) -> None:
        _, client = cluster(models=True)
        made = event(pods(client, 1)[0], "up")
        client.create("events", made)
        with pytest.raises(StatusError) as refused:
            client.create("events", made)
        assert refused.value.reason == "AlreadyExists"

    def test_an_event_in_a_namespace_that_is_going_away(self) -> None:
        _, client = cluster(models=True)
        client.create("namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "away"}})
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "away", "uid": "1"}}
        client.create("events", event(pod, "up"))
        client.delete("namespaces", Key("", "away"))
        with pytest.raises(StatusError, match="because it is being terminated"):
            client.create("events", event(evolve(pod, {"metadata": {"name": "q"}}), "up"))


def test_what_is_alike_is_written_in_the_way_of_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    hits: list[Obj | None] = []
    changed = alike.changed

    def counted(server: APIServer, request: Request, old: Obj) -> Obj | None:
        hits.append(changed(server, request, old))
        return hits[-1]

    monkeypatch.setattr(alike, "changed", counted)
    _, client = cluster(models=True)
    for n, pod in enumerate(pods(client, 5)):
        write(client, pod, running(n))
    assert [hit is not None for hit in hits] == [False, True, True, True, True]


def test_an_event_of_another_moment_is_written_in_the_way_of_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    hits: list[Obj | None] = []
    created = alike.created

    def counted(server: APIServer, request: Request) -> Obj | None:
        hits.append(created(server, request))
        return hits[-1]

    monkeypatch.setattr(alike, "created", counted)
    server, client = cluster(models=True)
    for n in range(3):
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"p{n}", "namespace": "default", "uid": str(n)}}
        server.clock.set(server.clock.now() + 1)  # type: ignore[attr-defined]
        client.create("events", event(pod, "up", now=server.clock.now()))
    assert [hit is not None for hit in hits] == [False, True, True]


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(0, 2), st.sampled_from(["", "a", "b"])),
    lambda below: st.one_of(st.lists(below, max_size=3), st.dictionaries(st.sampled_from("xyz"), below, max_size=3)),
    max_leaves=8,
)


@given(VALUES, VALUES)
def test_only_the_same_values_fit_where_nothing_is_free(one: Any, other: Any) -> None:
    fits = likeness.fitted(one, one, other, likeness.NOTHING) is not likeness.UNLIKE
    assert fits == (json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True))


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.booleans()), min_size=1, max_size=8))
@settings(max_examples=20, deadline=None)
def test_pods_bound_together_are_as_bound_one_by_one(wanted: list[tuple[str, bool]]) -> None:
    outcomes = []
    for together in (True, False):
        _, client = cluster(models=True)
        for name, labels in (
            ("a", {"topology.kubernetes.io/zone": "z1"}),
            ("b", {"topology.kubernetes.io/zone": "z2"}),
        ):
            client.create("nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}})
        template = {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"name": "main", "image": "web:1"}]}}
        metas = [
            {"namespace": "default", "name": f"p{n}", **({"labels": {"app": "web"}} if has else {})}
            for n, (_, has) in enumerate(wanted)
        ]
        made = client.create_many("pods", template, metas)
        keys = [Key("default", pod["metadata"]["name"]) for pod in made]
        bindings = [(key, pod["metadata"]["uid"], node) for key, pod, (node, _) in zip(keys, made, wanted, strict=True)]
        if together:
            client.bind_many(bindings)
        else:
            for binding in bindings:
                client.bind(*binding)
        with pytest.raises(StatusError, match="is already assigned to node"):
            client.bind_many(bindings)
        outcomes.append([client.get("pods", *key) for key in keys])
    assert outcomes[0] == outcomes[1]


def policy(expression: str) -> list[tuple[str, Obj]]:
    group = "admissionregistration.k8s.io"
    rules = [
        {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["*", "*/status"]}
    ]
    spec = {"matchConstraints": {"resourceRules": rules}, "validations": [{"expression": expression}]}
    common = {"apiVersion": f"{group}/v1"}
    binding = {"policyName": "p", "validationActions": ["Deny"]}
    return [
        (
            f"validatingadmissionpolicies.{group}",
            {**common, "kind": "ValidatingAdmissionPolicy", "metadata": {"name": "p"}, "spec": spec},
        ),
        (
            f"validatingadmissionpolicybindings.{group}",
            {**common, "kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": "b"}, "spec": binding},
        ),
    ]


def test_policies_are_asked_about_each_object() -> None:
    _, client = cluster(models=True)
    made = pods(client, 3)
    for pod in made[:2]:
        client.create("events", event(pod, "up"))
    write(client, made[0], running(0))
    for resource, obj in policy("object.metadata.name != 'web-7' && !object.metadata.name.startsWith('web-2')"):
        client.create(resource, obj)
    template = {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"name": "main", "image": "web:1"}]}}
    with pytest.raises(StatusError, match="ValidatingAdmissionPolicy"):
        client.create("events", event(made[2], "up"))
    with pytest.raises(StatusError, match="ValidatingAdmissionPolicy"):
        write(client, made[2], running(2))
    with pytest.raises(StatusError, match="ValidatingAdmissionPolicy"):
        client.create_many("pods", template, [{"namespace": "default", "name": f"web-{n}"} for n in (6, 7)])
    write(client, made[1], running(1))


def timed(n: int, at: int, *, since: int) -> Obj:
    """Return the status of a pod that runs since then, written at a second."""
    first, last = f"2026-01-01T00:00:{since:02}Z", f"2026-01-01T00:00:{at:02}Z"
    state = {"running": {"startedAt": last}}
    container = {**running(n)["containerStatuses"][0], "state": state}
    ready = {"type": "Ready", "status": "True", "lastProbeTime": None, "lastTransitionTime": last}
    return running(n, startTime=first, conditions=[ready], containerStatuses=[container])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.booleans()), min_size=2, max_size=8))
def test_statuses_of_different_times_are_the_same_with_and_without_models(steps: list[tuple[int, int, bool]]) -> None:
    outcomes = []
    for models in (True, False):
        server, client = cluster(models=models)
        found = pods(client, len(steps))
        start = server.clock.now()
        written = []
        for n, (pod, (later, _, _)) in enumerate(zip(found, steps, strict=True)):
            server.clock.set(start + n + later)
            written.append(write(client, pod, timed(n, n + later, since=0)))
        for n, (pod, (later, again, is_new)) in enumerate(zip(written, steps, strict=True)):
            server.clock.set(start + 20 + n)
            status = timed(n, 20 + n if is_new else n + later, since=again)
            written[n] = write(client, pod, status)
        outcomes.append(written)
    assert json.dumps(outcomes[0], sort_keys=True) == json.dumps(outcomes[1], sort_keys=True)


@pytest.mark.parametrize(
    "time", ["2026-02-30T00:00:00Z", "2026-01-01T00:00:00.5Z", "yesterday", "2026-01-01 00:00:00Z"]
)
def test_a_time_that_is_none_is_not_like_one(time: str) -> None:
    said = []
    for models in (True, False):
        _, client = cluster(models=models)
        one, other = pods(client, 2)
        write(client, one, timed(0, 5, since=1))
        try:
            said.append(json.dumps(write(client, other, {**timed(1, 5, since=1), "startTime": time}), sort_keys=True))
        except StatusError as error:
            said.append(error.message)
    assert said[0] == said[1]
