"""ResourceQuota admission: what is charged, and what is refused."""

from __future__ import annotations

import pytest

from kctl.api.errors import StatusError
from kctl.api.objects import Key, Obj
from kctl.apiserver.server import APIServer
from kctl.client.local import LocalClient

AT = Key("default", "q")


def quota(client: LocalClient, hard: Obj, name: str = "q", *, used: Obj | None = None, **spec: object) -> None:
    body = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": name, "namespace": "default"}}
    client.create("resourcequotas", {**body, "spec": {"hard": hard, **spec}})
    status = {"hard": hard, "used": dict.fromkeys(hard, "0") if used is None else used}
    client.patch("resourcequotas", Key("default", name), {"status": status}, subresource="status")


def used(client: LocalClient, name: str = "q") -> Obj:
    found: Obj = client.get("resourcequotas", "default", name)["status"]["used"]
    return found


def pod(name: str, resources: Obj | None = None, **spec: object) -> Obj:
    containers = [{"name": "c", "image": "i", "resources": resources or {}}]
    meta = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {"containers": containers, **spec}}


def service(kind: str, *ports: int) -> Obj:
    spec = {"type": kind, "ports": [{"name": f"p{n}", "port": n} for n in ports]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s", "namespace": "default"}, "spec": spec}


def config(name: str) -> Obj:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}}


def refusal(client: LocalClient, body: Obj, resource: str = "pods") -> str:
    with pytest.raises(StatusError) as refused:
        client.create(resource, body)
    assert (refused.value.code, refused.value.reason) == (403, "Forbidden")
    return refused.value.message


def test_what_is_created_is_charged_until_there_is_no_room(client: LocalClient) -> None:
    quota(client, {"pods": "2"})
    client.create("pods", pod("a"))
    client.create("pods", pod("b"))
    assert used(client) == {"pods": "2"}
    assert refusal(client, pod("c")) == (
        'pods "c" is forbidden: exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2'
    )
    assert used(client) == {"pods": "2"}


def test_only_what_is_exceeded_is_told(client: LocalClient) -> None:
    quota(client, {"pods": "5", "requests.cpu": "1", "limits.memory": "1Gi"})
    message = refusal(client, pod("a", {"requests": {"cpu": "1500m"}, "limits": {"memory": "2Gi", "cpu": "2"}}))
    assert message.endswith(
        "exceeded quota: q, requested: limits.memory=2Gi,requests.cpu=1500m, "
        "used: limits.memory=0,requests.cpu=0, limited: limits.memory=1Gi,requests.cpu=1"
    )


def test_a_quota_of_compute_demands_that_containers_say_what_they_need(client: LocalClient) -> None:
    quota(client, {"requests.cpu": "1", "limits.memory": "1Gi"})
    assert refusal(client, pod("a", {"requests": {"cpu": "1"}})) == (
        'pods "a" is forbidden: failed quota: q: must specify limits.memory for: c'
    )


def test_nothing_is_let_through_while_usage_is_unknown(client: LocalClient) -> None:
    quota(client, {"pods": "2", "requests.cpu": "1"}, used={"pods": "0"})
    message = refusal(client, pod("a", {"requests": {"cpu": "1m"}}))
    assert message.endswith("status unknown for quota: q, resources: pods,requests.cpu")


def test_a_quota_no_controller_has_seen_holds_nobody_back(client: LocalClient) -> None:
    body = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q", "namespace": "default"}}
    client.create("resourcequotas", {**body, "spec": {"hard": {"pods": "0"}}})
    client.create("pods", pod("a"))


def test_all_quotas_must_have_room_and_none_is_charged_otherwise(client: LocalClient) -> None:
    quota(client, {"pods": "5"}, "a")
    quota(client, {"pods": "0"}, "b")
    assert "exceeded quota: b" in refusal(client, pod("x"))
    assert used(client, "a") == {"pods": "0"}


def test_scopes_decide_who_is_charged(client: LocalClient) -> None:
    quota(client, {"pods": "1"}, "best", scopes=["BestEffort"])
    quota(client, {"pods": "9"}, "rest", scopes=["NotBestEffort"])
    client.create("pods", pod("a"))
    client.create("pods", pod("b", {"requests": {"cpu": "1"}}))
    assert (used(client, "best"), used(client, "rest")) == ({"pods": "1"}, {"pods": "1"})


def test_anything_can_be_counted(client: LocalClient) -> None:
    quota(client, {"count/configmaps": "1", "configmaps": "5"})
    client.create("configmaps", config("a"))
    assert used(client) == {"configmaps": "1", "count/configmaps": "1"}
    assert refusal(client, config("b"), "configmaps").endswith(
        "exceeded quota: q, requested: count/configmaps=1, used: count/configmaps=1, limited: count/configmaps=1"
    )


def test_a_service_is_charged_for_what_it_turns_into(client: LocalClient) -> None:
    quota(client, {"services.nodeports": "2", "services": "1", "services.loadbalancers": "0"})
    client.create("services", service("ClusterIP", 80, 81))
    assert used(client) == {"services": "1", "services.loadbalancers": "0", "services.nodeports": "0"}
    client.patch("services", Key("default", "s"), {"spec": {"type": "NodePort"}})
    assert used(client)["services.nodeports"] == "2"
    with pytest.raises(StatusError, match=r"requested: services\.loadbalancers=1, used: services\.loadbalancers=0"):
        client.patch("services", Key("default", "s"), {"spec": {"type": "LoadBalancer"}})


def test_a_claim_that_grows_is_charged_for_the_difference(client: LocalClient) -> None:
    body = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "gold"}}
    client.create("storageclasses.storage.k8s.io", {**body, "provisioner": "x/y", "allowVolumeExpansion": True})
    of_class = "gold.storageclass.storage.k8s.io/requests.storage"
    quota(client, {"requests.storage": "3Gi", of_class: "2Gi"})
    spec = {"accessModes": ["ReadWriteOnce"], "storageClassName": "gold"}
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "c", "namespace": "default"}}
    asked = {"resources": {"requests": {"storage": "1Gi"}}}
    client.create("persistentvolumeclaims", {**claim, "spec": {**spec, **asked}})
    at = Key("default", "c")
    client.patch("persistentvolumeclaims", at, {"status": {"phase": "Bound"}}, subresource="status")
    client.patch("persistentvolumeclaims", at, {"spec": {"resources": {"requests": {"storage": "2Gi"}}}})
    assert used(client) == {"requests.storage": "2Gi", of_class: "2Gi"}
    with pytest.raises(StatusError, match=r"requested: gold\.storageclass\.storage\.k8s\.io/requests\.storage=1Gi"):
        client.patch("persistentvolumeclaims", at, {"spec": {"resources": {"requests": {"storage": "3Gi"}}}})


def test_a_pod_that_gets_a_deadline_changes_scope(client: LocalClient) -> None:
    quota(client, {"pods": "1"}, scopes=["Terminating"], used={"pods": "1"})
    client.create("pods", pod("a"))
    with pytest.raises(StatusError, match="exceeded quota: q, requested: pods=1, used: pods=1"):
        client.patch("pods", Key("default", "a"), {"spec": {"activeDeadlineSeconds": 9}})


def test_a_dry_run_is_judged_and_not_charged(client: LocalClient) -> None:
    quota(client, {"pods": "1"})
    client.create("pods", pod("a"), dry_run=True)
    assert used(client) == {"pods": "0"}
    client.create("pods", pod("a"))
    with pytest.raises(StatusError, match="exceeded quota"):
        client.create("pods", pod("b"), dry_run=True)


def test_what_is_there_already_is_not_charged_again(client: LocalClient) -> None:
    quota(client, {"pods": "5"})
    client.create("pods", pod("a"))
    with pytest.raises(StatusError, match="already exists"):
        client.create("pods", pod("a"))
    assert used(client) == {"pods": "1"}


def test_what_is_written_in_a_fork_is_not_charged(server: APIServer, client: LocalClient) -> None:
    quota(client, {"pods": "5"})
    with server.fork():
        client.create("pods", pod("a"))
        assert used(client) == {"pods": "1"}
    assert used(client) == {"pods": "0"}


def test_the_server_owns_what_it_charges(client: LocalClient) -> None:
    quota(client, {"pods": "5"})
    client.create("pods", pod("a"))
    entries = client.get("resourcequotas", *AT)["metadata"]["managedFields"]
    (entry,) = [entry for entry in entries if entry["manager"] == "kube-apiserver"]
    assert (entry["subresource"], entry["fieldsV1"]) == ("status", {"f:status": {"f:used": {"f:pods": {}}}})


class TestABatch:
    @staticmethod
    def create(client: LocalClient, number: int) -> None:
        body = {key: value for key, value in pod("x", {"requests": {"cpu": "100m"}}).items() if key != "metadata"}
        client.create_many("pods", body, [{"name": f"p{n}", "namespace": "default"} for n in range(number)])

    def test_is_charged_as_one(self, client: LocalClient) -> None:
        quota(client, {"pods": "10", "requests.cpu": "1"})
        self.create(client, 10)
        assert used(client) == {"pods": "10", "requests.cpu": "1"}

    def test_without_room_for_all_creates_none(self, client: LocalClient) -> None:
        quota(client, {"pods": "10"})
        with pytest.raises(StatusError, match="requested: pods=11, used: pods=0, limited: pods=10"):
            self.create(client, 11)
        assert client.list("pods").items == []
        assert used(client) == {"pods": "0"}


def test_it_can_be_switched_off(client: LocalClient) -> None:
    from kctl.api.clock import FixedClock
    from kctl.store.memory import MemoryStore

    server = APIServer(MemoryStore(), clock=FixedClock(), admission={"disable": ["ResourceQuota"]})
    free = LocalClient(server)
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": "default"}}
    free.create("serviceaccounts", account)
    quota(free, {"pods": "0"})
    free.create("pods", pod("a"))
    TestABatch.create(free, 3)
    assert used(free) == {"pods": "0"}
