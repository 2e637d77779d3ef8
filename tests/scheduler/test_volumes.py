"""Pods go where their volumes are, or can be made: the plugins for volumes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kctl.client.client import WatchEvent
from kctl.scheduler import hints
from kctl.scheduler.cluster import Cluster
from kctl.scheduler.explain import describe
from kctl.scheduler.extension import PreBindError
from kctl.scheduler.hints import Event
from kctl.scheduler.podinfo import PodInfo
from kctl.scheduler.profile import default_profile
from kctl.scheduler.volume_hints import storage_events

Obj = dict[str, Any]
Make = Callable[..., Obj]
Clusters = Callable[..., Cluster]

CLAIMS, VOLUMES = "persistentvolumeclaims", "persistentvolumes"
CLASSES = "storageclasses.storage.k8s.io"
NODE_CONFLICT = "node(s) didn't match PersistentVolume's node affinity"
NO_VOLUMES = "node(s) didn't find available persistent volumes to bind"
ZONE = "topology.kubernetes.io/zone"


def claim(name: str = "c", *, bound: str = "", size: str = "1Gi", cls: str = "wait", **more: Any) -> Obj:
    spec = {"accessModes": more.pop("modes", ["ReadWriteOnce"]), "resources": {"requests": {"storage": size}}}
    meta: Obj = {"name": name, "namespace": "default", "uid": f"uid-{name}", "resourceVersion": "1"}
    notes = dict(more.pop("annotations", {}))
    if bound:
        notes["pv.kubernetes.io/bind-completed"] = "yes"
        spec["volumeName"] = bound
    meta |= {"annotations": notes, **more.pop("metadata", {})}
    return {"metadata": meta, "spec": {**spec, "storageClassName": cls}, "status": {"phase": "Pending", **more}}


def volume(name: str = "v", *, size: str = "1Gi", cls: str = "wait", zone: str = "", **spec: Any) -> Obj:
    made = {"capacity": {"storage": size}, "accessModes": ["ReadWriteOnce"], "storageClassName": cls, **spec}
    if zone:
        term = {"matchExpressions": [{"key": ZONE, "operator": "In", "values": [zone]}]}
        made["nodeAffinity"] = {"required": {"nodeSelectorTerms": [term]}}
    labels = made.pop("labels", {})
    return {
        "metadata": {"name": name, "labels": labels, "resourceVersion": "1"},
        "spec": made,
        "status": {"phase": "Available"},
    }


def storage_class(name: str = "wait", provisioner: str = "kubernetes.io/no-provisioner", **more: Any) -> Obj:
    mode = more.pop("mode", "WaitForFirstConsumer")
    return {"metadata": {"name": name}, "provisioner": provisioner, "volumeBindingMode": mode, **more}


def using(*claims: str) -> Obj:
    return {"volumes": [{"name": name, "persistentVolumeClaim": {"claimName": name}} for name in claims]}


def decide(cluster: Cluster, pod: Obj) -> Obj:
    return describe(default_profile().schedule(cluster, PodInfo(pod)))


@pytest.fixture
def zones(cluster: Clusters, node: Make) -> Callable[..., Cluster]:
    """Return what makes a cluster with a node in each of the zones a and b."""

    def make(pods: list[Obj] | None = None, **objects: list[Obj]) -> Cluster:
        nodes = [node(f"n{zone}", labels={ZONE: zone}) for zone in "ab"]
        names = {"claims": CLAIMS, "volumes": VOLUMES, "classes": CLASSES}
        found = {names.get(key, key): value for key, value in objects.items()}
        found.setdefault(CLASSES, [storage_class()])
        made = cluster(nodes, pods or (), **found)
        for there in pods or ():
            made.caches["pods"].deliver(WatchEvent("ADDED", "pods", there, None))
        return made

    return make


@pytest.mark.parametrize(
    ("objects", "message"),
    [
        ({}, 'persistentvolumeclaim "c" not found. not found'),
        ({"claims": [claim(cls="now")], "classes": [storage_class("now", mode="Immediate")]}, None),
        ({"claims": [claim(cls="gone")]}, None),
        ({"claims": [{**claim(), "spec": {**claim()["spec"], "volumeName": "v"}}]}, None),
        (
            {"claims": [claim(bound="v", phase="Lost")]},
            'persistentvolumeclaim "c" bound to non-existent persistentvolume "v". not found',
        ),
        (
            {"claims": [claim(metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"})]},
            'persistentvolumeclaim "c" is being deleted. not found',
        ),
        ({"claims": [claim(bound="v")]}, 'persistentvolume "v" not found. not found'),
    ],
    ids=["missing", "immediate", "no class", "named", "lost", "going", "volume gone"],
)
def test_a_claim_that_should_be_bound_keeps_the_pod_from_every_node(zones, pod, objects, message) -> None:
    message = message or "pod has unbound immediate PersistentVolumeClaims. not found"
    assert decide(zones(**objects), pod(**using("c")))["message"] == f"0/2 nodes are available: {message}"


def test_a_bound_volume_decides_the_zone(zones, pod) -> None:
    found = decide(zones(claims=[claim(bound="v")], volumes=[volume(zone="b")]), pod(**using("c")))
    assert found["node"] == "nb"
    assert found["nodes"]["na"]["reason"] == NODE_CONFLICT


def test_of_volumes_that_fit_the_smallest_is_promised_and_nobody_else_gets_it(zones, pod) -> None:
    volumes = [volume("big", size="5Gi", zone="a"), volume("small", size="2Gi", zone="a"), volume("tiny", size="1Mi")]
    cluster = zones(claims=[claim("c"), claim("d")], volumes=volumes)
    framework = default_profile()
    assert decide(cluster, pod("p", **using("c")))["node"] == "na"
    (reserved,) = framework.reserve(cluster, PodInfo(pod("p", **using("c"))), "na")
    assert cluster.volumes.volume("small")["spec"]["claimRef"]["name"] == "c"
    framework.reserve(cluster, PodInfo(pod("q", **using("d"))), "na")
    assert cluster.volumes.volume("big")["spec"]["claimRef"]["name"] == "d"
    assert NO_VOLUMES in decide(cluster, pod("r", **using("c", "d")))["nodes"]["nb"]["reason"]
    reserved.release()
    assert "claimRef" not in cluster.volumes.volume("small")["spec"]


@pytest.mark.parametrize(
    ("changed", "chosen"),
    [
        ({}, "na"),
        ({"provisioner": "kubernetes.io/no-provisioner"}, None),
        ({"allowedTopologies": [{"matchLabelExpressions": [{"key": ZONE, "values": ["b"]}]}]}, "nb"),
        ({"allowedTopologies": [{"matchLabelExpressions": [{"key": ZONE, "values": ["c"]}]}]}, None),
    ],
)
def test_a_volume_is_made_where_the_class_makes_volumes(zones, pod, changed, chosen) -> None:
    found = {**storage_class(provisioner="csi.example.com"), **changed}
    answer = decide(zones(claims=[claim()], classes=[found]), pod(**using("c")))
    assert answer["node"] == chosen
    if chosen is None:
        assert answer["message"].startswith(f"0/2 nodes are available: 2 {NO_VOLUMES}. ")
        assert answer["message"].endswith("2 Preemption is not helpful for scheduling.")


def test_a_claim_that_was_given_a_node_goes_there_or_nowhere(zones, pod) -> None:
    selected = claim(annotations={"volume.kubernetes.io/selected-node": "nb"})
    made = zones(claims=[selected], classes=[storage_class(provisioner="csi.example.com")])
    assert decide(made, pod(**using("c")))["node"] == "nb"
    assert decide(made, pod(**using("c")))["nodes"]["na"]["reason"] == NO_VOLUMES


@pytest.mark.parametrize(("capacity", "chosen"), [("1Gi", "nb"), ("512Mi", None), ("10Gi", "nb")])
def test_a_driver_that_tells_its_capacity_is_believed(zones, pod, capacity, chosen) -> None:
    pool = {
        "metadata": {"name": "pool", "namespace": "default"},
        "storageClassName": "wait",
        "capacity": capacity,
        "nodeTopology": {"matchLabels": {ZONE: "b"}},
    }
    driver = {"metadata": {"name": "csi.example.com"}, "spec": {"storageCapacity": True}}
    more = {"csidrivers.storage.k8s.io": [driver], "csistoragecapacities.storage.k8s.io": [pool]}
    made = zones(claims=[claim()], classes=[storage_class(provisioner="csi.example.com")], **more)
    answer = decide(made, pod(**using("c")))
    assert answer["node"] == chosen
    assert answer["nodes"]["na"]["reason"] == "node(s) did not have enough free storage"


def test_zone_labels_of_a_volume_hold_where_nodes_have_zones(zones, pod, cluster, node) -> None:
    labelled = volume(labels={"failure-domain.beta.kubernetes.io/zone": "b__c"})
    answer = decide(zones(claims=[claim(bound="v")], volumes=[labelled]), pod(**using("c")))
    assert answer["node"] == "nb"
    assert answer["nodes"]["na"]["reason"] == "node(s) had no available volume zone"
    objects = {CLAIMS: [claim(bound="v")], VOLUMES: [labelled], CLASSES: [storage_class()]}
    assert decide(cluster([node("plain")], **objects), pod(**using("c")))["node"] == "plain"


def test_a_claim_for_one_pod_is_free_when_its_user_is_preempted(zones, pod) -> None:
    alone = claim(bound="v", modes=["ReadWriteOncePod"])
    user = pod("user", nodeName="na", priority=1, **using("c"))
    cluster = zones([user], claims=[alone], volumes=[volume()])
    equal = decide(cluster, pod(priority=1, **using("c")))
    assert "2 node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod" in equal["message"]
    assert equal["victims"] == []
    higher = decide(cluster, pod(priority=2, **using("c")))
    assert (higher["nominated"], higher["victims"]) == ("na", ["user"])


@pytest.mark.parametrize(
    ("kind", "mine", "theirs", "fits"),
    [
        ("gcePersistentDisk", {"pdName": "d"}, {"pdName": "d"}, False),
        ("gcePersistentDisk", {"pdName": "d", "readOnly": True}, {"pdName": "d", "readOnly": True}, True),
        ("awsElasticBlockStore", {"volumeID": "d", "readOnly": True}, {"volumeID": "d", "readOnly": True}, False),
        ("awsElasticBlockStore", {"volumeID": "d"}, {"volumeID": "e"}, True),
        ("iscsi", {"iqn": "q"}, {"iqn": "q", "readOnly": True}, False),
        (
            "rbd",
            {"monitors": ["a", "b"], "pool": "p", "image": "i"},
            {"monitors": ["b"], "pool": "p", "image": "i"},
            False,
        ),
        ("rbd", {"monitors": ["a"], "pool": "p", "image": "i"}, {"monitors": ["b"], "pool": "p", "image": "i"}, True),
    ],
)
def test_a_disk_is_not_shared_against_its_nature(cluster, node, pod, kind, mine, theirs, fits) -> None:
    there = pod("there", nodeName="a", volumes=[{"name": "d", kind: theirs}])
    answer = decide(cluster([node("a")], [there]), pod(volumes=[{"name": "d", kind: mine}]))
    assert answer["node"] == ("a" if fits else None)
    if not fits:
        assert answer["message"].startswith("0/1 nodes are available: 1 node(s) had no available disk.")


def test_no_more_volumes_of_a_driver_than_the_node_takes(zones, pod) -> None:
    def disk(name: str) -> Obj:
        return volume(name, csi={"driver": "csi.example.com", "volumeHandle": name})

    limits = [
        {"metadata": {"name": f"n{z}"}, "spec": {"drivers": [{"name": "csi.example.com", "allocatable": {"count": n}}]}}
        for z, n in (("a", 1), ("b", 2))
    ]
    claims = [claim(name, bound=f"v-{name}") for name in "cdef"]
    there = [pod("one", nodeName="na", **using("c")), pod("two", nodeName="nb", **using("d"))]
    attached = {
        "metadata": {"name": "x"},
        "spec": {"attacher": "csi.example.com", "nodeName": "nb", "source": {"persistentVolumeName": "v-f"}},
    }
    objects: dict[str, Any] = {"claims": claims, "volumes": [disk(f"v-{name}") for name in "cdef"]}
    objects["csinodes.storage.k8s.io"] = limits
    assert decide(zones(there, **objects), pod(**using("e")))["node"] == "nb"
    full = zones(there, **objects, **{"volumeattachments.storage.k8s.io": [attached]})
    answer = decide(full, pod(**using("e")))
    assert answer["message"].startswith("0/2 nodes are available: 2 node(s) exceed max volume count.")
    assert decide(full, pod(**using("c")))["nodes"]["na"]["reason"] is None, "its volume is there already"


def test_the_wait_ends_when_all_is_bound_or_the_claim_is_given_back(zones, pod) -> None:
    cluster = zones(claims=[claim()], classes=[storage_class(provisioner="csi.example.com")])
    (reserved,) = default_profile().reserve(cluster, PodInfo(pod(**using("c"))), "na")

    def tell(resource: str, obj: Obj) -> None:
        cluster.caches[resource].deliver(WatchEvent("MODIFIED", resource, obj, None))

    selected = {"volume.kubernetes.io/selected-node": "na"}
    tell(CLAIMS, claim(annotations=selected, metadata={"resourceVersion": "2", "annotations": selected}))
    assert reserved.is_done() is False
    done = {**selected, "pv.kubernetes.io/bind-completed": "yes"}
    tell(VOLUMES, volume(zone="a"))
    tell(CLAIMS, claim(bound="v", metadata={"annotations": done}))
    assert reserved.is_done() is True
    tell(CLAIMS, claim(metadata={"annotations": {}}))
    with pytest.raises(PreBindError, match='provisioning failed for PVC "c"'):
        reserved.is_done()


@pytest.mark.parametrize(
    ("plugin", "resource", "old", "new", "wakes"),
    [
        ("VolumeBinding", CLAIMS, None, claim("c"), True),
        ("VolumeBinding", CLAIMS, claim("c"), claim("c", bound="v"), True),
        ("VolumeBinding", CLAIMS, None, claim("other"), False),
        ("VolumeBinding", VOLUMES, None, volume(), True),
        ("VolumeBinding", CLASSES, None, storage_class(), True),
        ("VolumeBinding", CLASSES, storage_class(), storage_class(), False),
        ("VolumeRestrictions", CLAIMS, None, claim("c"), True),
        ("VolumeRestrictions", CLAIMS, claim("c"), claim("c", bound="v"), False),
        ("VolumeZone", VOLUMES, volume(), volume(labels={ZONE: "a"}), True),
        ("VolumeZone", VOLUMES, volume(), volume(), False),
        ("VolumeZone", CLASSES, None, storage_class(mode="Immediate"), False),
        ("NodeVolumeLimits", CLAIMS, None, claim("c"), True),
        ("NodeVolumeLimits", VOLUMES, None, volume(), False),
    ],
)
def test_only_what_may_help_wakes_a_pod(zones, pod, plugin, resource, old, new, wakes) -> None:
    cluster, waiting = zones(), PodInfo(pod(**using("c")))
    woken = [
        hints.worth_trying(cluster, waiting, frozenset({plugin}), Event(kind, old_obj=old, new_obj=new))
        for kind in storage_events(resource, old, new)
    ]
    assert any(woken) is wakes


@pytest.mark.parametrize(("gone", "wakes"), [("c", True), ("x", False)])
def test_a_pod_that_goes_frees_the_claims_it_had(zones, pod, gone, wakes) -> None:
    event = Event(hints.POD_DELETE, old_pod=PodInfo(pod("old", nodeName="na", **using(gone))))
    waiting = PodInfo(pod(**using("c")))
    assert hints.worth_trying(zones(), waiting, frozenset({"VolumeRestrictions"}), event) is wakes
