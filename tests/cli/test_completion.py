"""Completion offers commands, options, types and names; it never fails and never runs a shell."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


def offered(folder: Path, *words: str, **environ: str) -> list[str]:
    """Return what bash is offered for the last word, in a process as the shell starts it."""
    ran = subprocess.run(
        [sys.executable, "-m", "kctl"],
        cwd=folder,
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith("KCTL_")},
            "_KCTL_COMPLETE": "bash_complete",
            "COMP_WORDS": " ".join(("kctl", *words)),
            "COMP_CWORD": str(len(words)),
            **environ,
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stderr == ""
    return [line.partition(",")[2] for line in ran.stdout.splitlines() if line]


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["ap"], ["apply", "api-resources"]),
        (["get", "configm"], ["configmaps"]),
        (["get", "deploy"], ["deployments"]),
        (["get", "pods,configm"], ["pods,configmaps"]),
        (["get", "-n", "sh"], ["shop"]),
        (["get", "-n", "shop", "svc", ""], ["web"]),
        (["get", "-n", "shop", "cm", "sett"], ["settings"]),
        (["get", "-n", "shop", "cm", "settings", "sett"], []),
        (["-n", "shop", "describe", "deploy/"], ["deploy/web"]),
        (["why", "-n", "shop", "deploy/w"], ["deploy/web"]),
        (["get", "nodes", ""], ["node-1", "node-2", "node-3"]),
        (["get", "--show-l"], ["--show-labels"]),
        (["get", "pods", "-o", "y"], ["yaml"]),
        (["completion", "z"], ["zsh"]),
        (["get", "nosuchkind", ""], []),
    ],
    ids=" ".join,
)
def test_offers(shop: Any, words: list[str], wanted: list[str]) -> None:
    assert offered(shop.folder, *words) == wanted


def test_nothing_is_offered_where_there_is_no_cluster(kctl: Any) -> None:
    assert offered(kctl.folder, "get", "pods", "") == []


def test_nothing_is_offered_where_the_cluster_cannot_be_read(kctl: Any) -> None:
    kctl.write(".kctl/store/head", "nonsense")
    assert offered(kctl.folder, "get", "pods", "") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_needs_no_shell_to_be_written(kctl: Any, shell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert "_KCTL_COMPLETE" in kctl("completion", shell).out


def test_another_shell_is_a_usage_error(kctl: Any) -> None:
    assert "'tcsh' is not one of" in kctl("completion", "tcsh", code=2).err


def test_custom_kinds_are_offered_too(kctl: Any) -> None:
    kctl.write("crd.yaml", DEFINITION)
    kctl("apply", "-f", "crd.yaml")
    assert offered(kctl.folder, "get", "foo") == ["foos"]
    assert offered(kctl.folder, "get", "configm") == ["configmaps"]


DEFINITION = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: foos.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: foos, kind: Foo}
  versions:
  - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}
"""
