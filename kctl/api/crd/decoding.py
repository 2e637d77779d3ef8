"""Decode a body as a custom resource: prune it, and read its metadata as every object's.

In: JSON as a client sent it. Out: what the server goes on with, and what is wrong, in the same form
as :func:`kctl.api.structural.decode` gives for built-in kinds. Types of fields are not looked at
here: that is validation, for custom resources.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from kctl.api import schema
from kctl.api.crd import pruning
from kctl.api.crd.version import Version
from kctl.api.defaults import wire
from kctl.api.errors import internal
from kctl.api.objects import Obj
from kctl.api.registry import Kind
from kctl.api.structural import DROPPED, MAX_UNKNOWN, Decoded, DecodeError, Reader, Steps, Unknown, dotted, struct

NOT_CALLED = "kctl calls no webhooks; ask for the version that objects are stored in"


def decode(kind: Kind, version: Version, obj: Obj, *, unknown: Unknown = "strict") -> Decoded:
    """Decode an object as one version of a custom resource."""
    reader = Reader(unknown)
    out = obj
    if obj.get("metadata") is not None:
        meta = schema.definition("meta.v1.ObjectMeta")
        decoded = reader.value(meta, obj["metadata"], ("metadata",), struct("ObjectMeta"))
        if decoded is DROPPED or not isinstance(decoded, dict):
            decoded = {}
        if decoded != obj["metadata"]:
            out = {**obj, "metadata": decoded}
    errors, warnings = reader.errors, reader.warnings
    if obj.get("kind") == kind.kind:
        paths: list[str] = []
        out = pruning.without_nulls(pruning.prune(out, version.schema, paths), version.schema)
        if unknown == "strict":
            errors = [*errors, *(_unknown(path) for path in paths)]
        elif unknown == "warn":
            warnings = [*warnings, *(f'unknown field "{path}"' for path in paths)][:MAX_UNKNOWN]
    return Decoded(kind, out, errors, warnings)


def _unknown(path: str) -> DecodeError:
    from kctl.api.structural import path_of

    steps = _steps(path)
    return DecodeError(path_of(steps), "unknown field", f'unknown field "{dotted(steps)}"', 2, steps)


def _steps(path: str) -> Steps:
    """Read a path back into names and positions."""
    steps: list[str | int] = []
    for part in path.split("."):
        name, *positions = part.split("[")
        if name:
            steps.append(name)
        for one in positions:
            digits = one.rstrip("]")
            steps.append(int(digits) if digits.isdigit() else one)
    return tuple(steps)


def defaulted(version: Version, obj: Obj) -> Obj:
    """Return the object with its metadata in the server's form and the schema's defaults."""
    out: Obj = pruning.default(obj, version.schema)
    if out.get("metadata"):
        meta = _metadata()(out["metadata"])
        if meta is not out["metadata"]:
            out = {**out, "metadata": meta}
    return out


@cache
def _metadata() -> Any:
    """Return what writes metadata as Go would."""
    return wire.struct(schema.definition("meta.v1.ObjectMeta"))


def read(kind: Kind, version: Version, obj: Obj) -> Obj:
    """Return a stored object as one version shows it: defaulted as stored, then pruned.

    As the codec of the custom resource handler with conversion strategy None.
    """
    origin = version.sibling(obj.get("apiVersion") or "")
    out: Obj = pruning.default(obj, origin.schema)
    return in_version(kind.api_version, version, out)


def in_version(api_version: str, version: Version, obj: Obj) -> Obj:
    """Return the object in a version, without what its schema does not have."""
    if obj.get("apiVersion") != api_version and version.is_converted:
        raise internal(f"conversion webhook for {obj.get('apiVersion')}, Kind={version.kind} failed: {NOT_CALLED}")
    out = obj if obj.get("apiVersion") == api_version else {**obj, "apiVersion": api_version}
    pruned: Obj = pruning.without_nulls(pruning.prune(out, version.schema), version.schema)
    return pruned


def owners_understand(kind: Kind, version: Version, new: Obj, old: Obj) -> bool:
    """Say whether both states fit the schema of every other version in which a manager wrote.

    Upstream converts them there without pruning; where that fails it forgets who owns what.
    """
    entries = old["metadata"].get("managedFields") or ()
    for name in {str(entry.get("apiVersion")) for entry in entries} - {kind.api_version}:
        other = version.sibling(name)
        if other is version:
            continue
        for obj in (new, old):
            if pruning.prune(obj, other.schema) is not obj:
                return False
    return True


def without_owners(obj: Obj) -> Obj:
    """Return the object without managedFields."""
    return {**obj, "metadata": {k: v for k, v in obj["metadata"].items() if k != "managedFields"}}
