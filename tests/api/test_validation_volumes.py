"""Validation of the volume sources of pods and PersistentVolumes: what is refused, in which words."""

from __future__ import annotations

import pytest

from kctl.api import defaults, registry, strategy, validation

UNDER = "spec.volumes[0]"
CONTAINER = {"name": "c", "image": "i"}


def texts(kind_name, spec):
    kind = registry.builtin().by_kind("v1", kind_name)
    meta = {"name": "x", "uid": "u", **({"namespace": "default"} if kind.namespaced else {})}
    obj = {"apiVersion": "v1", "kind": kind_name, "metadata": meta, "spec": spec}
    return [str(error) for error in validation.create(kind, strategy.prepare_create(kind, defaults.apply(kind, obj)))]


def of_pod(source, name="v"):
    return texts("Pod", {"containers": [CONTAINER], "volumes": [{"name": name, **source}]})


def of_volume(source):
    size = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"]}
    return texts("PersistentVolume", {**size, **source})


@pytest.mark.parametrize(
    "source",
    [
        {"nfs": {"server": "s", "path": "/p"}},
        {"iscsi": {"targetPortal": "1.2.3.4", "iqn": "iqn.2001-04.com.example:a", "lun": 0}},
        {"fc": {"targetWWNs": ["50060e801049cfd1"], "lun": 0}},
        {"azureDisk": {"diskName": "d", "diskURI": "https://blob/x.vhd"}},
        {"quobyte": {"registry": "a:1,b:2", "volume": "v"}},
        {"flocker": {"datasetName": "d"}},
        {"gitRepo": {"repository": "r", "directory": "..a"}},
        {
            "ephemeral": {
                "volumeClaimTemplate": {
                    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
                }
            }
        },
        {"csi": {"driver": "a.b", "nodePublishSecretRef": {"name": "s"}}},
    ],
    ids=lambda source: next(iter(source)),
)
def test_a_whole_source_is_accepted(source):
    assert of_pod(source) == []


@pytest.mark.parametrize(
    ("source", "want"),
    [
        ({"nfs": {"path": "rel"}}, ["nfs.server: Required value", "must be an absolute path"]),
        ({"iscsi": {"targetPortal": "p", "iqn": "x"}}, ['iscsi.iqn: Invalid value: "x": must be valid format']),
        ({"fc": {"targetWWNs": ["a"]}}, ["fc.lun: Required value: lun is required if targetWWNs is specified"]),
        ({"gcePersistentDisk": {"pdName": "d", "partition": 256}}, ["must be between 0 and 255, inclusive"]),
        ({"flocker": {}}, ["flocker: Required value: one of datasetName and datasetUUID is required"]),
        ({"quobyte": {"registry": "a", "volume": "v"}}, ["must be a host:port pair or multiple pairs"]),
        ({"gitRepo": {"repository": "r", "directory": "a/../b"}}, ["directory: Invalid value"]),
        ({"cinder": {"volumeID": "d", "secretRef": {}}}, ["cinder.secretRef.name: Required value"]),
        (
            {"flexVolume": {"driver": "a/b", "options": {"k8s.io/x": "y"}}},
            ["flexVolume.options[k8s.io/x]: Invalid value"],
        ),
        ({"configMap": {"name": "c", "items": [{"key": "k", "path": "..p"}]}}, ["must not start with '..'"]),
        (
            {
                "ephemeral": {
                    "volumeClaimTemplate": {
                        "metadata": {"name": "n"},
                        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
                    }
                }
            },
            ["metadata.name: Forbidden: cannot be set for an ephemeral volume"],
        ),
        ({"csi": {"driver": "d", "nodePublishSecretRef": {}}}, ["nodePublishSecretRef.name: Required value"]),
        ({"nfs": {"server": "s", "path": "/p"}, "emptyDir": {}}, ["nfs: Forbidden: may not specify more than 1"]),
    ],
)
def test_a_source_that_lacks_something_is_refused(source, want):
    got = of_pod(source)
    assert len(got) == len(want)
    for error, text in zip(got, want, strict=True):
        assert error.startswith(UNDER)
        assert text in error


def test_the_portal_and_the_volume_of_a_named_initiator_are_short_together():
    iscsi = {"targetPortal": "p" * 60, "iqn": "iqn.2001-04.com.example:a", "initiatorName": "iqn.2001-04.com.example:b"}
    assert of_pod({"iscsi": iscsi}, "abc") == []
    assert "must be under 64 characters" in of_pod({"iscsi": iscsi}, "abcd")[0]


def test_secrets_of_persistent_volumes_need_a_namespace():
    secret = {"secretRef": {"name": "s"}}
    assert "spec.cinder.secretRef.namespace: Required value" in of_volume({"cinder": {"volumeID": "d", **secret}})
    assert of_pod({"cinder": {"volumeID": "d", **secret}}) == []


def test_fields_of_pods_are_those_of_its_version():
    reference = {"fieldRef": {"apiVersion": "v2", "fieldPath": "metadata.name"}}
    container = {**CONTAINER, "env": [{"name": "A", "valueFrom": reference}]}
    (error,) = texts("Pod", {"containers": [container]})
    assert error.endswith("error converting fieldPath: unsupported pod version: v2")
