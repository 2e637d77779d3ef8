"""Pods and claims of all kinds in a whole cluster: nobody shares what is not shared, and it comes to rest."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from kctl import ControlPlane
from kctl.api.objects import Key, Obj, annotations_of, dig
from tests.cloud.test_volumes import ATTACHMENTS, CLAIMS, VOLUMES, claim, pod

ZONES = ("local-a", "local-b", "local-c", "nowhere")
CLASSES: list[Obj] = [
    {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": name},
        "provisioner": provisioner,
        "volumeBindingMode": mode,
    }
    for name, provisioner, mode in (
        ("static", "kubernetes.io/no-provisioner", "WaitForFirstConsumer"),
        ("now", "disk.csi.local.kctl.dev", "Immediate"),
    )
]


@st.composite
def worlds(draw: Any) -> tuple[list[Obj], list[Obj]]:
    storage: list[Obj] = []
    for n in range(draw(st.integers(0, 3))):
        place = {"key": "topology.kubernetes.io/zone", "operator": "In", "values": [draw(st.sampled_from(ZONES))]}
        spec = {
            "capacity": {"storage": draw(st.sampled_from(["1Gi", "2Gi"]))},
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "static",
            "local": {"path": "/x"},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [place]}]}},
        }
        storage.append({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": f"v{n}"}, "spec": spec})
    claims = draw(st.lists(st.sampled_from(["static", "now", "standard", ""]), min_size=1, max_size=5))
    storage += [claim(f"c{n}", storageClassName=cls) for n, cls in enumerate(claims)]
    users = st.lists(st.integers(0, len(claims) - 1), min_size=1, max_size=2, unique=True)
    pods = [pod(f"p{n}", tuple(f"c{c}" for c in draw(users))) for n in range(draw(st.integers(1, 5)))]
    return storage, pods


def check(plane: Any) -> None:
    claims = {c["metadata"]["name"]: c for c in plane.client.list(CLAIMS).items}
    volumes = {v["metadata"]["name"]: v for v in plane.client.list(VOLUMES).items}
    nodes = {n["metadata"]["name"]: n for n in plane.client.list("nodes").items}
    bound = {name: c["spec"]["volumeName"] for name, c in claims.items() if c["status"]["phase"] == "Bound"}
    assert len(set(bound.values())) == len(bound), "two claims have one volume"
    refs = [v["spec"]["claimRef"]["name"] for v in volumes.values() if dig(v, "status", "phase") == "Bound"]
    assert sorted(refs) == sorted(bound), "one claim has two volumes"
    holders: dict[str, set[str]] = {}
    for attachment in plane.client.list(ATTACHMENTS).items:
        spec = attachment["spec"]
        holders.setdefault(spec["source"]["persistentVolumeName"], set()).add(spec["nodeName"])
    assert all(len(found) == 1 for found in holders.values()), "a disk is attached to two nodes"
    for one in plane.client.list("pods").items:
        node = nodes.get(one["spec"].get("nodeName") or "")
        names = [
            v["persistentVolumeClaim"]["claimName"] for v in one["spec"]["volumes"] if "persistentVolumeClaim" in v
        ]
        if node is None:
            continue
        for name in names:
            place = dig(volumes[bound[name]], "spec", "nodeAffinity", "required", "nodeSelectorTerms", default=())
            zones = [value for term in place for e in term["matchExpressions"] for value in e["values"]]
            assert not zones or node["metadata"]["labels"]["topology.kubernetes.io/zone"] in zones
            selected = annotations_of(claims[name]).get("volume.kubernetes.io/selected-node")
            assert selected is None or selected in nodes


@settings(max_examples=5, deadline=None)
@given(worlds(), st.data())
def test_whatever_is_asked_for_volumes_are_not_shared_and_the_cluster_comes_to_rest(made: Any, data: Any) -> None:
    storage, pods = made
    with ControlPlane.open(None, nodes=3, cloud="local") as plane:
        plane.converge()
        for found in CLASSES:
            plane.client.create("storageclasses.storage.k8s.io", found)
        for found in storage:
            plane.client.create(VOLUMES if found["kind"] == "PersistentVolume" else CLAIMS, found)
        for found in pods:
            plane.client.create("pods", found)
        plane.commit()
        assert plane.converge()["verdict"] in ("Converged", "Settled")
        check(plane)
        gone = data.draw(st.sampled_from(pods))["metadata"]["name"]
        plane.client.delete("pods", Key("default", gone))
        plane.commit()
        assert plane.converge()["verdict"] in ("Converged", "Settled")
        check(plane)
        revision = plane.revision
        plane.use_mark(False)
        plane.converge()
        assert plane.revision == revision, "a second look wrote something"
        assert not plane.converger.manager.crashes
