"""NodeRestriction: a kubelet keeps to its own node, its pods, and mirror pods."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.api.clock import FixedClock
from kctl.api.errors import StatusError
from kctl.api.objects import Key, Obj
from kctl.apiserver.admission.node_restriction import may_set
from kctl.apiserver.request import Options, Request, User
from kctl.apiserver.server import APIServer
from kctl.client.local import LocalClient
from kctl.store.memory import MemoryStore

KUBELET = User("system:node:n1", "", ("system:nodes", "system:authenticated"))


@pytest.fixture
def server(clock: FixedClock) -> APIServer:
    made = APIServer(MemoryStore(), clock=clock, frozen=True, admission={"enable": ["NodeRestriction"]})
    admin = LocalClient(made)
    admin.create("serviceaccounts", {"metadata": {"name": "default", "namespace": "default"}})
    for name in ("n1", "n2"):
        admin.create("nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}})
    return made


def ask(server: APIServer, verb: str, resource: str, body: Any = None, *, name: str = "", sub: str = "") -> Any:
    kind = server.registry.storage(resource)
    namespace = "default" if kind.namespaced else ""
    return server.handle(Request(verb, kind, namespace, name, sub, body, Options(), KUBELET))


def mirror(server: APIServer, **changes: Any) -> Obj:
    uid = server.storage.get("nodes", Key("", "n1"))["metadata"]["uid"]  # type: ignore[index]
    owner = {
        "apiVersion": "v1",
        "kind": "Node",
        "name": "n1",
        "uid": uid,
        "controller": True,
        **changes.pop("owner", {}),
    }
    meta = {"name": "etcd-n1", "annotations": {"kubernetes.io/config.mirror": "x"}, "ownerReferences": [owner]}
    spec = {"nodeName": "n1", "containers": [{"name": "c", "image": "a"}], **changes.pop("spec", {})}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {**meta, **changes}, "spec": spec}


def test_a_kubelet_makes_mirror_pods_of_its_own_and_deletes_them(server: APIServer) -> None:
    ask(server, "create", "pods", mirror(server))
    made = server.storage.get("pods", Key("default", "etcd-n1"))
    assert made is not None
    ask(server, "update", "pods", {**made, "status": {"phase": "Running"}}, name="etcd-n1", sub="status")
    ask(server, "delete", "pods", name="etcd-n1")


REFUSED = {
    "can only create mirror pods": {"annotations": {}},
    "can only create pods with spec.nodeName set to itself": {"spec": {"nodeName": "n2"}},
    "can only create pods with an owner reference set to itself": {"ownerReferences": []},
    "with a controller owner reference": {"owner": {"controller": False}},
    "must not set blockOwnerDeletion": {"owner": {"blockOwnerDeletion": True}},
    "UID mismatch": {"owner": {"uid": "other"}},
    "can not create pods that reference configmaps": {"spec": {"volumes": [{"name": "v", "configMap": {"name": "a"}}]}},
}


@pytest.mark.parametrize(("words", "changes"), REFUSED.items(), ids=REFUSED)
def test_other_pods_are_refused(server: APIServer, words: str, changes: Obj) -> None:
    with pytest.raises(StatusError) as caught:
        ask(server, "create", "pods", mirror(server, **changes))
    assert caught.value.reason == "Forbidden"
    assert words in caught.value.message


def test_pods_of_other_nodes_are_left_alone(server: APIServer) -> None:
    spec = {"nodeName": "n2", "containers": [{"name": "c", "image": "a"}]}
    admin = LocalClient(server)
    made = admin.create("pods", {"metadata": {"name": "p", "namespace": "default"}, "spec": spec})
    with pytest.raises(StatusError, match=r"can only delete pods with spec\.nodeName set to itself"):
        ask(server, "delete", "pods", name="p")
    with pytest.raises(StatusError, match="can only update pod status"):
        ask(server, "update", "pods", {**made, "status": {"phase": "Running"}}, name="p", sub="status")
    with pytest.raises(StatusError, match='unexpected operation "UPDATE"'):
        ask(server, "update", "pods", {**made, "metadata": {**made["metadata"], "labels": {"a": "b"}}}, name="p")


def test_a_kubelet_keeps_to_its_node_and_to_labels_that_are_its_own(server: APIServer) -> None:
    own = server.storage.get("nodes", Key("", "n1")) or {}
    other = server.storage.get("nodes", Key("", "n2")) or {}
    with pytest.raises(StatusError, match='is not allowed to modify node "n2"'):
        ask(server, "update", "nodes", {**other, "spec": {}}, name="n2")
    with pytest.raises(StatusError, match="is not allowed to modify taints"):
        ask(server, "update", "nodes", {**own, "spec": {"taints": []}}, name="n1")
    labels = {"node-restriction.kubernetes.io/x": "y", "node-role.kubernetes.io/admin": "", "mine": "x"}
    with pytest.raises(StatusError) as caught:
        ask(server, "update", "nodes", {**own, "metadata": {**own["metadata"], "labels": labels}}, name="n1")
    said = "is not allowed to modify labels: node-restriction.kubernetes.io/x, node-role.kubernetes.io/admin"
    assert caught.value.message.endswith(said)
    fine = {"mine": "x", "kubernetes.io/hostname": "n1"}
    ask(server, "update", "nodes", {**own, "metadata": {**own["metadata"], "labels": fine}}, name="n1")


@pytest.mark.parametrize(
    ("label", "may"),
    [
        ("mine", True),
        ("example.com/x", True),
        ("topology.kubernetes.io/zone", True),
        ("sub.node.kubernetes.io/x", True),
        ("kubelet.kubernetes.io/x", True),
        ("kubernetes.io/x", False),
        ("a.k8s.io/x", False),
        ("a.node-restriction.kubernetes.io/x", False),
    ],
)
def test_which_labels_are_a_kubelets(label: str, may: bool) -> None:
    assert may_set(label) is may


def test_it_is_off_unless_asked_for(clock: FixedClock) -> None:
    server = APIServer(MemoryStore(), clock=clock)
    assert not server.admission.enabled("NodeRestriction")
