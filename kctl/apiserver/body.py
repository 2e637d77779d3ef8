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
SUMMARY = 30
"""So much of a body is shown that cannot be understood."""
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
    if kind.custom is not None and request.kind is kind:
        return custom(kind, body)
    for value, field in ((api_version, "apiVersion"), (name, "kind")):
        if not isinstance(value, str):
            raise bad_request(
                f"couldn't get version/kind; json parse error: json: cannot unmarshal {GO_TYPES[type(value)]} "
                f"into Go struct field .{field} of type string"
            )
    if (api_version or kind.api_version) != kind.api_version or (name or kind.kind) != kind.kind:
        raise other_kind(kind, api_version, name)
    return {"kind": kind.kind, "apiVersion": kind.api_version, **body}


def custom(kind: Kind, body: Obj) -> Obj:
    """Return the body of a custom resource; its kind is looked at when it is validated."""
    for field in ("apiVersion", "kind"):
        if body.get(field) is not None and not isinstance(body[field], str):
            word = GO_TYPES[type(body[field])]
            raise bad_request(f"unable to decode {field}: cannot unmarshal {word} into a string")
    if not body.get("kind"):
        text = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
        summary = text[:30] + " ..." if len(text) > SUMMARY else text
        raise bad_request(
            f"the object provided is unrecognized (must be of type {kind.kind}): Object 'Kind' is missing in "
            f"'{text}' ({quoted(summary.encode())})"
        )
    if body.get("apiVersion") != kind.api_version:
        raise bad_request(
            f"the API version in the data ({body.get('apiVersion') or ''}) does not match the expected API version "
            f"({kind.api_version})"
        )
    return body


def unrecognized(kind: Kind, body: Any) -> StatusError:
    """400 for a body that is no object at all."""
    raw = json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
    return bad_request(
        f"the object provided is unrecognized (must be of type {kind.kind}): couldn't get version/kind; json parse "
        f"error: json: cannot unmarshal {GO_TYPES.get(type(body), 'value')} into Go value of type {GO_META} "
        f"({quoted(raw)})"
    )


GONE_VERSIONS = {
    "apps/v1beta1": ("ControllerRevision", "Deployment", "StatefulSet"),
    "apps/v1beta2": ("ControllerRevision", "DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"),
    "extensions/v1beta1": ("DaemonSet", "Deployment", "Ingress", "NetworkPolicy", "ReplicaSet"),
}
"""Versions that are served no more, but still known to the decoder."""
SCHEMES = {
    "apiregistration.k8s.io": "pkg/apiserver/scheme/scheme.go:28",
    "apiextensions.k8s.io": "pkg/apiserver/apiserver.go:52",
}
"""Where groups with an API server of their own register their kinds."""


def other_kind(kind: Kind, api_version: str, name: str) -> StatusError:
    """400 for an object of another kind or version than the path names."""
    sent_version, sent = api_version or kind.api_version, name or kind.kind
    version = sent_version.rpartition("/")[2]
    if sent in GONE_VERSIONS.get(sent_version, ()) or (sent == kind.kind and kind.custom is not None):
        return bad_request(
            f"the API version in the data ({sent_version}) does not match the expected API version ({kind.api_version})"
        )
    what = f'{sent} in version "{version}" cannot be handled as a {kind.kind}'
    if builtin().by_kind(sent_version, sent) is None:
        scheme = SCHEMES.get(kind.group, "pkg/api/legacyscheme/scheme.go:30")
        return bad_request(f'{what}: no kind "{sent}" is registered for version "{sent_version}" in scheme "{scheme}"')
    internal = kind.group.partition(".")[0] or "core"
    return bad_request(f"{what}: converting ({version}.{sent}) to ({internal}.{kind.kind}): unknown conversion")
