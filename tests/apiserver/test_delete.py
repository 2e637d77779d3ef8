from __future__ import annotations

import pytest

from kctl.api.clock import FixedClock
from kctl.api.errors import StatusError
from kctl.api.objects import Key, Obj
from kctl.apiserver.server import APIServer
from kctl.client.local import LocalClient

P = Key("default", "p")


def pod(client: LocalClient, *, node: str = "n1", grace: int | None = None, **meta: object) -> Obj:
    spec: Obj = {"containers": [{"name": "c", "image": "i"}]}
    if node:
        spec["nodeName"] = node
    if grace is not None:
        spec["terminationGracePeriodSeconds"] = grace
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "default", "name": "p", **meta}, "spec": spec}
    return client.create("pods", body)


def config(client: LocalClient, **meta: object) -> Obj:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": "default", "name": "p", **meta}}
    return client.create("configmaps", body)


def exists(client: LocalClient, resource: str = "pods") -> bool:
    try:
        client.get(resource, "default", "p")
    except StatusError:
        return False
    return True


def deletion(obj: Obj) -> tuple[str | None, int | None]:
    return obj["metadata"].get("deletionTimestamp"), obj["metadata"].get("deletionGracePeriodSeconds")


def test_a_running_pod_gets_its_grace_period(client: LocalClient) -> None:
    pod(client)
    marked = client.delete("pods", P)
    assert deletion(marked) == ("2026-01-01T00:00:30Z", 30)
    assert marked["metadata"]["generation"] == 2
    assert exists(client)


@pytest.mark.parametrize(
    ("node", "spec", "asked", "left"),
    [
        pytest.param("n1", None, None, 30, id="the default is 30"),
        pytest.param("n1", 5, None, 5, id="the spec decides"),
        pytest.param("n1", 5, 9, 9, id="the option decides before the spec"),
        pytest.param("n1", 5, 0, None, id="zero is at once"),
        pytest.param("n1", 0, None, None, id="a spec of zero is at once"),
        pytest.param("n1", 5, -3, 1, id="a negative option counts as one"),
        pytest.param("", 5, 9, None, id="an unscheduled pod goes at once"),
    ],
)
def test_grace_is(client: LocalClient, node: str, spec: int | None, asked: int | None, left: int | None) -> None:
    pod(client, node=node, grace=spec)
    client.delete("pods", P, grace=asked)
    assert exists(client) == (left is not None)
    if left is not None:
        assert deletion(client.get("pods", "default", "p"))[1] == left


def test_a_pod_that_is_done_goes_at_once(client: LocalClient) -> None:
    pod(client)
    client.patch("pods", P, {"status": {"phase": "Succeeded"}}, subresource="status")
    client.delete("pods", P)
    assert not exists(client)


def test_a_second_delete_may_only_shorten(client: LocalClient, clock: FixedClock) -> None:
    pod(client)
    client.delete("pods", P)
    clock.set(clock.now() + 3)
    assert deletion(client.delete("pods", P, grace=10)) == ("2026-01-01T00:00:10Z", 10)
    assert deletion(client.delete("pods", P, grace=100)) == ("2026-01-01T00:00:10Z", 10)
    assert deletion(client.delete("pods", P)) == ("2026-01-01T00:00:10Z", 10)
    client.delete("pods", P, grace=0)
    assert not exists(client)


def test_finalizers_hold_a_pod_beyond_its_grace(client: LocalClient) -> None:
    pod(client, finalizers=["a.io/b"])
    client.delete("pods", P, grace=0)
    assert exists(client)
    client.patch("pods", P, {"metadata": {"finalizers": None}})
    assert not exists(client)


def test_a_pod_within_its_grace_stays_although_its_last_finalizer_goes(client: LocalClient) -> None:
    pod(client, finalizers=["a.io/b"])
    client.delete("pods", P, grace=20)
    client.patch("pods", P, {"metadata": {"finalizers": None}})
    assert exists(client)


def test_what_has_no_finalizers_is_gone_and_answered_with_a_status(client: LocalClient) -> None:
    made = config(client)
    answer = client.delete("configmaps", P)
    details = {"name": "p", "kind": "configmaps", "uid": made["metadata"]["uid"]}
    assert (answer["status"], answer["details"]) == ("Success", details)
    assert not exists(client, "configmaps")


def test_the_last_finalizer_lets_go(client: LocalClient) -> None:
    config(client, finalizers=["a.io/1", "b.io/2"])
    assert deletion(client.delete("configmaps", P)) == ("2026-01-01T00:00:00Z", 0)
    client.patch("configmaps", P, {"metadata": {"finalizers": ["b.io/2"]}})
    assert exists(client, "configmaps")
    client.patch("configmaps", P, {"metadata": {"finalizers": []}})
    assert not exists(client, "configmaps")


@pytest.mark.parametrize(
    ("policy", "had", "left"),
    [
        pytest.param("Background", [], None, id="background removes"),
        pytest.param("Background", ["orphan"], None, id="background takes the orphan finalizer off"),
        pytest.param("Orphan", [], ["orphan"], id="orphan waits for the collector"),
        pytest.param("Foreground", [], ["foregroundDeletion"], id="foreground waits for dependents"),
        pytest.param("Foreground", ["orphan"], ["foregroundDeletion"], id="the last policy wins"),
        pytest.param(None, ["orphan"], ["orphan"], id="without policy the finalizers decide"),
        pytest.param("Background", ["a.io/b", "foregroundDeletion"], ["a.io/b"], id="other finalizers stay"),
    ],
)
def test_propagation(client: LocalClient, policy: str | None, had: list[str], left: list[str] | None) -> None:
    config(client, finalizers=had)
    client.delete("configmaps", P, propagation=policy)
    assert exists(client, "configmaps") == (left is not None)
    if left is not None:
        assert client.get("configmaps", "default", "p")["metadata"]["finalizers"] == left


def test_a_precondition_on_the_uid_protects_the_successor(client: LocalClient) -> None:
    config(client)
    with pytest.raises(StatusError) as refused:
        client.delete("configmaps", P, uid="older")
    assert refused.value.code == 409
    assert "the UID in the precondition (older) does not match the UID in record" in refused.value.message
    assert exists(client, "configmaps")


def test_a_dry_run_deletes_nothing(server: APIServer, client: LocalClient) -> None:
    config(client)
    revision = server.revision
    client.delete("configmaps", P, dry_run=True)
    assert server.revision == revision


def test_a_deleted_event_carries_the_last_state_and_a_new_version(server: APIServer, client: LocalClient) -> None:
    made = config(client)
    watch = server.watch("configmaps", server.revision)
    client.delete("configmaps", P)
    (event,) = watch.events()
    assert event.type == "DELETED"
    assert event.old == made
    assert int(event.object["metadata"]["resourceVersion"]) == server.revision


@pytest.mark.parametrize("name", ["default", "kube-system", "kube-public"])
def test_some_namespaces_cannot_be_deleted(client: LocalClient, name: str) -> None:
    with pytest.raises(StatusError) as refused:
        client.delete("namespaces", Key("", name))
    assert refused.value.message == f'namespaces "{name}" is forbidden: this namespace may not be deleted'


def test_a_namespace_terminates_until_it_is_finalized(client: LocalClient) -> None:
    client.create("namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
    marked = client.delete("namespaces", Key("", "shop"))
    assert marked["status"]["phase"] == "Terminating"
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": "shop", "name": "c"}}
    with pytest.raises(StatusError) as refused:
        client.create("configmaps", body)
    assert refused.value.message == (
        'configmaps "c" is forbidden: unable to create new content in namespace shop because it is being terminated'
    )
    client.update("namespaces", {**marked, "spec": {"finalizers": []}}, subresource="finalize")
    with pytest.raises(StatusError, match='namespaces "shop" not found'):
        client.get("namespaces", "", "shop")
