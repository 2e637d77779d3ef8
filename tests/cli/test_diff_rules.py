"""kctl diff: what rules leave out, patches, Markdown, and a program of the user's that shows differences."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s, labels: {tier: %s}}\ndata: {colour: %s}\n"


@pytest.fixture
def two(kctl: Any) -> Any:
    """Two ConfigMaps that were applied and have changed in the files since."""
    kctl.write("a.yaml", CONFIG % ("a", "one", "red"))
    kctl.write("b.yaml", CONFIG % ("b", "one", "red"))
    kctl("apply", "-f", ".")
    kctl.write("a.yaml", CONFIG % ("a", "two", "blue"))
    kctl.write("b.yaml", CONFIG % ("b", "one", "blue"))
    return kctl


@pytest.mark.parametrize(
    ("ignore", "left"),
    [
        ((), {"a": {"data.colour", "metadata.labels.tier"}, "b": {"data.colour"}}),
        (("/data/colour",), {"a": {"metadata.labels.tier"}}),
        (("/data",), {"a": {"metadata.labels.tier"}}),
        (("cm/b:/data/colour",), {"a": {"data.colour", "metadata.labels.tier"}}),
        (("cm:/data/colour", "cm/*:/metadata/labels"), {}),
        (
            ("deploy:/data/colour", "/no/such/0/field"),
            {"a": {"data.colour", "metadata.labels.tier"}, "b": {"data.colour"}},
        ),
    ],
)
def test_a_pointer_leaves_a_field_out(two: Any, ignore: tuple[str, ...], left: dict[str, set[str]]) -> None:
    flags = [word for rule in ignore for word in ("--ignore", rule)]
    found = two("diff", "-f", ".", *flags, "-o", "json", code=1 if left else 0).json()
    assert {entry["name"]: {field["path"] for field in entry["fields"]} for entry in found["objects"]} == left


def test_rules_stand_in_kctl_yaml_as_argo_cd_writes_them(two: Any) -> None:
    rules = "[{group: '', kind: ConfigMap, name: a, jsonPointers: [/data/colour, /metadata/labels/tier]}]"
    two.write("kctl.yaml", f"apiVersion: kctl.dev/v1\nkind: Cluster\nspec: {{ignoreDifferences: {rules}}}\n")
    assert two("diff", "-f", ".", "-o", "name", code=1).out == "configmap/b\n"
    bad = "[{kind: ConfigMap, jqPathExpressions: [.data]}, {name: x, jsonPointers: [data]}]"
    two.write("kctl.yaml", f"apiVersion: kctl.dev/v1\nkind: Cluster\nspec: {{ignoreDifferences: {bad}}}\n")
    err = two("diff", "-f", ".", code=2).err
    assert "jq expressions are not built" in err
    assert "spec.ignoreDifferences[1].kind" in err
    assert "must begin with a slash" in err


def test_what_another_manager_owns_can_be_left_out(web: Any) -> None:
    web("patch", "deploy", "web", "-p", '{"spec":{"replicas":7}}', "--field-manager", "autoscaler")
    flags = ("diff", "-f", "web.yaml", "--force-conflicts")
    assert "replicas" in web(*flags, code=1).out
    assert web(*flags, "--ignore-manager", "autoscaler").out == ""


def test_the_patch_of_an_object_makes_it_what_it_would_become(two: Any) -> None:
    (entry,) = two("diff", "-f", "b.yaml", "-o", "json", code=1).json()["objects"]
    assert entry["patch"] == [{"op": "replace", "path": "/data/colour", "value": "blue"}]


def test_markdown(two: Any) -> None:
    out = two("diff", "-f", ".", "-o", "markdown", code=1).out
    assert out.startswith("## kctl diff: 2 objects differ\n")
    assert "! data.colour: red -> blue" in out


def test_a_program_of_the_user_s_shows_the_differences(two: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    program = two.write("show", '#!/bin/sh\nls "$2" > seen; cat "$3"/* >> seen; exit 7\n')
    program.chmod(0o755)
    monkeypatch.setenv("KUBECTL_EXTERNAL_DIFF", f"{program} -N")
    two("diff", "-f", "b.yaml", code=7)
    assert Path("seen").read_text().startswith("v1.ConfigMap.default.b\napiVersion: v1\n")
    monkeypatch.setenv("KUBECTL_EXTERNAL_DIFF", "/no/such/program")
    assert "/no/such/program" in two("diff", "-f", "b.yaml", code=2).err
