"""Defaults: what is filled in, what is left alone, and that nothing changes in place."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kctl.api import defaults, registry
from kctl.api.objects import freeze


def applied(api_version, kind, **fields):
    found = registry.builtin().by_kind(api_version, kind)
    obj = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x"}, **fields}
    return defaults.apply(found, freeze(obj))


def container(**fields):
    spec = {"containers": [{"name": "c", "image": "i", **fields}]}
    return applied("v1", "Pod", spec=spec)["spec"]["containers"][0]


def test_a_pod_gets_the_policies_of_its_spec():
    spec = applied("v1", "Pod", spec={"containers": [{"name": "c", "image": "i"}]})["spec"]
    assert {k: v for k, v in spec.items() if k != "containers"} == {
        "restartPolicy": "Always",
        "dnsPolicy": "ClusterFirst",
        "schedulerName": "default-scheduler",
        "securityContext": {},
        "terminationGracePeriodSeconds": 30,
        "enableServiceLinks": True,
    }


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("nginx", "Always"),
        ("nginx:latest", "Always"),
        ("nginx:1.27", "IfNotPresent"),
        ("reg.io:5000/app", "Always"),
        ("reg.io:5000/app:v1", "IfNotPresent"),
        ("app@sha256:" + "a" * 64, "IfNotPresent"),
        ("app:latest@sha256:" + "a" * 64, "Always"),
        ("UPPER", "IfNotPresent"),
    ],
)
def test_images_are_pulled_by_their_tag(image, policy):
    assert container(image=image)["imagePullPolicy"] == policy


def test_pods_request_what_they_are_limited_to_and_templates_do_not():
    limits = {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "100m"}}
    assert container(resources=limits)["resources"]["requests"] == {"cpu": "100m", "memory": "1Gi"}
    template = {"spec": {"containers": [{"name": "c", "image": "i", "resources": limits}]}}
    spec = applied("apps/v1", "Deployment", spec={"template": template})["spec"]
    assert spec["template"]["spec"]["containers"][0]["resources"]["requests"] == {"cpu": "100m"}


@pytest.mark.parametrize(
    ("given_", "want"),
    [("0.1", "100m"), (1, "1"), ("1024Mi", "1Gi"), ("0.1m", "1m"), ("1000m", "1")],
)
def test_amounts_are_written_canonically_and_rounded_up_to_milli(given_, want):
    assert container(resources={"requests": {"cpu": given_}})["resources"]["requests"]["cpu"] == want


def test_probes_get_their_times_path_and_scheme():
    probe = container(livenessProbe={"httpGet": {"port": 80}})["livenessProbe"]
    assert probe == {
        "httpGet": {"path": "/", "port": 80, "scheme": "HTTP"},
        "timeoutSeconds": 1,
        "periodSeconds": 10,
        "successThreshold": 1,
        "failureThreshold": 3,
    }


def test_ports_on_the_node_network_take_the_same_port_of_the_node():
    spec = {"hostNetwork": True, "containers": [{"name": "c", "image": "i", "ports": [{"containerPort": 80}]}]}
    port = applied("v1", "Pod", spec=spec)["spec"]["containers"][0]["ports"][0]
    assert port == {"containerPort": 80, "protocol": "TCP", "hostPort": 80}
    template = {"template": {"spec": spec}}
    kept = applied("apps/v1", "DaemonSet", spec=template)["spec"]["template"]["spec"]["containers"][0]["ports"][0]
    assert "hostPort" not in kept


def test_a_volume_without_a_source_is_an_empty_directory():
    spec = {"containers": [], "volumes": [{"name": "v"}, {"name": "s", "secret": {"secretName": "s"}}]}
    volumes = applied("v1", "Pod", spec=spec)["spec"]["volumes"]
    assert volumes == [{"name": "v", "emptyDir": {}}, {"name": "s", "secret": {"secretName": "s", "defaultMode": 420}}]


def test_a_deployment_rolls_a_quarter_at_a_time():
    spec = applied("apps/v1", "Deployment", spec={"selector": {"matchLabels": {"a": "b"}}})["spec"]
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}
    assert (spec["replicas"], spec["revisionHistoryLimit"], spec["progressDeadlineSeconds"]) == (1, 10, 600)


def test_zero_replicas_are_not_one():
    assert applied("apps/v1", "Deployment", spec={"replicas": 0})["spec"]["replicas"] == 0


def test_a_service_is_reached_on_the_port_of_its_pods():
    spec = applied("v1", "Service", spec={"ports": [{"port": 80}], "type": "NodePort"})["spec"]
    assert spec["ports"] == [{"port": 80, "protocol": "TCP", "targetPort": 80}]
    assert spec["externalTrafficPolicy"] == spec["internalTrafficPolicy"] == "Cluster"
    assert spec["sessionAffinity"] == "None"


def test_plain_text_of_a_secret_is_taken_into_its_data():
    secret = applied("v1", "Secret", data={"a": "MQ==", "b": "Mg=="}, stringData={"b": "3"})
    assert (secret["type"], secret["data"]) == ("Opaque", {"a": "MQ==", "b": "Mw=="})
    assert "stringData" not in secret


@pytest.mark.parametrize(
    ("spec", "kept"),
    [
        ({"hostNetwork": False, "nodeSelector": {}, "hostname": "", "tolerations": []}, set()),
        ({"hostUsers": False, "affinity": {}, "runtimeClassName": ""}, {"hostUsers", "affinity", "runtimeClassName"}),
        ({"nodeName": None}, set()),
    ],
)
def test_what_is_empty_goes_unless_go_has_a_pointer_there(spec, kept):
    own = {"containers": [{"name": "c", "image": "i"}]}
    without = applied("v1", "Pod", spec=own)["spec"]
    assert set(applied("v1", "Pod", spec={**own, **spec})["spec"]) - set(without) == kept


@settings(max_examples=30, deadline=None)
@given(
    st.dictionaries(st.sampled_from(["replicas", "minReadySeconds", "paused", "strategy"]), st.none()),
    st.sampled_from(["nginx", "nginx:1", "a.io/b@sha256:" + "0" * 64]),
    st.booleans(),
)
def test_defaults_applied_twice_are_defaults_applied_once(spec, image, probed):
    pod = {"containers": [{"name": "c", "image": image, **({"readinessProbe": {"exec": {}}} if probed else {})}]}
    kind = registry.builtin().by_kind("apps/v1", "Deployment")
    obj = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {}, "spec": {**spec, "template": {"spec": pod}}}
    once = defaults.apply(kind, freeze(obj))
    assert defaults.apply(kind, freeze(once)) == once


def test_a_deployment_is_defaulted_within_its_budget():
    kind = registry.builtin().by_kind("apps/v1", "Deployment")
    pod = {"containers": [{"name": "c", "image": "i", "ports": [{"containerPort": 80}], "livenessProbe": {"exec": {}}}]}
    obj = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {}, "spec": {"template": {"spec": pod}}}
    defaults.apply(kind, obj)
    began = time.process_time()
    for _ in range(200):
        defaults.apply(kind, obj)
    assert (time.process_time() - began) / 200 < 300e-6  # 25 µs measured; the margin is for busy machines


def test_a_kind_without_rules_passes_unchanged():
    kind = registry.builtin().by_kind("v1", "ConfigMap")
    obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": {"a": ""}}
    assert defaults.apply(kind, obj) is obj
