"""Nodes that die, come back, reboot, or run short of something."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kctl import ControlPlane
from kctl.api.behaviour import PREFIX
from kctl.api.objects import Key, condition
from tests.kubelet.test_failures import HTTP, a_pod, status_of

TAINTS = ("node.kubernetes.io/unreachable", "node.kubernetes.io/not-ready")


def say(client, name, **texts):
    """Annotate a node; None takes an annotation away."""
    annotations = {PREFIX + key.replace("_", "-"): text for key, text in texts.items()}
    client.patch("nodes", Key("", name), {"metadata": {"annotations": annotations}})


def web(replicas, seconds=None, **spec):
    tolerations = [
        {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": seconds} for key in TAINTS
    ]
    template = {"containers": [{"name": "c", "image": "nginx:1"}], **spec}
    if seconds is not None:
        template["tolerations"] = tolerations
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": template},
        },
    }


@pytest.fixture
def plane():
    """Return a plane with three nodes in three zones and a Deployment of six."""
    with ControlPlane.open(None, nodes=3, cloud="local") as made:
        made.client.create("deployments.apps", web(6))
        made.run()
        yield made


def nodes_of(plane):
    return sorted(pod["spec"]["nodeName"] for pod in plane.client.list("pods").items if not leaving(pod))


def leaving(pod):
    return "deletionTimestamp" in pod["metadata"]


def effects(plane, name):
    taints = plane.client.get("nodes", "", name)["spec"].get("taints") or ()
    return sorted(taint["effect"] for taint in taints if taint["key"] in TAINTS)


def test_a_dead_node_is_unknown_after_its_grace_and_evicted_after_the_tolerated_time(plane):
    started = plane.now
    say(plane.client, "node-1", state="dead")
    plane.run(advance=49)
    assert condition(plane.client.get("nodes", "", "node-1"), "Ready")["status"] == "True"
    plane.run(advance=1)
    node = plane.client.get("nodes", "", "node-1")
    found = condition(node, "Ready")
    assert (found["status"], found["reason"]) == ("Unknown", "NodeStatusUnknown")
    assert effects(plane, "node-1") == ["NoExecute", "NoSchedule"]
    pods = [pod for pod in plane.client.list("pods").items if pod["spec"]["nodeName"] == "node-1"]
    assert [condition(pod, "Ready")["status"] for pod in pods] == ["False", "False"]
    assert not any(map(leaving, pods))
    plane.run()
    assert plane.now >= started + 350
    assert nodes_of(plane) == ["node-2"] * 3 + ["node-3"] * 3
    assert sum(map(leaving, plane.client.list("pods").items)) == 2  # nobody is there to let go of them


def test_a_node_that_comes_back_in_time_keeps_its_pods(plane):
    say(plane.client, "node-1", state="kubelet-stopped")
    plane.run(advance=120)
    say(plane.client, "node-1", state=None)
    plane.run()
    assert effects(plane, "node-1") == []
    assert nodes_of(plane) == ["node-1"] * 2 + ["node-2"] * 2 + ["node-3"] * 2
    assert all(pod["status"]["containerStatuses"][0]["restartCount"] == 0 for pod in plane.client.list("pods").items)
    assert all(condition(pod, "Ready")["status"] == "True" for pod in plane.client.list("pods").items)


def test_what_ran_on_a_machine_that_was_down_is_run_again(plane):
    boot = plane.client.get("nodes", "", "node-1")["status"]["nodeInfo"]["bootID"]
    say(plane.client, "node-1", state="dead")
    plane.run(advance=30)
    say(plane.client, "node-1", state=None)
    plane.run()
    assert plane.client.get("nodes", "", "node-1")["status"]["nodeInfo"]["bootID"] != boot
    pods = [pod for pod in plane.client.list("pods").items if pod["spec"]["nodeName"] == "node-1"]
    ended = [pod["status"]["containerStatuses"][0]["lastState"]["terminated"] for pod in pods]
    assert [(one["exitCode"], one["reason"]) for one in ended] == [(255, "Unknown")] * 2
    assert all(condition(pod, "Ready")["status"] == "True" for pod in pods)


def test_another_boot_is_a_reboot_and_the_same_one_is_none(plane):
    for _ in range(2):
        say(plane.client, "node-2", boot="1")
        plane.run()
    restarts = [
        pod["status"]["containerStatuses"][0]["restartCount"]
        for pod in plane.client.list("pods").items
        if pod["spec"]["nodeName"] == "node-2"
    ]
    assert restarts == [1, 1]
    revision = plane.revision
    plane.use_mark(False)
    plane.run()
    assert plane.revision == revision


def test_a_pod_that_is_never_restarted_fails_with_its_machine():
    with ControlPlane.open(None, nodes=1, cloud="none") as plane:
        plane.run()
        plane.client.create("pods", {**a_pod(restartPolicy="Never", run_="1h"), "spec": a_spec(restartPolicy="Never")})
        plane.run(advance=10)
        say(plane.client, "node-1", boot="1")
        plane.run()
        assert plane.client.get("pods", "default", "p")["status"]["phase"] == "Failed"


def a_spec(**more):
    return {"containers": [{"name": "c", "image": "nginx:1"}], **more}


def test_with_all_nodes_lost_nobody_is_evicted(plane):
    for name in ("node-1", "node-2", "node-3"):
        say(plane.client, name, state="dead")
    plane.run()
    assert [effects(plane, name) for name in ("node-1", "node-2", "node-3")] == [["NoSchedule"]] * 3
    assert not any(map(leaving, plane.client.list("pods").items))


def test_nodes_of_a_zone_are_tainted_one_after_the_other():
    groups = [{"name": zone, "count": 3, "zones": [zone]} for zone in ("a", "b")]
    from kctl.plane import cluster as clusters

    shape = clusters.parse(
        {"apiVersion": "kctl.dev/v1", "kind": "Cluster", "spec": {"cloud": "none", "nodeGroups": groups}}
    )
    with ControlPlane.for_cluster(None, shape) as plane:
        plane.run()
        for n in (1, 2, 3):
            say(plane.client, f"a-{n}", state="dead")
        plane.run()
        taints = [
            taint["timeAdded"][-4:]
            for n in (1, 2, 3)
            for taint in plane.client.get("nodes", "", f"a-{n}")["spec"]["taints"]
            if taint["effect"] == "NoExecute"
        ]
        assert taints == ["50Z", "00Z", "10Z"] or taints == [":50Z", ":00Z", ":10Z"]


def test_in_a_small_zone_that_is_mostly_lost_nobody_is_evicted():
    groups = [{"name": "a", "count": 4, "zones": ["a"]}, {"name": "b", "count": 1, "zones": ["b"]}]
    from kctl.plane import cluster as clusters

    shape = clusters.parse(
        {"apiVersion": "kctl.dev/v1", "kind": "Cluster", "spec": {"cloud": "none", "nodeGroups": groups}}
    )
    with ControlPlane.for_cluster(None, shape) as plane:
        plane.run()
        for n in (1, 2, 3):
            say(plane.client, f"a-{n}", state="dead")
        plane.run()
        assert [effects(plane, f"a-{n}") for n in (1, 2, 3)] == [["NoSchedule"]] * 3


def test_pressure_that_is_said_shows_and_passes(world):
    say(world.client, "n1", pressure="memory,pid")
    world.settle()
    node = world.client.get("nodes", "", "n1")
    assert [condition(node, kind)["status"] for kind in ("MemoryPressure", "DiskPressure", "PIDPressure")] == [
        "True",
        "False",
        "True",
    ]
    world.until(20)
    say(world.client, "n1", pressure=None)
    begun = world.now
    world.settle()
    assert world.now == begun + 300
    assert condition(world.client.get("nodes", "", "n1"), "MemoryPressure")["status"] == "False"
    assert world.undecided() == []


def test_pods_that_use_too_much_are_evicted_in_order_of_rank(world):
    asked = {"resources": {"requests": {"memory": "6Gi"}}}
    world.create(a_pod("modest", asked, memory_="5Gi"))
    world.create(a_pod("greedy", {"image": "a"}, memory_="7Gi"))
    world.create(a_pod("greedier", {"image": "b"}, memory_="6Gi", priority=None))
    world.settle()
    phases = {name: world.pod(name)["status"]["phase"] for name in ("modest", "greedy", "greedier")}
    assert phases == {"modest": "Running", "greedy": "Failed", "greedier": "Running"}
    status = world.pod("greedy")["status"]
    assert status["reason"] == "Evicted"
    assert status["message"].startswith("The node was low on resource: memory. Threshold quantity: 100Mi, available: ")
    assert condition(world.pod("greedy"), "DisruptionTarget")["reason"] == "TerminationByKubelet"
    assert ("Evicted", status["message"]) in world.events("greedy")
    assert world.undecided() == []
    assert status_of(world, "greedy")["state"]["terminated"]["exitCode"] == 137


def test_one_pod_goes_at_a_time(world):
    for name in ("a", "b", "c", "d"):
        world.create(a_pod(name, {"image": f"{name}:1"}, memory_="5Gi"))
    world.settle()
    evicted = [pod for pod in world.pods() if pod["status"].get("reason") == "Evicted"]
    assert len(evicted) == 1  # 15 Gi of 16 are left in use


def test_images_of_known_size_are_listed_and_stay(world):
    world.create(a_pod("a", size_="300Mi"))
    world.create(a_pod("b", {"image": "redis:1"}))
    world.settle()
    world.delete("a")
    world.settle()
    (image,) = world.client.get("nodes", "", "n1")["status"]["images"]
    assert (image["sizeBytes"], image["names"][1]) == (300 << 20, "docker.io/library/nginx:1")
    world.create(a_pod("c", {"imagePullPolicy": "Never"}))
    begun = world.now
    world.settle()
    assert (world.now, status_of(world, "c")["ready"]) == (begun + 1, True)
    assert world.undecided() == []


def images_of(world):
    return {image["names"][-1] for image in world.client.get("nodes", "", "n1")["status"].get("images", [])}


def test_images_that_nobody_uses_go_when_the_disk_is_full(world):
    for name, size in (("a", "40Gi"), ("b", "30Gi")):
        world.create(a_pod(name, {"image": f"{name}:1"}, size_=size))
    world.settle()
    world.delete("a")
    world.settle()
    world.create(a_pod("c", {"image": "c:1"}, size_="10Gi"))
    world.settle()
    assert len(images_of(world)) == 3
    world.create(a_pod("d", {"image": "d:1"}, size_="20Gi"))
    world.settle()
    assert images_of(world) == {f"docker.io/library/{name}:1" for name in ("b", "c", "d")}
    assert world.undecided() == []


def test_a_node_short_of_disk_gives_up_all_images_that_nobody_uses(world):
    for name, says in (("a", {"size_": "1Gi"}), ("b", {"size_": "1Gi"}), ("c", {})):
        asked = {"image": f"{name}:1", "resources": {"requests": {"ephemeral-storage": "1Gi"}}}
        world.create(a_pod(name, asked, disk_="1Mi", **says))
    world.settle()
    node = world.client.get("nodes", "", "n1")
    own = [{"names": [f"{name}:1"], "sizeBytes": 5} for name in ("c", "other")]
    status = {**node["status"], "images": [*node["status"]["images"], *own]}
    world.client.update("nodes", {**node, "status": status}, subresource="status")
    world.settle()
    world.delete("a")
    world.settle()
    say(world.client, "n1", pressure="disk")
    world.settle()
    assert images_of(world) == {"docker.io/library/b:1", "c:1"}
    assert world.undecided() == []


def test_a_node_short_of_memory_takes_no_pods_that_ask_for_nothing(world):
    say(world.client, "n1", pressure="memory")
    world.settle()
    world.create(a_pod())
    world.settle()
    status = world.pod()["status"]
    assert (status["phase"], status["reason"]) == ("Failed", "Evicted")


def test_a_node_short_of_disk_takes_no_pod_even_of_the_scheduler(world):
    say(world.client, "n1", pressure="disk")
    world.settle()
    tolerated = {"key": "node.kubernetes.io/disk-pressure", "operator": "Exists", "effect": "NoSchedule"}
    made = a_pod("ds", {"resources": {"requests": {"cpu": "1"}}}, tolerations=[tolerated])
    node = made["spec"].pop("nodeName")
    world.create(made)
    world.client.bind(Key("default", "ds"), world.pod("ds")["metadata"]["uid"], node)
    world.settle()
    status = world.pod("ds")["status"]
    assert (status["phase"], status["reason"]) == ("Failed", "Evicted")
    assert status["message"] == "Pod was rejected: The node had condition: [DiskPressure]. "


def test_for_want_of_pids_pods_go_by_priority_one_at_a_time(world):
    classes = "priorityclasses.scheduling.k8s.io"
    body = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "high"}}
    world.client.create(classes, {**body, "value": 1000})
    world.create(a_pod("high", {"resources": {"requests": {"cpu": "1"}}}, priorityClassName="high"))
    world.create(a_pod("low", {"resources": {"requests": {"cpu": "1"}}}))
    world.settle()
    begun = world.now
    say(world.client, "n1", pressure="pid")
    world.until(begun + 5)
    assert {pod["metadata"]["name"]: pod["status"]["phase"] for pod in world.pods()} == {
        "high": "Running",
        "low": "Failed",
    }
    assert world.pod("low")["status"]["message"] == "The node was low on resource: pids. "
    world.settle()
    assert world.pod("high")["status"]["reason"] == "Evicted"
    assert world.undecided() == []


def test_who_hangs_is_not_ready_before_anybody_kills_it(world):
    world.create(a_pod(container={"readinessProbe": HTTP}, hangs_after_="30s"))
    world.settle()
    assert world.now == 43
    assert status_of(world)["ready"] is False
    assert ("Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503") in world.events()


MOVES = st.lists(
    st.tuples(
        st.sampled_from(["node-1", "node-2", "node-3"]),
        st.sampled_from(
            [{"state": "dead"}, {"state": "kubelet-stopped"}, {"state": None}, {"boot": "1"}, {"boot": "2"}]
        ),
        st.sampled_from([0, 3, 52, 400]),
    ),
    max_size=6,
)


@given(MOVES)
@settings(max_examples=8, deadline=None)
def test_whatever_befalls_nodes_the_cluster_comes_to_rest(moves):
    with ControlPlane.open(None, nodes=3, cloud="local") as plane:
        plane.client.create("deployments.apps", web(4, seconds=20))
        plane.run()
        for name, texts, seconds in moves:
            say(plane.client, name, **texts)
            plane.run(advance=seconds)
        assert plane.run().end == "Quiet"
        revision = plane.revision
        plane.use_mark(False)
        plane.run()
        assert plane.revision == revision
        nodes = {node["metadata"]["name"]: node for node in plane.client.list("nodes").items}
        ready = {name for name, node in nodes.items() if condition(node, "Ready")["status"] == "True"}
        for name, node in nodes.items():
            is_up = PREFIX + "state" not in node["metadata"]["annotations"]
            assert (name in ready) == is_up == (effects(plane, name) == [])
            assert ("NoExecute" in effects(plane, name)) == (name not in ready and bool(ready))
        for pod in plane.client.list("pods").items:
            if pod["spec"].get("nodeName") in ready:
                assert condition(pod, "Ready")["status"] == "True"
            elif pod["spec"].get("nodeName"):
                assert (condition(pod, "Ready") or {}).get("status") != "True"
                assert leaving(pod) or not ready
