"""Which objects a command line means, in which order, and under which columns."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.cli import sorting

TWO = """\
apiVersion: v1
kind: Namespace
metadata: {name: one}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: x, namespace: one, labels: {app.io/tier: back}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: z, labels: {app.io/tier: front}}
"""


@pytest.fixture
def two(kctl: Any) -> Any:
    kctl.write("two.yaml", TWO)
    kctl("apply", "-f", "two.yaml")
    return kctl


@pytest.mark.parametrize(
    "command",
    [
        ("create",),
        ("delete",),
        ("get",),
        ("describe",),
        ("label", "a=b"),
        ("annotate", "a=b"),
        ("scale", "--replicas=1"),
    ],
)
def test_a_namespace_that_contradicts_the_manifest_is_refused_as_kubectl_does(
    two: Any, command: tuple[str, ...]
) -> None:
    ran = two(*command, "-n", "other", "-f", "two.yaml", code=1)
    assert ran.err == (
        'error: two.yaml:5: the namespace from the provided object "one" does not match the namespace "other". '
        "You must pass '--namespace=one' to perform this operation.\n"
    )
    assert two.get("cm", "x", "-n", "one")["metadata"]["labels"] == {"app.io/tier": "back"}


def test_get_and_describe_find_what_manifests_name_each_in_its_namespace(two: Any) -> None:
    assert two("get", "-f", "two.yaml", "-o", "name").out == "namespace/one\nconfigmap/x\nconfigmap/z\n"
    items = two("get", "-f", "two.yaml", "-o", "json").json()["items"]
    assert [item["metadata"].get("namespace") for item in items] == [None, "one", "default"]
    text = two("describe", "-f", "two.yaml").out
    assert [line.split()[-1] for line in text.splitlines() if line.startswith("Name:")] == ["one", "x", "z"]
    described = two("describe", "-f", "two.yaml", "-o", "json").json()
    assert [item["object"]["metadata"]["name"] for item in described["items"]] == ["one", "x", "z"]
    two("delete", "-f", "two.yaml")
    gone = two("get", "-f", "two.yaml", code=1)
    assert 'configmaps "z" not found' in gone.err


def test_files_and_names_do_not_go_together(two: Any) -> None:
    for command in ("get", "describe"):
        ran = two(command, "cm", "-f", "two.yaml", code=2)
        assert ran.err == "error: when paths are given with -f, no names may be given as arguments\n"


def test_labels_become_columns_and_kinds_prefixes(two: Any) -> None:
    out = two("get", "cm", "-A", "-L", "app.io/tier,nope", "--show-kind", "-l", "app.io/tier").out
    assert [line.split() for line in out.splitlines()] == [
        ["NAMESPACE", "NAME", "DATA", "AGE", "TIER", "NOPE"],
        ["default", "configmap/z", "0", "0s", "front"],
        ["one", "configmap/x", "0", "0s", "back"],
    ]


def test_a_list_is_sorted_by_what_stands_at_a_path(web: Any) -> None:
    web("scale", "deploy/web", "--replicas=11")
    names = web("get", "pods", "--sort-by=.status.podIP", "-o", "name").out.split()
    pods = {f"pod/{pod['metadata']['name']}": pod for pod in web.get("pods")["items"]}
    addresses = [[int(part) for part in pods[name]["status"]["podIP"].split(".")] for name in names]
    assert addresses == sorted(addresses)
    assert len(names) == 11
    none = web("get", "pods", "--sort-by", "{.spec.nope}", code=1)
    assert none.err == 'error: couldn\'t find any field with path "{.spec.nope}" in the list of objects\n'
    maps = web("get", "pods", "--sort-by=.spec", code=1)
    assert maps.err == "error: unsortable type: map\n"


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        (["web-10", "web-2", "a"], ["a", "web-2", "web-10"]),
        (["1Gi", "500Mi", "2k"], ["2k", "500Mi", "1Gi"]),
        ([3, None, 1], [None, 1, 3]),
        (["2026-01-02T00:00:00Z", "2026-01-01T09:00:00Z"], ["2026-01-01T09:00:00Z", "2026-01-02T00:00:00Z"]),
    ],
)
def test_values_are_compared_as_what_they_are(values: list[Any], wanted: list[Any]) -> None:
    items = [{"v": value} if value is not None else {} for value in values]
    assert [item.get("v") for item in sorting.by_path(items, ".v")] == wanted


def test_deleting_by_field_touches_nothing_else(web: Any) -> None:
    first, *rest = sorted(pod["metadata"]["name"] for pod in web.get("pods")["items"])
    ran = web("delete", "pods", "--field-selector", f"metadata.name={first}", "--no-wait")
    assert ran.out == f'pod "{first}" deleted from default namespace\n'
    left = {pod["metadata"]["name"]: pod["metadata"].get("deletionTimestamp") for pod in web.get("pods")["items"]}
    assert [name for name in rest if left[name]] == []


@pytest.mark.parametrize(
    ("flags", "said", "grace"),
    [
        (("--force",), "force deleted", None),
        (("--grace-period=0",), "deleted", 1),
        (("--now",), "deleted", 1),
        (("--grace-period=7",), "deleted", 7),
        ((), "deleted", 30),
    ],
)
def test_how_long_a_deleted_pod_has_is_what_kubectl_makes_of_the_flags(
    web: Any, flags: tuple[str, ...], said: str, grace: int | None
) -> None:
    name = web.get("pods")["items"][0]["metadata"]["name"]
    ran = web("delete", "pod", name, "--no-wait", *flags)
    assert ran.out == f'pod "{name}" {said} from default namespace\n'
    assert ran.err.startswith("Warning: Immediate deletion does not wait") == (grace is None)
    left = {pod["metadata"]["name"]: pod["metadata"] for pod in web.get("pods")["items"]}
    assert left.get(name, {}).get("deletionGracePeriodSeconds") == grace


@pytest.mark.parametrize("flags", [("--now", "--grace-period=3"), ("--force", "--grace-period=3")])
def test_flags_that_contradict_each_other_delete_nothing(web: Any, flags: tuple[str, ...]) -> None:
    ran = web("delete", "pods", "--all", *flags, code=2)
    assert "cannot be specified together" in ran.err
    assert len(web.get("pods")["items"]) == 3


def test_what_nothing_measures_is_not_shown(kctl: Any) -> None:
    ran = kctl("top", "pods", code=1)
    assert ran.err.splitlines()[0] == "error: Metrics API not available"
    assert "kctl describe nodes" in ran.err


def test_a_part_of_an_object_is_shown_as_what_it_is(web: Any) -> None:
    out = web("get", "deploy/web", "--subresource=scale").out
    assert [line.split() for line in out.splitlines()] == [
        ["NAME", "DESIRED", "AVAILABLE", "AGE"],
        ["web", "3", "3", "3s"],
    ]
    scale = web.get("deploy", "web", "--subresource=scale")
    assert (scale["kind"], scale["spec"]) == ("Scale", {"replicas": 3})
    many = web("get", "deploy", "--subresource=scale", code=2)
    assert many.err == "error: subresource can only be used when a single resource is specified\n"
    none = web("get", "deploy", "web", "--subresource=nope", code=1)
    assert none.err == "Error from server (NotFound): the server could not find the requested resource\n"


def test_what_the_server_answers_is_shown_as_it_is_but_for_secrets(web: Any) -> None:
    import json

    web("create", "secret", "generic", "s", "--from-literal=password=hunter2")
    path = "/api/v1/namespaces/default/secrets"
    for one in (path, f"{path}/s"):
        body = json.loads(web("get", "--raw", one).out)
        (secret,) = body.get("items", [body])
        assert secret["data"] == {"password": "***"}
        assert "aHVudGVyMg==" in web("get", "--raw", one, "--show-secrets").out
    assert json.loads(web("get", "--raw", "/version").out)["minor"] == "36"
    assert web("get", "--raw", "/healthz").out == "ok"
    gone = web("get", "--raw", f"{path}/none", code=1)
    assert gone.err == 'Error from server (NotFound): secrets "none" not found\n'
    assert "takes a path" in web("get", "--raw", "pods", code=1).err


def test_descriptions_come_without_events_where_they_are_not_wanted(web: Any) -> None:
    assert "ScalingReplicaSet" in web("describe", "deploy", "web").out
    quiet = web("describe", "deploy", "web", "--show-events=false").out
    assert "ScalingReplicaSet" not in quiet


def test_kinds_are_listed_once_and_by_what_they_have(kctl: Any) -> None:
    names = kctl("api-resources", "-o", "name").out.split()
    assert len(names) == len(set(names))
    asked = kctl("api-resources", "--verbs=create,list", "--categories=all", "--sort-by=kind", "-o", "json").json()
    kinds = [found["kind"] for found in asked["resources"]]
    assert kinds == sorted(kinds)
    assert {"Pod", "Deployment", "HorizontalPodAutoscaler"} <= set(kinds)
    (autoscaler,) = [found for found in asked["resources"] if found["kind"] == "HorizontalPodAutoscaler"]
    assert autoscaler["apiVersion"] == "autoscaling/v2"
    assert "Binding" not in kinds
