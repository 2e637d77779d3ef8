"""What the API server refuses, said with the place in the file.

In: a target and what the server (or the strict decoder) said. Out: one error per field.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from kctl.api.errors import StatusError
from kctl.api.structural import Unknown, decode
from kctl.gitops.positions import Step, steps_of
from kctl.gitops.sources import ManifestError
from kctl.gitops.targets import Target

UNKNOWN_FIELD = re.compile(r'unknown field "(.*)"$')


def undecodable(target: Target, *, validate: Unknown = "strict") -> list[ManifestError]:
    """Return what the decoder finds: wrong types, and unknown fields when they are errors."""
    decoded = decode(target.kind, target.object, unknown=validate)
    place = target.manifest.positions.find
    return [
        ManifestError(target.manifest.file, place(error.steps).line, 0, f"{_subject(target)}: {error}")
        for error in decoded.errors
    ]


def pruned(targets: Iterable[Target], *, validate: Unknown) -> tuple[list[Target], list[ManifestError]]:
    """Return the targets without their unknown fields, and what to say about them.

    Server-side apply knows no such leniency (a field that is not in the schema has no owner), so
    the fields are taken out before. A target that cannot be decoded at all stays as it is.
    """
    if validate == "strict":
        return list(targets), []
    kept, said = [], []
    for target in targets:
        decoded = decode(target.kind, target.object, unknown=validate)
        kept.append(target if decoded.errors else target._replace(object=decoded.obj))
        said += remarked(target, decoded.warnings)
    return kept, said


def remarked(target: Target, remarks: Iterable[str]) -> list[ManifestError]:
    """Return the server's warnings about an object with the lines of the fields they are about."""
    found = []
    for text in remarks:
        unknown = UNKNOWN_FIELD.match(text)
        path, colon, _ = text.partition(": ")
        where = unknown[1] if unknown else path if colon and " " not in path else ""
        found.append(target.error(where, text))
    return found


def located(target: Target, error: StatusError) -> list[ManifestError]:
    """Return a refusal as errors with the lines of the fields they are about."""
    found = list(_located(target, error))
    return found or [_whole(target, error.message)]


def _located(target: Target, error: StatusError) -> Iterator[ManifestError]:
    for field in error.errors:
        yield target.error(indexed(target.object, field.field), str(field))
    if error.errors:
        return
    for cause in (error.details or {}).get("causes") or ():
        path = str(cause.get("field") or "").lstrip(".")
        message = str(cause.get("message") or error.message)
        if cause.get("reason") == "FieldManagerConflict":
            message += ": --force-conflicts takes the field over"
        yield target.error(indexed(target.object, path), f"{path}: {message}" if path else message)


def _whole(target: Target, message: str) -> ManifestError:
    """Return an error about the whole object, without naming it twice."""
    manifest = target.manifest
    if message.startswith(_subject(target)):
        return manifest.error("", message)
    return target.error("", message)


def _subject(target: Target) -> str:
    return f'{target.resource} "{target.key.name}"'


def indexed(obj: Any, path: str) -> str:
    """Return a path with the items that are named by a key (``[name="web"]``) counted instead."""
    if "=" not in path:
        return path
    out = ""
    value = obj
    for step in steps_of(path):
        step = _counted(value, step)
        if isinstance(value, list) and isinstance(step, int):
            out += f"[{step}]"
            value = value[step] if step < len(value) else None
        else:
            out += f"[{step}]"
            value = value.get(step) if isinstance(value, dict) else None
    return out


def _counted(value: Any, step: Step) -> Step:
    if not isinstance(value, list) or not isinstance(step, str) or "=" not in step:
        return step
    wanted = dict(part.split("=", 1) for part in step.split(",") if "=" in part)
    for index, item in enumerate(value):
        if isinstance(item, dict) and all(str(item.get(key, text)) == text for key, text in _unquoted(wanted)):
            return index
    return step


def _unquoted(wanted: dict[str, str]) -> list[tuple[str, str]]:
    return [(key.strip("\"' "), text.strip("\"' ")) for key, text in wanted.items()]
