"""Static pods: mirror pods come, stay, come back and go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kctl.api.errors import StatusError
from kctl.api.objects import Key, Obj
from kctl.api.staticpods import errors_of, mirror_of
from tests.kubelet.world import World

INSTANCES = "instances.cloud.kctl.dev"


def static(name: str = "etcd", *, cpu: str = "100m", namespace: str = "", **spec: Any) -> Obj:
    container = {"name": "c", "image": "a:1", "resources": {"requests": {"cpu": cpu}}}
    meta = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {"containers": [container], **spec}}


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    return make_world()


def give(world: World, *pods: Obj, name: str = "n1") -> None:
    world.client.patch(INSTANCES, Key("", name), {"spec": {"staticPods": list(pods) or None}})


def test_a_mirror_pod_is_as_upstream_makes_it(world: World) -> None:
    world.node("n1", staticPods=[static()])
    world.settle()
    pod = world.pod("etcd-n1")
    node = world.client.get("nodes", "", "n1")
    owner = {"apiVersion": "v1", "kind": "Node", "name": "n1", "uid": node["metadata"]["uid"], "controller": True}
    assert pod["metadata"]["ownerReferences"] == [owner]
    notes = pod["metadata"]["annotations"]
    assert notes["kubernetes.io/config.source"] == "file"
    assert notes["kubernetes.io/config.hash"] == notes["kubernetes.io/config.mirror"]
    assert len(notes["kubernetes.io/config.hash"]) == 32
    assert pod["spec"]["nodeName"] == "n1"
    assert pod["spec"]["tolerations"] == [{"operator": "Exists", "effect": "NoExecute"}]
    assert "serviceAccountName" not in pod["spec"]
    assert pod["status"]["phase"] == "Running"
    assert world.undecided() == []


def test_a_deleted_mirror_pod_comes_back_and_its_containers_never_stop(world: World) -> None:
    world.node("n1", staticPods=[static()])
    world.settle()
    before = world.pod("etcd-n1")
    world.settle(pass_time=60)
    world.delete("etcd-n1")
    world.settle()
    after = world.pod("etcd-n1")
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    assert after["status"]["containerStatuses"] == before["status"]["containerStatuses"]
    assert after["status"]["startTime"] == before["status"]["startTime"]
    assert "Killing" not in [reason for reason, _ in world.events("etcd-n1")]
    seen = "kubernetes.io/config.seen"
    assert after["metadata"]["annotations"][seen] == before["metadata"]["annotations"][seen]


def test_one_that_was_deleted_by_force_comes_back_too(world: World) -> None:
    world.node("n1", staticPods=[static()])
    world.settle()
    before = world.pod("etcd-n1")
    world.delete("etcd-n1", grace=0)
    world.settle()
    assert world.pod("etcd-n1")["status"]["containerStatuses"] == before["status"]["containerStatuses"]


def test_another_manifest_is_another_pod_once_the_old_one_has_ended(world: World) -> None:
    world.node("n1", staticPods=[static()])
    world.settle()
    give(world, static(cpu="200m"))
    world.settle()
    pod = world.pod("etcd-n1")
    assert pod["spec"]["containers"][0]["resources"]["requests"]["cpu"] == "200m"
    assert pod["status"]["phase"] == "Running"
    assert [reason for reason, _ in world.events("etcd-n1")].count("Killing") == 1


def test_a_manifest_that_is_taken_away_ends_its_pod_alone(world: World) -> None:
    world.node("n1", staticPods=[static(), static("other")])
    world.settle()
    give(world, static("other"))
    world.settle()
    assert [pod["metadata"]["name"] for pod in world.pods()] == ["other-n1"]


def test_machines_in_a_namespace_that_comes_late_show_their_pods_then(world: World) -> None:
    world.node("n1", staticPods=[static(namespace="late")])
    world.settle()
    assert world.list("pods") == []
    world.client.create("namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "late"}})
    world.settle()
    assert [pod["status"]["phase"] for pod in world.list("pods")] == ["Running"]


def test_a_name_that_is_taken_is_waited_for(world: World) -> None:
    world.node("n1")
    world.create({**static("etcd-n1", namespace="default"), "spec": {**static()["spec"], "nodeName": "n1"}})
    world.settle()
    give(world, static())
    world.settle()
    assert "annotations" not in world.pod("etcd-n1")["metadata"]
    world.delete("etcd-n1", grace=0)
    world.settle()
    assert "kubernetes.io/config.mirror" in world.pod("etcd-n1")["metadata"]["annotations"]


def test_a_dead_machine_shows_nothing_anew_until_it_is_back(world: World) -> None:
    world.node("n1", staticPods=[static()])
    world.settle()
    state = {"metadata": {"annotations": {"sim.kctl.dev/state": "dead"}}}
    world.client.patch("nodes", Key("", "n1"), state)
    world.settle()
    world.delete("etcd-n1", grace=0)
    world.settle()
    with pytest.raises(StatusError):
        world.pod("etcd-n1")
    world.client.patch("nodes", Key("", "n1"), {"metadata": {"annotations": {"sim.kctl.dev/state": None}}})
    world.settle()
    assert world.pod("etcd-n1")["status"]["phase"] == "Running"


def test_machines_alike_bring_a_pod_each_and_no_two_are_of_one_hash() -> None:
    one, other = (mirror_of(static(), name) for name in ("n1", "n2"))
    assert one["metadata"]["name"] == "etcd-n1"
    hashes = {pod["metadata"]["annotations"]["kubernetes.io/config.hash"] for pod in (one, other)}
    assert len(hashes) == 2


REFERRING = {
    "serviceaccounts": {"serviceAccountName": "a"},
    "secrets": {"imagePullSecrets": [{"name": "a"}]},
    "configmaps (via configmap volumes)": {"volumes": [{"name": "v", "configMap": {"name": "a"}}]},
    "secrets (via secret volumes)": {"volumes": [{"name": "v", "secret": {"secretName": "a"}}]},
    "persistentvolumeclaims": {"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "a"}}]},
    "csidrivers (via CSI volumes)": {"volumes": [{"name": "v", "csi": {"driver": "a.b"}}]},
    "configmaps (via projected volumes)": {
        "volumes": [{"name": "v", "projected": {"sources": [{"configMap": {"name": "a"}}]}}]
    },
}


@pytest.mark.parametrize(("what", "spec"), REFERRING.items(), ids=REFERRING)
def test_a_static_pod_may_not_refer_to_the_api(what: str, spec: Obj) -> None:
    [error] = errors_of(static(**spec))
    assert error.detail == f"static pods may not reference {what}"


@pytest.mark.parametrize(
    ("manifest", "field"),
    [
        ("text", ""),
        ({"apiVersion": "v1", "kind": "Service"}, ""),
        ({**static(), "metadata": {}}, "metadata.name"),
        ({**static(), "metadata": {"name": "A"}}, "metadata.name"),
        (static(hostNetwork="yes"), "spec.hostNetwork"),
        (static(noodles=3), "spec.noodles"),
        ({**static(), "spec": {"containers": []}}, "spec.containers"),
    ],
)
def test_what_is_no_pod_is_refused_by_its_field(manifest: Any, field: str) -> None:
    assert field in [error.field for error in errors_of(manifest)]


def test_a_static_pod_takes_what_machines_have() -> None:
    mount = {"volumes": [{"name": "v", "hostPath": {"path": "/etc"}}, {"name": "e", "emptyDir": {}}]}
    assert errors_of(static(priorityClassName="system-node-critical", hostNetwork=True, **mount)) == []
