from __future__ import annotations

import pytest

from kctl.api.clock import FixedClock
from kctl.api.errors import StatusError
from kctl.api.objects import Key, Obj, condition
from kctl.client.local import LocalClient

P = Key("default", "p")


@pytest.fixture
def pod(client: LocalClient) -> Obj:
    spec = {"containers": [{"name": "c", "image": "i"}]}
    return client.create(
        "pods", {"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "default", "name": "p"}, "spec": spec}
    )


def refusal(client: LocalClient, *args: object) -> str:
    with pytest.raises(StatusError) as refused:
        client.bind(*args)
    assert refused.value.code in (404, 409)
    return refused.value.message


def test_binding_gives_the_node_and_the_condition(client: LocalClient, clock: FixedClock, pod: Obj) -> None:
    clock.set(clock.now() + 5)
    client.bind(P, pod["metadata"]["uid"], "n1")
    bound = client.get("pods", "default", "p")
    assert bound["spec"]["nodeName"] == "n1"
    found = condition(bound, "PodScheduled") or {}
    assert (found["status"], found["lastTransitionTime"]) == ("True", "2026-01-01T00:00:05Z")
    assert bound["metadata"]["generation"] == 1


def test_a_pod_is_bound_once(client: LocalClient, pod: Obj) -> None:
    client.bind(P, "", "n1")
    message = 'Operation cannot be fulfilled on pods/binding "p": pod p is already assigned to node "n1"'
    assert refusal(client, P, "", "n2") == message


def test_only_the_very_pod_is_bound(client: LocalClient, pod: Obj) -> None:
    assert "Precondition failed: UID in precondition: other" in refusal(client, P, "other", "n1")


def test_a_pod_that_is_being_deleted_is_not_bound(client: LocalClient, pod: Obj) -> None:
    client.patch("pods", P, {"metadata": {"finalizers": ["a.io/b"]}})
    client.delete("pods", P)
    assert "pod p is being deleted, cannot be assigned to a host" in refusal(client, P, "", "n1")


def test_a_missing_pod_is_not_found(client: LocalClient) -> None:
    assert refusal(client, P, "", "n1") == 'pods "p" not found'


def test_many_are_bound_in_order(client: LocalClient, pod: Obj) -> None:
    client.bind_many([(P, pod["metadata"]["uid"], "n1")])
    assert client.list("pods", field_selector="spec.nodeName=n1").items[0]["metadata"]["name"] == "p"
