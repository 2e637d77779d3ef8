"""Every command that takes ``-o`` says the same as text, as JSON and by name; no command is left out."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from kctl.cli.commands import COMMANDS
from kctl.cli.main import root
from tests.cli.conftest import Kctl, Ran

DRY = "--dry-run=server"
WEB = "deploy/web -n shop"
SHOP_FILE = "shop.yaml"
COMMAND_LINES = {
    "advance": "advance 1s",
    "annotate": f"annotate {WEB} a=b {DRY}",
    "api-resources": "api-resources",
    "apply": f"apply -f {SHOP_FILE} --dry-run",
    "auth whoami": "auth whoami",
    "controllers": "controllers",
    "converge": "converge",
    "cordon": "cordon node-1 --dry-run=server",
    "create": f"create -f new.yaml {DRY}",
    "create clusterrole": f"create clusterrole r --verb=get --resource=pods {DRY}",
    "create clusterrolebinding": f"create clusterrolebinding b --clusterrole=view {DRY}",
    "create configmap": f"create configmap c --from-literal=a=b {DRY}",
    "create cronjob": f"create cronjob c --image=i --schedule=@daily {DRY}",
    "create deployment": f"create deployment d --image=i {DRY}",
    "create ingress": f"create ingress i --rule=/=s:80 {DRY}",
    "create job": f"create job j --image=i {DRY}",
    "create namespace": f"create namespace n {DRY}",
    "create poddisruptionbudget": f"create poddisruptionbudget p --selector=a=b --min-available=1 {DRY}",
    "create priorityclass": f"create priorityclass p --value=7 {DRY}",
    "create quota": f"create quota q --hard=pods=1 {DRY}",
    "create role": f"create role r --verb=get --resource=pods {DRY}",
    "create rolebinding": f"create rolebinding b --clusterrole=view {DRY}",
    "create secret docker-registry": f"create secret docker-registry d --docker-username=u --docker-password=p {DRY}",
    "create secret generic": f"create secret generic g --from-literal=a=b {DRY}",
    "create service clusterip": f"create service clusterip s --tcp=80 {DRY}",
    "create service externalname": f"create service externalname s --external-name=a.b {DRY}",
    "create service loadbalancer": f"create service loadbalancer s --tcp=80 {DRY}",
    "create service nodeport": f"create service nodeport s --tcp=80 {DRY}",
    "create serviceaccount": f"create serviceaccount s {DRY}",
    "create token": "create token default",
    "delete": f"delete {WEB} {DRY}",
    "describe": f"describe {WEB}",
    "diff": "diff -f new.yaml",
    "drain": "drain node-1 --force --delete-emptydir-data --dry-run=server",
    "edit": f"edit {WEB}",
    "events": "events -A",
    "fit": f"fit {WEB}",
    "get": "get pods -A",
    "init": "init --state other",
    "label": f"label {WEB} a=b {DRY}",
    "log": "log",
    "nodes": "nodes",
    "patch": f'patch {WEB} -p {{"spec":{{"replicas":1}}}} {DRY}',
    "plan": "plan -f new.yaml",
    "rollback": "rollback 20 --dry-run",
    "rollout history": f"rollout history {WEB}",
    "rollout pause": f"rollout pause {WEB}",
    "rollout restart": f"rollout restart {WEB}",
    "rollout resume": f"rollout resume {WEB}",
    "rollout undo": f"rollout undo {WEB} {DRY}",
    "scale": f"scale {WEB} --replicas=1 {DRY}",
    "status": "status",
    "store status": "store status",
    "store usage": "store usage",
    "store verify": "store verify",
    "taint": f"taint node node-1 a=b:NoSchedule {DRY}",
    "uncordon": f"uncordon node-1 {DRY}",
    "version": "version",
    "wait": f"wait {WEB} --for=condition=Available",
    "why": f"why {WEB}",
}
"""A command line for every command, without ``-o``; each finds the same cluster."""
FIRST = {
    "rollout resume": ("rollout", "pause", "deploy/web", "-n", "shop"),
    "rollout undo": ("rollout", "restart", "deploy/web", "-n", "shop"),
}
"""What has to be done before."""
ELSEWHERE = {
    "bisect": "tests/cli/test_bisect.py",
    "create secret tls": "tests/cli/test_create_more.py",
    "hook": "tests/e2e",
    "store": "tests/e2e",
    "sync": "tests/e2e",
}
"""Commands that need more than a cluster (a repository, replicas, certificates), and where they are tested."""
NEW = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: new}\ndata: {a: b}\n"


def commands(group: click.Group, path: str = "") -> Iterator[tuple[str, click.Command]]:
    """Yield every command that does something, each under its own name alone."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None or name != command.name:
            continue
        full = f"{path} {name}".strip()
        if isinstance(command, click.Group):
            yield from commands(command, full)
        if not isinstance(command, click.Group) or command.invoke_without_command:
            yield full, command


def formats(command: click.Command) -> list[str]:
    return [
        str(choice)
        for param in command.params
        if "--output" in param.opts and isinstance(param.type, click.Choice)
        for choice in param.type.choices
    ]


ALL = {path: formats(command) for path, command in commands(root) if formats(command)}


def test_every_command_that_takes_an_output_is_here_or_elsewhere() -> None:
    missing = [path for path in ALL if path not in COMMAND_LINES and not any(path.startswith(e) for e in ELSEWHERE)]
    assert missing == []
    assert [path for path in COMMAND_LINES if path not in ALL] == []


def stream(text: str) -> Iterator[Any]:
    """Yield the JSON documents in a text: commands that change several objects print them one after another."""
    decoder, at = json.JSONDecoder(), 0
    assert text.strip()
    while at < len(text):
        document, at = decoder.raw_decode(text, at)
        yield document
        at += len(text[at:]) - len(text[at:].lstrip())


@pytest.fixture
def on_a_copy(made: Path, kctl: Kctl, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return what runs a command line on a copy of the same cluster, made anew each time."""
    monkeypatch.setenv("EDITOR", r"sed -i s/replicas:\ 2/replicas:\ 1/")

    def run(args: list[str], first: tuple[str, ...] = ()) -> Ran:
        folder = kctl.folder / "copy"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(made, folder)
        os.chdir(folder)
        (folder / "new.yaml").write_text(NEW, encoding="utf-8")
        if first:
            kctl(*first)
        return kctl(*args, code=None)

    return run


@pytest.mark.parametrize("path", sorted(COMMAND_LINES))
def test_a_command_says_as_data_what_it_says_as_text(path: str, on_a_copy: Any) -> None:
    words, first = COMMAND_LINES[path].split(), FIRST.get(path, ())
    text = on_a_copy(words, first)
    assert text.out.strip(), text.err
    for form in ALL[path]:
        if form == "json":
            data = on_a_copy([*words, "-o", "json"], first)
            assert data.code == text.code
            for document in stream(data.out):
                assert document.get("kind"), document
                assert document.get("apiVersion"), document
        elif form == "name":
            names = on_a_copy([*words, "-o", "name"], first)
            assert names.code == text.code
            assert all(line and " " not in line for line in names.out.splitlines()), names.out


def test_the_table_of_commands_is_the_one_help_shows() -> None:
    assert {path.split()[0] for path in ALL} <= set(COMMANDS)
