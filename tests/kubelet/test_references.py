"""What a pod cannot do without, in kubelet's words."""

from __future__ import annotations

import pytest

from kctl.kubelet.references import Reference, environment_problem, missing_pull_secrets, mount_problem, named

CONFIG = Reference("configmaps", "cm")
SECRET = Reference("secrets", "s")
HAVE = {CONFIG: {"data": {"k": "v"}, "binaryData": {"b": ""}}, SECRET: {"data": {"k": "dg=="}}}


def mounted(**volume: object) -> dict:
    return {"volumes": [{"name": "v", **volume}], "containers": []}


@pytest.mark.parametrize(
    ("volume", "found", "problem"),
    [
        pytest.param({"configMap": {"name": "cm"}}, {}, 'configmap "cm" not found', id="no ConfigMap"),
        pytest.param({"secret": {"secretName": "s"}}, {}, 'secret "s" not found', id="no Secret"),
        pytest.param({"configMap": {"name": "cm"}}, HAVE, "", id="there"),
        pytest.param({"configMap": {"name": "cm", "optional": True}}, {}, "", id="optional"),
        pytest.param({"configMap": {"name": "cm", "items": [{"key": "b"}]}}, HAVE, "", id="a binary key"),
        pytest.param(
            {"configMap": {"name": "cm", "items": [{"key": "x"}]}},
            HAVE,
            "configmap references non-existent config key: x",
            id="no such key",
        ),
        pytest.param(
            {"secret": {"secretName": "s", "items": [{"key": "x"}]}},
            HAVE,
            "references non-existent secret key: x",
            id="no such key of a Secret",
        ),
        pytest.param(
            {"projected": {"sources": [{"secret": {"name": "s"}}, {"configMap": {"name": "cm"}}, {"downwardAPI": {}}]}},
            {},
            '[secret "s" not found, configmap "cm" not found]',
            id="projected, all at once",
        ),
        pytest.param({"emptyDir": {}}, {}, "", id="another kind of volume"),
    ],
)
def test_volumes(volume, found, problem):
    expected = f'MountVolume.SetUp failed for volume "v" : {problem}' if problem else ""
    assert mount_problem(mounted(**volume), found) == expected


@pytest.mark.parametrize(
    ("container", "problem"),
    [
        pytest.param({"envFrom": [{"configMapRef": {"name": "no"}}]}, 'configmap "no" not found', id="envFrom"),
        pytest.param({"envFrom": [{"secretRef": {"name": "no", "optional": True}}]}, "", id="optional envFrom"),
        pytest.param(
            {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "no"}}}]},
            "couldn't find key no in Secret ns/s",
            id="no such key",
        ),
        pytest.param(
            {"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "cm", "key": "no"}}}]},
            "couldn't find key no in ConfigMap ns/cm",
            id="no such key of a ConfigMap",
        ),
        pytest.param({"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "x"}}}]}, "", id="a field"),
        pytest.param({"env": [{"name": "A", "value": "1"}]}, "", id="a value"),
    ],
)
def test_environment(container, problem):
    assert environment_problem(container, "ns", HAVE) == problem


def test_everything_named_is_listed_once():
    spec = {
        "volumes": [{"name": "a", "configMap": {"name": "cm"}}, {"name": "b", "secret": {"secretName": "s"}}],
        "containers": [{"envFrom": [{"configMapRef": {"name": "cm"}}]}],
        "initContainers": [{"env": [{"name": "X", "valueFrom": {"secretKeyRef": {"name": "t", "key": "k"}}}]}],
        "imagePullSecrets": [{"name": "u"}],
    }
    assert named(spec) == [CONFIG, SECRET, Reference("secrets", "t"), Reference("secrets", "u")]
    assert missing_pull_secrets(spec, {}).startswith("Unable to retrieve some image pull secrets (u);")
