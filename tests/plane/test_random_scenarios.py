"""Random faults on a small cluster: nothing crashes, every run ends, and at its end nothing is left to write."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kctl import ControlPlane
from kctl.api.objects import Obj

NODES = ("node-1", "node-2", "node-3", "node-*")
WORKLOADS = ("deploy/web", "sts/db")


def objects() -> list[tuple[str, Obj]]:
    """Return a Deployment with a load balancer and a budget, a StatefulSet with volumes, a Job."""

    def template(name: str, **spec: Any) -> Obj:
        container = {"name": "c", "image": f"example/{name}:v1", "resources": {"requests": {"cpu": "500m"}}}
        return {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container], **spec}}

    def made(version: str, kind: str, name: str, spec: Obj) -> Obj:
        return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": "default"}, "spec": spec}

    def matching(name: str) -> Obj:
        return {"selector": {"matchLabels": {"app": name}}}

    claims = [
        {
            "metadata": {"name": "data"},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
        }
    ]
    web = {"replicas": 3, **matching("web"), "template": template("web")}
    db = {
        "replicas": 2,
        "serviceName": "db",
        **matching("db"),
        "template": template("db"),
        "volumeClaimTemplates": claims,
    }
    job = {"backoffLimit": 2, "template": template("job", restartPolicy="Never")}
    return [
        ("deployments.apps", made("apps/v1", "Deployment", "web", web)),
        ("statefulsets.apps", made("apps/v1", "StatefulSet", "db", db)),
        (
            "services",
            made("v1", "Service", "web", {"type": "LoadBalancer", "ports": [{"port": 80}], "selector": {"app": "web"}}),
        ),
        ("jobs.batch", made("batch/v1", "Job", "job", job)),
        (
            "poddisruptionbudgets.policy",
            made("policy/v1", "PodDisruptionBudget", "web", {"minAvailable": 2, **matching("web")}),
        ),
    ]


seconds = st.integers(0, 600).map(lambda n: f"{n}s")
lasting = st.none() | st.integers(1, 900).map(lambda n: f"{n}s")


def when(text: str, at: str, lasts: str | None) -> str:
    return f"{text}@{at}+{lasts}" if lasts else f"{text}@{at}"


graces = st.sampled_from(["20s", "30s/10s", "0=5s,1000=5s"])
what_ifs = st.one_of(
    st.builds(
        when,
        st.builds(
            "node:{}={}".format, st.sampled_from(NODES), st.sampled_from(["die", "isolate", "drain", "pressure memory"])
        ),
        seconds,
        lasting,
    ),
    st.builds(when, st.builds("node:{}=shutdown:{}".format, st.sampled_from(NODES), graces), seconds, lasting),
    st.builds(
        when,
        st.builds(
            "node:{}={}".format, st.sampled_from(NODES), st.sampled_from(["reboot", "terminate", "recover", "uncordon"])
        ),
        seconds,
        st.none(),
    ),
    st.builds(when, st.builds("zone:{}=die".format, st.sampled_from("abc")), seconds, lasting),
    st.builds(when, st.builds("scale:{}={}".format, st.sampled_from(WORKLOADS), st.integers(0, 6)), seconds, st.none()),
    st.builds(when, st.builds("restart:{}".format, st.sampled_from(WORKLOADS)), seconds, st.none()),
    st.builds("image:{}:v1={}".format, st.sampled_from(["web", "db", "job"]), st.sampled_from(["fail", "30s"])),
    st.builds("ready:{}={}".format, st.sampled_from(WORKLOADS), st.sampled_from(["never", "20s"])),
    st.builds("crash:{}={}@{}s".format, st.sampled_from(WORKLOADS), st.integers(0, 3), st.integers(0, 30)),
    st.builds("exit:job/job={}".format, st.integers(0, 2)),
    st.builds("cloud:{}=Internal".format, st.sampled_from(["ensure_lb", "create_volume", "attach", "detach"])),
)


def play(texts: list[str]) -> None:
    with ControlPlane.open(None, nodes=3, cloud="local") as cp:
        for resource, obj in objects():
            cp.client.create(resource, obj)
        report = cp.play(*texts, timeout="6h")
        assert not cp.converger.manager.crashes, cp.converger.manager.crashes[0].trace
        assert report["verdict"] in ("Converged", "Settled"), report["why"]
        assert all(row["virtualSeconds"] == int(row["virtualSeconds"]) for row in report["timeline"])
        for is_fresh in (False, True):
            if is_fresh:
                cp.converger.drop()
            cp.use_mark(False)
            again = cp.converge()
            assert (again["revision"], again["residual"]) == (report["revision"], report["residual"]), again["timeline"]


@settings(max_examples=4, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(what_ifs, min_size=1, max_size=4))
def test_a_few_random_faults_end_at_rest(texts: list[str]) -> None:
    play(texts)


@pytest.mark.slow
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(what_ifs, min_size=1, max_size=6))
def test_many_random_faults_end_at_rest(texts: list[str]) -> None:
    play(texts)


def test_a_drain_does_not_chase_pods_that_are_put_on_its_node_by_name() -> None:
    (resource, web), *_ = objects()
    template = web["spec"]["template"]
    pinned = {**template, "spec": {**template["spec"], "nodeName": "node-1"}}
    with ControlPlane.open(None, nodes=2) as cp:
        cp.client.create(resource, {**web, "spec": {**web["spec"], "template": pinned}})
        report = cp.play("node:node-1=drain@10s")
        assert report["verdict"] == "Converged", report["why"]
        assert [pod["spec"]["nodeName"] for pod in cp.client.list("pods").items] == ["node-1"] * 3


@pytest.mark.parametrize(
    "texts",
    [
        ["restart:deploy/web@588s", "node:node-1=die@0s", "crash:deploy/web=0@26s", "node:node-*=drain@0s"],
        ["restart:deploy/web@588s", "node:node-1=die@0s", "node:node-2=terminate@527s", "node:node-*=drain@247s"],
    ],
    ids=["containers that are ready for a moment before each crash", "a drain that another process goes on with"],
)
def test_faults_that_once_did_not_come_to_rest(texts: list[str]) -> None:
    play(texts)
