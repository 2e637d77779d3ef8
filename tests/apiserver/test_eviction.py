"""pods/eviction: the rule of the budgets, from their status alone, in upstream's words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kctl.api.objects import Key, Obj, condition, evolve
from kctl.apiserver.eviction import BUDGETS, MOST_DISRUPTED, TOO_MANY
from kctl.apiserver.server import APIServer
from kctl.client.local import LocalClient

POD, BUDGET = Key("default", "p"), Key("default", "pdb")
VIOLATES = "Cannot evict pod as it would violate the pod's disruption budget."
READY = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
UNREADY = {"phase": "Running", "conditions": [{"type": "Ready", "status": "False"}]}
ROOM = {"disruptionsAllowed": 1, "currentHealthy": 3, "desiredHealthy": 2, "observedGeneration": 1}
NONE = {**ROOM, "disruptionsAllowed": 0, "currentHealthy": 2}


@pytest.fixture
def plane(server: APIServer, client: LocalClient) -> APIServer:
    spec = {"nodeName": "n", "containers": [{"name": "c", "image": "i"}]}
    meta = {"name": "p", "namespace": "default", "labels": {"app": "a"}}
    client.create("pods", {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec})
    return server


def budget(server: APIServer, status: Obj, name: str = "pdb", **spec: Any) -> None:
    made = {"selector": {"matchLabels": {"app": "a"}}, "minAvailable": 2, **spec}
    meta = {"name": name, "namespace": "default"}
    body = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": meta, "spec": made}
    stored = LocalClient(server).create(BUDGETS, body)
    server.storage.put(BUDGETS, Key("default", name), {**stored, "status": status})


def pod_is(server: APIServer, status: Obj) -> None:
    server.storage.put("pods", POD, evolve(server.storage.objects("pods")[POD], {"status": status}))


def evict(server: APIServer, options: Obj | None = None, name: str = "p", query: str = "") -> tuple[int, Obj]:
    body: Obj = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": "default"}}
    if options:
        body["deleteOptions"] = options
    path = f"/api/v1/namespaces/default/pods/p/eviction{query}"
    answer = server.http("POST", path, json.dumps(body), "application/json")
    return answer.status, json.loads(answer.body)


def is_going(server: APIServer) -> bool:
    pod = server.storage.get("pods", POD)
    return pod is None or "deletionTimestamp" in pod["metadata"]


def needs(need: int, have: int) -> str:
    return f"The disruption budget pdb needs {need} healthy pods and has {have} currently"


PENDING = {"phase": "Pending"}
ALWAYS = {"unhealthyPodEvictionPolicy": "AlwaysAllow"}
OLD = {**ROOM, "observedGeneration": 0}


@pytest.mark.parametrize(
    ("pod", "status", "spec", "cause"),
    [
        pytest.param(READY, ROOM, {}, "", id="the budget allows one"),
        pytest.param(READY, NONE, {}, needs(2, 2), id="the budget allows none"),
        pytest.param(
            READY, OLD, {}, "The disruption budget pdb is still being processed by the server.", id="not seen"
        ),
        pytest.param(UNREADY, NONE, {}, "", id="an unready pod goes where enough are healthy"),
        pytest.param(UNREADY, {**NONE, "currentHealthy": 1}, {}, needs(2, 1), id="an unready pod stays where not"),
        pytest.param(UNREADY, {**NONE, "currentHealthy": 1}, ALWAYS, "", id="unless the policy lets it go"),
        pytest.param(
            UNREADY, {**NONE, "desiredHealthy": 0, "currentHealthy": 0}, {}, needs(0, 0), id="nothing desired"
        ),
        pytest.param(PENDING, NONE, {}, "", id="a pod that does not run yet disrupts nothing"),
        pytest.param({"phase": "Failed"}, NONE, {}, "", id="nor does one that has ended"),
        pytest.param(READY, NONE, {"selector": {}}, needs(2, 2), id="an empty selector means every pod"),
        pytest.param(READY, NONE, {"selector": None}, "", id="no selector means none"),
        pytest.param(READY, NONE, {"selector": {"matchLabels": {"app": "b"}}}, "", id="another's budget"),
    ],
)
def test_a_pod_is_evicted_as_far_as_its_budget_goes(
    plane: APIServer, pod: Obj, status: Obj, spec: Obj, cause: str
) -> None:
    pod_is(plane, pod)
    budget(plane, status, **spec)
    code, body = evict(plane)
    assert is_going(plane) == (not cause)
    if not cause:
        assert (code, body["status"], body["code"]) == (201, "Success", 201)
        return
    assert (code, body["reason"], body["message"]) == (429, "TooManyRequests", VIOLATES)
    assert body["details"]["causes"] == [{"reason": "DisruptionBudget", "message": cause}]
    assert body["details"].get("retryAfterSeconds") == (10 if "processed" in cause else None)


def test_an_eviction_is_charged_and_the_last_one_said(plane: APIServer) -> None:
    pod_is(plane, READY)
    budget(plane, ROOM)
    assert evict(plane)[0] == 201
    status = plane.storage.objects(BUDGETS)[BUDGET]["status"]
    assert (status["disruptionsAllowed"], list(status["disruptedPods"])) == (0, ["p"])
    (found,) = status["conditions"]
    assert (found["type"], found["status"], found["reason"]) == ("DisruptionAllowed", "False", "InsufficientPods")
    target = condition(plane.storage.objects("pods")[POD], "DisruptionTarget") or {}
    assert (target["reason"], target["message"]) == ("EvictionByEvictionAPI", "Eviction API: evicting")


def test_what_goes_freely_is_not_charged(plane: APIServer) -> None:
    pod_is(plane, UNREADY)
    budget(plane, NONE)
    before = plane.storage.objects(BUDGETS)[BUDGET]
    assert evict(plane)[0] == 201
    assert plane.storage.objects(BUDGETS)[BUDGET] == before


@pytest.mark.parametrize("how", [{"options": {"dryRun": ["All"]}}, {"query": "?dryRun=All"}])
def test_a_dry_run_asks_and_changes_nothing(plane: APIServer, how: Any) -> None:
    pod_is(plane, READY)
    budget(plane, ROOM)
    revision = plane.revision
    assert evict(plane, **how)[0] == 201
    assert (plane.revision, is_going(plane)) == (revision, False)


def test_two_budgets_on_one_pod_are_one_too_many(plane: APIServer) -> None:
    pod_is(plane, READY)
    budget(plane, ROOM)
    budget(plane, ROOM, "other")
    code, body = evict(plane)
    assert (code, body["message"], "reason" in body, is_going(plane)) == (500, TOO_MANY, False, False)


@pytest.mark.parametrize(
    ("status", "why"),
    [
        ({**ROOM, "disruptionsAllowed": -1}, "pdb disruptions allowed is negative"),
        (
            {**ROOM, "disruptedPods": {f"p{n}": "2026-01-01T00:00:00Z" for n in range(MOST_DISRUPTED + 1)}},
            "DisruptedPods map too big - too many evictions not confirmed by PDB controller",
        ),
    ],
)
def test_a_budget_that_cannot_be_is_forbidden(plane: APIServer, status: Obj, why: str) -> None:
    pod_is(plane, READY)
    budget(plane, status)
    code, body = evict(plane)
    assert (code, body["message"]) == (403, f'poddisruptionbudget.policy "pdb" is forbidden: {why}')


@pytest.mark.parametrize(
    ("options", "code"),
    [({"preconditions": {"uid": "other"}}, 409), ({"preconditions": {"resourceVersion": "1"}}, 409), (None, 201)],
)
def test_preconditions_hold_for_evictions_too(plane: APIServer, options: Obj | None, code: int) -> None:
    pod_is(plane, READY)
    assert evict(plane, options)[0] == code
    assert is_going(plane) == (code == 201)


def test_an_eviction_names_the_pod_of_its_path(plane: APIServer) -> None:
    code, body = evict(plane, name="other")
    assert (code, body["message"]) == (400, "name in URL does not match name in Eviction object")
