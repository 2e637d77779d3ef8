"""What objects cost a quota, resource lists, and sums over pods."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kctl.api import podresources, quota, resourcelist
from kctl.api.clock import rfc3339
from kctl.api.quota import pods

NOW = 1_000_000.0


def pod(*containers, status=None, meta=None, **spec):
    body = {"containers": [{"name": f"c{n}", "resources": found} for n, found in enumerate(containers)], **spec}
    return {"metadata": {"name": "p", **(meta or {})}, "spec": body, "status": status or {}}


def asks(**requests):
    return {"requests": requests}


@pytest.mark.parametrize(
    ("a", "b", "total", "difference"),
    [
        ("1", "500m", "1500m", "500m"),
        ("0", "500Mi", "500Mi", "-500Mi"),
        ("1Gi", "1G", "2073741824", "73741824"),
        ("2Gi", "1Gi", "3Gi", "1Gi"),
        ("100n", "1", "1000000100n", "-999999900n"),
    ],
)
def test_quantities_add_up_in_the_suffix_family_of_the_first_that_is_something(a, b, total, difference):
    assert (resourcelist.plus(a, b), resourcelist.minus(a, b)) == (total, difference)


@settings(max_examples=50)
@given(st.integers(0, 10**12), st.integers(0, 10**12), st.sampled_from(["", "m", "Ki", "M"]))
def test_sums_can_be_taken_apart_again(a, b, suffix):
    x, y = f"{a}{suffix}", f"{b}{suffix}"
    assert resourcelist.compare(resourcelist.minus(resourcelist.plus(x, y), y), x) == 0
    assert resourcelist.compare(resourcelist.times(x, 3), resourcelist.plus(x, resourcelist.plus(x, x))) == 0
    assert resourcelist.compare(resourcelist.plus(x, y), x) == (b > 0)


def test_an_increase_is_never_negative():
    assert resourcelist.increase({"a": "3", "b": "1", "c": "1"}, {"a": "1", "b": "5"}) == {"a": "2", "b": "0", "c": "1"}


@pytest.mark.parametrize(
    ("spec", "cpu"),
    [
        (pod(asks(cpu="1"), asks(cpu="500m"))["spec"], "1500m"),
        (pod(asks(cpu="1"), initContainers=[{"name": "i", "resources": asks(cpu="3")}])["spec"], "3"),
        (
            pod(asks(cpu="1"), initContainers=[{"name": "i", "restartPolicy": "Always", "resources": asks(cpu="3")}])[
                "spec"
            ],
            "4",
        ),
        (
            pod(
                asks(cpu="1"),
                initContainers=[
                    {"name": "s", "restartPolicy": "Always", "resources": asks(cpu="1")},
                    {"name": "i", "resources": asks(cpu="4")},
                ],
            )["spec"],
            "5",
        ),
        (pod(asks(cpu="1"), resources=asks(cpu="7"))["spec"], "7"),
    ],
)
def test_a_pod_requests_what_its_containers_need_at_the_worst_moment(spec, cpu):
    assert podresources.total(spec, "requests")["cpu"] == cpu


def test_a_pod_costs_its_requests_limits_overhead_and_itself():
    found = pod({"requests": {"cpu": "1", "x.io/gpu": "2"}, "limits": {"memory": "1Gi"}}, overhead={"cpu": "250m"})
    assert quota.usage("pods", found, NOW) == {
        "count/pods": "1",
        "pods": "1",
        "cpu": "1250m",
        "requests.cpu": "1250m",
        "limits.memory": "1Gi",
        "requests.x.io/gpu": "2",
    }


@pytest.mark.parametrize(
    ("status", "meta", "counts"),
    [
        ({"phase": "Running"}, {}, True),
        ({"phase": "Succeeded"}, {}, False),
        ({"phase": "Failed"}, {}, False),
        ({}, {"deletionTimestamp": rfc3339(NOW), "deletionGracePeriodSeconds": 30}, True),
        ({}, {"deletionTimestamp": rfc3339(NOW - 31), "deletionGracePeriodSeconds": 30}, False),
    ],
)
def test_pods_that_are_over_or_stuck_cost_no_more_than_their_place(status, meta, counts):
    cost = quota.usage("pods", pod(asks(cpu="1"), status=status, meta=meta), NOW)
    assert cost["count/pods"] == "1"
    assert ("pods" in cost) == counts


@pytest.mark.parametrize(
    ("kind", "spec", "cost"),
    [
        ("ClusterIP", {"ports": [{}, {}]}, ("0", "0")),
        ("NodePort", {"ports": [{}, {}]}, ("2", "0")),
        ("LoadBalancer", {"ports": [{}, {}]}, ("2", "1")),
        (
            "LoadBalancer",
            {"ports": [{"nodePort": 30000}, {}], "allocateLoadBalancerNodePorts": False},
            ("1", "1"),
        ),
    ],
)
def test_services_cost_node_ports_and_load_balancers(kind, spec, cost):
    found = quota.usage("services", {"metadata": {}, "spec": {"type": kind, **spec}}, NOW)
    assert (found["services.nodeports"], found["services.loadbalancers"]) == cost


def test_claims_cost_storage_also_by_class():
    spec = {"resources": {"requests": {"storage": "1500m"}}, "storageClassName": "gold"}
    assert quota.usage("persistentvolumeclaims", {"metadata": {}, "spec": spec}, NOW) == {
        "persistentvolumeclaims": "1",
        "count/persistentvolumeclaims": "1",
        "requests.storage": "2",
        "gold.storageclass.storage.k8s.io/persistentvolumeclaims": "1",
        "gold.storageclass.storage.k8s.io/requests.storage": "2",
    }


def test_of_alternative_devices_the_most_counts():
    either = {"firstAvailable": [{"deviceClassName": "a", "count": 2}, {"deviceClassName": "a", "count": 3}]}
    exact = {"exactly": {"deviceClassName": "b", "allocationMode": "All"}}
    claim = {"metadata": {}, "spec": {"devices": {"requests": [either, exact]}}}
    found = quota.usage("resourceclaims.resource.k8s.io", claim, NOW)
    assert (found["a.deviceclass.resource.k8s.io/devices"], found["b.deviceclass.resource.k8s.io/devices"]) == (
        "3",
        "32",
    )


@pytest.mark.parametrize(
    ("name", "resource"),
    [
        ("pods", "pods"),
        ("requests.nvidia.com/gpu", "pods"),
        ("hugepages-2Mi", "pods"),
        ("requests.kubernetes.io/x", ""),
        ("services.nodeports", "services"),
        ("gold.storageclass.storage.k8s.io/requests.storage", "persistentvolumeclaims"),
        ("count/deployments.apps", "deployments.apps"),
        ("configmaps", "configmaps"),
        ("nonsense", ""),
    ],
)
def test_every_name_of_a_quota_belongs_to_one_resource(name, resource):
    assert quota.resource_for(name) == resource
    if resource:
        assert quota.holds(resource, name)


def scope(name, operator="Exists", *values):
    return {"scopeName": name, "operator": operator, "values": list(values)}


AWAY = {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"namespaces": ["x"]}]}}


@pytest.mark.parametrize(
    ("found", "within", "outside"),
    [
        (pod({}), scope("BestEffort"), scope("NotBestEffort")),
        (pod(asks(cpu="1")), scope("NotBestEffort"), scope("BestEffort")),
        (pod(asks(cpu="0")), scope("BestEffort"), scope("NotBestEffort")),
        (pod({}, activeDeadlineSeconds=0), scope("Terminating"), scope("NotTerminating")),
        (pod({}), scope("NotTerminating"), scope("Terminating")),
        (pod({}, priorityClassName="a"), scope("PriorityClass", "In", "a", "b"), scope("PriorityClass", "In", "b")),
        (pod({}, priorityClassName="a"), scope("PriorityClass"), scope("PriorityClass", "DoesNotExist")),
        (pod({}), scope("PriorityClass", "NotIn", "a"), scope("PriorityClass")),
        (pod({}, priorityClassName="b"), scope("PriorityClass", "NotIn", "a"), scope("PriorityClass", "NotIn", "b")),
        (pod({}, affinity=AWAY), scope("CrossNamespacePodAffinity"), scope("Unknown")),
    ],
)
def test_scopes_of_pods(found, within, outside):
    assert quota.in_scopes("pods", [within], found)
    assert not quota.in_scopes("pods", [within, outside], found)


def test_other_kinds_are_in_no_scope():
    assert quota.in_scopes("configmaps", [], {"metadata": {}})
    assert not quota.in_scopes("configmaps", [scope("BestEffort")], {"metadata": {}})


def test_claims_can_be_told_apart_by_attributes_class():
    claim = {"metadata": {}, "spec": {"volumeAttributesClassName": "fast"}, "status": {}}
    assert quota.in_scopes("persistentvolumeclaims", [scope("VolumeAttributesClass", "In", "fast")], claim)
    assert not quota.in_scopes("persistentvolumeclaims", [scope("VolumeAttributesClass", "In", "slow")], claim)


def test_what_is_demanded_of_containers_is_told_with_their_names():
    found = pod(asks(cpu="1"), {}, initContainers=[{"name": "b", "resources": {}}])
    assert pods.missing(found, ["requests.cpu", "cpu", "pods"]) == "cpu for: b,c1; requests.cpu for: b,c1"
    assert pods.missing(pod({}, resources=asks(cpu="1")), ["cpu"]) == ""
    assert pods.missing(pod({}), ["pods", "requests.ephemeral-storage"]) == ""
