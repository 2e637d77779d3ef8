"""LimitRanger: defaults, bounds and ratios."""

from __future__ import annotations

import pytest

from kctl.api.errors import StatusError
from kctl.api.objects import Key, Obj
from kctl.apiserver.server import APIServer
from kctl.client.local import LocalClient

NOTE = "kubernetes.io/limit-ranger"


def limits(client: LocalClient, name: str = "lr", **item: object) -> None:
    body = {"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": name, "namespace": "default"}}
    client.create("limitranges", {**body, "spec": {"limits": [{"type": "Container", **item}]}})


def pod(*resources: Obj, name: str = "p", **spec: object) -> Obj:
    containers = [{"name": f"c{n}", "image": "i", "resources": found} for n, found in enumerate(resources)]
    meta = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {"containers": containers, **spec}}


def claim(size: str, name: str = "c") -> Obj:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}
    meta = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": spec}


def refusal(client: LocalClient, body: Obj, resource: str = "pods") -> str:
    with pytest.raises(StatusError) as refused:
        client.create(resource, body)
    assert (refused.value.code, refused.value.reason) == (403, "Forbidden")
    return refused.value.message


def test_containers_take_what_they_leave_open(client: LocalClient) -> None:
    limits(client, default={"cpu": "1", "memory": "1Gi"}, defaultRequest={"cpu": "100m"})
    made = client.create("pods", pod({"requests": {"memory": "1Mi"}}, initContainers=[{"name": "i", "image": "i"}]))
    (container,) = made["spec"]["containers"]
    assert container["resources"] == {
        "requests": {"memory": "1Mi", "cpu": "100m"},
        "limits": {"cpu": "1", "memory": "1Gi"},
    }
    assert made["metadata"]["annotations"][NOTE] == (
        "LimitRanger plugin set: cpu request for container c0; cpu, memory limit for container c0; "
        "cpu, memory request for init container i; cpu, memory limit for init container i"
    )


def test_a_pod_that_says_all_is_left_as_it_is(client: LocalClient) -> None:
    limits(client, default={"cpu": "1"}, defaultRequest={"cpu": "100m"})
    made = client.create("pods", pod({"requests": {"cpu": "1m"}, "limits": {"cpu": "2m"}}))
    assert NOTE not in (made["metadata"].get("annotations") or {})


def test_other_namespaces_are_not_concerned(client: LocalClient) -> None:
    client.create("namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "other"}})
    body = {"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "lr", "namespace": "other"}}
    client.create("limitranges", {**body, "spec": {"limits": [{"type": "Container", "default": {"cpu": "1"}}]}})
    assert client.create("pods", pod({}))["spec"]["containers"][0]["resources"] == {}


@pytest.mark.parametrize(
    ("item", "resources", "why"),
    [
        (
            {"min": {"cpu": "1"}},
            {"requests": {"cpu": "500m"}},
            "minimum cpu usage per Container is 1, but request is 500m",
        ),
        (
            {"max": {"cpu": "1"}},
            {"limits": {"cpu": "1100m"}},
            "maximum cpu usage per Container is 1, but limit is 1100m",
        ),
        (
            {"maxLimitRequestRatio": {"cpu": "3"}},
            {"requests": {"cpu": "100m"}, "limits": {"cpu": "350m"}},
            "cpu max limit to request ratio per Container is 3, but provided ratio is 3.500000",
        ),
        (
            {"maxLimitRequestRatio": {"cpu": "2"}},
            {"requests": {"cpu": "0"}, "limits": {"cpu": "1"}},
            "cpu max limit to request ratio per Container is 2, but no request is specified or request is 0",
        ),
        (
            {"type": "Pod", "max": {"memory": "1Gi"}},
            {"requests": {"memory": "1Mi"}},
            "maximum memory usage per Pod is 1Gi.  No limit is specified",
        ),
        (
            {"type": "Pod", "min": {"cpu": "1", "memory": "1Gi"}},
            {"requests": {"cpu": "100m"}},
            "[minimum cpu usage per Pod is 1, but request is 100m, "
            "minimum memory usage per Pod is 1Gi.  No request is specified]",
        ),
    ],
)
def test_what_is_out_of_bounds_is_refused(client: LocalClient, item: Obj, resources: Obj, why: str) -> None:
    limits(client, **item)
    assert refusal(client, pod(resources)) == f'pods "p" is forbidden: {why}'


def test_equal_complaints_of_containers_are_told_once(client: LocalClient) -> None:
    limits(client, max={"cpu": "1"})
    too_much = {"limits": {"cpu": "2"}}
    why = "maximum cpu usage per Container is 1, but limit is 2"
    assert refusal(client, pod(too_much, too_much)) == f'pods "p" is forbidden: {why}'


def test_of_several_ranges_the_first_that_complains_speaks(client: LocalClient) -> None:
    limits(client, "b", max={"cpu": "1"})
    limits(client, "a", max={"cpu": "2"})
    assert "is 2, but limit is 3" in refusal(client, pod({"limits": {"cpu": "3"}}))


def test_a_whole_pod_is_the_sum_of_its_containers(client: LocalClient) -> None:
    limits(client, type="Pod", max={"cpu": "1"})
    half = {"limits": {"cpu": "500m"}}
    client.create("pods", pod(half, half, name="fits"))
    assert "maximum cpu usage per Pod is 1, but limit is 1500m" in refusal(client, pod(half, half, half))


def test_claims_have_bounds_too(client: LocalClient) -> None:
    limits(client, type="PersistentVolumeClaim", min={"storage": "1Gi"}, max={"storage": "2Gi"})
    resource = "persistentvolumeclaims"
    client.create(resource, claim("1Gi", "fits"))
    assert refusal(client, claim("3Gi"), resource) == (
        'persistentvolumeclaims "c" is forbidden: '
        "maximum storage usage per PersistentVolumeClaim is 2Gi, but request is 3Gi"
    )
    assert "minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 1Mi" in refusal(
        client, claim("1Mi"), resource
    )


def test_pods_that_are_there_are_not_judged_again(client: LocalClient) -> None:
    client.create("pods", pod({}))
    limits(client, min={"cpu": "1"})
    client.patch("pods", Key("default", "p"), {"metadata": {"labels": {"a": "b"}}})


def test_what_a_fork_made_is_forgotten(server: APIServer, client: LocalClient) -> None:
    client.create("pods", pod({}, name="before"))
    with server.fork():
        limits(client, max={"cpu": "1"})
        assert "maximum cpu" in refusal(client, pod({"limits": {"cpu": "2"}}))
    client.create("pods", pod({"limits": {"cpu": "2"}}))


def test_pods_made_at_once_share_what_was_set(client: LocalClient) -> None:
    limits(client, default={"cpu": "1"})
    body = {key: value for key, value in pod({}).items() if key != "metadata"}
    made = client.create_many("pods", body, [{"name": f"p{n}", "namespace": "default"} for n in range(3)])
    assert len({each["metadata"]["annotations"][NOTE] for each in made}) == 1
