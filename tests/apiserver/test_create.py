from __future__ import annotations

import pytest

from kctl.api.clock import FixedClock
from kctl.api.errors import StatusError
from kctl.api.objects import Key, Obj
from kctl.apiserver.server import APIServer
from kctl.client.local import LocalClient
from kctl.store.memory import MemoryStore


def config(name: str = "c", **meta: object) -> Obj:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": "default", "name": name, **meta}}


def pod(name: str, **meta: object) -> Obj:
    spec = {"containers": [{"name": "c", "image": "nginx:1"}]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"namespace": "default", "name": name, **meta},
        "spec": spec,
    }


def refusal(call: object, *args: object, **more: object) -> StatusError:
    with pytest.raises(StatusError) as refused:
        call(*args, **more)
    return refused.value


def test_the_server_sets_identity_and_time(client: LocalClient) -> None:
    meta = client.create("configmaps", config())["metadata"]
    assert meta["creationTimestamp"] == "2026-01-01T00:00:00Z"
    assert len(meta["uid"]) == 36
    assert meta["resourceVersion"].isdecimal()


def test_what_a_client_may_not_set_is_taken_out(client: LocalClient) -> None:
    sent = config(deletionTimestamp="2020-01-01T00:00:00Z", deletionGracePeriodSeconds=5, selfLink="/x", uid="mine")
    meta = client.create("configmaps", sent)["metadata"]
    assert not {"deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"} & meta.keys()
    assert meta["uid"] != "mine"


def test_the_same_requests_make_the_same_objects_on_two_servers() -> None:
    made = []
    for _ in range(2):
        client = LocalClient(APIServer(MemoryStore(), clock=FixedClock(), seed=3))
        made.append([client.create("configmaps", config("", generateName="g-")), client.create("configmaps", config())])
    assert made[0] == made[1]


def test_another_seed_makes_other_identities() -> None:
    uids = {
        LocalClient(APIServer(MemoryStore(), clock=FixedClock(), seed=seed)).create("configmaps", config())["metadata"][
            "uid"
        ]
        for seed in range(3)
    }
    assert len(uids) == 3


def test_generated_names_differ_and_keep_their_prefix(client: LocalClient) -> None:
    names = [client.create("configmaps", config("", generateName="job-"))["metadata"]["name"] for _ in range(20)]
    assert len(set(names)) == 20
    assert all(name.startswith("job-") and len(name) == 9 for name in names)


def test_a_name_can_be_given_once(client: LocalClient) -> None:
    client.create("configmaps", config())
    error = refusal(client.create, "configmaps", config())
    assert (error.code, error.reason, error.message) == (409, "AlreadyExists", 'configmaps "c" already exists')


def test_a_name_is_taken_while_its_object_is_being_deleted(client: LocalClient) -> None:
    client.create("configmaps", config(finalizers=["a.io/b"]))
    client.delete("configmaps", Key("default", "c"))
    error = refusal(client.create, "configmaps", config())
    assert error.message == 'object is being deleted: configmaps "c" already exists'


def test_a_new_object_must_not_name_a_version(client: LocalClient) -> None:
    error = refusal(client.create, "configmaps", config(resourceVersion="1"))
    assert (error.code, error.message) == (500, "resourceVersion should not be set on objects to be created")


def test_a_dry_run_answers_like_a_create_and_stores_nothing(server: APIServer, client: LocalClient) -> None:
    revision = server.revision
    made = client.create("configmaps", config(), dry_run=True)
    assert "uid" in made["metadata"]
    assert "resourceVersion" not in made["metadata"]
    assert server.revision == revision
    assert refusal(client.get, "configmaps", "default", "c").reason == "NotFound"


def test_a_missing_namespace_is_not_found(client: LocalClient) -> None:
    error = refusal(client.create, "configmaps", {**config(), "metadata": {"name": "c", "namespace": "nope"}})
    assert (error.code, error.message) == (404, 'namespaces "nope" not found')


def test_an_unknown_resource_is_refused_in_words(client: LocalClient) -> None:
    error = refusal(client.create, "gadgets.example.com", config())
    assert error.message == "the server could not find the requested resource"


def test_a_namespaced_object_needs_a_namespace(client: LocalClient) -> None:
    error = refusal(client.create, "configmaps", {"metadata": {"name": "c"}})
    assert error.message == "an empty namespace may not be set during creation"


def test_many_from_one_template_share_their_spec_and_differ_in_name(client: LocalClient) -> None:
    metas = [{"namespace": "default", "name": f"web-{n}", "labels": {"app": "web"}} for n in range(5)]
    made = client.create_many("pods", pod(""), metas)
    assert [p["metadata"]["name"] for p in made] == [m["name"] for m in metas]
    assert len({p["metadata"]["uid"] for p in made}) == 5
    assert len({p["metadata"]["resourceVersion"] for p in made}) == 5
    assert all(p["spec"] is made[0]["spec"] for p in made)
    assert client.get("pods", "default", "web-3") == made[3]


def test_many_from_one_template_are_what_single_creates_would_make(client: LocalClient) -> None:
    metas = [{"namespace": "default", "name": f"web-{n}", "labels": {"n": str(n % 2)}} for n in range(4)]
    many = client.create_many("pods", pod(""), metas)
    single = LocalClient(client._server, field_manager="tests")
    for meta, made in zip(metas, many, strict=True):
        single.delete("pods", Key("default", meta["name"]))
        again = single.create("pods", {**pod(""), "metadata": meta})
        volatile = {"uid", "resourceVersion"}
        assert {k: v for k, v in again["metadata"].items() if k not in volatile} == {
            k: v for k, v in made["metadata"].items() if k not in volatile
        }
        assert again["spec"].keys() == made["spec"].keys()


def test_many_stop_at_a_name_that_is_taken(client: LocalClient) -> None:
    client.create("pods", pod("web-1"))
    metas = [{"namespace": "default", "name": f"web-{n}"} for n in range(3)]
    assert refusal(client.create_many, "pods", pod(""), metas).reason == "AlreadyExists"
    assert client.get("pods", "default", "web-0")
    assert refusal(client.get, "pods", "default", "web-2").reason == "NotFound"


def test_opening_a_server_brings_the_bootstrap_objects(client: LocalClient) -> None:
    assert [n["metadata"]["name"] for n in client.list("namespaces").items] == [
        "default",
        "kube-node-lease",
        "kube-public",
        "kube-system",
    ]
    assert client.get("services", "default", "kubernetes")["spec"]["clusterIP"] == "10.96.0.1"
    classes = {c["metadata"]["name"]: c["value"] for c in client.list("priorityclasses.scheduling.k8s.io").items}
    assert classes == {"system-cluster-critical": 2000000000, "system-node-critical": 2000001000}


def test_bootstrap_objects_are_made_once() -> None:
    store = MemoryStore()
    first = APIServer(store, clock=FixedClock())
    first.commit()
    revision = first.revision
    assert APIServer(store, clock=FixedClock()).revision == revision
