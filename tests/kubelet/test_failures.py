"""Pods of a world that misbehaves: images that do not come, containers that crash, hang, or will not stop."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kctl.api.behaviour import PREFIX

HTTP = {"httpGet": {"path": "/", "port": 80}, "periodSeconds": 5}


def a_pod(name="p", container=None, **more):
    """Return a pod on n1; keywords with a trailing underscore are annotations."""
    says = {PREFIX + key[:-1].replace("_", "-"): text for key, text in more.items() if key.endswith("_")}
    spec = {key: value for key, value in more.items() if not key.endswith("_")}
    containers = [{"name": "c", "image": "nginx:1", **(container or {})}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "annotations": says},
        "spec": {"nodeName": "n1", "containers": containers, **spec},
    }


def status_of(world, name="p", kind="containerStatuses"):
    return world.pod(name)["status"][kind][0]


def reasons(world, name="p"):
    return [reason for reason, _ in world.events(name)]


def test_a_crash_loop_settles_at_its_longest_back_off(world):
    world.create(a_pod(run_="3s", exit_code_="1"))
    assert world.settle().end == "Quiet"
    assert world.now == 341
    found = status_of(world)
    assert found["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert found["state"]["waiting"]["message"].startswith("back-off 5m0s restarting failed container=c pod=p_default(")
    assert (found["restartCount"], found["lastState"]["terminated"]["exitCode"]) == (6, 1)
    assert world.pod()["status"]["phase"] == "Running"
    assert "BackOff" in reasons(world)
    assert world.undecided() == []


def test_the_loop_goes_on_when_time_is_asked_to_pass(world):
    world.create(a_pod(run_="3s", exit_code_="1"))
    world.settle()
    world.settle(pass_time=310)
    assert status_of(world)["restartCount"] == 7


def test_a_restarted_kubelet_goes_on_where_the_other_was(world):
    world.create(a_pod(run_="3s", exit_code_="1"))
    world.until(47)
    before = status_of(world)
    world.restart()
    world.settle()
    assert world.now == 341
    assert before["restartCount"] < status_of(world)["restartCount"] == 6


def test_so_many_crashes_and_then_it_runs(world):
    world.create(a_pod(run_="3s", exit_code_="1", exit_times_="3"))
    world.settle()
    assert world.now == 45
    assert status_of(world)["restartCount"] == 3
    assert status_of(world)["ready"] is True


@pytest.mark.parametrize(
    ("policy", "code", "phase", "restarts"),
    [("Never", "2", "Failed", 0), ("Never", "0", "Succeeded", 0), ("OnFailure", "0", "Succeeded", 0)],
)
def test_a_job_ends_as_said(world, policy, code, phase, restarts):
    world.create(a_pod(restartPolicy=policy, run_="40s", exit_code_=code))
    world.settle()
    assert world.now == 43
    assert world.pod()["status"]["phase"] == phase
    assert status_of(world)["restartCount"] == restarts


def test_an_image_that_cannot_be_pulled_backs_off(world):
    world.create(a_pod(pull_="fail"))
    world.until(0)
    assert status_of(world)["state"]["waiting"]["reason"] == "ErrImagePull"
    world.until(1)
    assert status_of(world)["state"]["waiting"] == {
        "reason": "ImagePullBackOff",
        "message": 'Back-off pulling image "nginx:1": ErrImagePull: rpc error: code = NotFound desc = failed to pull and '
        'unpack image "docker.io/library/nginx:1": failed to resolve reference "docker.io/library/nginx:1": '
        "docker.io/library/nginx:1: not found",
    }
    assert world.settle().end == "Quiet"
    assert world.now == 311
    assert world.pod()["status"]["phase"] == "Pending"
    assert world.undecided() == []
    assert set(reasons(world)) == {"Pulling", "Failed", "BackOff"}


def test_a_failing_image_holds_up_no_other(world):
    world.create(a_pod("bad", pull_="fail"))
    world.create(a_pod("good", {"image": "redis:1"}))
    world.settle()
    assert status_of(world, "good")["state"]["running"]["startedAt"] == "2026-01-01T00:00:03Z"


def test_an_image_comes_at_the_third_attempt(world):
    world.create(a_pod(pull_="fail", pull_times_="2"))
    world.settle()
    assert world.now == 33
    assert status_of(world)["ready"] is True


def test_an_image_that_is_mended_is_taken(world):
    world.create(a_pod(pull_="fail"))
    world.settle()
    world.client.patch("pods", world_key(), {"metadata": {"annotations": {PREFIX + "pull": None}}})
    world.settle()
    assert status_of(world)["ready"] is True


def world_key(name="p"):
    from kctl.api.objects import Key

    return Key("default", name)


def test_a_large_image_takes_its_time(world):
    world.create(a_pod(pull_="20s"))
    world.settle()
    assert world.now == 21
    assert ("Pulled", 'Successfully pulled image "nginx:1" in 20s (20s including waiting)') in world.events()


def test_liveness_kills_who_hangs_and_it_is_run_again(world):
    world.create(a_pod(container={"livenessProbe": HTTP, "readinessProbe": HTTP}, hangs_after_="30s", hangs_times_="1"))
    world.settle()
    found = status_of(world)
    assert (found["restartCount"], found["ready"]) == (1, True)
    assert found["lastState"]["terminated"]["finishedAt"] == "2026-01-01T00:00:44Z"
    assert ("Killing", "Container c failed liveness probe, will be restarted") in world.events()
    assert ("Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 503") in world.events()


def test_a_slow_start_without_a_startup_probe_is_a_crash_loop(world):
    world.create(a_pod(container={"livenessProbe": HTTP}, up_after_="60s"))
    world.settle()
    assert status_of(world)["state"]["waiting"]["reason"] == "CrashLoopBackOff"


def test_a_startup_probe_gives_a_slow_start_its_time(world):
    probe = {**HTTP, "failureThreshold": 30}
    world.create(
        a_pod(container={"livenessProbe": HTTP, "startupProbe": probe, "readinessProbe": HTTP}, up_after_="61s")
    )
    world.settle()
    assert (world.now, status_of(world)["restartCount"]) == (68, 0)
    assert status_of(world)["ready"] is True


def test_who_is_never_ready_keeps_nobody_waiting(world):
    world.create(a_pod(container={"readinessProbe": HTTP}, ready_after_="never"))
    assert world.settle().end == "Quiet"
    assert (world.now, status_of(world)["ready"]) == (3, False)


def test_more_memory_than_the_limit_is_killed(world):
    limited = {"resources": {"limits": {"memory": "100Mi"}}}
    world.create(a_pod(container=limited, memory_="101Mi"))
    world.settle()
    ended = status_of(world)["lastState"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (137, "OOMKilled")


@pytest.mark.parametrize(
    ("annotations", "hook", "grace", "gone", "code"),
    [
        ({}, None, 30, 1, 0),
        ({"stop_": "12s"}, None, 30, 12, 0),
        ({"stop_": "never"}, None, 30, 30, 137),
        ({"stop_": "12s"}, None, 5, 5, 137),
        ({}, {"sleep": {"seconds": 7}}, 30, 8, 0),
        ({"pre_stop_": "29s", "stop_": "2s"}, {"exec": {"command": ["x"]}}, 30, 31, 0),
        ({"pre_stop_": "60s", "stop_": "3s"}, {"exec": {"command": ["x"]}}, 30, 32, 137),
        ({"stop_code_": "143"}, None, 30, 1, 143),
    ],
    ids=["at once", "slow", "deaf", "too slow", "sleeps", "hook", "the hook took it all, 2 s are left", "its own code"],
)
def test_how_a_deleted_pod_stops(world, annotations, hook, grace, gone, code):
    container = {"lifecycle": {"preStop": hook}} if hook else {}
    pod = a_pod(container=container, terminationGracePeriodSeconds=grace, **annotations)
    pod["metadata"]["finalizers"] = ["x/y"]
    world.create(pod)
    world.settle()
    begun = world.now
    world.delete()
    world.settle()
    assert world.now == begun + gone
    assert status_of(world)["state"]["terminated"]["exitCode"] == code


def test_a_hook_that_fails_after_the_start_is_a_crash(world):
    hook = {"lifecycle": {"postStart": {"exec": {"command": ["x"]}}}}
    world.create(a_pod(container=hook, post_start_="no database"))
    world.settle()
    assert status_of(world)["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert ("FailedPostStartHook", "PostStartHook failed: no database") in world.events()


def init(name, **more):
    return {"name": name, "image": "busybox:1", **more}


def test_an_init_container_that_fails_is_run_again_before_the_others(world):
    pod = a_pod(initContainers=[init("i")])
    pod["metadata"]["annotations"] = {PREFIX + "exit-code.i": "1", PREFIX + "exit-times.i": "2"}
    world.create(pod)
    world.settle()
    assert status_of(world, kind="initContainerStatuses")["restartCount"] == 2
    assert status_of(world)["ready"] is True


def test_an_init_container_that_fails_ends_a_pod_that_is_never_restarted(world):
    pod = a_pod(initContainers=[init("i")], restartPolicy="Never")
    pod["metadata"]["annotations"] = {PREFIX + "exit-code.i": "1"}
    world.create(pod)
    world.settle()
    assert world.pod()["status"]["phase"] == "Failed"
    assert status_of(world)["state"]["waiting"]["reason"] == "PodInitializing"


def test_a_sidecar_is_run_again_while_the_others_go_on(world):
    pod = a_pod(initContainers=[init("s", restartPolicy="Always")])
    pod["metadata"]["annotations"] = {PREFIX + "run.s": "20s", PREFIX + "exit-times.s": "1"}
    world.create(pod)
    world.settle()
    assert status_of(world, kind="initContainerStatuses")["restartCount"] == 1
    assert (status_of(world)["restartCount"], status_of(world)["ready"]) == (0, True)


def test_an_annotation_that_cannot_be_read_is_told_of(world):
    world.create(a_pod(run_="soon"))
    world.settle()
    message = "sim.kctl.dev/run: 'soon' cannot be read: time: invalid duration \"soon\""
    assert ("InvalidSimulation", message) in world.events()
    assert status_of(world)["ready"] is True


@pytest.mark.parametrize(("policy", "restarts"), [("NotRequired", 0), ("RestartContainer", 1)])
def test_a_container_is_resized_in_place_unless_it_asks_to_be_run_again(world, policy, restarts):
    resources = {"requests": {"cpu": "100m", "memory": "64Mi"}}
    resize = [{"resourceName": "cpu", "restartPolicy": policy}]
    world.create(a_pod(container={"resources": resources, "resizePolicy": resize}))
    world.settle()
    pod = world.pod()
    (container,) = pod["spec"]["containers"]
    larger = {**container, "resources": {"requests": {"cpu": "200m", "memory": "64Mi"}}}
    world.client.update("pods", {**pod, "spec": {**pod["spec"], "containers": [larger]}}, subresource="resize")
    world.settle()
    assert status_of(world)["resources"]["requests"]["cpu"] == "200m"
    assert (status_of(world)["restartCount"], status_of(world)["ready"]) == (restarts, True)
    assert world.undecided() == []


def test_rules_of_a_container_come_before_its_policy(world):
    rules = [{"action": "Restart", "exitCodes": {"operator": "In", "values": [42]}}]
    container = {"restartPolicy": "Never", "restartPolicyRules": rules}
    world.create(a_pod(container=container, restartPolicy="Never", run_="2s", exit_code_="42", exit_times_="1"))
    world.settle()
    assert (status_of(world)["restartCount"], world.pod()["status"]["phase"]) == (1, "Succeeded")


texts = st.fixed_dictionaries(
    {},
    optional={
        "run_": st.sampled_from(["0s", "2s", "9s"]),
        "exit_code_": st.sampled_from(["0", "1", "42"]),
        "exit_times_": st.sampled_from(["0", "1", "3"]),
        "up_after_": st.sampled_from(["0s", "8s", "never"]),
        "ready_after_": st.sampled_from(["5s", "never"]),
        "hangs_after_": st.sampled_from(["4s", "20s"]),
        "pull_": st.sampled_from(["0s", "7s", "fail"]),
        "pull_times_": st.sampled_from(["0", "1", "2"]),
        "start_": st.sampled_from(["0s", "5s"]),
        "stop_": st.sampled_from(["0s", "5s", "never"]),
        "memory_": st.sampled_from(["10Mi", "200Mi"]),
    },
)
probes = st.fixed_dictionaries(
    {}, optional={kind: st.just(HTTP) for kind in ("startupProbe", "livenessProbe", "readinessProbe")}
)


@given(texts, probes, st.sampled_from(["Always", "OnFailure", "Never"]), st.booleans(), st.integers(0, 60))
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_whatever_goes_wrong_settles_and_is_then_at_rest(make_world, says, probed, policy, has_sidecar, cut):
    world = make_world()
    world.node("n1")
    limits = {"resources": {"limits": {"memory": "100Mi"}}}
    more = {"initContainers": [init("s", restartPolicy="Always")]} if has_sidecar else {}
    world.create(a_pod(container={**probed, **limits}, restartPolicy=policy, **more, **says))
    world.until(cut)
    world.restart()
    assert world.settle().end == "Quiet"
    assert world.undecided() == []
    status = world.pod()["status"]
    conditions = {found["type"]: found["status"] for found in status["conditions"]}
    ready = status["phase"] == "Running" and all(found["ready"] for found in status["containerStatuses"])
    if not has_sidecar:
        assert (conditions["Ready"] == "True") == (conditions["ContainersReady"] == "True") == ready
    if status["phase"] in ("Succeeded", "Failed"):
        assert all("terminated" in found["state"] for found in status["containerStatuses"])
        assert policy != "Always"
    for found in status["containerStatuses"]:
        assert len(found["state"]) == 1
        assert not (found["ready"] and "running" not in found["state"])
        assert bool(found["restartCount"]) <= bool(found["lastState"])
