"""Bad input: a clear error with its place, the right exit code, nothing written, never a traceback."""

from __future__ import annotations

import os
from typing import Any

import pytest

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: %s\n"
WEB = """apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: %s
  selector:
    matchLabels: {app: web}
  template:
    metadata:
      labels: {app: web}
    spec:
      containers:
        - name: web
          image: example/web:1
"""

ALIASES = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 10)}]\n" for n in range(9)
)

CASES = [
    ("broken YAML", "a: [1, 2\nb: 3\n", "bad.yaml:2", ""),
    ("a tab", "apiVersion: v1\nkind: ConfigMap\n\tmetadata: {}\n", "bad.yaml:3", ""),
    ("a NUL byte", "apiVersion: v1\nkind: \0\n", "bad.yaml:2", "NUL"),
    ("an alias bomb", ALIASES, "bad.yaml", "excessive aliasing"),
    ("a thousand levels of nesting", "a: " + "[" * 1000 + "]" * 1000 + "\n", "bad.yaml:1", "nest"),
    ("an unknown apiVersion", "apiVersion: apps/v9\nkind: Deployment\nmetadata: {name: x}\n", "bad.yaml:2", "apps/v9"),
    ("an unknown kind", "apiVersion: v1\nkind: Podd\nmetadata: {name: x}\n", "bad.yaml:2", "Podd"),
    ("a wrong type", WEB % "three", "bad.yaml:6", "replicas"),
    ("negative replicas", WEB % "-1", "bad.yaml:6", "must be greater than or equal to 0"),
    ("an unknown field", WEB % "1" + "          imagee: x\n", "bad.yaml:16", "imagee"),
    ("a key that stands twice", CONFIG % "x" + "metadata:\n  name: y\n", "bad.yaml:5", "metadata"),
    ("two documents of one name", CONFIG % "x" + "---\n" + CONFIG % "x", "bad.yaml:6", "bad.yaml:1"),
    ("a namespace that nothing brings", CONFIG % "x" + "  namespace: nowhere\n", "bad.yaml", "nowhere"),
    ("no name", "apiVersion: v1\nkind: ConfigMap\nmetadata: {}\n", "bad.yaml", "name"),
    ("a name that is none", CONFIG % "Not_A_Name", "bad.yaml:4", "metadata.name"),
    ("no manifest at all", "hello: world\n", "bad.yaml:1", "apiVersion"),
    ("a plain value", "just text\n", "bad.yaml:1", "not a manifest"),
]


@pytest.mark.parametrize(("text", "place", "words"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_nothing_is_written_for(kctl: Any, text: str, place: str, words: str) -> None:
    kctl.write("m/bad.yaml", text)
    kctl.write("m/good.yaml", CONFIG % "good")
    ran = kctl("apply", "-f", "m", code=1)
    assert ran.out == ""
    assert ran.err.startswith(f"m/{place}"), ran.err
    assert words in ran.err
    assert not (kctl.folder / ".kctl").exists()
    assert kctl("diff", "-f", "m", code=2).out == ""


def test_all_errors_of_a_run_are_printed_in_order_of_file_and_line(kctl: Any) -> None:
    kctl.write("m/b.yaml", WEB % "-1")
    kctl.write("m/a.yaml", CONFIG % "Not_A_Name" + "---\n" + CONFIG % "Nor_This")
    lines = [line for line in kctl("apply", "-f", "m", code=1).err.splitlines() if line.startswith("m/")]
    assert [line.split(": ")[0] for line in lines] == ["m/a.yaml:4", "m/a.yaml:9", "m/b.yaml:6"]


def test_a_file_of_a_hundred_megabytes_is_refused_without_being_read(kctl: Any) -> None:
    path = kctl.write("big.yaml", "")
    os.truncate(path, 100 << 20)
    assert "larger than 32 MiB" in kctl("apply", "-f", "big.yaml", code=1).err


def test_an_unreadable_file_is_named(kctl: Any) -> None:
    path = kctl.write("m/secret.yaml", CONFIG % "x")
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read every file")
    assert "m/secret.yaml: permission denied" in kctl("apply", "-f", "m", code=1).err


def test_an_empty_directory_is_named(kctl: Any) -> None:
    (kctl.folder / "empty").mkdir()
    assert kctl("apply", "-f", "empty", code=1).err.count("empty: no manifests") == 1


def test_a_path_that_is_not_there_is_named(kctl: Any) -> None:
    assert kctl("apply", "-f", "nowhere", code=1).err.count("nowhere: no such file or directory") == 1


def test_a_loop_of_links_is_named(kctl: Any) -> None:
    kctl.write("m/good.yaml", CONFIG % "good")
    (kctl.folder / "m" / "again").symlink_to("..")
    ran = kctl("apply", "-R", "-f", "m", code=1)
    assert "again" in ran.err


USAGE = [
    ("apply",),
    ("apply", "-f", "x", "--no-such-flag"),
    ("get",),
    ("nosuch",),
    ("why", "pods"),
    ("delete",),
    ("completion", "tcsh"),
    ("advance", "soon"),
]


@pytest.mark.parametrize("args", USAGE, ids=" ".join)
def test_a_command_that_cannot_be_understood_is_a_usage_error(kctl: Any, args: tuple[str, ...]) -> None:
    kctl("init")
    assert kctl(*args, code=2).err


@pytest.mark.parametrize("args", [("get", "pods"), ("status",), ("converge",), ("why", "pod/x"), ("advance", "1m")])
def test_a_command_without_a_cluster_says_how_to_make_one(kctl: Any, args: tuple[str, ...]) -> None:
    ran = kctl(*args, code=1)
    assert ran.err == 'error: no cluster here: run "kctl init" or name one with --state\n'


def test_a_cluster_manifest_is_refused_with_the_places_of_all_its_mistakes(kctl: Any) -> None:
    text = "apiVersion: kctl.dev/v1\nkind: Cluster\nspec:\n  nodes: -1\n  cloud: moon\n"
    kctl.write("kctl.yaml", text)
    ran = kctl("init", code=1)
    assert [line.split(": ")[0] for line in ran.err.splitlines()[:2]] == ["kctl.yaml:4", "kctl.yaml:5"]
    assert not (kctl.folder / ".kctl").exists()
