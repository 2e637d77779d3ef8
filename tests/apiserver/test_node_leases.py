"""Leases of nodes: read as a real cluster shows them, written by nobody."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from kctl import ControlPlane
from kctl.api.clock import rfc3339_micro
from kctl.api.objects import Key

LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"


@pytest.fixture(scope="module")
def cp() -> Iterator[ControlPlane]:
    with ControlPlane.open(None, nodes=3) as plane:
        plane.converge()
        yield plane


def get(cp: ControlPlane, path: str, user: Any = None) -> Any:
    return cp.request("GET", path, user=user).json()


def test_a_node_renews_its_lease_now(cp: ControlPlane) -> None:
    node = cp.client.get("nodes", "", "node-1")
    lease = get(cp, f"{LEASES}/node-1")
    assert lease["spec"] == {
        "holderIdentity": "node-1",
        "leaseDurationSeconds": 40,
        "renewTime": rfc3339_micro(cp.now),
    }
    owner = {"apiVersion": "v1", "kind": "Node", "name": "node-1", "uid": node["metadata"]["uid"]}
    assert lease["metadata"]["ownerReferences"] == [owner]
    assert lease["metadata"]["creationTimestamp"] == node["metadata"]["creationTimestamp"]


def test_all_are_listed_selected_and_paged(cp: ControlPlane) -> None:
    names = [lease["metadata"]["name"] for lease in get(cp, LEASES)["items"]]
    assert names == ["node-1", "node-2", "node-3"]
    everywhere = [item["metadata"]["name"] for item in get(cp, "/apis/coordination.k8s.io/v1/leases")["items"]]
    assert set(names) < set(everywhere)
    found = get(cp, f"{LEASES}?fieldSelector=metadata.name%3Dnode-2")["items"]
    assert [lease["metadata"]["name"] for lease in found] == ["node-2"]
    page = get(cp, f"{LEASES}?limit=2")
    rest = get(cp, f"{LEASES}?limit=2&continue={page['metadata']['continue']}")
    assert [lease["metadata"]["name"] for lease in (*page["items"], *rest["items"])] == names
    assert get(cp, "/apis/coordination.k8s.io/v1/namespaces/default/leases")["items"] == []


def test_no_lease_is_ever_written_and_controllers_see_none(cp: ControlPlane) -> None:
    assert [
        key for key in cp.server.storage.objects("leases.coordination.k8s.io") if key.namespace != "kube-system"
    ] == []
    seen = get(cp, LEASES, {"username": "system:kube-controller-manager", "groups": ["system:authenticated"]})
    assert seen["items"] == []
    assert cp.request("GET", f"{LEASES}/nosuch").status == 404


def test_a_lease_that_was_written_stands_before() -> None:
    with ControlPlane.open(None, nodes=1) as cp:
        cp.converge()
        body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "node-1"}}
        cp.request("POST", LEASES, body={**body, "spec": {"holderIdentity": "me"}})
        assert get(cp, f"{LEASES}/node-1")["spec"] == {"holderIdentity": "me"}
        assert [lease["spec"]["holderIdentity"] for lease in get(cp, LEASES)["items"]] == ["me"]


def test_a_dead_node_has_renewed_its_lease_for_the_last_time() -> None:
    with ControlPlane.open(None, nodes=2) as cp:
        cp.converge()
        before, then = cp.server.revision, rfc3339_micro(cp.now)
        state = {"metadata": {"annotations": {"sim.kctl.dev/state": "dead"}}}
        cp.client.patch("nodes", Key("", "node-1"), state)
        died = rfc3339_micro(cp.now)
        cp.converge()
        cp.advance("5m")
        renewed = {lease["metadata"]["name"]: lease["spec"]["renewTime"] for lease in get(cp, LEASES)["items"]}
        assert renewed == {"node-1": died, "node-2": rfc3339_micro(cp.now)}
        past = get(cp, f"{LEASES}?resourceVersion={before}&resourceVersionMatch=Exact")["items"]
        assert {lease["spec"]["renewTime"] for lease in past} == {then}
        cp.client.delete("nodes", Key("", "node-1"))
        cp.converge()
        assert [lease["metadata"]["name"] for lease in get(cp, LEASES)["items"]] == ["node-2"]
