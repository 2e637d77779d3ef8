"""service-cidr-controller: its decisions by table, and ranges of a plane from creation to end."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from kctl.api.clock import rfc3339
from kctl.api.errors import StatusError
from kctl.api.objects import Key, Obj
from kctl.controllers.servicecidr import BLOCKED, FINALIZER, RANGES, Seen, ServiceCIDRController
from kctl.plane.plane import ControlPlane
from kctl.runtime.actions import Apply, Patch

NOW = 1_000_000.0


def cidr(*cidrs: str, name: str = "more", deleting: bool = False, status: Obj | None = None) -> Obj:
    meta: Obj = {"name": name, "resourceVersion": "7", "finalizers": [FINALIZER]}
    if deleting:
        meta["deletionTimestamp"] = rfc3339(NOW)
    obj: Obj = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "ServiceCIDR",
        "metadata": meta,
        "spec": {"cidrs": [*cidrs]},
    }
    return {**obj, "status": status} if status else obj


def test_a_new_range_gets_its_finalizer_before_it_is_ready() -> None:
    bare = {**cidr("10.1.0.0/24"), "metadata": {"name": "more"}}
    (patch,) = ServiceCIDRController().decide(Seen(bare, (), ()), NOW).actions
    assert isinstance(patch, Patch)
    assert patch.patch["metadata"]["finalizers"] == [FINALIZER]
    (said,) = ServiceCIDRController().decide(Seen(cidr("10.1.0.0/24"), (), ()), NOW).actions
    assert isinstance(said, Apply)
    assert said.obj["status"]["conditions"][0]["status"] == "True"


@pytest.mark.parametrize(
    ("others", "used", "may_go"),
    [
        pytest.param((), (), True, id="nobody has an address"),
        pytest.param((), ("10.1.0.9",), False, id="a service has one"),
        pytest.param(("10.1.0.0/16",), ("10.1.0.9",), True, id="a wider range holds it too"),
        pytest.param(("10.1.0.0/24",), ("10.1.0.9",), True, id="another object has the same range"),
        pytest.param(("10.1.0.0/28",), ("10.1.0.9",), True, id="a narrower range holds the address"),
        pytest.param(("10.1.0.0/30",), ("10.1.0.9",), False, id="a narrower range does not"),
    ],
)
def test_a_range_goes_when_no_address_is_left_without_one(
    others: tuple[str, ...], used: tuple[str, ...], may_go: bool
) -> None:
    seen = Seen(
        cidr("10.1.0.0/24", deleting=True),
        tuple(ip_network(text) for text in others),
        tuple(ip_address(text) for text in used),
    )
    first = ServiceCIDRController().decide(seen, NOW)
    later = ServiceCIDRController().decide(seen, NOW + 10)
    if may_go:
        assert (first.actions, first.wake_at) == ((), NOW + 10)
        (patch,) = later.actions
        assert isinstance(patch, Patch)
        assert patch.patch["metadata"]["finalizers"] is None
    else:
        (said,) = first.actions
        assert isinstance(said, Apply)
        assert said.obj["status"]["conditions"][0] | {"lastTransitionTime": ""} == {
            "type": "Ready",
            "status": "False",
            "reason": "Terminating",
            "message": BLOCKED,
            "lastTransitionTime": "",
        }


def service(name: str, **spec: Any) -> Obj:
    meta = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": {"ports": [{"port": 80}], **spec}}


def test_a_plane_keeps_a_range_until_the_service_that_needs_it_is_gone() -> None:
    with ControlPlane.open(None) as plane:
        client = plane.client
        client.create(
            RANGES,
            {k: v for k, v in cidr("192.168.0.0/28").items() if k != "metadata"} | {"metadata": {"name": "more"}},
        )
        client.create("services", service("a", clusterIP="192.168.0.3"))
        plane.run()
        (ready,) = client.get(RANGES, "", "more")["status"]["conditions"]
        assert (ready["status"], ready["message"]) == ("True", "Kubernetes Service CIDR is ready")
        client.delete(RANGES, Key("", "more"))
        plane.run()
        (ready,) = client.get(RANGES, "", "more")["status"]["conditions"]
        assert (ready["status"], ready["reason"]) == ("False", "Terminating")
        client.delete("services", Key("default", "a"))
        plane.run()
        with pytest.raises(StatusError, match="not found"):
            client.get(RANGES, "", "more")


def test_the_range_of_the_cluster_is_there_from_the_start_and_stays() -> None:
    with ControlPlane.open(None) as plane:
        plane.run()
        before = plane.client.get(RANGES, "", "kubernetes")
        assert (before["spec"]["cidrs"], before["metadata"]["resourceVersion"]) == (["10.96.0.0/12"], "1")
        plane.client.delete(RANGES, Key("", "kubernetes"))
        plane.run()
        (ready,) = plane.client.get(RANGES, "", "kubernetes")["status"]["conditions"]
        assert ready["reason"] == "Terminating"  # the Service kubernetes has an address of it
