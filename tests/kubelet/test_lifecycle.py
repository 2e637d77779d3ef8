"""Pods on simulated kubelets, seen through the API server."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kctl.api.objects import Obj, condition, is_condition_true


def a_pod(name: str = "p", *, node: str = "n1", containers: list[Obj] | None = None, **spec: Any) -> Obj:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"nodeName": node, "containers": containers or [{"name": "c", "image": "nginx:1.29"}], **spec},
    }


def states(pod: Obj, field: str = "containerStatuses") -> list[str]:
    return [next(iter(status["state"])) for status in pod["status"].get(field, ())]


def is_ready(pod: Obj) -> bool:
    return is_condition_true(pod, "Ready")


def test_a_pod_pulls_its_image_starts_and_is_ready(world):
    world.create(a_pod())
    world.until(0)
    pod = world.pod()
    assert pod["status"]["phase"] == "Pending"
    assert pod["status"]["startTime"] == "2026-01-01T00:00:00Z"
    assert pod["status"]["containerStatuses"][0]["state"] == {"waiting": {"reason": "ContainerCreating"}}
    assert condition(pod, "Ready")["message"] == "containers with unready status: [c]"
    world.settle()
    pod = world.pod()
    assert world.now == 3
    assert pod["status"]["phase"] == "Running"
    assert is_ready(pod)
    assert condition(pod, "Ready")["lastTransitionTime"] == "2026-01-01T00:00:03Z"
    status = pod["status"]["containerStatuses"][0]
    assert status["state"] == {"running": {"startedAt": "2026-01-01T00:00:03Z"}}
    assert status["image"] == "docker.io/library/nginx:1.29"
    assert status["imageID"].startswith("docker.io/library/nginx@sha256:")
    assert status["containerID"].startswith("containerd://")
    assert status["started"] is True
    assert pod["status"]["podIP"] == "10.244.0.2"
    assert pod["status"]["podIPs"] == [{"ip": "10.244.0.2"}]
    assert pod["status"]["hostIP"] == "172.18.0.2"
    assert world.events() == [
        ("Pulling", 'Pulling image "nginx:1.29"'),
        ("Pulled", 'Successfully pulled image "nginx:1.29" in 2s (2s including waiting)'),
        ("Created", "Container created"),
        ("Started", "Container started"),
    ]


def test_what_was_done_at_an_instant_is_not_done_again(world):
    volumes = [{"name": "v", "configMap": {"name": "cfg"}}]
    env = [{"name": "X", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]
    world.create(a_pod("plain", initContainers=[{"name": "i", "image": "busybox"}]))
    world.create(a_pod("blocked", volumes=volumes))
    world.create(a_pod("refused", containers=[{"name": "c", "image": "nginx", "env": env}]))
    world.create(a_pod("job", restartPolicy="Never"))
    for second in range(8):
        world.until(second)
        assert world.undecided() == []
    for pod in world.pods():
        world.delete(pod["metadata"]["name"])
    for second in range(8, 12):
        world.until(second)
        assert world.undecided() == []


def test_a_running_pod_needs_nothing_more_not_even_from_a_kubelet_without_memory(world):
    world.create(a_pod())
    world.settle()
    revision, now = world.server.revision, world.now
    world.restart()
    world.settle()
    world.settle(pass_time=3600)
    assert world.server.revision == revision
    assert now == 3


def test_an_image_on_the_node_is_not_pulled_again(world):
    world.create(a_pod("first"))
    world.settle()
    world.create(a_pod("second"))
    world.settle()
    assert world.now == 4
    assert (
        "Pulled",
        'Container image "nginx:1.29" already present on machine and can be accessed by the pod',
    ) in world.events("second")


def test_pods_that_want_the_same_image_at_once_wait_for_one_pull(world):
    world.create(a_pod("first"))
    world.until(1)
    world.create(a_pod("second"))
    world.settle()
    assert [pod["status"]["containerStatuses"][0]["state"]["running"]["startedAt"][-3:-1] for pod in world.pods()] == [
        "03",
        "03",
    ]


def test_init_containers_run_in_order_and_containers_one_after_the_other(world):
    containers = [{"name": "a", "image": "nginx"}, {"name": "b", "image": "redis:8"}]
    init = [{"name": "i", "image": "busybox:1.37"}, {"name": "j", "image": "busybox:1.37"}]
    world.create(a_pod(containers=containers, initContainers=init))
    seen = []
    for second in range(16):
        world.until(second)
        pod = world.pod()
        seen.append((pod["status"]["phase"], states(pod, "initContainerStatuses"), states(pod)))
    changes = [(n, row) for n, row in enumerate(seen) if n == 0 or row != seen[n - 1]]
    wait, run, done = "waiting", "running", "terminated"
    assert changes == [
        (0, ("Pending", [wait, wait], [wait, wait])),
        (3, ("Pending", [run, wait], [wait, wait])),
        (4, ("Pending", [done, wait], [wait, wait])),
        (5, ("Pending", [done, run], [wait, wait])),
        (6, ("Pending", [done, done], [wait, wait])),
        (9, ("Pending", [done, done], [run, wait])),
        (12, ("Running", [done, done], [run, run])),
    ]
    assert condition(world.pod(), "Initialized")["lastTransitionTime"] == "2026-01-01T00:00:06Z"


def test_a_sidecar_starts_before_the_others_and_ends_after_a_pod_that_is_done(world):
    sidecar = {
        "name": "s",
        "image": "nginx",
        "restartPolicy": "Always",
        "startupProbe": {"tcpSocket": {"port": 80}, "periodSeconds": 3, "initialDelaySeconds": 4},
    }
    world.create(a_pod(initContainers=[sidecar], restartPolicy="Never"))
    world.until(8)
    pod = world.pod()
    assert states(pod, "initContainerStatuses") == ["running"]
    assert pod["status"]["initContainerStatuses"][0]["started"] is False
    assert condition(pod, "Initialized")["message"] == "containers with incomplete status: [s]"
    world.until(9)
    assert world.pod()["status"]["initContainerStatuses"][0]["started"] is True
    assert is_condition_true(world.pod(), "Initialized")
    world.until(12)
    assert world.pod()["status"]["phase"] == "Running"
    world.settle()
    pod = world.pod()
    assert world.now == 14
    assert pod["status"]["phase"] == "Succeeded"
    assert states(pod, "initContainerStatuses") == ["terminated"]
    assert ("Killing", "Stopping container s") in world.events()
    assert [c["reason"] for c in pod["status"]["conditions"] if c["type"] == "Ready"] == ["PodCompleted"]


def test_a_pod_that_is_not_restarted_ends_with_success(world):
    world.create(a_pod(restartPolicy="OnFailure"))
    world.settle()
    assert world.now == 4
    ended = world.pod()["status"]["containerStatuses"][0]["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"], ended["finishedAt"]) == (0, "Completed", "2026-01-01T00:00:04Z")
    assert world.pod()["status"]["phase"] == "Succeeded"
    assert not is_condition_true(world.pod(), "PodReadyToStartContainers")


def test_a_readiness_probe_delays_readiness(world):
    probe = {"httpGet": {"path": "/", "port": 80}, "initialDelaySeconds": 12, "periodSeconds": 5}
    world.create(a_pod(containers=[{"name": "c", "image": "nginx", "readinessProbe": probe}]))
    world.until(17)
    assert world.pod()["status"]["phase"] == "Running"
    assert not is_ready(world.pod())
    world.settle()
    assert world.now == 18
    assert is_ready(world.pod())


def test_a_readiness_gate_is_waited_for(world):
    world.create(a_pod(readinessGates=[{"conditionType": "example.com/lb"}]))
    world.settle()
    pod = world.pod()
    assert condition(pod, "Ready")["reason"] == "ReadinessGatesNotReady"
    gate = {"type": "example.com/lb", "status": "True", "lastTransitionTime": "2026-01-01T00:00:03Z"}
    status = {**pod["status"], "conditions": [*pod["status"]["conditions"], gate]}
    world.client.update("pods", {**pod, "status": status}, subresource="status")
    world.settle()
    assert is_ready(world.pod())


def test_a_missing_configmap_volume_holds_the_pod_and_its_arrival_lets_it_go(world):
    volumes = [{"name": "v", "configMap": {"name": "cfg"}}]
    world.create(a_pod(volumes=volumes))
    world.settle()
    pod = world.pod()
    assert states(pod) == ["waiting"]
    assert pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"] == "ContainerCreating"
    assert not is_condition_true(pod, "PodReadyToStartContainers")
    assert world.events() == [("FailedMount", 'MountVolume.SetUp failed for volume "v" : configmap "cfg" not found')]
    world.until(60)
    world.configmap("cfg", {"k": "v"})
    world.settle()
    assert world.now == 63
    assert is_ready(world.pod())
    assert [reason for reason, _ in world.events()] == ["FailedMount", "Pulling", "Pulled", "Created", "Started"]


def test_a_missing_environment_source_is_a_config_error_until_it_comes(world):
    env = [{"name": "X", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]
    world.create(a_pod(containers=[{"name": "c", "image": "nginx", "env": env}]))
    world.settle()
    assert world.now == 2
    waiting = world.pod()["status"]["containerStatuses"][0]["state"]["waiting"]
    assert waiting == {"reason": "CreateContainerConfigError", "message": 'secret "s" not found'}
    assert ("Failed", 'Error: secret "s" not found') in world.events()
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "default"}}
    world.client.create("secrets", secret)
    world.settle()
    waiting = world.pod()["status"]["containerStatuses"][0]["state"]["waiting"]
    assert waiting["message"] == "couldn't find key k in Secret default/s"
    secret = world.client.get("secrets", "default", "s")
    world.client.update("secrets", {**secret, "data": {"k": "eA=="}})
    world.settle()
    assert is_ready(world.pod())


def test_what_is_optional_is_not_waited_for(world):
    env = [{"name": "X", "valueFrom": {"configMapKeyRef": {"name": "s", "key": "k", "optional": True}}}]
    volumes = [{"name": "v", "secret": {"secretName": "no", "optional": True}}]
    world.create(a_pod(containers=[{"name": "c", "image": "nginx", "env": env}], volumes=volumes))
    world.settle()
    assert is_ready(world.pod())


def test_an_image_that_cannot_be_named_stops_its_own_container_only(world):
    containers = [{"name": "bad", "image": "Nginx"}, {"name": "good", "image": "nginx"}]
    world.create(a_pod(containers=containers))
    world.settle()
    bad, good = world.pod()["status"]["containerStatuses"]
    text = (
        'Failed to apply default image tag "Nginx": couldn\'t parse image name "Nginx": '
        "invalid reference format: repository name (library/Nginx) must be lowercase"
    )
    assert bad["state"] == {"waiting": {"reason": "InvalidImageName", "message": text}}
    assert "running" in good["state"]
    assert world.pod()["status"]["phase"] == "Pending"
    assert world.events()[:2] == [("InspectFailed", text), ("Failed", "Error: InvalidImageName")]


def test_an_image_that_must_not_be_pulled_is_waited_for(world):
    never = {"name": "c", "image": "nginx:1.29", "imagePullPolicy": "Never"}
    world.create(a_pod("never", containers=[never]))
    world.settle()
    assert states(world.pod("never")) == ["waiting"]
    assert world.now == 0
    world.create(a_pod("other"))
    world.settle()
    assert is_ready(world.pod("never"))


def test_deletion_stops_the_containers_and_then_removes_the_pod(world):
    world.create(a_pod())
    world.settle()
    world.delete()
    world.until(3)
    assert states(world.pod()) == ["running"]
    assert ("Killing", "Stopping container c") in world.events()
    world.settle()
    assert world.pods() == []
    assert world.now == 4
    assert [reason for reason, _ in world.events()].count("Killing") == 1


def test_a_pod_says_how_it_ended_before_it_goes(world):
    world.create({**a_pod(), "metadata": {"name": "p", "namespace": "default", "finalizers": ["example.com/hold"]}})
    world.settle()
    world.delete()
    world.settle()
    pod = world.pod()
    assert pod["status"]["phase"] == "Succeeded"
    assert states(pod) == ["terminated"]
    revision = world.server.revision
    world.restart()
    world.settle()
    assert world.server.revision == revision


def test_a_container_slower_than_its_grace_is_killed(make_world):
    world = make_world(container_stop=60.0)
    world.node("n1")
    world.create({**a_pod(), "metadata": {"name": "p", "namespace": "default", "finalizers": ["example.com/hold"]}})
    world.settle()
    world.delete()
    world.settle()
    assert world.now == 33
    ended = world.pod()["status"]["containerStatuses"][0]["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (137, "Error")
    assert world.pod()["status"]["phase"] == "Failed"


def test_a_pod_deleted_before_it_started_is_gone_at_once(world):
    world.create(a_pod())
    world.until(1)
    world.delete()
    world.settle()
    assert world.pods() == []
    assert world.now == 1


def test_an_active_deadline_fails_the_pod(world):
    world.create(a_pod(activeDeadlineSeconds=20))
    world.settle()
    assert world.now == 21
    assert world.pod()["status"]["phase"] == "Failed"
    assert world.pod()["status"]["reason"] == "DeadlineExceeded"


def test_a_pod_on_the_hosts_network_has_the_nodes_address(world):
    world.create(a_pod(hostNetwork=True))
    world.settle()
    assert world.pod()["status"]["podIP"] == "172.18.0.2"


def test_a_silent_node_runs_nothing(world):
    node = world.client.get("nodes", "", "n1")
    conditions = [{**c, "status": "Unknown"} for c in node["status"]["conditions"]]
    node = world.client.update(
        "nodes", {**node, "status": {**node["status"], "conditions": conditions}}, subresource="status"
    )
    world.create(a_pod())
    world.settle()
    assert "startTime" not in world.pod()["status"]
    conditions = [{**c, "status": "True" if c["type"] == "Ready" else "False"} for c in conditions]
    world.client.update("nodes", {**node, "status": {**node["status"], "conditions": conditions}}, subresource="status")
    world.settle()
    assert is_ready(world.pod())


def test_a_pod_on_a_node_that_does_not_exist_stays_as_it_is(world):
    world.create(a_pod(node="nowhere"))
    world.settle()
    assert "startTime" not in world.pod()["status"]


def test_without_latencies_everything_happens_in_one_instant(make_world):
    world = make_world(image_pull=0.0, container_start=0.0, container_stop=0.0, init_container_run=0.0)
    world.node("n1")
    world.create(a_pod(initContainers=[{"name": "i", "image": "busybox"}]))
    world.settle()
    assert world.now == 0
    assert is_ready(world.pod())
    world.delete()
    world.settle()
    assert world.pods() == []


def test_addresses_are_unique_and_reused_only_when_free(world):
    for n in range(20):
        world.create(a_pod(f"p{n:02}"))
    world.settle()
    first = {pod["metadata"]["name"]: pod["status"]["podIP"] for pod in world.pods()}
    assert len(set(first.values())) == 20
    world.delete("p05", grace=0)
    world.create(a_pod("q1"))
    world.create(a_pod("q2"))
    world.settle()
    addresses = [pod["status"]["podIP"] for pod in world.pods()]
    assert len(set(addresses)) == 21
    assert world.pod("q1")["status"]["podIP"] == first["p05"]


def test_a_pod_for_which_no_address_is_left_waits_for_one(world):
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "tiny"}, "spec": {"podCIDR": "192.168.7.0/30"}}
    world.client.create("nodes", node)
    world.create(a_pod("a", node="tiny"))
    world.create(a_pod("b", node="tiny"))
    world.settle()
    assert world.pod("a")["status"]["podIP"] == "192.168.7.2"
    assert [reason for reason, _ in world.events("b")] == ["FailedCreatePodSandBox"]
    assert states(world.pod("b")) == ["waiting"]
    world.delete("a")
    world.settle()
    assert world.pod("b")["status"]["podIP"] == "192.168.7.2"
    assert is_ready(world.pod("b"))


POLICIES = ["Always", "OnFailure", "Never"]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_mix_of_pods_comes_to_rest_and_stays_there(make_world, data):
    world = make_world(
        image_pull=float(data.draw(st.integers(0, 3))), container_start=float(data.draw(st.integers(0, 2)))
    )
    world.node("n1")
    world.node("n2")
    images = st.sampled_from(["nginx", "redis:8", "Bad", "quay.io/a/b@sha256:" + "0" * 64])
    probe = st.none() | st.fixed_dictionaries(
        {
            "tcpSocket": st.just({"port": 80}),
            "periodSeconds": st.integers(1, 7),
            "initialDelaySeconds": st.integers(0, 20),
            "successThreshold": st.integers(1, 3),
        }
    )
    count = data.draw(st.integers(1, 5))
    for n in range(count):
        containers = [
            {"name": f"c{k}", "image": data.draw(images)} | ({"readinessProbe": p} if (p := data.draw(probe)) else {})
            for k in range(data.draw(st.integers(1, 3)))
        ]
        init = [
            {"name": f"i{k}", "image": data.draw(images)}
            | ({"restartPolicy": "Always"} if data.draw(st.booleans()) else {})
            for k in range(data.draw(st.integers(0, 2)))
        ]
        spec = {"restartPolicy": data.draw(st.sampled_from(POLICIES)), "initContainers": init}
        world.create(a_pod(f"p{n}", node=data.draw(st.sampled_from(["n1", "n2"])), containers=containers, **spec))
        world.until(world.now + data.draw(st.integers(0, 5)))
        if data.draw(st.integers(0, 3)) == 0 and world.pods():
            victim = data.draw(st.sampled_from([pod["metadata"]["name"] for pod in world.pods()]))
            world.delete(victim, grace=data.draw(st.sampled_from([None, 0, 1, 5])))
            world.settle(within=0)
        assert not world.undecided()
    assert world.settle().end == "Quiet"
    assert not world.undecided()
    assert not world.manager.crashes
    # A pod that has ended shows the address it had; another may have it by now.
    live = [p["status"] for p in world.pods() if p["status"]["phase"] not in ("Succeeded", "Failed")]
    used = [status["podIP"] for status in live if status.get("podIP")]
    assert len(used) == len(set(used))
    for pod in world.pods():
        is_bad = any(c["image"] == "Bad" for c in [*pod["spec"]["containers"], *pod["spec"].get("initContainers", ())])
        if not is_bad:
            assert pod["status"]["phase"] == ("Running" if pod["spec"]["restartPolicy"] == "Always" else "Succeeded")
    revision = world.server.revision
    world.restart()
    world.settle()
    world.settle(pass_time=600)
    assert world.server.revision == revision
    for cache in world.manager.caches.known():
        for fold in cache.folds().values():
            assert fold.items() == fold.recompute(cache)
    for pod in world.pods():
        world.delete(pod["metadata"]["name"])
    world.settle()
    assert world.pods() == []


@pytest.mark.parametrize("order", [1, -1])
def test_the_order_of_creation_does_not_change_the_times(make_world, order):
    world = make_world()
    world.node("n1")
    for name in ["a", "b", "c"][::order]:
        world.create(a_pod(name, containers=[{"name": "c", "image": f"{'x' if name == 'c' else 'y'}:1"}]))
    world.settle()
    started = [pod["status"]["containerStatuses"][0]["state"]["running"]["startedAt"][-3:] for pod in world.pods()]
    assert started == ["03Z", "03Z", "05Z"]
