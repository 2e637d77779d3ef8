"""``kctl edit``: change objects in an editor; what is not valid is opened again with the reason."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from kctl.api.errors import KctlError, StatusError
from kctl.api.objects import Obj
from kctl.cli import options, targets, writing
from kctl.cli.session import Settings

if TYPE_CHECKING:
    from kctl.plane.plane import ControlPlane

HEAD = """\
# Please edit the object below. Lines beginning with a '#' will be ignored,
# and an empty file will abort the edit. If an error occurs while saving this file will be
# reopened with the relevant failures.
#
"""
IDENTITY = ("apiVersion", "kind")


@click.command("edit", short_help="Change objects in an editor.")
@options.resources("TYPE NAME | TYPE/NAME", required=False)
@targets.options
@writing.options("kctl-edit")
@click.pass_obj
def command(settings: Settings, resources: tuple[str, ...], choice: targets.Choice, how: writing.How) -> int:
    """Open objects in the editor that KUBE_EDITOR or EDITOR names and write what was changed.

    Values of Secrets are masked unless --show-secrets is given; masked ones stay as they are.
    """
    from kctl.cli.session import open_existing

    code = 0
    with open_existing(settings) as plane:
        found = targets.find(plane, resources, choice)
        for target in found.targets:
            said = edit(plane, target, how)
            writing.emit(said)
            code |= bool(said.errors)
        missing = writing.Said(how)
        for error in found.missing:
            missing.failed(error)
        writing.emit(missing)
        if how.wait and how.dry_run == "none":
            writing.settle(plane)
    return 1 if code or found.missing else 0


def edit(plane: ControlPlane, target: targets.Target, how: writing.How) -> writing.Said:
    """Edit one object until it is valid, or the user leaves it as it was."""
    from kctl.cli.errors import unrevealing
    from kctl.cli.output import presentable
    from kctl.gitops.yaml import dump

    shown = presentable(target.object, managed_fields=how.show_managed_fields, secrets=how.show_secrets)
    body = dump(shown)
    reason = ""
    while True:
        edited = _open(HEAD + reason + body)
        text = "".join(line for line in edited.splitlines(keepends=True) if not line.startswith("#"))
        said = writing.Said(how)
        if not text.strip():
            said.note("Edit cancelled, saved file was empty.")
            return said
        if text == body:
            if reason:
                said.failed(KctlError("Edit cancelled, no valid changes were saved."))
            else:
                said.note("Edit cancelled, no changes made.")
            return said
        body = text
        try:
            patch = difference(shown, parse(text))
            if not patch:
                said.note("Edit cancelled, no changes made.")
                return said
            plane.refresh()  # others may have written while the editor was open
            return writing.durably(plane, how, lambda said: _write(plane, target, patch, how, said))  # noqa: B023 - called before the loop goes on
        except KctlError as error:
            reason = why(target, unrevealing(error, target.object, secrets=how.show_secrets))


def _open(text: str) -> str:
    edited = click.edit(text, editor=os.environ.get("KUBE_EDITOR"), extension=".yaml", require_save=False)
    return edited or ""


def _write(plane: ControlPlane, target: targets.Target, patch: Obj, how: writing.How, said: writing.Said) -> None:
    client = writing.client_of(plane, how)
    obj = client.patch(target.kind.resource, target.key, patch, dry_run=how.is_dry or how.is_local)
    said.did(obj, "edited")


def parse(text: str) -> Obj:
    """Read the one object the file holds."""
    from kctl.gitops.documents import load

    loaded = load(text.encode())
    if loaded.problems:
        problem = loaded.problems[0]
        raise KctlError(f"The edited file had a syntax error: line {problem.line}: {problem.message}")
    if len(loaded.documents) != 1 or not isinstance(loaded.documents[0].value, dict):
        raise KctlError("The edited file had a syntax error: want one object")
    value: Obj = loaded.documents[0].value
    if not isinstance(value.get("metadata"), dict):
        raise KctlError("The edited file had a syntax error: want metadata")
    return value


def difference(before: Obj, after: Obj) -> Obj:
    """Return the merge patch from one state to the other; KctlError when it becomes another object."""
    names = [(obj["metadata"].get("namespace"), obj["metadata"].get("name")) for obj in (before, after)]
    if names[0] != names[1] or any(before.get(field) != after.get(field) for field in IDENTITY):
        raise KctlError("At least one of apiVersion, kind and name was changed")
    return _merge_patch(before, after)


def _merge_patch(before: Obj, after: Obj) -> Obj:
    patch: dict[str, Any] = {name: None for name in before if name not in after}
    for name, value in after.items():
        old = before.get(name)
        if isinstance(old, dict) and isinstance(value, dict):
            below = _merge_patch(old, value)
            if below:
                patch[name] = below
        elif name not in before or old != value:
            patch[name] = value
    return patch


def why(target: targets.Target, error: KctlError) -> str:
    """Return the comment that says why the file is open again."""
    resource, name = target.kind.resource, target.key.name
    if isinstance(error, StatusError) and error.errors:
        lines = [f'{resource} "{name}" was not valid:', *(f"* {one}" for one in error.errors)]
    elif isinstance(error, StatusError):
        lines = [f'{resource} "{name}" was not valid:', f"* {error.message}"]
    else:
        lines = error.message.splitlines()
    return "".join(f"# {line}\n" for line in lines) + "#\n"
