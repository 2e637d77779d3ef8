"""patch: merge patch, JSON patch, strategic merge patch, server-side apply.

A patch is applied to the current state in the request's version; the outcome takes the way of
an update. An apply that finds nothing creates.
"""

from __future__ import annotations

import json
from typing import Any

from kctl.api.errors import StatusError, bad_request, invalid, not_found, unprocessable
from kctl.api.objects import Key, Obj
from kctl.apiserver import metadata, rules, update
from kctl.apiserver.body import GO_META, GO_TYPES, checked
from kctl.apiserver.remarks import remark
from kctl.apiserver.request import GenericError, Request
from kctl.apiserver.server import APIServer


def handle(server: APIServer, request: Request) -> Obj:
    """Patch the object the request names."""
    if request.verb == "apply" or request.patch_type == "apply":
        return apply(server, request)
    resource = server.stored_as(request.kind.resource)
    old = server.storage.get(resource, Key(request.namespace, request.name))
    if old is None:
        raise not_found(request.kind.resource, request.name)
    old = server.in_version(request.kind, old)
    if request.patch_type == "json":
        request = with_unknown_members(request)
    made = patched(request, old)
    obj = check_identity(request, made)
    obj = rules.decode_patched(request, request.kind, obj, lambda: shown(request, made, old), old)
    obj = metadata.placed(request, obj)
    obj = rules.default(request.kind, obj, old if request.subresource == "status" else None)
    if obj["metadata"].get("managedFields") is None and _forgets(made):
        obj = {**obj, "metadata": {**obj["metadata"], "managedFields": []}}
    sent = {k: v for k, v in obj["metadata"].items() if k != "uid"}  # of another uid, validation has a word to say
    metadata.check_preconditions(request.kind.resource, request.name, sent, old)
    return update.replace(server, request, obj, old)


OPERATION = {"op", "path", "value", "from"}


def _forgets(made: Obj) -> bool:
    """Say whether a patch emptied the managedFields, which resets them; decoding leaves no empty list."""
    meta = made.get("metadata")
    return isinstance(meta, dict) and meta.get("managedFields") in ([], [{}])


def with_unknown_members(request: Request) -> Request:
    """Return the request with a complaint about each member no JSON patch operation has."""
    from kctl.apiserver.texts import Repeats

    if not isinstance(request.body, list):
        return request
    texts = [
        f'json patch unknown field "[{n}].{name}"'
        for n, step in enumerate(request.body)
        if isinstance(step, dict)
        for name in step
        if name not in OPERATION
    ]
    return request._replace(repeats=Repeats(texts, {})) if texts else request


def shown(request: Request, obj: Obj, old: Obj | None = None) -> str:
    """Return what an error quotes: the outcome, or what is left of a strategic patch as Go prints a map."""
    if request.patch_type == "strategic":
        from kctl.api import schema
        from kctl.api.patch import remains

        body = request.body
        return go_print(body if old is None else remains.of(old, body, schema.of(request.kind)))
    if request.kind.custom is not None:  # a map all the way down, which Go writes in order
        return json.dumps(obj, separators=(",", ":"), ensure_ascii=False, sort_keys=True)
    from kctl.api import schema
    from kctl.api.patch import quoting

    path = quoting.operations_path if request.patch_type == "json" else quoting.merge_path
    return quoting.text_of(obj, schema.of(request.kind), set(path(request.body)))


def go_print(value: Any) -> str:
    """Write a JSON value as Go's fmt prints maps and slices."""
    if isinstance(value, dict):
        return "map[" + " ".join(f"{k}:{go_print(v)}" for k, v in sorted(value.items())) + "]"
    if isinstance(value, list):
        return "[" + " ".join(map(go_print, value)) + "]"
    if value is None:
        return "<nil>"
    return str(value).lower() if isinstance(value, bool) else str(value)


def patched(request: Request, old: Obj) -> Obj:
    """Return what the patch makes of the object."""
    body: Any = request.body
    if request.patch_type == "json":
        from kctl.api.patch import jsonpatch

        try:
            out = jsonpatch.patch(old, body)
        except StatusError as error:
            if error.details is None and error.code == 422:
                raise GenericError(422, error.reason, error.message) from None
            raise
        return _an_object(out)
    if body is None:
        raise bad_request("Invalid JSON Patch")
    if not isinstance(body, dict):
        why = f"json: cannot unmarshal {GO_TYPES[type(body)]} into Go value of type map[string]interface {{}}"
        raise bad_request(f"error decoding patch: {why}")
    if request.patch_type in ("", "merge"):
        return rules.merged(old, body)
    return strategic(request, old, body)


def _an_object(made: Any) -> Obj:
    """Return what operations made of the whole object; refused when it is none any more."""
    if made is None:
        return {}
    if isinstance(made, list):
        why = (
            f"couldn't get version/kind; json parse error: json: cannot unmarshal array into Go value of type {GO_META}"
        )
        text = json.dumps(made, separators=(",", ":"), ensure_ascii=False)
        raise unprocessable("", "", "", [invalid("patch", text, why)])
    if not isinstance(made, dict):
        raise GenericError(422, "Invalid", "the server rejected our request due to an error in our request")
    return made


def strategic(request: Request, old: Obj, body: Obj) -> Obj:
    """Return what a strategic merge patch makes of the object."""
    from kctl.api import schema
    from kctl.api.patch import strategic as smp

    out: Obj = smp.patch(old, body, schema.of(request.kind))
    return out


def _not_typed(request: Request, intent: Obj) -> StatusError:
    """500 of a configuration whose metadata is none, as the typed conversion of upstream says it."""
    value = json.dumps(intent["metadata"], separators=(",", ":"), ensure_ascii=False)
    where = f"{request.namespace}/{request.name}; {request.kind.api_version}, Kind={request.kind.kind}"
    what = f".metadata: expected map, got &value.valueUnstructured{{Value:{value}}}"
    return StatusError(500, "", f"failed to create typed patch object ({where}): {what}")


def check_identity(request: Request, obj: Obj) -> Obj:
    """Refuse a patch that makes another kind or name of the object."""
    from kctl.apiserver.body import other_kind

    kind, made = request.kind, obj
    if not isinstance(obj.get("metadata"), dict):
        obj = {**obj, "metadata": {}}
    if "kind" not in obj and "apiVersion" not in obj:
        metadata.check_name(request, obj)
    if obj.get("apiVersion") != kind.api_version or obj.get("kind") != kind.kind:
        error = other_kind(kind, str(obj.get("apiVersion") or ""), str(obj.get("kind") or ""))
        why = error.message.partition(f" cannot be handled as a {kind.kind}: ")[2]
        if request.patch_type != "json" or not why:
            raise error
        raise unprocessable("", "", "", [invalid("patch", shown(request, made), why)])
    if isinstance(obj.get("metadata"), dict):
        metadata.check_name(request, obj)
    return obj


def apply(server: APIServer, request: Request) -> Obj:
    """Merge the fields the manager wants into the object, which is created when there is none."""
    kind, now = request.kind, server.clock.now()
    if not request.options.field_manager:
        from kctl.api.errors import required

        why = "is required for apply patch"
        raise unprocessable("PatchOptions", "meta.k8s.io", "", [required("fieldManager", why)])
    check_type(request)
    intent = checked(request)
    if not isinstance(intent.get("metadata") or {}, dict):
        raise _not_typed(request, intent)
    sent = metadata.placed(request, intent)["metadata"]
    if not sent.get("name"):
        intent = {**intent, "metadata": {**(intent.get("metadata") or {}), "name": request.name}}
    elif sent["name"] != request.name:
        metadata.check_name(request, {"metadata": sent})
    resource = server.stored_as(kind.resource)
    live = server.storage.get(resource, Key(request.namespace, request.name))
    live = live and server.in_version(kind, live)
    if live is None and request.subresource:
        raise not_found(kind.resource, request.name)
    if sent.get("managedFields"):
        raise bad_request("metadata.managedFields must be nil")
    if live is not None:
        metadata.check_preconditions(kind.resource, request.name, sent, live)
    elif sent.get("resourceVersion"):
        raise conflict_missing(request)
    merged = rules.applied(
        kind,
        live,
        intent,
        manager=request.options.field_manager,
        now=now,
        force=request.options.force,
        subresource=request.subresource,
    )
    if merged is live and not request.subresource and server.admission.is_indifferent(request.namespace):
        remark(request, merged, merged)
        return merged  # the same object again: nothing would be changed, refused or written
    obj = rules.default(kind, metadata.placed(request, rules.decode(request, kind, merged)))
    if live is None:
        from kctl.apiserver import create

        request = request._replace(verb="create")
        server.authorize(request)
        return create.insert(server, request, obj)
    return update.replace(server, request, obj, live, owned=True)


def check_type(request: Request) -> None:
    """Refuse to apply what does not say that it is of the kind and version the path names."""
    body = request.body if isinstance(request.body, dict) else {}
    version, name = body.get("apiVersion") or "", body.get("kind") or ""
    if version != request.kind.api_version or name != request.kind.kind:
        group, _, version = str(version).rpartition("/")
        raise bad_request(f"invalid object type: {group}/{version}, Kind={name}")


def conflict_missing(request: Request) -> StatusError:
    """409 for an apply that names a state of an object that does not exist."""
    from kctl.api.errors import conflict

    return conflict(request.kind.resource, request.name, metadata.STALE)
