"""Representations: reading bodies in their content type, writing answers as accepted.

JSON and YAML are read and written; protobuf is refused in words.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kctl.api.errors import StatusError, bad_request, not_supported, unprocessable, unsupported_media_type
from kctl.api.objects import Obj
from kctl.apiserver import table, texts
from kctl.apiserver.request import GenericError, Listing, Request

if TYPE_CHECKING:
    from kctl.apiserver.http import HTTPResponse
    from kctl.apiserver.server import APIServer

CUSTOM_PATCHES = "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"
BODY_TYPES = "application/json, application/yaml, application/vnd.kubernetes.protobuf"
TRANSFORMS = ("Table", "PartialObjectMetadata", "PartialObjectMetadataList")
JSON_TYPES = ("", "application/json")


def read_body(request: Request, body: Any, media: str) -> Request:
    """Return the request with its body as a JSON value."""
    if isinstance(body, dict | list):
        return request._replace(body=body)
    if media == "application/yaml":
        from kctl.apiserver import yaml

        value, repeats = yaml.read(body or b"")
    elif media in JSON_TYPES:
        value, repeats = _json(request, body)
    else:
        raise unsupported_media_type(
            f"the body of the request was in an unknown format - accepted media types include: {BODY_TYPES}"
        )
    return request._replace(body=value, repeats=repeats)


def _json(request: Request, body: bytes | str | None) -> tuple[Any, texts.Repeats | None]:
    raw = body.encode(errors="surrogatepass") if isinstance(body, str) else body or b""
    try:
        return texts.read_json(raw)
    except ValueError:
        why = texts.why_not_json(raw.decode(errors="replace"))
        raise bad_request(
            f"the object provided is unrecognized (must be of type {request.kind.kind}): couldn't get version/kind; "
            f"json parse error: {why} ({texts.quoted(raw)})"
        ) from None


def patch_body(request: Request, body: Any, media: str) -> Request:
    """Return the request with its patch read and its kind of patch named."""
    from kctl.apiserver.http import PATCHES

    kind = PATCHES.get(media)
    if kind is None or kind == "cbor":
        raise GenericError(415, "UnsupportedMediaType", "415: Unsupported Media Type")
    if kind == "strategic" and request.kind.custom is not None:
        raise unsupported_media_type(
            f"the body of the request was in an unknown format - accepted media types include: {CUSTOM_PATCHES}"
        )
    if request.options.force and kind != "apply":
        from kctl.api.errors import forbidden_field

        error = forbidden_field("force", "may not be specified for non-apply patch")
        raise unprocessable("PatchOptions", "meta.k8s.io", "", [error])
    if not isinstance(body, dict | list):
        from kctl.apiserver import yaml

        raw = body.encode(errors="surrogatepass") if isinstance(body, str) else body or b""
        try:
            body, repeats = yaml.read(raw) if kind == "apply" else texts.read_json(raw)
        except ValueError:
            why = texts.why_not_json(raw.decode(errors="replace"))
            raise bad_request(f"error decoding patch: {why}") from None
        request = request._replace(repeats=repeats)
    return request._replace(body=body, patch_type=kind, verb="apply" if kind == "apply" else "patch")


def delete_options(request: Request, body: Any, media: str) -> Request:
    """Return the request with the DeleteOptions of its body, which win over the query's."""
    from kctl.apiserver import delete

    if body in (None, b"", "", {}):
        return request
    sent = body if isinstance(body, dict) else read_body(request, body, media).body
    if not isinstance(sent, dict):
        raise bad_request("the body of a delete request must be DeleteOptions")
    kind, version = sent.get("kind") or "DeleteOptions", sent.get("apiVersion") or "v1"
    if kind != "DeleteOptions":
        scheme = "pkg/apis/meta/internalversion/scheme/register.go:27"
        raise bad_request(f'no kind "{kind}" is registered for version "{version}" in scheme "{scheme}"')
    from kctl.api import structural

    why = structural.why_not("meta.v1.DeleteOptions", sent)
    if why:
        raise bad_request(why)
    options = request.options
    dry = sent.get("dryRun")
    if dry and any(value != "All" for value in dry):
        raise unprocessable("DeleteOptions", "meta.k8s.io", "", [not_supported("dryRun", dry, ["All"])])
    conditions = sent.get("preconditions") or {}
    grace = sent.get("gracePeriodSeconds")
    options = options._replace(
        propagation=sent.get("propagationPolicy") or options.propagation,
        grace=options.grace if grace is None else grace,
        uid=conditions.get("uid") or "",
        precondition_version=conditions.get("resourceVersion") or "",
        dry_run=options.dry_run or bool(dry),
    )
    return request._replace(options=delete.check_orphan_option(sent.get("orphanDependents"), options))


# answers


def accepted(accept: str) -> tuple[str, dict[str, str]]:
    """Return the first media type the server can write, with its parameters; "" for none."""
    refused = ""
    for clause in (accept or "*/*").split(","):
        media, *params = [part.strip() for part in clause.split(";")]
        given = dict(p.partition("=")[::2] for p in params)
        if media in ("*/*", "application/*", "application/json", "application/yaml"):
            if "as" not in given or (given["as"] in TRANSFORMS and table.is_served(given)):
                return ("application/json" if "*" in media else media), given
            refused = "as"
    return refused, {}


def check_accept(accept: str) -> None:
    """406 when the client accepts nothing the server can write."""
    media, _ = accepted(accept)
    if media == "as":
        message = f"only the following media types are accepted: {BODY_TYPES}"
        raise StatusError(406, "NotAcceptable", message)
    if not media and "protobuf" in accept:
        return
    if not media:
        streams = "application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch"
        message = f"406: Not Acceptable\n\nAvailable representations: {BODY_TYPES}, {streams}"
        raise GenericError(406, "NotAcceptable", message)


def respond(status: int, value: Any, accept: str, warnings: list[str]) -> HTTPResponse:
    """Write a value as the client accepts it."""
    from kctl.apiserver.http import HTTPResponse, dumps

    media, _ = accepted(accept)
    heads = [("Warning", f"299 - {json.dumps(text, ensure_ascii=False)}") for text in warnings]
    if media == "application/yaml":
        from kctl.apiserver import yaml

        return HTTPResponse(
            status, yaml.write(value).encode(errors="replace"), [("Content-Type", "application/yaml"), *heads]
        )
    return HTTPResponse(status, dumps(value), [("Content-Type", "application/json"), *heads])


def status_response(error: StatusError, accept: str, warnings: list[str]) -> HTTPResponse:
    """Write what went wrong."""
    from kctl.apiserver.http import HTTPResponse
    from kctl.apiserver.paths import NotAnAPIPath

    if isinstance(error, NotAnAPIPath):
        heads = [("Content-Type", "text/plain; charset=utf-8")]
        return HTTPResponse(error.code, error.message.encode() + (b"\n" if error.code == 404 else b""), heads)
    return respond(error.code, error.status(), accept if accepted(accept)[0] != "as" else "", warnings)


def object_response(
    server: APIServer, request: Request, obj: Obj, accept: str, warnings: list[str], *, status: int
) -> HTTPResponse:
    """Write one object, or a Status, or the object's metadata or table when asked for those."""
    if obj.get("kind") == "Status" and obj.get("apiVersion") == "v1":
        return respond(obj.get("code", 200), obj, accept, warnings)
    _, params = accepted(accept)
    if params.get("as") == "PartialObjectMetadata":
        obj = partial(obj)
    elif params.get("as") == "Table":
        meta = {"resourceVersion": obj["metadata"].get("resourceVersion", "")}
        obj = table.build(server, request, [obj], meta, version=params["v"])
    return respond(status, obj, accept, warnings)


def list_response(
    server: APIServer, request: Request, found: Listing, accept: str, warnings: list[str]
) -> HTTPResponse:
    """Write a list; built-in kinds leave out what the list says for all: kind and apiVersion."""
    meta: Obj = {"resourceVersion": str(found.revision)}
    if found.continue_:
        meta["continue"] = found.continue_
    if found.remaining is not None:
        meta["remainingItemCount"] = found.remaining
    _, params = accepted(accept)
    if params.get("as") == "PartialObjectMetadataList":
        value: Obj = {
            "kind": "PartialObjectMetadataList",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": meta,
            "items": [partial(obj) for obj in found.items],
        }
        return respond(200, value, accept, warnings)
    if params.get("as") == "Table":
        return respond(200, table.build(server, request, found.items, meta, version=params["v"]), accept, warnings)
    return respond(
        200,
        {**list_head(request), "metadata": _list_meta(request, meta), "items": _items(request, found.items)},
        accept,
        warnings,
    )


def _list_meta(request: Request, meta: Obj) -> Obj:
    """Return a list's metadata; lists of custom resources say that they do not go on."""
    return {"continue": "", **meta} if request.kind.custom is not None else meta


def list_head(request: Request) -> Obj:
    """Return kind and apiVersion of a list."""
    if request.kind.custom is not None:
        return {"kind": request.kind.custom.list_kind, "apiVersion": request.kind.api_version}
    return {"kind": f"{request.kind.kind}List", "apiVersion": request.kind.api_version}


def _items(request: Request, items: list[Obj]) -> list[Obj]:
    if request.kind.custom is not None or request.kind.group.endswith("kctl.dev"):
        return items
    return [{k: v for k, v in obj.items() if k not in ("kind", "apiVersion")} for obj in items]


def partial(obj: Obj) -> Obj:
    """Return an object's metadata alone."""
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}


def representation(server: APIServer, request: Request, accept: str) -> Callable[[Obj], Obj]:
    """Return how a watch shows its objects: whole, their metadata alone, or as Tables."""
    _, params = accepted(accept)
    if params.get("as") == "Table":
        return table.events(server, request, params["v"])
    return partial if params.get("as") == "PartialObjectMetadata" else lambda obj: obj
