"""Validation: the words, paths and order of kube-apiserver, all errors at once."""

from __future__ import annotations

import pytest

from kctl.api import defaults, errors, registry, strategy, validation
from kctl.api.objects import freeze
from kctl.api.validation import formats


def complaints(api_version, kind, spec=None, *, old=None, metadata=None, **fields):
    found = registry.builtin().by_kind(api_version, kind)
    meta = {"name": "x", **({"namespace": "default"} if found.namespaced else {}), **(metadata or {})}
    obj = {"apiVersion": api_version, "kind": kind, "metadata": meta, **fields}
    if spec is not None:
        obj["spec"] = spec
    obj = freeze(defaults.apply(found, obj))
    if old is None:
        return [str(error) for error in validation.create(found, strategy.prepare_create(found, obj))]
    return [str(error) for error in validation.update(found, strategy.prepare_update(found, obj, old), old)]


def pod(**fields):
    return complaints("v1", "Pod", {"serviceAccountName": "a", "containers": [{"name": "c", "image": "i"}], **fields})


def container(**fields):
    return pod(containers=[{"name": "c", "image": "i", **fields}])


LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
    "with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)


def test_a_plain_pod_is_valid():
    assert pod() == []


def test_all_errors_come_at_once_in_upstreams_order():
    assert pod(containers=[{"image": ""}], restartPolicy="Sometimes", dnsPolicy="x") == [
        "spec.containers[0].name: Required value",
        "spec.containers[0].image: Required value",
        'spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"',
        'spec.dnsPolicy: Unsupported value: "x": supported values: '
        '"ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"',
    ]


@pytest.mark.parametrize(
    ("fields", "want"),
    [
        ({"name": "a.b"}, 'name: Invalid value: "a.b": must not contain dots'),
        ({"name": "-a"}, f'name: Invalid value: "-a": {LABEL}'),
        ({"ports": [{"containerPort": 0}]}, "ports[0].containerPort: Required value"),
        (
            {"ports": [{"containerPort": 70000}]},
            "ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
        ),
        ({"volumeMounts": [{"name": "v", "mountPath": "/a"}]}, 'volumeMounts[0].name: Not found: "v"'),
        (
            {"resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}},
            'resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1',
        ),
        (
            {"resources": {"limits": {"cpu": "-1"}, "requests": {"cpu": "-1"}}},
            'resources.limits[cpu]: Invalid value: "-1": must be greater than or equal to 0',
        ),
        (
            {"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.foo"}}}]},
            'env[0].valueFrom.fieldRef.fieldPath: Invalid value: "metadata.foo": '
            "error converting fieldPath: field label not supported: metadata.foo",
        ),
        ({"livenessProbe": {}}, "livenessProbe: Required value: must specify a handler type"),
        (
            {"livenessProbe": {"exec": {"command": ["a"]}, "successThreshold": 2}},
            "livenessProbe.successThreshold: Invalid value: 2: must be 1",
        ),
        ({"image": " i"}, 'image: Invalid value: " i": must not have leading or trailing whitespace'),
    ],
)
def test_containers_are_checked(fields, want):
    assert container(**fields)[0] == f"spec.containers[0].{want}"


def test_a_part_in_a_message_is_written_as_the_go_type():
    found = container(securityContext={"privileged": True, "allowPrivilegeEscalation": False})
    assert found == [
        'spec.containers[0].securityContext: Invalid value: {"Capabilities":null,"Privileged":true,"SELinuxOptions":null,'
        '"WindowsOptions":null,"RunAsUser":null,"RunAsGroup":null,"RunAsNonRoot":null,"ReadOnlyRootFilesystem":null,'
        '"AllowPrivilegeEscalation":false,"ProcMount":null,"SeccompProfile":null,"AppArmorProfile":null}: '
        "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
    ]


def test_a_deployment_must_select_its_own_pods():
    template = {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"selector": {"matchLabels": {"app": "b"}}, "template": template, "replicas": -1}
    assert complaints("apps/v1", "Deployment", spec) == [
        "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
        'spec.template.metadata.labels: Invalid value: {"app":"a"}: `selector` does not match template `labels`',
    ]


@pytest.mark.parametrize(
    ("spec", "want"),
    [
        ({}, ["spec.ports: Required value"]),
        ({"type": "ExternalName"}, ["spec.externalName: Required value"]),
        (
            {"ports": [{"port": 80}, {"port": 80}]},
            [
                "spec.ports[0].name: Required value",
                "spec.ports[1].name: Required value",
                'spec.ports[1]: Duplicate value: {"Name":"","Protocol":"TCP","AppProtocol":null,"Port":80,'
                '"TargetPort":0,"NodePort":0}',
            ],
        ),
        (
            {"ports": [{"port": 80, "nodePort": 30000}]},
            ["spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"],
        ),
        (
            {"ports": [{"port": 1}], "externalTrafficPolicy": "Local"},
            ['spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services'],
        ),
    ],
)
def test_services_are_checked(spec, want):
    assert complaints("v1", "Service", spec) == want


def test_names_and_labels_of_every_kind_are_checked():
    found = complaints("v1", "ConfigMap", metadata={"name": "A", "labels": {"a": "b c"}, "finalizers": ["bad"]})
    assert [text.partition(":")[0] for text in found] == [
        "metadata.name",
        "metadata.labels",
        "metadata.finalizers[0]",
    ]


def stored(spec=None, kind=("v1", "Pod"), **fields):
    found = registry.builtin().by_kind(*kind)
    meta = {"name": "x", "namespace": "default", "uid": "u", "resourceVersion": "1"}
    obj = {
        "apiVersion": kind[0],
        "kind": kind[1],
        "metadata": meta,
        **({} if spec is None else {"spec": spec}),
        **fields,
    }
    return freeze(strategy.prepare_create(found, defaults.apply(found, obj)))


NEW_META = {"uid": "u", "resourceVersion": "1"}
ONE = {"serviceAccountName": "a", "containers": [{"name": "c", "image": "i"}]}


def test_the_image_of_a_pod_may_change_and_its_node_may_not():
    old = stored(ONE)
    image = {**ONE, "containers": [{"name": "c", "image": "j"}]}
    assert complaints("v1", "Pod", image, old=old, metadata=NEW_META) == []
    (found,) = complaints("v1", "Pod", {**ONE, "nodeName": "n"}, old=old, metadata=NEW_META)
    assert found.startswith("spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`")
    assert '\n- "NodeName": "",\n+ "NodeName": "n",\n' in found


def test_tolerations_of_a_pod_only_grow():
    row = {"key": "a", "operator": "Exists"}
    old = stored({**ONE, "tolerations": [row]})
    more = {**ONE, "tolerations": [row, {"key": "b", "operator": "Exists"}]}
    assert complaints("v1", "Pod", more, old=old, metadata=NEW_META) == []
    found = complaints("v1", "Pod", ONE, old=old, metadata=NEW_META)
    assert found == [
        "spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds"
    ]


def test_what_is_immutable_stays():
    old = stored(kind=("v1", "ConfigMap"), data={"a": "1"}, immutable=True)
    found = complaints("v1", "ConfigMap", old=old, metadata=NEW_META, data={"a": "2"})
    assert found == [
        "immutable: Forbidden: field is immutable when `immutable` is set",
        "data: Forbidden: field is immutable when `immutable` is set",
    ]


def test_an_update_without_a_revision_is_refused():
    old = stored(kind=("v1", "ConfigMap"))
    want = 'metadata.resourceVersion: Invalid value: "": must be specified for an update'
    assert complaints("v1", "ConfigMap", old=old, metadata={"uid": "u"}) == [want, want]  # checked twice, as upstream


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (formats.dns_label, ["a", "a-1", "0"], ["", "A", "a.b", "-a", "a" * 64, "é"]),
        (formats.dns_subdomain, ["a.b", "a"], ["a..b", ".a", "a_b", "a" * 254]),
        (formats.qualified_name, ["a", "a.io/b", "A_b.c"], ["", "/a", "a/", "a/b/c", "a" * 64, "A.io/b"]),
        (formats.label_value, ["", "a", "A.b_c"], ["a b", "-a", "a" * 64]),
        (formats.port_name, ["http", "a1"], ["1", "a--b", "-a", "abcdefghijklmnop"]),
        (formats.ip, ["10.0.0.1", "::1", "010.0.0.1"], ["", "10.0.0", "10.0.0.256", "fe80::1%eth0"]),
        (formats.cidr, ["10.0.0.0/8", "::/0"], ["10.0.0.0", "10.0.0.0/33", "10.0.0.0/a", "/8"]),
        (formats.config_key, ["a.b", "_"], ["", "a/b", "..", ".", "..a"]),
        (formats.percent, ["1%", "100%"], ["1", "%", "-1%", "1.5%"]),
    ],
)
def test_formats(check, good, bad):
    assert [value for value in good if check(value)] == []
    assert [value for value in bad if not check(value)] == []


def test_the_answer_names_every_cause_and_repeats_none_in_its_message():
    same = errors.invalid("a", "x", "no")
    status = errors.unprocessable("Pod", "", "p", [same, same, errors.required("b")]).status()
    assert status["message"] == 'Pod "p" is invalid: [a: Invalid value: "x": no, b: Required value]'
    assert len(status["details"]["causes"]) == 3
