"""URLs of the Kubernetes API: which resource a path names, and what its query asks.

In: a path with query. Out: a :class:`Route` and the :class:`Options` of a verb; malformed
options are refused in kube-apiserver's words.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote

from kctl.api.errors import FieldError, StatusError, bad_request, forbidden_field, invalid, not_supported, unprocessable
from kctl.api.registry import Registry
from kctl.apiserver import numbers
from kctl.apiserver.request import Options, unknown_resource

NO_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2})")
TRUE = ("1", "t", "T", "TRUE", "true", "True")
OPTION_KINDS = {
    "create": "CreateOptions",
    "update": "UpdateOptions",
    "patch": "PatchOptions",
    "delete": "DeleteOptions",
    "deletecollection": "DeleteOptions",
}


class Route(NamedTuple):
    """What a path names; ``kind_of_path`` is resource, or what discovery answers."""

    kind_of_path: str
    group: str = ""
    version: str = ""
    plural: str = ""
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    query: tuple[tuple[str, str], ...] = ()
    path: str = ""
    watch_path: bool = False

    def value(self, name: str) -> str:
        """Return the first value of a query option."""
        return next((v for n, v in self.query if n == name), "")

    def values(self, name: str) -> list[str]:
        """Return all values of a query option."""
        return [v for n, v in self.query if n == name]

    def flag(self, name: str) -> bool:
        """Say whether a boolean option is on; given without value it is."""
        found = self.values(name)
        return bool(found) and (found[0] in TRUE or found[0] == "")


def parse(url: str) -> Route:
    """Read a URL's path and query."""
    path, _, query_text = url.partition("?")
    if "%" in path:
        if NO_ESCAPE.search(path):
            raise Malformed
        path = unquote(path)
    query = tuple(parse_qsl(_readable(query_text), keep_blank_values=True))
    parts = path.rstrip("/").split("/")[1:]
    if parts[:1] == ["api"] and len(parts) >= 3:
        return _resource("", parts[1], parts[2:], query, path)
    if parts[:1] == ["apis"] and len(parts) >= 4:
        return _resource(parts[1], parts[2], parts[3:], query, path)
    return Route("other", query=query, path=path.rstrip("/") or "/")


def _readable(query: str) -> str:
    """Leave out the pairs that Go's URL.Query drops without a word."""
    if ";" not in query and "%" not in query:
        return query
    return "&".join(pair for pair in query.split("&") if ";" not in pair and not NO_ESCAPE.search(pair))


def _resource(group: str, version: str, rest: list[str], query: tuple[tuple[str, str], ...], path: str) -> Route:
    watch = rest[0] == "watch" and len(rest) > 1
    if watch:
        rest = rest[1:]
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in ("status", "finalize"):
        namespace, rest = rest[1], rest[2:]
    if len(rest) > 3 and "proxy" not in rest[2:3]:
        return Route("unknown", group, version, query=query, path=path)
    name = rest[1] if len(rest) > 1 else ""
    sub = rest[2] if len(rest) > 2 else ""
    if watch and name:
        query = (*query, ("fieldSelector", f"metadata.name={name}"))
        name = ""
    return Route("resource", group, version, rest[0], namespace, name, sub, query, path, watch)


def missing(registry: Registry, route: Route) -> StatusError:
    """404: plain text for a group version nobody serves, a Status otherwise."""
    served = any((k.group, k.version) == (route.group, route.version) for k in registry.all())
    known = [kind for kind in registry.all() if kind.group == route.group]
    if route.group and (not known if not served else False):
        return NotAnAPIPath()
    if known and all(kind.custom is not None for kind in known):
        return NotAnAPIPath()
    return unknown_resource()


class NotAnAPIPath(StatusError):
    """404 of a path outside the API: plain text, no Status."""

    def __init__(self) -> None:
        super().__init__(404, "NotFound", "404 page not found")


class Malformed(NotAnAPIPath):
    """400 of an address that cannot be read, as the HTTP server below the API says it."""

    def __init__(self) -> None:
        StatusError.__init__(self, 400, "BadRequest", "400 Bad Request")


def options(verb: str, route: Route) -> Options:
    """Read the options a verb understands from the query; BadRequest or Invalid."""
    if verb in ("get", "list", "watch"):
        return _list_options(route)
    found = Options(
        field_manager=route.value("fieldManager"),
        dry_run=bool(route.values("dryRun")),
        field_validation=route.value("fieldValidation"),
        force=route.flag("force"),
        label_selector=route.value("labelSelector"),
        field_selector=route.value("fieldSelector"),
        propagation=route.value("propagationPolicy"),
        grace=_integer(route, "gracePeriodSeconds"),
        include_object=route.value("includeObject"),
    )
    errors = _option_errors(verb, route, found)
    if errors:
        raise unprocessable(OPTION_KINDS.get(verb, "CreateOptions"), "meta.k8s.io", "", errors)
    return found


def _option_errors(verb: str, route: Route, found: Options) -> list[FieldError]:
    errors: list[FieldError] = []
    dry = route.values("dryRun")
    if any(value != "All" for value in dry):
        errors.append(not_supported("dryRun", sorted(set(dry)) if len(dry) > 1 else dry, ["All"]))
    if len(found.field_manager) > 128:
        errors.append(
            FieldError("FieldValueTooLong", "fieldManager", found.field_manager, "may not be more than 128 bytes")
        )
    for n, letter in enumerate(found.field_manager):
        if not letter.isprintable():
            why = f"invalid character U+{ord(letter):04X} (at position {len(found.field_manager[:n].encode())})"
            errors.append(invalid("fieldManager", found.field_manager, why))
            break
    if found.field_validation not in ("", "Ignore", "Warn", "Strict"):
        errors.append(not_supported("fieldValidation", found.field_validation, ["", "Ignore", "Strict", "Warn"]))
    return errors


def _list_options(route: Route) -> Options:
    limit = _integer(route, "limit") or 0
    _integer(route, "timeoutSeconds")
    if route.values("sendInitialEvents") and not route.flag("watch") and not route.watch_path:
        why = "sendInitialEvents is forbidden for list"
        raise unprocessable("ListOptions", "meta.k8s.io", "", [forbidden_field("sendInitialEvents", why)])
    return Options(
        label_selector=route.value("labelSelector"),
        field_selector=",".join(v for v in route.values("fieldSelector") if v)
        if route.watch_path
        else route.value("fieldSelector"),
        resource_version=route.value("resourceVersion"),
        resource_version_match=route.value("resourceVersionMatch"),
        limit=limit,
        continue_=route.value("continue"),
        include_object=route.value("includeObject"),
    )


def _integer(route: Route, name: str) -> int | None:
    text = route.value(name)
    if not text:
        return None
    try:
        return numbers.signed(text)
    except numbers.NotANumber as why:
        raise bad_request(str(why)) from None
