"""kctl diff: a unified diff, as data, without a state, and drift."""

from __future__ import annotations

import re
from typing import Any

import pytest

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {colour: %s, shape: round}\n"


def assert_is_unified(text: str) -> None:
    """Check headers, and that every hunk has the lines its head counts."""
    lines = text.splitlines()
    assert lines
    at = 0
    while at < len(lines):
        assert lines[at].startswith("--- live/")
        assert lines[at + 1].startswith("+++ merged/")
        at += 2
        while at < len(lines) and lines[at].startswith("@@"):
            head = re.fullmatch(r"@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@", lines[at])
            assert head is not None
            old, new = (int(count or 1) for count in head.groups())
            at += 1
            while old or new:
                old -= lines[at][0] in " -"
                new -= lines[at][0] in " +"
                at += 1


@pytest.fixture
def red(kctl: Any) -> Any:
    kctl.write("a.yaml", CONFIG % "red")
    kctl("apply", "-f", "a.yaml")
    return kctl


def test_no_difference(red: Any) -> None:
    assert red("diff", "-f", "a.yaml").out == ""
    assert red("diff").out == ""


def test_the_text_is_a_unified_diff_of_yaml(red: Any) -> None:
    red.write("a.yaml", CONFIG % "blue")
    ran = red("diff", "-f", "a.yaml", code=1)
    assert_is_unified(ran.out)
    assert "\n-  colour: red\n+  colour: blue\n" in ran.out
    assert red.get("cm", "a")["data"]["colour"] == "red"


def test_as_data_and_as_names(red: Any) -> None:
    red.write("a.yaml", CONFIG % "blue")
    document = red("diff", "-f", "a.yaml", "-o", "json", code=1).json()
    assert (document["apiVersion"], document["kind"]) == ("kctl.dev/v1", "Diff")
    assert [(o["object"], o["change"], o["fields"]) for o in document["objects"]] == [
        ("configmap/a", "configured", [{"path": "data.colour", "from": "red", "to": "blue"}])
    ]
    assert red("diff", "-f", "a.yaml", "-o", "name", code=1).out == "configmap/a\n"


def test_prune_shows_what_would_go(red: Any) -> None:
    red.write("set/a.yaml", CONFIG.replace("name: a", "name: b") % "red")
    red.write("set/b.yaml", CONFIG.replace("name: a", "name: c") % "red")
    red("apply", "-f", "set")
    (red.folder / "set/b.yaml").unlink()
    assert red("diff", "-f", "set").out == ""
    ran = red("diff", "-f", "set", "--prune", code=1)
    assert_is_unified(ran.out)
    assert "-  name: c\n" in ran.out


def test_without_a_state_everything_is_new_and_none_is_made(kctl: Any) -> None:
    kctl.write("a.yaml", CONFIG % "red")
    ran = kctl("diff", "-f", "a.yaml", code=1)
    assert_is_unified(ran.out)
    assert "+  colour: red\n" in ran.out
    assert not (kctl.folder / ".kctl").exists()


def test_drift_is_what_others_changed(red: Any) -> None:
    from kctl import ControlPlane

    with ControlPlane.open(red.folder / ".kctl") as plane:
        path = "/api/v1/namespaces/default/configmaps/a"
        plane.request("PATCH", path, {"data": {"colour": "grey"}}, content_type="application/merge-patch+json")
    ran = red("diff", code=1)
    assert_is_unified(ran.out)
    assert "\n-  colour: grey\n+  colour: red\n" in ran.out
    assert red("diff", "-o", "name", code=1).out == "configmap/a\n"


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (["diff"], "error: no cluster here"),
        (["diff", "-f", "no.yaml"], "no.yaml: "),
        (["--state", "x", "diff"], "error: no cluster here"),
        (["diff", "--nonsense"], "error: No such option"),
    ],
)
def test_errors_exit_with_2_since_1_says_there_is_a_difference(kctl: Any, args: list[str], text: str) -> None:
    ran = kctl(*args, code=2)
    assert text in ran.err
    assert ran.out == ""


def test_a_refused_object_exits_with_2(red: Any) -> None:
    red.write("a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: Not_A_Name}\n")
    assert red("diff", "-f", "a.yaml", code=2).err.startswith("a.yaml:3: ")


@pytest.mark.parametrize("args", [("-f", "web.yaml"), ()], ids=["of files", "drift"])
def test_it_writes_nothing_though_the_shape_of_the_cluster_changed(web: Any, args: tuple[str, ...]) -> None:
    web.write("kctl.yaml", "apiVersion: kctl.dev/v1\nkind: Cluster\nmetadata: {name: c}\nspec: {nodes: 5}\n")
    before = web("get", "instances.cloud.kctl.dev", "-o", "json").out
    web("diff", *args)
    assert web("get", "instances.cloud.kctl.dev", "-o", "json").out == before
