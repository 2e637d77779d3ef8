"""What ``label`` and ``annotate`` share: reading ``key=value`` and ``key-``, and changing a map.

Texts and rules are kubectl's, which differ between the two commands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from kctl.api.errors import KctlError, UsageError
from kctl.api.objects import Obj

if TYPE_CHECKING:
    from kctl.cli.targets import Choice, Target
    from kctl.cli.writing import How, Said
    from kctl.plane.plane import ControlPlane

CHANGE_CAUSE = "kubernetes.io/change-cause"


class Marks(NamedTuple):
    """What to set and what to take away."""

    wanted: Mapping[str, str]
    removed: Sequence[str]


class Job(NamedTuple):
    """A change of labels or annotations: ``field`` in the metadata, and the flags."""

    field: str
    marks: Marks
    overwrite: bool = False
    listing: bool = False
    resource_version: str = ""


def parse_labels(specs: Sequence[str]) -> Marks:
    """Read label changes, as kubectl label."""
    from kctl.api.validation.formats import label_value

    wanted: dict[str, str] = {}
    removed = []
    for spec in specs:
        if "=" in spec:
            key, _, value = spec.partition("=")
            if "=" in value:
                raise UsageError(f"invalid label spec: {spec}")
            wrong = label_value(value)
            if wrong:
                raise UsageError(f'invalid label value: "{spec}": {";".join(wrong)}')
            wanted[key] = value
        elif spec.endswith("-"):
            removed.append(spec[:-1])
        else:
            raise UsageError(f"unknown label spec: {spec}")
    if any(key in wanted for key in removed):
        raise UsageError("can not both modify and remove a label in the same command")
    return Marks(wanted, removed)


def parse_annotations(specs: Sequence[str]) -> Marks:
    """Read annotation changes, as kubectl annotate: a value may hold ``=``."""
    wanted: dict[str, str] = {}
    removed, wrong = [], []
    for spec in specs:
        key, equals, value = spec.partition("=")
        if equals and key:
            wanted[key] = value
        elif spec.endswith("-") and len(spec) > 1:
            removed.append(spec[:-1])
        else:
            wrong.append(spec)
    if wrong:
        raise UsageError(f"invalid annotation format: {', '.join(wrong)}")
    both = [key for key in removed if key in wanted]
    if both:
        raise UsageError(
            f"can not both modify and remove the following annotation(s) in the same command: {', '.join(both)}"
        )
    return Marks(wanted, removed)


def check(names: Sequence[str], choice: Choice, listing: bool, how: How, what: str, wanted: Marks) -> None:
    """Refuse combinations of options that mean nothing."""
    if listing and how.output:
        raise UsageError("--list and --output may not be specified together")
    if choice.everything and choice.selector:
        raise UsageError("cannot set --all and --selector at the same time")
    if not names and not choice.paths:
        raise UsageError("one or more resources must be specified as <resource> <name> or <resource>/<name>")
    if not listing and not wanted.wanted and not wanted.removed:
        raise UsageError(f"at least one {what} update is required")


def keep_labels(current: Mapping[str, str], marks: Marks) -> None:
    """Refuse to set a label that is there already."""
    wrong = [
        f"'{key}' already has a value ({current[key]}), and --overwrite is false"
        for key in sorted(marks.wanted)
        if key in current
    ]
    if wrong:
        raise KctlError(wrong[0] if len(wrong) == 1 else f"[{', '.join(wrong)}]")


def keep_annotations(current: Mapping[str, str], marks: Marks) -> None:
    """Refuse to set an annotation that is there already; the change cause may always be set."""
    wrong = [
        f"'{key}' already has a value ({current[key]})"
        for key in sorted(marks.wanted)
        if key in current and key != CHANGE_CAUSE
    ]
    if wrong:
        raise KctlError(f"--overwrite is false but found the following declared annotation(s): {'; '.join(wrong)}")


def changed(current: Mapping[str, str], marks: Marks) -> dict[str, str]:
    """Return the map with what was wanted set and the rest taken away."""
    out = {**current, **marks.wanted}
    for key in marks.removed:
        out.pop(key, None)
    return out


def label_operation(before: Mapping[str, str], after: Mapping[str, str], overwrite: bool) -> str:
    """Say what happened to labels as kubectl does: an object whose text is shorter has lost one."""
    if dict(before) == dict(after):
        return "not labeled"
    return "unlabeled" if _size(after) < _size(before) and not overwrite else "labeled"


def _size(labels: Mapping[str, str]) -> int:
    import json

    return len(json.dumps(dict(labels), separators=(",", ":"), ensure_ascii=False).encode())


def step(plane: ControlPlane, resources: Sequence[str], choice: Choice, how: How, job: Job, said: Said) -> None:
    """Change the marks of every object chosen and say so, or list them."""
    from kctl.cli import targets, writing

    found = targets.find(plane, resources, choice)
    if job.resource_version and not found.is_single:
        raise UsageError("--resource-version may only be used with a single resource")

    def act(target: Target) -> None:
        if job.listing:
            _list(target, job.field, said, found.is_single)
        else:
            _mark(plane, target, how, job, said)

    writing.each(found, said, act)


def _list(target: Target, field: str, said: Said, is_single: bool) -> None:
    if not is_single:
        kind = target.kind
        said.line(f"Listing {field} for {kind.kind}.{kind.group}/{target.key.name}:")
    for key, value in sorted((target.object["metadata"].get(field) or {}).items()):
        said.line(f"{'' if is_single else ' '}{key}={value}")


def _mark(plane: ControlPlane, target: Target, how: How, job: Job, said: Said) -> None:
    """Send the difference as a merge patch."""
    from kctl.cli import writing

    old = target.object
    current = old["metadata"].get(job.field) or {}
    is_label = job.field == "labels"
    if is_label and not how.is_local:
        for key in job.marks.removed:
            if key not in current:
                said.line(f'label "{key}" not found.')
    if not job.overwrite:
        (keep_labels if is_label else keep_annotations)(current, job.marks)
    new = {**old, "metadata": {**old["metadata"], job.field: changed(current, job.marks)}}
    operation = label_operation(current, new["metadata"]["labels"], job.overwrite) if is_label else "annotated"
    if not how.is_local:
        patch: Obj = {**job.marks.wanted, **{key: None for key in job.marks.removed if key in current}}
        meta: Obj = {job.field: patch} if patch else {}
        if job.resource_version:
            meta["resourceVersion"] = job.resource_version
        client = writing.client_of(plane, how)
        new = client.patch(target.kind.resource, target.key, {"metadata": meta}, dry_run=how.is_dry)
    said.did(new, operation)
