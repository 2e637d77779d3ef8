"""The third layer, told from real clusters."""

from __future__ import annotations

from typing import Any

import pytest

from kctl import ControlPlane
from kctl.api.objects import Key
from kctl.controllers import ALL
from kctl.gitops import apply
from kctl.gitops.manifests import Manifest
from kctl.gitops.positions import Place, Positions
from kctl.plan import residual
from kctl.plan.placement import displaced


def manifest(obj: dict[str, Any]) -> Manifest:
    return Manifest("a.yaml", 3, obj, Positions(Place(3, 1), lambda: None))


def config(name: str, **data: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "default"},
        "data": data,
    }


def deployment(name: str, replicas: int, **spec: Any) -> dict[str, Any]:
    template = {
        "metadata": {"labels": {"app": name}},
        "spec": {"containers": [{"name": "c", "image": "example/c:1", **spec}]},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template},
    }


def ask(cp: ControlPlane, obj: dict[str, Any]) -> None:
    planned = apply.plan(cp.client, [manifest(obj)], set_name="s", registry=cp.server.registry, fork=cp.server.fork)
    apply.commit(cp.client, planned, source={"paths": ["a.yaml"]})


def test_an_intent_that_nobody_carries_out_is_said() -> None:
    with ControlPlane.open(None, controllers=[]) as cp:
        ask(cp, config("c"))
        report = cp.converge()
        assert [entry["reason"] for entry in report["residual"]] == ["NotApplied"]
        assert report["verdict"] == "Settled"


def test_a_refusal_that_came_after_planning_names_its_manifest() -> None:
    with ControlPlane.open(None, controllers=["intent-controller"]) as cp:
        ask(cp, config("c", colour="red"))
        other = {**config("c", colour="blue"), "immutable": True}
        cp.request("POST", "/api/v1/namespaces/default/configmaps", body=other)
        [entry] = cp.converge()["residual"]
        assert (entry["object"], entry["reason"]) == ("configmap/c", "Refused")
        assert entry["message"].startswith("a.yaml:3: ")


def test_the_leaves_of_a_blocked_deployment_stand_for_it() -> None:
    with ControlPlane.open(None, nodes=1) as cp:
        cp.client.create("deployments.apps", deployment("big", 3, resources={"requests": {"cpu": "99"}}))
        cp.converge()
        [blocker] = residual.blockers(cp.client)
        assert (blocker.owner, blocker.reason, blocker.size) == ("deployment.apps/big", "Unschedulable", 3)


def test_what_kubelet_said_last_stands_for_a_container_that_does_not_start() -> None:
    with ControlPlane.open(None, nodes=1) as cp:
        reference = {"envFrom": [{"secretRef": {"name": "absent"}}]}
        cp.client.create("deployments.apps", deployment("web", 1, **reference))
        cp.converge()
        [blocker] = residual.blockers(cp.client)
        assert 'secret "absent" not found' in blocker.message


NO_EXECUTE = {"key": "k", "value": "v", "effect": "NoExecute"}


@pytest.mark.parametrize(
    ("without", "reason"), [("pod-garbage-collector-controller", "NodeGone"), ("", "Unschedulable")]
)
def test_pods_of_a_deleted_node_are_not_taken_for_running(without: str, reason: str) -> None:
    names = [*ALL, "kube-scheduler", "kubelet", "intent-controller"]
    with ControlPlane.open(None, nodes=1, controllers=[name for name in names if name != without]) as cp:
        cp.client.create("deployments.apps", deployment("web", 2))
        assert cp.converge()["verdict"] == "Converged"
        cp.client.delete("nodes", Key("", "node-1"))
        report = cp.converge()
        assert report["verdict"] == "Settled"
        [entry] = report["residual"]
        assert (entry["owner"], entry["reason"], entry["count"]) == ("deployment.apps/web", reason, 2)


@pytest.mark.parametrize(
    ("tolerations", "stays"),
    [
        ([], False),
        ([{"operator": "Exists"}], True),
        ([{"key": "k", "operator": "Exists"}], True),
        ([{"key": "k", "operator": "Equal", "value": "v", "effect": "NoExecute"}], True),
        ([{"key": "k", "value": "other"}], False),
        ([{"key": "k", "value": "v", "effect": "NoSchedule"}], False),
        ([{"key": "k", "value": "v", "effect": "NoExecute", "tolerationSeconds": 60}], False),
    ],
    ids=["none", "everything", "the key", "exactly it", "another value", "another effect", "for a minute"],
)
def test_a_no_execute_taint_and_a_pod_that_tolerates(tolerations: list[dict[str, Any]], stays: bool) -> None:
    pod = {"metadata": {"name": "p"}, "spec": {"nodeName": "n", "tolerations": tolerations}, "status": {}}
    found = displaced(pod, {"n": {"metadata": {"name": "n"}, "spec": {"taints": [NO_EXECUTE]}}})
    assert (found is None) == stays


def test_a_healthy_cluster_has_no_residual() -> None:
    with ControlPlane.open(None, nodes=1) as cp:
        cp.client.create("deployments.apps", deployment("web", 2))
        cp.converge()
        assert residual.blockers(cp.client) == []


def job(name: str, **spec: Any) -> dict[str, Any]:
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "example/c:1"}]}}
    meta = {"name": name, "namespace": "default"}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": {"template": template, **spec}}


def test_a_job_that_has_failed_is_told_by_its_condition() -> None:
    with ControlPlane.open(None, nodes=1) as cp:
        cp.client.create("jobs.batch", job("fine"))
        cp.client.create("jobs.batch", job("slow", activeDeadlineSeconds=2))
        report = cp.converge()
        assert report["verdict"] == "Settled"
        (blocker,) = report["residual"]
        assert (blocker["object"], blocker["reason"]) == ("job.batch/slow", "DeadlineExceeded")


def test_a_job_that_waits_for_its_pods_is_told_by_them() -> None:
    with ControlPlane.open(None) as cp:
        cp.client.create("jobs.batch", job("work"))
        (blocker,) = cp.converge()["residual"]
        assert (blocker["owner"], blocker["reason"]) == ("job.batch/work", "Unschedulable")


def test_a_pod_that_was_replaced_on_the_way_leaves_nothing_to_say() -> None:
    with ControlPlane.open(None, nodes=1) as cp:
        cp.client.create("jobs.batch", job("work"))
        cp.run(within=2)
        (pod,) = cp.client.list("pods").items
        failed = {"status": {"phase": "Failed"}}
        cp.client.patch("pods", Key("default", pod["metadata"]["name"]), failed, subresource="status")
        report = cp.converge()
        assert (report["verdict"], report["residual"]) == ("Converged", [])
        assert len(cp.client.list("pods").items) == 2


def test_a_warning_about_a_pod_that_was_there_before_names_its_workload() -> None:
    with ControlPlane.open(None, nodes=1) as cp:
        cp.client.create("deployments.apps", deployment("big", 1, resources={"requests": {"cpu": "100"}}))
        cp.client.create("deployments.apps", deployment("small", 2, resources={"requests": {"cpu": "100m"}}))
        cp.converge()
        live = cp.client.get("deployments.apps", "default", "small")
        cp.client.update("deployments.apps", {**live, "spec": {**live["spec"], "replicas": 1}})
        warned = [record["owner"] for record in cp.converge()["consequence"] if record["type"] == "warning"]
        assert warned == ["deployment.apps/big"]


def test_pods_that_crash_alike_are_one_line_whatever_they_are_called() -> None:
    spec = {"containers": [{"name": "c", "image": "a:1"}]}
    template = {"metadata": {"labels": {"a": "b"}, "annotations": {"sim.kctl.dev/exit-code": "3"}}, "spec": spec}
    web = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"replicas": 5, "selector": {"matchLabels": {"a": "b"}}, "template": template},
    }
    with ControlPlane.open(None, nodes=1) as cp:
        cp.client.create("deployments.apps", web)
        report = cp.converge("1h")
    (entry,) = [entry for entry in report["residual"] if entry["reason"] == "CrashLoopBackOff"]
    assert (entry["count"], entry["message"]) == (5, "back-off 5m0s restarting failed container=c")
    (warning,) = [record for record in report["consequence"] if record.get("reason") == "BackOff"]
    assert (warning["count"], warning["message"]) == (5, "Back-off restarting failed container c")


@pytest.mark.parametrize(
    ("applied", "left", "told"),
    [
        pytest.param(config("there"), [], [], id="an object that is there"),
        pytest.param(config("lost"), [], ["configmap/lost"], id="one that something deleted"),
        pytest.param(job("lost", ttlSecondsAfterFinished=0), [], [], id="a Job with a time to live"),
        pytest.param(
            config("lost"),
            [{"namespace": "default", "object": "configmap/lost", "reason": "Refused"}],
            [],
            id="one that was refused, which stands there already",
        ),
        pytest.param(
            config("lost"),
            [{"namespace": "", "object": "intent.kctl.dev/set", "reason": "NotApplied"}],
            [],
            id="one that is yet to be applied",
        ),
    ],
)
def test_what_was_applied_and_is_gone_is_said(
    applied: dict[str, Any], left: list[dict[str, Any]], told: list[str]
) -> None:
    with ControlPlane.open(None) as cp:
        cp.client.create("configmaps", config("there"))
        resource = "jobs.batch" if applied["kind"] == "Job" else "configmaps"
        found = residual.gone(cp.client, [(resource, applied)], left)
        assert [entry["object"] for entry in found] == told
