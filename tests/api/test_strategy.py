"""Strategies: what clients may not set, and what generations count."""

from __future__ import annotations

import pytest

from kctl.api import defaults, registry, strategy
from kctl.api.objects import freeze


def kind_of(api_version, kind):
    return registry.builtin().by_kind(api_version, kind)


def created(api_version, kind, metadata=None, **fields):
    found = kind_of(api_version, kind)
    meta = {"name": "x", "namespace": "default", "uid": "u", **(metadata or {})}
    obj = defaults.apply(found, {"apiVersion": api_version, "kind": kind, "metadata": meta, **fields})
    return strategy.prepare_create(found, freeze(obj))


def updated(api_version, kind, old, **fields):
    found = kind_of(api_version, kind)
    new = defaults.apply(found, {**{k: v for k, v in old.items() if k != "status"}, **fields})
    return strategy.prepare_update(found, freeze(new), freeze(old))


POD = {"containers": [{"name": "c", "image": "i"}]}
TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": POD}
WEB = {"selector": {"matchLabels": {"a": "b"}}, "template": TEMPLATE}


def test_a_new_object_has_no_status_of_the_clients():
    assert created("v1", "Pod", spec=POD, status={"phase": "Running"})["status"] == {
        "phase": "Pending",
        "qosClass": "BestEffort",
    }
    assert created("apps/v1", "ReplicaSet", spec=WEB, status={"replicas": 9})["status"] == {"replicas": 0}


def test_a_new_node_keeps_the_status_it_comes_with():
    status = {"capacity": {"cpu": "4"}}
    assert created("v1", "Node", status=status)["status"]["capacity"] == {"cpu": "4"}


@pytest.mark.parametrize(
    ("api_version", "kind", "spec", "generation"),
    [
        ("apps/v1", "Deployment", WEB, 1),
        ("v1", "Pod", POD, 1),
        ("v1", "Service", {"ports": [{"port": 1}]}, None),
        ("v1", "PersistentVolumeClaim", {}, None),
    ],
)
def test_only_some_kinds_begin_to_count_generations(api_version, kind, spec, generation):
    assert created(api_version, kind, spec=spec)["metadata"].get("generation") == generation


def test_a_new_object_cannot_be_born_deleting():
    deleting = {"deletionTimestamp": "2020-01-01T00:00:00Z", "deletionGracePeriodSeconds": 1}
    assert set(created("v1", "Pod", deleting, spec=POD)["metadata"]) == {"name", "namespace", "uid", "generation"}


@pytest.mark.parametrize(
    ("resources", "quality"),
    [
        ({}, "BestEffort"),
        ({"requests": {"cpu": "1"}}, "Burstable"),
        ({"limits": {"cpu": "1", "memory": "1Gi"}}, "Guaranteed"),
        ({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}}, "Burstable"),
        ({"limits": {"cpu": "1000m", "memory": "1Gi"}, "requests": {"cpu": "1"}}, "Guaranteed"),
        ({"limits": {"example.com/gpu": "1"}}, "BestEffort"),
    ],
)
def test_the_quality_of_service_follows_from_resources(resources, quality):
    spec = {"containers": [{"name": "c", "image": "i", "resources": resources}]}
    assert created("v1", "Pod", spec=spec)["status"]["qosClass"] == quality


def test_label_keys_of_a_pod_are_looked_up_once():
    term = {"topologyKey": "z", "labelSelector": {"matchLabels": {"a": "b"}}, "matchLabelKeys": ["h", "none"]}
    spec = {**POD, "affinity": {"podAntiAffinity": {strategy_key(): [term]}}}
    done = created("v1", "Pod", {"labels": {"h": "1"}}, spec=spec)["spec"]["affinity"]["podAntiAffinity"][
        strategy_key()
    ]
    assert done[0]["labelSelector"]["matchExpressions"] == [{"key": "h", "operator": "In", "values": ["1"]}]


def strategy_key():
    return "requiredDuringSchedulingIgnoredDuringExecution"


def test_a_changed_spec_is_a_new_generation_and_changed_labels_are_none():
    old = created("apps/v1", "Deployment", spec=WEB)
    assert updated("apps/v1", "Deployment", old, spec={**WEB, "replicas": 3})["metadata"]["generation"] == 2
    labelled = {**old["metadata"], "labels": {"n": "1"}}
    assert updated("apps/v1", "Deployment", old, metadata=labelled)["metadata"]["generation"] == 1


def test_an_update_keeps_the_status_and_a_status_update_keeps_the_rest():
    old = created("apps/v1", "Deployment", spec=WEB)
    status = {"replicas": 1}
    both = {**old, "status": status, "spec": {**old["spec"], "replicas": 7}}
    found = kind_of("apps/v1", "Deployment")
    assert strategy.prepare_update(found, both, old)["status"] == old["status"]
    done = strategy.prepare_update(found, both, old, "status")
    assert (done["status"], done["spec"], done["metadata"]["generation"]) == (status, old["spec"], 1)


def test_uid_and_creation_are_not_the_clients():
    old = {**created("v1", "ConfigMap"), "metadata": {"name": "x", "uid": "u", "creationTimestamp": "t"}}
    new = updated("v1", "ConfigMap", old, metadata={"name": "x", "creationTimestamp": "other", "selfLink": "/"})
    assert new["metadata"] == {"name": "x", "uid": "u", "creationTimestamp": "t"}


def test_a_job_selects_pods_of_its_own_uid():
    job = created("batch/v1", "Job", spec={"template": {"spec": {**POD, "restartPolicy": "Never"}}})
    assert job["spec"]["selector"] == {"matchLabels": {"batch.kubernetes.io/controller-uid": "u"}}
    assert job["spec"]["template"]["metadata"]["labels"]["job-name"] == "x"


def test_a_service_keeps_its_address_and_lets_go_of_node_ports():
    spec = {"type": "NodePort", "ports": [{"port": 80, "nodePort": 30080}], "clusterIP": "10.96.0.9"}
    old = created("v1", "Service", spec={**spec, "clusterIPs": ["10.96.0.9"]})
    new = updated("v1", "Service", old, spec={"type": "NodePort", "ports": [{"port": 80}]})["spec"]
    assert (new["clusterIP"], new["ports"][0]["nodePort"]) == ("10.96.0.9", 30080)
    back = updated("v1", "Service", old, spec={**old["spec"], "type": "ClusterIP"})["spec"]
    assert "nodePort" not in back["ports"][0]
    assert "externalTrafficPolicy" not in back
