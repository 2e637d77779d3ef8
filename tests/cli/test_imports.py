"""Start-up stays cheap: what each command may not import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = """
import os, sys
os._exit = sys.exit  # or the process ends before it can say what it imported
sys.argv = ["kctl", *{args!r}]
from kctl.__main__ import main
try:
    main()
except SystemExit as ended:
    assert not ended.code, ended.code
print("\\n" + "\\0".join(sys.modules))
"""
HEAVY = {"sqlalchemy", "git", "tabulate", "jsonpatch", "jsonschema", "kubernetes_validate", "asyncio"}
WRITERS = {
    "kctl.apiserver.admission",
    "kctl.api.defaults",
    "kctl.api.validation",
    "kctl.controllers",
    "kctl.scheduler",
    "kctl.kubelet",
    "kctl.cloud",
    "kctl.gitops",
    "kctl.plan",
}


def imported(folder: Path, *args: str) -> set[str]:
    """Return every module that a command imports, with the packages it is in."""
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(args=args)], cwd=folder, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return set(ran.stdout.splitlines()[-1].split("\0"))


def test_the_help_page_imports_nothing(kctl: Any) -> None:
    loaded = {name for name in imported(kctl.folder, "--help") if name.partition(".")[0] in {"kctl", "click"}}
    assert loaded == {"kctl", "kctl.__main__"}


def test_the_version_imports_nothing(kctl: Any) -> None:
    assert "click" not in imported(kctl.folder, "--version")


@pytest.mark.parametrize("command", ["get", "apply", "sync", "describe", "why", "diff", "delete"])
def test_the_help_of_a_command_imports_nothing_heavy(kctl: Any, command: str) -> None:
    loaded = imported(kctl.folder, command, "--help")
    unwanted = {*HEAVY, "yaml", "sqlite3", "kctl.apiserver", "kctl.gitops", "kctl.store", "kctl.plane.plane"}
    assert loaded & unwanted == set()


@pytest.mark.parametrize("args", [["get", "pods", "-n", "shop"], ["get", "nodes"], ["get", "deploy,svc", "-A"]])
def test_get_imports_neither_what_writes_nor_what_decides(shop: Any, args: list[str]) -> None:
    loaded = imported(shop.folder, *args)
    assert loaded & (HEAVY | WRITERS | {"yaml"}) == set()


def test_apply_imports_neither_sqlalchemy_nor_git(shop: Any) -> None:
    assert imported(shop.folder, "apply", "-f", "shop.yaml") & HEAVY == set()
    shop.write("more.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: more}\n")
    assert imported(shop.folder, "apply", "-f", "more.yaml") & HEAVY == set()


def test_completion_of_a_command_name_imports_no_command(kctl: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from kctl.cli.commands import COMMANDS

    for name, value in {"_KCTL_COMPLETE": "bash_complete", "COMP_WORDS": "kctl g", "COMP_CWORD": "1"}.items():
        monkeypatch.setenv(name, value)
    commands = {f"kctl.cli.{entry.module}" for entry in COMMANDS.values()}
    assert imported(kctl.folder) & (commands | {"sqlite3", "yaml"}) == set()
