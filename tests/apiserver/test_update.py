from __future__ import annotations

import pytest

from kctl.api.clock import FixedClock
from kctl.api.errors import StatusError
from kctl.api.objects import Key, Obj, evolve
from kctl.apiserver.server import APIServer
from kctl.client.local import LocalClient

C = Key("default", "c")


@pytest.fixture
def made(client: LocalClient) -> Obj:
    return client.create(
        "configmaps",
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"namespace": "default", "name": "c"},
            "data": {"a": "1"},
        },
    )


def deployment(client: LocalClient) -> Obj:
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "nginx:1"}]}}
    return client.create(
        "deployments.apps",
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"namespace": "default", "name": "web"},
            "spec": {"replicas": 2, "selector": {"matchLabels": labels}, "template": template},
        },
    )


def refusal(call: object, *args: object, **more: object) -> StatusError:
    with pytest.raises(StatusError) as refused:
        call(*args, **more)
    return refused.value


def test_an_update_replaces_and_gets_a_new_version(client: LocalClient, made: Obj) -> None:
    new = client.update("configmaps", evolve(made, {"data": {"a": "2"}}))
    assert new["data"] == {"a": "2"}
    assert int(new["metadata"]["resourceVersion"]) > int(made["metadata"]["resourceVersion"])
    assert new["metadata"]["uid"] == made["metadata"]["uid"]


def test_an_update_of_an_older_state_is_a_conflict(client: LocalClient, made: Obj) -> None:
    client.update("configmaps", evolve(made, {"data": {"a": "2"}}))
    error = refusal(client.update, "configmaps", evolve(made, {"data": {"a": "3"}}))
    assert (error.code, error.reason) == (409, "Conflict")
    assert error.message == (
        'Operation cannot be fulfilled on configmaps "c": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )


def test_an_update_of_another_incarnation_is_a_conflict(client: LocalClient, made: Obj) -> None:
    sent = evolve(made, {"metadata": {"uid": "other"}, "data": {"a": "2"}})
    assert "Precondition failed: UID in precondition: other" in refusal(client.update, "configmaps", sent).message


@pytest.mark.parametrize("how", ["update", "merge", "dry run"])
def test_nothing_changed_means_nothing_written(
    server: APIServer, client: LocalClient, clock: FixedClock, made: Obj, how: str
) -> None:
    revision = server.revision
    clock.set(clock.now() + 60)
    if how == "update":
        again = client.update("configmaps", made)
    else:
        again = client.patch("configmaps", C, {"data": {"a": "1"}}, dry_run=how == "dry run")
    assert again == made
    assert server.revision == revision


def test_a_merge_patch_changes_only_what_it_names(client: LocalClient, made: Obj) -> None:
    new = client.patch("configmaps", C, {"data": {"b": "2"}, "metadata": {"labels": {"x": "y"}}})
    assert new["data"] == {"a": "1", "b": "2"}
    assert client.patch("configmaps", C, {"data": {"a": None}})["data"] == {"b": "2"}


def test_a_patch_may_not_rename(client: LocalClient, made: Obj) -> None:
    error = refusal(client.patch, "configmaps", C, {"metadata": {"name": "d"}})
    assert error.message == "the name of the object (d) does not match the name on the URL (c)"


def test_what_is_missing_cannot_be_updated(client: LocalClient) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": "default", "name": "c"}}
    assert refusal(client.update, "configmaps", body).message == 'configmaps "c" not found'
    assert refusal(client.patch, "configmaps", C, {}).reason == "NotFound"


def test_a_lease_is_updated_only_from_a_named_version(client: LocalClient) -> None:
    lease = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"namespace": "default", "name": "l"},
        "spec": {"holderIdentity": "a"},
    }
    client.create("leases.coordination.k8s.io", lease)
    error = refusal(client.update, "leases.coordination.k8s.io", evolve(lease, {"spec": {"holderIdentity": "b"}}))
    assert "metadata.resourceVersion: Invalid value: 0: must be specified for an update" in error.message


def test_the_spec_bumps_the_generation_and_metadata_does_not(client: LocalClient) -> None:
    assert deployment(client)["metadata"]["generation"] == 1
    key = Key("default", "web")
    assert client.patch("deployments.apps", key, {"metadata": {"labels": {"a": "b"}}})["metadata"]["generation"] == 1
    assert client.patch("deployments.apps", key, {"spec": {"replicas": 3}})["metadata"]["generation"] == 2


def test_status_and_spec_are_written_apart(client: LocalClient) -> None:
    deployment(client)
    key = Key("default", "web")
    both = {"spec": {"replicas": 9}, "status": {"replicas": 2}}
    new = client.patch("deployments.apps", key, both, subresource="status")
    assert (new["spec"]["replicas"], new["status"]["replicas"]) == (2, 2)
    new = client.patch("deployments.apps", key, {"spec": {"replicas": 4}, "status": {"replicas": 7}})
    assert (new["spec"]["replicas"], new["status"]["replicas"]) == (4, 2)


def test_scale_reads_and_writes_replicas(client: LocalClient) -> None:
    deployment(client)
    key = Key("default", "web")
    scale = client.patch("deployments.apps", key, {"spec": {"replicas": 5}}, subresource="scale")
    assert scale["kind"] == "Scale"
    assert scale["status"]["selector"] == "app=web"
    assert client.get("deployments.apps", "default", "web")["spec"]["replicas"] == 5
    error = refusal(client.patch, "deployments.apps", key, {"spec": {"replicas": -1}}, subresource="scale")
    assert error.code == 422


@pytest.mark.parametrize("replicas", [2**31, 99999999999, 1.5, "three", True])
def test_scale_refuses_what_is_no_int32(server: APIServer, client: LocalClient, replicas: object) -> None:
    deployment(client)
    key = Key("default", "web")
    scale = client.patch("deployments.apps", key, {"spec": {"replicas": 2}}, subresource="scale")
    error = refusal(client.patch, "deployments.apps", key, {"spec": {"replicas": replicas}}, subresource="scale")
    assert (error.code, error.message.startswith(' "" is invalid: patch: Invalid value: ')) == (422, True)
    put = server.http(
        "PUT",
        "/apis/apps/v1/namespaces/default/deployments/web/scale",
        {**scale, "spec": {"replicas": replicas}},
        "application/json",
    )
    assert put.status == 400
    assert client.get("deployments.apps", "default", "web")["spec"]["replicas"] == 2


def test_a_patched_label_keeps_the_rest_shared(client: LocalClient) -> None:
    before = deployment(client)
    after = client.patch("deployments.apps", Key("default", "web"), {"metadata": {"labels": {"a": "b"}}})
    assert after["spec"] == before["spec"]


class TestPodParts:
    P = Key("default", "p")

    def pod(self, client: LocalClient) -> Obj:
        body = {"requests": {"cpu": "1"}, "limits": {"cpu": "2"}}
        spec = {"containers": [{"name": "c", "image": "i", "resources": body}]}
        meta = {"namespace": "default", "name": "p"}
        return client.create("pods", {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec})

    def test_ephemeral_containers_are_added_and_then_stay(self, client: LocalClient) -> None:
        self.pod(client)
        part = "ephemeralcontainers"
        added = {"spec": {"ephemeralContainers": [{"name": "e", "image": "i"}], "priority": 7}}
        new = client.patch("pods", self.P, added, subresource=part)
        assert [c["name"] for c in new["spec"]["ephemeralContainers"]] == ["e"]
        assert (new["metadata"]["generation"], new["spec"]["priority"]) == (2, 0)
        other = {"spec": {"ephemeralContainers": [{"name": "e", "image": "j"}]}}
        error = refusal(client.patch, "pods", self.P, other, subresource=part)
        assert 'existing ephemeral containers "e" may not be changed' in error.message
        error = refusal(client.patch, "pods", self.P, {"spec": {"ephemeralContainers": []}}, subresource=part)
        assert 'existing ephemeral containers "e" may not be removed' in error.message

    def test_resize_changes_resources_and_nothing_else(self, client: LocalClient) -> None:
        self.pod(client)
        smaller = {"name": "c", "image": "other", "resources": {"requests": {"cpu": "500m"}, "limits": {"cpu": "2"}}}
        new = client.patch("pods", self.P, {"spec": {"containers": [smaller]}}, subresource="resize")
        assert new["spec"]["containers"][0]["resources"]["requests"] == {"cpu": "500m"}
        assert new["spec"]["containers"][0]["image"] == "i"
        assert new["metadata"]["generation"] == 2
        wrong = {"name": "c", "resources": {"requests": {"cpu": "5"}, "limits": {"cpu": "2"}}}
        error = refusal(client.patch, "pods", self.P, {"spec": {"containers": [wrong]}}, subresource="resize")
        assert "must be less than or equal to cpu limit of 2" in error.message


@pytest.mark.parametrize("kind", ["ReplicaSet", "Deployment"])
def test_a_status_of_what_is_stored_is_written_without_looking_at_the_rest(
    client: LocalClient, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    from kctl.api.defaults import workloads
    from kctl.api.validation import meta

    resource = f"{kind.lower()}s.apps"
    labels = {"app": "a"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    body = {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "a", "namespace": "default", "labels": labels}}
    made = client.create(resource, {**body, "spec": {"selector": {"matchLabels": labels}, "template": template}})
    looked: list[str] = []
    template_of, owners = workloads.template, meta.owners
    monkeypatch.setattr(workloads, "template", lambda value: looked.append("template") or template_of(value))
    monkeypatch.setattr(meta, "owners", lambda *args: looked.append("metadata") or owners(*args))
    written = client.update(resource, {**made, "status": {"replicas": 3, "readyReplicas": 1}}, subresource="status")
    assert looked == []
    assert written["spec"] is made["spec"]
    assert (written["status"]["replicas"], written["status"]["readyReplicas"]) == (3, 1)


@pytest.mark.parametrize(
    ("resource", "status"),
    [("replicasets.apps", {"replicas": -1}), ("replicasets.apps", {"replicas": 1, "readyReplicas": 2})],
)
def test_a_status_that_cannot_be_is_refused_all_the_same(client: LocalClient, resource: str, status: Obj) -> None:
    labels = {"app": "a"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    body = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "a", "namespace": "default"}}
    made = client.create(resource, {**body, "spec": {"selector": {"matchLabels": labels}, "template": template}})
    with pytest.raises(StatusError):
        client.update(resource, {**made, "status": status}, subresource="status")
