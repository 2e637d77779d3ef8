"""What was refused is tried again by the back-off, when it may have become possible, and rests when it has not."""

from __future__ import annotations

from typing import Any

import pytest

from kctl import ControlPlane
from kctl.api.objects import Key, Obj

DEPLOYMENTS, REPLICASETS = "deployments.apps", "replicasets.apps"


def deployment(replicas: int = 3, *, of: Obj | None = None, **spec: Any) -> Obj:
    labels = {"app": "web"}
    containers = [{"name": "c", "image": "a"}]
    template = {"metadata": {"labels": labels}, "spec": {"containers": containers, **spec}}
    whole = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template, **(of or {})}
    return made("apps/v1", "Deployment", "web", spec=whole)


def made(version: str, kind: str, name: str, namespace: str = "default", **more: Any) -> Obj:
    meta = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": version, "kind": kind, "metadata": meta, **more}


def quota(**hard: str) -> Obj:
    return made("v1", "ResourceQuota", "q", spec={"hard": hard})


def running(cp: ControlPlane) -> int:
    return len(cp.client.list("pods").items)


def comes_to_rest(cp: ControlPlane, verdict: str) -> Obj:
    """Converge; the same run again, and that of a new process, writes nothing."""
    report = cp.converge()
    assert report["verdict"] == verdict, report["why"]
    for is_fresh in (False, True):
        if is_fresh:
            cp.converger.drop()
        cp.use_mark(False)
        again = cp.converge()
        assert (again["revision"], again["verdict"]) == (report["revision"], verdict), again["timeline"]
    return report


MISSING = {
    "service account": (
        deployment(serviceAccountName="runner"),
        ("serviceaccounts", made("v1", "ServiceAccount", "runner")),
    ),
    "priority class": (
        deployment(priorityClassName="high"),
        ("priorityclasses.scheduling.k8s.io", made("scheduling.k8s.io/v1", "PriorityClass", "high", "", value=5)),
    ),
    "runtime class": (
        deployment(runtimeClassName="sandbox"),
        ("runtimeclasses.node.k8s.io", made("node.k8s.io/v1", "RuntimeClass", "sandbox", "", handler="sandbox")),
    ),
}


@pytest.mark.parametrize("what", MISSING)
@pytest.mark.parametrize("process", ["the same", "another"])
def test_pods_refused_for_what_is_missing_are_made_once_it_appears(what: str, process: str) -> None:
    asked, (resource, missing) = MISSING[what]
    with ControlPlane.open(None, nodes=1) as cp:
        cp.client.create(DEPLOYMENTS, asked)
        comes_to_rest(cp, "Settled")
        assert running(cp) == 0
        if process == "another":
            cp.converger.drop()
        cp.client.create(resource, missing)
        assert cp.converge()["verdict"] == "Converged"
        assert running(cp) == 3


def test_a_limit_range_that_says_what_a_quota_asks_for_lets_the_pods_through() -> None:
    with ControlPlane.open(None, nodes=1) as cp:
        cp.client.create("resourcequotas", quota(**{"requests.cpu": "2"}))
        cp.client.create(DEPLOYMENTS, deployment())
        comes_to_rest(cp, "Settled")
        limits = [{"type": "Container", "defaultRequest": {"cpu": "100m"}}]
        cp.client.create("limitranges", made("v1", "LimitRange", "defaults", spec={"limits": limits}))
        comes_to_rest(cp, "Converged")
        assert running(cp) == 3


def test_a_retry_comes_when_its_back_off_ends_not_when_the_room_appears() -> None:
    with ControlPlane.open(None, nodes=1) as cp:
        cp.client.create("resourcequotas", quota(pods="1"))
        cp.client.create(DEPLOYMENTS, deployment())
        comes_to_rest(cp, "Settled")
        cp.advance("10m")
        began = cp.now
        cp.client.patch("resourcequotas", Key("default", "q"), {"spec": {"hard": {"pods": "5"}}})
        comes_to_rest(cp, "Converged")
        assert running(cp) == 3
        assert 10 < cp.now - began < 1000


def test_while_nothing_can_let_them_through_refused_pods_keep_no_time_going() -> None:
    with ControlPlane.open(None, nodes=1) as cp:
        cp.client.create("resourcequotas", quota(pods="1"))
        cp.client.create(DEPLOYMENTS, deployment())
        began = cp.now
        comes_to_rest(cp, "Settled")
        assert cp.now - began < 610  # the progress deadline of the Deployment is the last to come


def test_a_refusal_does_not_hide_that_other_pods_become_available_later() -> None:
    with ControlPlane.open(None, nodes=1) as cp:
        cp.client.create("resourcequotas", quota(pods="2"))
        cp.client.create(DEPLOYMENTS, deployment(of={"minReadySeconds": 90}))
        comes_to_rest(cp, "Settled")
        (found,) = cp.client.list(REPLICASETS).items
        assert found["status"]["availableReplicas"] == 2


def test_a_deployment_is_given_up_after_fifteen_retries_until_something_about_it_changes() -> None:
    with ControlPlane.open(None, nodes=1) as cp:
        cp.client.create("resourcequotas", quota(**{"count/replicasets.apps": "0"}))
        cp.client.create(DEPLOYMENTS, deployment())
        comes_to_rest(cp, "Settled")
        cp.advance("10m")
        cp.client.patch("resourcequotas", Key("default", "q"), {"spec": {"hard": {"count/replicasets.apps": "5"}}})
        cp.converge()
        assert not cp.client.list(REPLICASETS).items
        cp.client.patch(DEPLOYMENTS, Key("default", "web"), {"metadata": {"annotations": {"touched": "1"}}})
        assert cp.converge()["verdict"] == "Converged"
        assert running(cp) == 3
