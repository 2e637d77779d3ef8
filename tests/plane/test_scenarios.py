"""Scenarios as a plane plays them: what happens when, and what is left of it."""

from __future__ import annotations

from typing import Any

import pytest

from kctl import ControlPlane
from kctl.api.clock import EPOCH
from kctl.api.errors import StatusError, UsageError
from kctl.api.objects import Key, Obj, annotations_of, dig
from kctl.api.scenario import oneliners

SCENARIOS, DEPLOYMENTS = "scenarios.sim.kctl.dev", "deployments.apps"


def deployment(name: str = "web", replicas: int = 3, **pod: Any) -> Obj:
    labels = {"app": name}
    container = {"name": "c", "image": f"example/{name}:v1", "resources": {"requests": {"cpu": "100m"}}}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container], **pod}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
    }


def budget(name: str, least: int) -> Obj:
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"minAvailable": least, "selector": {"matchLabels": {"app": name}}},
    }


def play(cp: ControlPlane, *texts: str, **fields: Any) -> Obj:
    """Have a plane play what-ifs and run it; return the Report."""
    manifest = {**oneliners.manifest_of(texts), "metadata": {"name": "s"}, **fields}
    cp.client.create(SCENARIOS, manifest)
    return cp.converge("5h")


def log(cp: ControlPlane) -> list[tuple[float, str]]:
    status = cp.client.get(SCENARIOS, "", "s").get("status") or {}
    return [
        (entry["at"], entry["what"] + (f" !{entry['error']}" if "error" in entry else ""))
        for entry in status.get("log", ())
    ]


def told(report: Obj, what: str) -> list[float]:
    """Return when something was told in the timeline."""
    return [row["virtualSeconds"] for row in report["timeline"] if row["what"] == what]


def test_the_clock_starts_when_the_cluster_has_converged_and_events_happen_at_their_time() -> None:
    with ControlPlane.open(None, nodes=3, cloud="local") as cp:
        cp.client.create(DEPLOYMENTS, deployment())
        report = play(cp, "scale:deploy/web=5@30s", "node:node-1=cordon@10s+5s")
        assert log(cp) == [(10, "node/node-1 cordoned"), (15, "node/node-1 uncordoned"), (30, "deploy/web scaled to 5")]
        assert told(report, "scaled 3 -> 5") == [33.0, 33.0]
        assert told(report, "cordoned") == [13.0]
        assert told(report, "uncordoned") == [18.0]
        assert report["verdict"] == "Converged"


def test_a_scenario_that_starts_with_the_apply_does_not_wait() -> None:
    with ControlPlane.open(None, nodes=3) as cp:
        cp.client.create(DEPLOYMENTS, deployment())
        play(cp, "scale:deploy/web=1@1s", start="apply")
        assert dig(cp.client.get(SCENARIOS, "", "s"), "status", "startedAt") == "2026-01-01T00:00:00Z"


def test_what_was_done_is_not_done_again_by_a_later_run() -> None:
    with ControlPlane.open(None, nodes=2) as cp:
        cp.client.create(DEPLOYMENTS, deployment())
        play(cp, "scale:deploy/web=5@5s")
        cp.client.patch(DEPLOYMENTS, Key("default", "web"), {"spec": {"replicas": 2}})
        cp.converge()
        before = cp.revision
        cp.converge()
        assert dig(cp.client.get(DEPLOYMENTS, "default", "web"), "spec", "replicas") == 2
        assert cp.revision == before
        assert len(log(cp)) == 1


def test_what_cannot_happen_is_noted_and_the_rest_happens() -> None:
    with ControlPlane.open(None, nodes=1) as cp:
        play(cp, "scale:deploy/nosuch=5", "node:nosuch=die", "node:node-1=cordon@1s")
        assert log(cp) == [
            (0, 'deploy/nosuch scaled to 5 !deployments.apps "nosuch" not found'),
            (0, "node/nosuch dies !there is no node nosuch"),
            (1, "node/node-1 cordoned"),
        ]


def test_objects_are_applied_patched_restarted_and_deleted() -> None:
    with ControlPlane.open(None, nodes=2) as cp:
        cp.client.create(DEPLOYMENTS, deployment())
        cp.client.create(DEPLOYMENTS, deployment("old"))
        made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "late"}, "data": {"a": "b"}}
        events = [
            {"at": "1s", "apply": made},
            {"at": "2s", "patch": {"spec": {"replicas": 1}}, "object": "deploy/web"},
            {"at": "3s", "do": "restart deploy/web"},
            {"at": "4s", "do": "delete deploy/old"},
        ]
        play(cp, events=events)
        assert cp.client.get("configmaps", "default", "late")["data"] == {"a": "b"}
        web = cp.client.get(DEPLOYMENTS, "default", "web")
        assert web["spec"]["replicas"] == 1
        assert dig(web, "metadata", "annotations", "deployment.kubernetes.io/revision") == "2"
        assert [pod["metadata"]["labels"]["app"] for pod in cp.client.list("pods").items] == ["web"]


def test_a_node_that_dies_loses_its_pods_after_the_grace_of_a_real_cluster_and_comes_back() -> None:
    with ControlPlane.open(None, nodes=2, cloud="local") as cp:
        cp.client.create(DEPLOYMENTS, deployment(replicas=4))
        report = play(cp, "node:node-2=die@10s+20m")
        start = told(report, "the clock starts")[0]
        assert [at - start for at in told(report, "not ready")] == [60.0]
        assert [at - start for at in told(report, "pods terminating")] == [360.0]
        assert report["verdict"] == "Converged"
        node = cp.client.get("nodes", "", "node-2")
        assert "sim.kctl.dev/state" not in annotations_of(node)


def test_a_machine_that_shuts_down_ends_its_pods_before_it_is_off_and_comes_back() -> None:
    with ControlPlane.open(None, nodes=3) as cp:
        cp.client.create("deployments.apps", deployment(replicas=3))
        report = play(cp, "node:node-2=shutdown:60s/10s@10s+20m")
        [begins] = told(report, "node/node-2 shuts down")
        assert [pod["status"]["phase"] for pod in cp.client.list("pods", "default").items].count("Running") == 3
        events = [event["reason"] for event in cp.client.list("events", "default").items]
        assert "NodeShutdown" in events
        node = cp.client.get("nodes", "", "node-2")
        assert not node["spec"].get("taints")
        assert "sim.kctl.dev/shutdown" not in node["metadata"]["annotations"]
        assert report["virtualSeconds"] >= begins + 1200


def test_a_node_that_is_cut_off_runs_on_and_is_not_rebooted_when_it_is_heard_of_again() -> None:
    with ControlPlane.open(None, nodes=3) as cp:
        cp.client.create("deployments.apps", deployment(replicas=3))
        report = play(cp, "node:node-2=isolate@10s+2m")
        assert told(report, "node/node-2 is cut off")
        events = [event["reason"] for event in cp.client.list("events", "default").items]
        assert "NodeNotReady" in events
        assert "Rebooted" not in events
        pods = cp.client.list("pods", "default").items
        assert [one["status"]["phase"] for one in pods] == ["Running"] * 3
        assert {status["restartCount"] for one in pods for status in one["status"]["containerStatuses"]} == {0}
        assert not cp.client.get("nodes", "", "node-2")["spec"].get("taints")


def test_a_zone_that_dies_takes_all_its_nodes() -> None:
    with ControlPlane.open(None, nodes=6, cloud="local") as cp:
        play(cp, "zone:b=die")
        dead = [
            n["metadata"]["name"] for n in cp.client.list("nodes").items if "sim.kctl.dev/state" in annotations_of(n)
        ]
        assert dead == ["node-2", "node-5"]


def test_a_machine_that_is_terminated_takes_its_node_along() -> None:
    for cloud in ("none", "local"):
        with ControlPlane.open(None, nodes=3, cloud=cloud) as cp:
            play(cp, "node:node-2=terminate")
            assert [n["metadata"]["name"] for n in cp.client.list("nodes").items] == ["node-1", "node-3"]


def test_a_drain_waits_for_its_budget_says_so_and_goes_on_when_it_can() -> None:
    with ControlPlane.open(None, nodes=2) as cp:
        cp.client.create(DEPLOYMENTS, deployment(replicas=2))
        cp.client.create("poddisruptionbudgets.policy", budget("web", 2))
        report = play(cp, "node:node-1=drain@5s")
        assert report["verdict"] == "Settled"
        (blocked,) = [entry for entry in report["residual"] if entry["reason"] == "DrainBlocked"]
        assert blocked["owner"] == "node/node-1"
        assert "has 2 healthy pods of 2 and needs 2" in blocked["message"]
        cp.client.patch("poddisruptionbudgets.policy", Key("default", "web"), {"spec": {"minAvailable": 1}})
        report = cp.converge()
        assert report["verdict"] == "Converged"
        assert {pod["spec"]["nodeName"] for pod in cp.client.list("pods").items} == {"node-2"}
        assert "draining" not in cp.client.get(SCENARIOS, "", "s")["status"]


def test_images_and_containers_behave_as_the_rules_say() -> None:
    with ControlPlane.open(None, nodes=2) as cp:
        for name in ("bad", "crash", "slow", "good"):
            cp.client.create(DEPLOYMENTS, deployment(name, 1))
        workloads = [
            {"match": {"kind": "Deployment", "name": "crash"}, "crash": {"exitCode": 3, "after": "2s"}},
            {"match": {"kind": "Deployment", "name": "slow"}, "ready": {"after": "40s"}},
        ]
        report = play(cp, "image:bad:v1=fail", workloads=workloads)
        reasons = {entry["owner"]: entry["reason"] for entry in report["residual"]}
        assert reasons["deployment.apps/bad"] == "ImagePullBackOff"
        assert reasons["deployment.apps/crash"] == "CrashLoopBackOff"
        assert set(reasons) == {"deployment.apps/bad", "deployment.apps/crash"}
        assert report["verdict"] == "Settled"


def test_a_crash_that_stops_after_some_times_converges() -> None:
    with ControlPlane.open(None, nodes=1) as cp:
        cp.client.create(DEPLOYMENTS, deployment(replicas=1))
        crash = {"match": {"kind": "Deployment", "name": "web"}, "crash": {"exitCode": 1, "after": "1s", "times": 4}}
        report = play(cp, workloads=[crash])
        assert report["verdict"] == "Converged"
        (pod,) = cp.client.list("pods").items
        assert pod["status"]["containerStatuses"][0]["restartCount"] == 4


def test_a_cloud_that_refuses_a_few_times_gives_in_and_one_that_refuses_for_good_is_a_blocker() -> None:
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"type": "LoadBalancer", "ports": [{"port": 80}], "selector": {"app": "web"}},
    }
    for times, verdict in ((2, "Converged"), (None, "Settled")):
        with ControlPlane.open(None, nodes=1, cloud="local") as cp:
            cp.client.create("services", service)
            fault: Obj = {"op": "ensure_lb", "error": "QuotaExceeded", "message": "no more load balancers"}
            report = play(cp, events=[{"cloud": {**fault, **({"times": times} if times else {})}}])
            assert report["verdict"] == verdict
            if times is None:
                (entry,) = report["residual"]
                assert entry["reason"] == "SyncLoadBalancerFailed"
                assert "no more load balancers" in entry["message"]


def test_a_driver_that_makes_no_volumes_is_named_as_what_blocks_the_pod() -> None:
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "namespace": "default"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    volumes = [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}]
    with ControlPlane.open(None, nodes=1, cloud="local") as cp:
        cp.client.create("persistentvolumeclaims", claim)
        cp.client.create(DEPLOYMENTS, deployment(replicas=1, volumes=volumes))
        report = play(
            cp, events=[{"cloud": {"op": "create_volume", "error": "ResourceExhausted", "message": "pool is full"}}]
        )
        assert any("pool is full" in entry["message"] for entry in report["residual"])


def test_a_load_makes_an_autoscaler_grow_and_shrink_again() -> None:
    autoscaler = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "minReplicas": 2,
            "maxReplicas": 10,
            "metrics": [
                {
                    "type": "Resource",
                    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}},
                }
            ],
        },
    }
    with ControlPlane.open(None, nodes=3) as cp:
        cp.client.create(DEPLOYMENTS, deployment(replicas=2))
        cp.client.create("horizontalpodautoscalers.autoscaling", autoscaler)
        usage = {"match": {"name": "web"}, "usage": {"cpu": "10m + 1m * load / replicas"}}
        report = play(cp, "load:deploy/web=300@1m+5m", workloads=[usage])
        sizes = [
            row["what"]
            for row in report["timeline"]
            if row["owner"] == "deployment.apps/web" and "scaled" in row["what"]
        ]
        assert sizes[0] == "scaled 2 -> 4"
        assert sizes[-1].endswith("-> 2")
        assert report["verdict"] == "Converged"


def test_time_passes_as_long_as_a_scenario_wants_and_no_longer() -> None:
    with ControlPlane.open(None, nodes=1) as cp:
        play(cp, duration="20m")
        assert cp.now == EPOCH + 1200
        cp.converge()
        assert cp.now == EPOCH + 1200


def test_a_scenario_that_is_not_valid_is_refused_by_the_server() -> None:
    with ControlPlane.open(None) as cp, pytest.raises(StatusError, match=r"events\[0\]\.do"):
        cp.client.create(SCENARIOS, {**oneliners.manifest_of(["node:n=fly"]), "metadata": {"name": "s"}})


def test_the_latencies_of_a_profile_hold_from_the_next_opening_on() -> None:
    with ControlPlane.open(None, nodes=1) as cp:
        cp.client.create(DEPLOYMENTS, deployment(replicas=1))
        report = play(cp, profile={"imagePull": "30s"})
        assert told(report, "pods running") == [31.0]


def test_the_python_door_plays_what_ifs_and_tells_what_was_expected() -> None:
    with ControlPlane.open(None, nodes=3, cloud="local") as cp:
        cp.client.create(DEPLOYMENTS, deployment())
        report = cp.play("node:node-1=drain@10s", expect=["min(available(deploy/web)) >= 2", "pods(node/node-1) > 0"])
        assert [(entry["text"], entry["holds"]) for entry in report["expectations"]] == [
            ("min(available(deploy/web)) >= 2", True),
            ("pods(node/node-1) > 0", False),
        ]
        again = cp.play("node:node-1=uncordon", expect=["converged"])
        assert [entry["holds"] for entry in again["expectations"]] == [True]
        with pytest.raises(UsageError, match="there is no such node"):
            cp.play("node:nosuch=die")
        with pytest.raises(UsageError, match="bogus: Invalid value"):
            cp.play(scenario={"apiVersion": "sim.kctl.dev/v1", "kind": "Scenario", "bogus": 1})


def test_rules_that_speak_of_nothing_are_told() -> None:
    with ControlPlane.open(None, nodes=1, cloud="local") as cp:
        cp.client.create(DEPLOYMENTS, deployment())
        what = ("image:wob:v1=fail", "image:web:v1=5s", "crash:deploy/wob=1", "cloud:ensure_lb=QuotaExceeded")
        assert cp.play(*what)["warnings"] == [
            "scenario what-if: events[0]: there was no ensure_lb to refuse",
            "scenario what-if: images[0]: no image wob:v1 was pulled",
            "scenario what-if: workloads[0]: there was no pod of deploy/wob",
        ]


def test_a_load_that_nothing_feels_is_told() -> None:
    with ControlPlane.open(None, nodes=1) as cp:
        cp.client.create(DEPLOYMENTS, deployment())
        assert cp.play("load:deploy/web=300@10s", "load:svc/nosuch=300@20s")["warnings"] == [
            'scenario what-if: +20s service/nosuch load 300/s: services "nosuch" not found',
            "scenario what-if: events[0]: no workload's usage says what this load costs: nothing scales",
            "scenario what-if: events[1]: no workload's usage says what this load costs: nothing scales",
        ]


def test_a_scenario_starts_while_time_is_asked_to_pass() -> None:
    with ControlPlane.open(None, nodes=1) as cp:
        cp.client.create(SCENARIOS, {**oneliners.manifest_of(["node:node-1=cordon@10s"]), "metadata": {"name": "s"}})
        cp.advance("30s")
        assert log(cp) == [(10, "node/node-1 cordoned")]


def test_a_volume_that_is_not_attached_says_why() -> None:
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "namespace": "default"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    volumes = [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}]
    fault = {"op": "attach", "error": "Internal", "message": "the disk is stuck", "times": 2}
    with ControlPlane.open(None, nodes=1, cloud="local") as cp:
        cp.client.create("persistentvolumeclaims", claim)
        cp.client.create(DEPLOYMENTS, deployment(replicas=1, volumes=volumes))
        report = play(cp, events=[{"cloud": fault}])
        assert report["verdict"] == "Converged"
        (warning,) = [r for r in report["consequence"] if r.get("reason") == "FailedAttachVolume"]
        assert "AttachVolume.Attach failed for volume" in warning["message"]
        assert warning["message"].endswith("rpc error: code = Internal desc = the disk is stuck")
