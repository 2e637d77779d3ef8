"""What an apply is told that meets the fields of others, or that is no object of its kind.

In: who owns what is contended, or what does not fit the schema. Out: the error, in the words of
k8s.io/apimachinery/pkg/util/managedfields.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from kctl.api import errors
from kctl.api.objects import Obj
from kctl.api.patch import fieldsets
from kctl.api.patch.fieldsets import Fields

if TYPE_CHECKING:
    from kctl.api.patch.managed import Id


def conflict(conflicts: dict[Id, Fields]) -> errors.StatusError:
    """Return the Conflict of an apply (managedfields/internal/conflict.go)."""
    listed = [(id_, path) for id_ in sorted(conflicts, key=identifier) for path in fieldsets.paths(conflicts[id_])]
    causes: list[Obj] = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {_printed(id_)}", "field": path}
        for path, id_ in sorted((path, id_) for id_, path in listed)  # upstream's order is that of a Go map
    ]
    if len(listed) == 1:
        id_, path = listed[0]
        return errors.apply_conflict(f"Apply failed with 1 conflict: conflict with {_printed(id_)}: {path}", causes)
    lines: list[str] = []
    last: Id | None = None
    for id_, path in listed:
        if id_ != last:
            lines.append(f"conflicts with {_printed(id_)}:")
            last = id_
        lines.append(f"- {path}")
    return errors.apply_conflict(f"Apply failed with {len(listed)} conflicts: " + "\n".join(lines), causes)


def identifier(id_: Id) -> str:
    """Return the text that upstream sorts managers by."""
    parts = {"manager": id_.manager, "operation": id_.operation, "apiVersion": id_.version}
    written = {name: value for name, value in parts.items() if value}
    if id_.subresource:
        written["subresource"] = id_.subresource
    return json.dumps(written, separators=(",", ":"), ensure_ascii=False)


def _printed(id_: Id) -> str:
    text = errors.go_value(id_.manager)
    if id_.subresource:
        text += f" with subresource {errors.go_value(id_.subresource)}"
    return f"{text} using {id_.version}" if id_.operation == "Update" else text


def untyped(applied: Obj, api_version: str, found: list[str]) -> errors.StatusError:
    """Return the error of a configuration that does not fit its schema: 500 without a reason."""
    meta = applied.get("metadata") or {}
    group_version = api_version if "/" in api_version else f"/{api_version}"
    name = f"{meta.get('namespace', '')}/{meta.get('name', '')}; {group_version}, Kind={applied.get('kind', '')}"
    text = found[0] if len(found) == 1 else "errors:\n" + "\n".join(f"  {line}" for line in found)
    return errors.StatusError(500, "", f"failed to create typed patch object ({name}): {text}")
