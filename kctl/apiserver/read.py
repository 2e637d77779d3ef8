"""get and list, at the current revision or a past one.

Selectors are parsed only when given; an object is returned as stored, shared and immutable.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from typing import Any

from kctl.api.errors import StatusError, bad_request, gone, not_found, unprocessable
from kctl.api.objects import Key, Obj
from kctl.api.registry import Kind
from kctl.apiserver import fields, numbers
from kctl.apiserver.packed import PackedObjects
from kctl.apiserver.request import Listing, Options, Request
from kctl.apiserver.server import APIServer

DERIVED = ("leases", "ipaddresses")
"""Kinds of which objects are made from others when somebody reads them."""


def _derived(request: Request) -> Any:
    """Return the module that makes objects of the kind."""
    if request.kind.plural == "leases":
        from kctl.apiserver import node_leases

        return node_leases
    from kctl.apiserver import service_addresses

    return service_addresses


def get(server: APIServer, request: Request) -> Obj:
    """Return one object; NotFound when there is none."""
    version = request.options.resource_version
    if version:
        check_version(server, version)
    found = server.storage.get(server.stored_as(request.kind.resource), Key(request.namespace, request.name))
    if found is None and request.kind.plural in DERIVED:
        derived = _derived(request)
        found = derived.one(server, request.name) if derived.is_meant(request) else None
    if found is None:
        raise not_found(request.kind.resource, request.name)
    return server.in_version(request.kind, found)


def list_(server: APIServer, request: Request) -> Listing:
    """Return the objects that the selectors match, sorted by namespace and name."""
    options = request.options
    matches = fields.matcher(request.kind, options.label_selector, options.field_selector)
    resource = server.stored_as(request.kind.resource)
    check_list_options(options)
    start: Key | None = None
    limit = 0 if options.resource_version == "0" else options.limit
    revision = server.revision
    if options.continue_:
        current, revision, start = _continued(server, resource, options.continue_)
    else:
        current, revision = _state(server, resource, options)
    if request.kind.plural in DERIVED:
        derived = _derived(request)
        current = derived.beside(server, current, revision) if derived.is_meant(request) else current
    keys = sorted(current if not options.field_selector else _candidates(server, current, options.field_selector))
    if request.namespace:
        keys = [key for key in keys if key.namespace == request.namespace]
    if start is not None:
        keys = [key for key in keys if key > start]
    if matches is None and not limit:
        items = [current[key] for key in keys]
        return Listing(_in_version(server, request.kind, items), revision)
    found: list[Obj] = []
    for n, key in enumerate(keys):
        obj = current[key]
        if matches is None or matches(obj):
            if limit > 0 and len(found) == limit:
                token = write_continue(revision, keys[n - 1])
                remaining = None if matches is not None else len(keys) - n
                return Listing(_in_version(server, request.kind, found), revision, token, remaining)
            found.append(obj)
    return Listing(_in_version(server, request.kind, found), revision)


def _candidates(server: APIServer, current: Mapping[Key, Obj], selector: str) -> Iterable[Key]:
    """Return the keys of objects that may match: of those held as they are stored, such as have the words."""
    if not isinstance(current, PackedObjects):
        return current
    words, may_mention = fields.words(selector), server.storage.codec.may_mention
    values = ((key, current.packed(key)) for key in current)
    return (key for key, value in values if value is None or all(may_mention(value, (word,)) for word in words))


def _in_version(server: APIServer, kind: Kind, items: list[Obj]) -> list[Obj]:
    if not items or (items[0].get("apiVersion") == kind.api_version and kind.custom is None):
        return items
    return [server.in_version(kind, obj) for obj in items]


def _state(server: APIServer, resource: str, options: Options) -> tuple[Mapping[Key, Obj], int]:
    """Return the objects and the revision that the resourceVersion options ask for."""
    wanted = revision(options.resource_version)
    if wanted > server.revision:
        raise too_large(wanted, server.revision)
    exact = options.resource_version_match == "Exact"
    if wanted and (exact or (options.limit > 0 and not options.resource_version_match)):
        try:
            return server.storage.at(resource, wanted), wanted
        except StatusError:
            raise gone("The resourceVersion for the provided list is too old.") from None
    return server.storage.objects(resource), server.revision


class ContinueExpired(StatusError):
    """410 for a list whose state is compacted; its token goes on in the current state."""

    def __init__(self, token: str) -> None:
        super().__init__(
            410,
            "Expired",
            "The provided continue parameter is too old to display a consistent list result. You can start a new "
            "list without the continue parameter, or use the continue token in this response to retrieve the remainder "
            "of the results. Continuing with the provided token results in an inconsistent list - objects that were "
            "created, modified, or deleted between the time the first chunk was returned and now may show up in the "
            "list.",
        )
        self.token = token

    def status(self) -> Obj:
        """Return the Status with the new token in its metadata."""
        return {**super().status(), "metadata": {"continue": self.token}}


def _continued(server: APIServer, resource: str, token: str) -> tuple[Mapping[Key, Obj], int, Key]:
    """Return the state a token belongs to, its revision, and the last key already listed."""
    revision, start = read_continue(token, server.revision)
    if not revision:
        return server.storage.objects(resource), server.revision, start
    try:
        return server.storage.at(resource, revision), revision, start
    except StatusError:
        raise ContinueExpired(write_continue(-1, start)) from None


def too_large(wanted: int, current: int) -> StatusError:
    """504 for a revision that has not happened."""
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    message = f"Timeout: Too large resource version: {wanted}, current: {current}"
    return StatusError(504, "Timeout", message, details={"causes": [cause], "retryAfterSeconds": 1})


def check_list_options(options: Options) -> None:
    """Refuse options that do not go together, as ValidateListOptions."""
    from kctl.api.errors import FieldError, forbidden_field, not_supported

    match, version = options.resource_version_match, options.resource_version
    errors: list[FieldError] = []
    if match:
        if not version:
            why = "resourceVersionMatch is forbidden unless resourceVersion is provided"
            errors.append(forbidden_field("resourceVersionMatch", why))
        if options.continue_:
            errors.append(
                forbidden_field("resourceVersionMatch", "resourceVersionMatch is forbidden when continue is provided")
            )
        if match not in ("Exact", "NotOlderThan"):
            errors.append(not_supported("resourceVersionMatch", match, ["Exact", "NotOlderThan", ""]))
        elif match == "Exact" and version == "0":
            why = 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
            errors.append(forbidden_field("resourceVersionMatch", why))
    if errors:
        raise unprocessable("ListOptions", "meta.k8s.io", "", errors)
    if options.continue_ and version not in ("", "0"):
        raise bad_request("specifying resource version is not allowed when using continue")


def check_version(server: APIServer, version: str) -> None:
    """Refuse to get a state that is no number, or has not happened."""
    try:
        number = numbers.unsigned(version)
    except numbers.NotANumber as why:
        raise StatusError(500, "", f'resourceVersion: Invalid value: "{version}": {why}') from None
    if number > server.revision:
        raise too_large(number, server.revision)


def revision(version: str) -> int:
    """Read the revision a list or watch begins at; BadRequest for what is none."""
    if not version:
        return 0
    try:
        return numbers.unsigned(version)
    except numbers.NotANumber as why:
        text = f'invalid resource version: resourceVersion: Invalid value: "{version}": {why}'
        raise bad_request(text) from None


def write_continue(revision: int, after: Key) -> str:
    """Return the token that goes on behind ``after`` in the state of ``revision``."""
    text = json.dumps({"v": "meta.k8s.io/v1", "rv": revision, "start": "/".join(after) + "\0"}, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_continue(token: str, current: int) -> tuple[int, Key]:
    """Read a token back; BadRequest when it is none."""
    try:
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        fields_ = json.loads(raw)
        namespace, _, name = fields_["start"].rstrip("\0").partition("/")
        revision = int(fields_["rv"])
    except (ValueError, KeyError, TypeError, AttributeError):
        raise bad_request("continue key is not valid: illegal base64 data at input byte 0") from None
    if revision > current:
        raise gone("The provided continue parameter is too old")
    return max(revision, 0), Key(namespace, name)
