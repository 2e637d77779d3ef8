"""The first look at a request's body: is it an object, and of the kind the path names."""

from __future__ import annotations

import json
from typing import Any

from kctl.api.errors import StatusError, bad_request
from kctl.api.objects import Obj
from kctl.api.registry import Kind, builtin
from kctl.apiserver.request import Request
from kctl.apiserver.texts import quoted

GO_TYPES = {dict: "object", list: "array", str: "string", bool: "bool", int: "number", float: "number"}
GO_META = 'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'


def checked(request: Request, kind: Kind | None = None) -> Obj:
    """Return the body with apiVersion and kind filled in; BadRequest when it is of another kind."""
    kind = kind or request.kind
    body = request.body
    if not isinstance(body, dict):
        if body is None:
            body = {}
        else:
            raise unrecognized(kind, body)
    api_version, name = body.get("apiVersion") or "", body.get("kind") or ""
    if api_version == kind.api_version and name == kind.kind:
        return body
    for value, field in ((api_version, "apiVersion"), (name, "kind")):
        if not isinstance(value, str):
            raise bad_request(
                f"couldn't get version/kind; json parse error: json: cannot unmarshal {GO_TYPES[type(value)]} "
                f"into Go struct field .{field} of type string"
            )
    if (api_version or kind.api_version) != kind.api_version or (name or kind.kind) != kind.kind:
        raise other_kind(kind, api_version, name)
    return {"kind": kind.kind, "apiVersion": kind.api_version, **body}


def unrecognized(kind: Kind, body: Any) -> StatusError:
    """400 for a body that is no object at all."""
    raw = json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
    return bad_request(
        f"the object provided is unrecognized (must be of type {kind.kind}): couldn't get version/kind; json parse "
        f"error: json: cannot unmarshal {GO_TYPES.get(type(body), 'value')} into Go value of type {GO_META} "
        f"({quoted(raw)})"
    )


def other_kind(kind: Kind, api_version: str, name: str) -> StatusError:
    """400 for an object of another kind or version than the path names."""
    version = (api_version or kind.api_version).rpartition("/")[2]
    if builtin().by_kind(api_version or kind.api_version, name or kind.kind) is None:
        scheme = "pkg/api/legacyscheme/scheme.go:30"
        why = f'no kind "{name or kind.kind}" is registered for version "{api_version}" in scheme "{scheme}"'
        return bad_request(f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: {why}')
    if name in ("", kind.kind):
        return bad_request(
            f"the API version in the data ({api_version}) does not match the expected API version ({kind.api_version})"
        )
    internal = kind.group.partition(".")[0] or "core"
    why = f"converting ({version}.{name}) to ({internal}.{kind.kind}): unknown conversion"
    return bad_request(f'{name} in version "{version}" cannot be handled as a {kind.kind}: {why}')
