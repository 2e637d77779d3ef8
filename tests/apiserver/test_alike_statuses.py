"""Statuses written in a row leave behind what each would have left behind alone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kctl.api.clock import FixedClock
from kctl.api.errors import StatusError
from kctl.api.objects import Key, Obj, evolve
from kctl.apiserver.alike_statuses import Statuses
from kctl.apiserver.server import APIServer
from kctl.client.local import LocalClient
from kctl.store.memory import MemoryStore

NOW = "2026-01-01T00:00:00Z"
MOUNTS: list[Obj] = [
    {"name": "token", "mountPath": "/var/run/secrets", "readOnly": True, "recursiveReadOnly": "Disabled"}
]
RUNNING: Obj = {"running": {"startedAt": NOW}}
CONDITIONS: dict[str, list[Obj]] = {
    status: [{"type": "Ready", "status": status, "lastProbeTime": None, "lastTransitionTime": NOW}]
    for status in ("True", "False")
}


def container(n: int, **more: Any) -> Obj:
    return {
        "name": "main",
        "state": RUNNING,
        "lastState": {},
        "ready": True,
        "restartCount": 0,
        "image": "web:1",
        "imageID": "",
        "containerID": f"containerd://{n}",
        "started": True,
        "volumeMounts": MOUNTS,
        **more,
    }


def status(n: int, **more: Any) -> Obj:
    address = f"10.244.0.{n + 2}"
    addresses = {
        "hostIP": "172.18.0.2",
        "hostIPs": [{"ip": "172.18.0.2"}],
        "podIP": address,
        "podIPs": [{"ip": address}],
    }
    return {
        "phase": "Running",
        "conditions": CONDITIONS["True"],
        **addresses,
        "containerStatuses": [container(n)],
        **more,
    }


def ended(n: int, **more: Any) -> Obj:
    how = {"exitCode": 0, "reason": "Completed", "finishedAt": NOW, "containerID": f"containerd://{n}"}
    one = container(n, state={"terminated": {**how, **more}}, ready=False, started=False)
    return status(n, phase="Succeeded", containerStatuses=[one])


STATUSES: dict[str, Any] = {
    "waiting": lambda _: {"phase": "Pending", "conditions": CONDITIONS["False"]},
    "placed": lambda n: status(n, phase="Pending", containerStatuses=[]),
    "running": status,
    "unready": lambda n: status(n, conditions=CONDITIONS["False"]),
    "another id": lambda n: status(n, containerStatuses=[container(n + 100)]),
    "another mount": lambda n: status(n, containerStatuses=[container(n, volumeMounts=[{**MOUNTS[0], "name": f"t{n}"}])]),
    "a mount elsewhere": lambda n: status(n, containerStatuses=[container(n, volumeMounts=[{**MOUNTS[0], "mountPath": f"/{n}"}])]),
    "no id": lambda n: status(n, containerStatuses=[container(n, containerID="")]),
    "ready as a number": lambda n: status(n, containerStatuses=[container(n, ready=1)]),
    "another order": lambda n: dict(reversed(status(n).items())),
    "another moment": lambda n: status(n, containerStatuses=[container(n, state={"running": {"startedAt": f"2026-01-01T00:00:0{n % 10}Z"}})]),
    "two containers": lambda n: status(n, containerStatuses=[container(n), container(n, name="side")]),
    "wrong address": lambda n: status(n, podIP=f"10.244.0.{n + 300}", podIPs=[{"ip": f"10.244.0.{n + 300}"}]),
    "no address": lambda n: status(n, podIP="", podIPs=[]),
    "two addresses": lambda n: status(n, podIPs=[{"ip": f"10.244.0.{n + 2}"}, {"ip": "fd00::1"}]),
    "ended": ended,
    "failed": lambda n: ended(n, exitCode=1, reason="Error"),
    "ended with words": lambda n: ended(n, message="bye"),
}  # fmt: skip


class World:
    """A server with pods, and a client whose requests come in a row or alone."""

    def __init__(self, *, row: bool, frozen: bool, **more: Any) -> None:
        self.clock = FixedClock()
        self.server = APIServer(MemoryStore(), clock=self.clock, frozen=frozen, **more)
        self.admin = LocalClient(self.server, field_manager="kubelet")
        account = {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": "default", "namespace": "default"},
        }
        self.admin.create("serviceaccounts", account)
        self.row = row
        self.client: Any = self.admin
        self.outcomes: list[Any] = []

    def pods(self, count: int, owner: str) -> None:
        ref = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": owner, "uid": owner, "controller": True}
        common: Obj = {"namespace": "default", **({"ownerReferences": [ref]} if owner else {})}
        template = {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"name": "main", "image": "web:1"}]}}
        made = self.admin.create_many(
            "pods", template, [{**common, "name": f"{owner or 'none'}-{n}"} for n in range(count)]
        )
        self.admin.bind_many([(Key("default", p["metadata"]["name"]), p["metadata"]["uid"], "node-1") for p in made])

    def begin(self, now: float) -> None:
        self.clock.set(now)
        self.client = self.admin.in_a_row() if self.row else self.admin

    def write(self, name: str, made: Obj, change: Obj | None = None) -> None:
        pod = self.admin.get("pods", "default", name)
        body = evolve({**pod, "status": {**pod["status"], **made}}, change or {})
        try:
            self.outcomes.append(self.client.update("pods", body, subresource="status"))
        except StatusError as error:
            self.outcomes.append((error.code, error.message))

    def image(self) -> str:
        """Return all that there is, as bytes, and all that was answered."""
        found = [self.server.storage.objects("pods")[key] for key in sorted(self.server.storage.objects("pods"))]
        return json.dumps([found, self.outcomes, self.server.revision])


SHAPES = st.lists(st.lists(st.sampled_from(sorted(STATUSES)), min_size=1, max_size=3), min_size=1, max_size=3)


@given(SHAPES, st.integers(2, 6), st.booleans(), st.sampled_from(["", "web"]), st.data())
@settings(max_examples=30, deadline=None)
def test_statuses_in_a_row_are_what_each_would_be_alone(
    rounds: list[list[str]], count: int, frozen: bool, owner: str, data: st.DataObject
) -> None:
    worlds = [World(row=row, frozen=frozen) for row in (True, False)]
    chosen = [[data.draw(st.sampled_from(kinds)) for _ in range(count)] for kinds in rounds]
    for world in worlds:
        world.pods(count, owner)
        for second, kinds in enumerate(chosen):
            world.begin(world.clock.now() + second)
            for n, kind in enumerate(kinds):
                world.write(f"{owner or 'none'}-{n}", STATUSES[kind](n))
    assert worlds[0].image() == worlds[1].image()


@pytest.mark.parametrize("kind", sorted(STATUSES))
@pytest.mark.parametrize("frozen", [True, False])
def test_every_status_is_the_same_for_the_fifth_pod_as_alone(kind: str, frozen: bool) -> None:
    worlds = [World(row=row, frozen=frozen) for row in (True, False)]
    for world in worlds:
        world.pods(5, "web")
        for first, then in (("running", kind), (kind, "running")):
            world.begin(world.clock.now() + 1)
            for step in (first, then):
                for n in range(5):
                    world.write(f"web-{n}", STATUSES[step](n))
    assert worlds[0].image() == worlds[1].image()


CHANGES: dict[str, Obj] = {
    "an older state": {"metadata": {"resourceVersion": "1"}},
    "any state": {"metadata": {"resourceVersion": None}},
    "another pod": {"metadata": {"uid": "x"}},
    "a label": {"metadata": {"labels": {"a": "b"}}},
    "a spec": {"spec": {"nodeName": "node-2"}},
    "a field there is not": {"status": {"unheardOf": 1}},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_what_is_more_than_a_status_takes_the_pipeline(change: Obj) -> None:
    worlds = [World(row=row, frozen=True) for row in (True, False)]
    for world in worlds:
        world.pods(5, "web")
        world.begin(world.clock.now())
        for n in range(5):
            world.write(f"web-{n}", status(n), change if n == 3 else None)
    assert worlds[0].image() == worlds[1].image()


@pytest.mark.parametrize("finalizers", [[], ["example.com/hold"]])
def test_pods_that_are_being_deleted_go_with_their_last_status(finalizers: list[str]) -> None:
    worlds = [World(row=row, frozen=True) for row in (True, False)]
    for world in worlds:
        world.pods(4, "web")
        world.begin(world.clock.now())
        for n in range(4):
            world.write(f"web-{n}", status(n))
            if finalizers:
                world.admin.patch("pods", Key("default", f"web-{n}"), {"metadata": {"finalizers": finalizers}})
            world.admin.delete("pods", Key("default", f"web-{n}"), grace=0 if n % 2 and finalizers else 30)
        world.begin(world.clock.now() + 30)
        for n in range(4):
            world.write(f"web-{n}", ended(n))
    assert worlds[0].image() == worlds[1].image()


def test_most_writes_of_a_row_do_not_take_the_pipeline(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = 0
    handled = Statuses._handled

    def counted(self: Statuses, obj: Obj, key: Key) -> Obj:
        nonlocal taken
        taken += 1
        return handled(self, obj, key)

    monkeypatch.setattr(Statuses, "_handled", counted)
    world = World(row=True, frozen=False)
    world.pods(20, "web")
    world.begin(world.clock.now())
    for kind in ("placed", "running", "ended"):
        for n in range(20):
            world.write(f"web-{n}", STATUSES[kind](n))
    assert taken == 4  # two of the first kind, one of each other


@pytest.mark.parametrize("particular", [False, True])
def test_a_policy_sees_every_status(particular: bool) -> None:
    worlds = [World(row=row, frozen=True) for row in (True, False)]
    for world in worlds:
        if particular:
            world.admin.create("validatingadmissionpolicies.admissionregistration.k8s.io", POLICY)
            world.admin.create("validatingadmissionpolicybindings.admissionregistration.k8s.io", BINDING)
        world.pods(5, "web")
        world.begin(world.clock.now())
        for n in range(5):
            world.write(f"web-{n}", status(n))
    assert worlds[0].image() == worlds[1].image()
    assert any(isinstance(outcome, tuple) for outcome in worlds[0].outcomes) == particular


POLICY: Obj = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingAdmissionPolicy",
    "metadata": {"name": "not-the-third"},
    "spec": {
        "matchConstraints": {
            "resourceRules": [
                {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["pods/status"]}
            ]
        },
        "validations": [{"expression": "object.metadata.name != 'web-3'"}],
    },
}
BINDING: Obj = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingAdmissionPolicyBinding",
    "metadata": {"name": "not-the-third"},
    "spec": {"policyName": "not-the-third", "validationActions": ["Deny"]},
}


def test_a_user_who_may_write_one_pod_writes_only_that_one() -> None:
    worlds = [World(row=row, frozen=True, authorization=("RBAC",)) for row in (True, False)]
    for world in worlds:
        world.pods(5, "web")
        meta = {"name": "one", "namespace": "default"}
        rule = {"apiGroups": [""], "resources": ["pods/status"], "verbs": ["update"], "resourceNames": ["web-0", "web-1", "web-2"]}  # fmt: skip
        group = "rbac.authorization.k8s.io"
        world.admin.create(f"roles.{group}", {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": meta, "rules": [rule]})  # fmt: skip
        binding = {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": meta,
            "roleRef": {"apiGroup": group, "kind": "Role", "name": "one"},
            "subjects": [{"apiGroup": group, "kind": "User", "name": "someone"}],
        }
        world.admin.create(f"rolebindings.{group}", binding)
        someone = LocalClient(world.server, user="someone", field_manager="kubelet")
        world.client = someone.in_a_row() if world.row else someone
        for n in range(5):
            world.write(f"web-{n}", status(n))
    assert worlds[0].image() == worlds[1].image()
    assert [isinstance(outcome, tuple) for outcome in worlds[0].outcomes] == [False, False, False, True, True]


def test_many_updates_at_once_tell_of_each() -> None:
    world = World(row=True, frozen=True)
    world.pods(3, "web")
    found = [world.admin.get("pods", "default", f"web-{n}") for n in range(3)]
    bodies = [{**pod, "status": {**pod["status"], **status(n)}} for n, pod in enumerate(found)]
    bodies[1] = evolve(bodies[1], {"metadata": {"resourceVersion": "1"}})
    outcomes = world.admin.update_each("pods", bodies, subresource="status")
    reasons = [one.reason if isinstance(one, StatusError) else one["status"]["phase"] for one in outcomes]
    assert reasons == ["Running", "Conflict", "Running"]
