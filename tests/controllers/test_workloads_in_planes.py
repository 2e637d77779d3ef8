"""StatefulSets, DaemonSets and budgets in whole planes: lag, order of application, rest."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kctl import ControlPlane
from kctl.api.objects import Key, Obj, labels_of
from kctl.controllers.pods import is_ready
from tests.runtime.lag import SeededLag

S, D, B = "statefulsets.apps", "daemonsets.apps", "poddisruptionbudgets.policy"
LEASES = "leases.coordination.k8s.io"
QUICK = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("image"), st.integers(1, 3)),
        st.tuples(st.just("replicas"), st.integers(0, 5)),
        st.tuples(st.just("kill"), st.integers(0, 9)),
        st.tuples(st.just("evict"), st.integers(0, 9)),
    ),
    max_size=4,
)


def template(app: str, image: int = 0) -> Obj:
    return {"metadata": {"labels": {"app": app}}, "spec": {"containers": [{"name": "c", "image": f"app:{image}"}]}}


def workload(kind: str, app: str, **spec: Any) -> Obj:
    body = {"selector": {"matchLabels": {"app": app}}, "template": template(app), **spec}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": app, "namespace": "default"}, "spec": body}


def objects(policy: str) -> list[tuple[str, Obj]]:
    claim = {
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    sts = workload(
        "StatefulSet",
        "db",
        replicas=3,
        serviceName="db",
        podManagementPolicy=policy,
        volumeClaimTemplates=[claim],
        persistentVolumeClaimRetentionPolicy={"whenDeleted": "Delete", "whenScaled": "Delete"},
    )
    budget = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "db", "namespace": "default"},
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "db"}}},
    }
    return [(S, sts), (D, workload("DaemonSet", "agent")), (B, budget)]


def change(cp: ControlPlane, what: str, value: int) -> None:
    """Do one thing to the cluster."""
    if what == "image":
        for resource, app in ((S, "db"), (D, "agent")):
            body = {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": f"app:{value}"}]}}}}
            cp.client.patch(resource, Key("default", app), body)
    elif what == "replicas":
        cp.client.patch(S, Key("default", "db"), {"spec": {"replicas": value}})
    else:
        pods = sorted(
            cp.client.list("pods").items, key=lambda pod: (labels_of(pod)["app"], str(pod["spec"].get("nodeName")))
        )
        if pods:
            key = Key("default", pods[value % len(pods)]["metadata"]["name"])
            if what == "kill":
                cp.client.delete("pods", key)
            else:
                from contextlib import suppress

                from kctl.api.errors import StatusError

                with suppress(StatusError):
                    cp.client.evict(key)


def outcome(cp: ControlPlane) -> Any:
    """Return what does not depend on how things came about."""
    pods = sorted(
        (
            labels_of(pod)["app"],
            labels_of(pod).get("apps.kubernetes.io/pod-index", ""),
            pod["spec"]["containers"][0]["image"],
            is_ready(pod),
        )
        for pod in cp.client.list("pods").items
    )
    claims = [claim["metadata"]["name"] for claim in cp.client.list("persistentvolumeclaims").items]
    statuses = [
        {
            k: v
            for k, v in cp.client.get(resource, "default", name)["status"].items()
            if k not in ("conditions", "observedGeneration")
        }
        for resource, name in ((S, "db"), (D, "agent"), (B, "db"))
    ]
    return pods, claims, statuses


def play(policy: str, changes: list[tuple[str, int]], lag: SeededLag | None, *, backwards: bool = False) -> Any:
    with ControlPlane.open(None, nodes=3) as cp:
        cp.use_mark(False)
        cp.converger.manager.lag = lag
        made = objects(policy)
        for resource, obj in reversed(made) if backwards else made:
            cp.client.create(resource, obj)
        run(cp)
        for what, value in changes:
            change(cp, what, value)
            run(cp)
        cp.converger.manager.lag = None
        cp.run()
        assert [event for event in cp.converger.trace if event.resource != LEASES] == [], "not at rest"
        return outcome(cp)


def run(cp: ControlPlane) -> None:
    assert cp.run().end == "Quiet"
    assert not cp.converger.manager.crashes, cp.converger.manager.crashes[0].trace


@QUICK
@given(st.sampled_from(["OrderedReady", "Parallel"]), CHANGES, st.integers(0, 1 << 30), st.integers(1, 10))
def test_lagging_caches_come_to_the_same_end(policy, changes, seed, most):
    assert play(policy, changes, SeededLag(seed, most)) == play(policy, changes, None)


@pytest.mark.slow
@settings(QUICK, max_examples=60)
@given(st.sampled_from(["OrderedReady", "Parallel"]), CHANGES, st.integers(0, 1 << 30), st.integers(1, 30))
def test_caches_that_lag_in_many_ways_come_to_the_same_end(policy, changes, seed, most):
    assert play(policy, changes, SeededLag(seed, most)) == play(policy, changes, None)


def autoscaled() -> list[tuple[str, Obj]]:
    web = workload("Deployment", "web", replicas=2)
    web["spec"]["template"]["metadata"]["annotations"] = {"sim.kctl.dev/cpu": "10m"}
    web["spec"]["template"]["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "100m"}}
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    hpa = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 9},
    }
    return [("deployments.apps", web), ("horizontalpodautoscalers.autoscaling", hpa)]


def test_another_process_has_nothing_to_write_about_an_idle_autoscaler(tmp_path):
    with ControlPlane.open(tmp_path / "c", nodes=1) as cp:
        for resource, obj in autoscaled():
            cp.client.create(resource, obj)
        run(cp)
        cp.commit()
        conditions = cp.client.get("horizontalpodautoscalers.autoscaling", "default", "web")["status"]["conditions"]
        assert {found["type"]: found["reason"] for found in conditions} == {
            "AbleToScale": "ReadyForNewScale",
            "ScalingActive": "ValidMetricFound",
            "ScalingLimited": "TooFewReplicas",
        }
    with ControlPlane.open(tmp_path / "c") as cp:
        cp.use_mark(False)
        run(cp)
        assert [event for event in cp.converger.trace if event.resource != LEASES] == []


@pytest.mark.parametrize("policy", ["OrderedReady", "Parallel"])
def test_the_order_of_application_does_not_matter(policy):
    assert play(policy, [("image", 1)], None) == play(policy, [("image", 1)], None, backwards=True)
