"""What a policy or webhook is about: rules on resources and operations, selectors of namespaces and objects.

As k8s.io/apiserver pkg/admission/plugin/webhook/predicates and policy/matching. With matchPolicy
Equivalent a rule that names another version of the same resource matches too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kctl.api import selectors
from kctl.api.objects import Key, Obj
from kctl.api.registry import Kind
from kctl.apiserver.request import Request

if TYPE_CHECKING:
    from kctl.apiserver.server import APIServer

GROUP = "admissionregistration.k8s.io"
OPERATIONS = {"create": "CREATE", "update": "UPDATE", "patch": "UPDATE", "apply": "UPDATE"}


def operation(request: Request, obj: Obj | None, old: Obj | None) -> str:
    """Return what the request does, as rules call it."""
    if request.verb in ("delete", "deletecollection"):
        return "DELETE"
    if request.subresource and request.verb == "create":
        return "CONNECT" if request.subresource in ("exec", "attach", "portforward", "proxy") else "CREATE"
    return "CREATE" if old is None else "UPDATE"


def is_exempt(request: Request) -> bool:
    """Say whether the request is about admission itself, which no policy may lock up."""
    return request.kind.group == GROUP


def matched(server: APIServer, request: Request, constraints: Obj, obj: Obj | None, old: Obj | None) -> Kind | None:
    """Return the kind in the version that the constraints match, None when they do not."""
    if not _namespace_matches(server, request, constraints.get("namespaceSelector"), obj, old):
        return None
    if not _object_matches(constraints.get("objectSelector"), obj, old):
        return None
    doing = operation(request, obj, old)
    is_exact = constraints.get("matchPolicy") == "Exact"
    if _rules_match(server, request, constraints.get("excludeResourceRules") or (), doing, is_exact=is_exact):
        return None
    rules = constraints.get("resourceRules")
    if rules is None:
        return request.kind
    return _rules_match(server, request, rules, doing, is_exact=is_exact)


def _rules_match(server: APIServer, request: Request, rules: Any, doing: str, *, is_exact: bool) -> Kind | None:
    for rule in rules:
        if rule_matches(rule, request, request.kind, doing):
            return request.kind
    if is_exact or not rules:
        return None
    for other in server.registry.all() if request.kind.custom is not None else _siblings(server, request.kind):
        if other.resource == request.kind.resource and other.version != request.kind.version:
            for rule in rules:
                if rule_matches(rule, request, other, doing):
                    return other
    return None


def _siblings(server: APIServer, kind: Kind) -> list[Kind]:
    """Return the built-in versions of a resource."""
    from kctl.api.registry import builtin

    return [other for other in builtin().all() if other.resource == kind.resource]


def rule_matches(rule: Obj, request: Request, kind: Kind, doing: str) -> bool:
    """Say whether one rule is about a request, taken in the version of ``kind``."""
    if not _any(rule.get("operations"), doing) or not _any(rule.get("apiGroups"), kind.group):
        return False
    if not _any(rule.get("apiVersions"), kind.version) or not _scope(rule.get("scope"), request, kind):
        return False
    named = rule.get("resourceNames")
    if named and request_name(request) not in named:
        return False
    return any(_resource(one, kind.plural, request.subresource) for one in rule.get("resources") or ())


def request_name(request: Request) -> str:
    """Return the name of the object a request is about, "" when it will be generated."""
    if request.name:
        return request.name
    body = request.body if isinstance(request.body, dict) else {}
    return str((body.get("metadata") or {}).get("name") or "")


def _any(wanted: Any, value: str) -> bool:
    return "*" in (wanted or ()) or value in (wanted or ())


def _scope(scope: str | None, request: Request, kind: Kind) -> bool:
    if scope in (None, "", "*"):
        return True
    is_namespaced = kind.namespaced and kind.resource != "namespaces"
    return is_namespaced == (scope == "Namespaced")


def _resource(pattern: str, plural: str, subresource: str) -> bool:
    resource, _, sub = pattern.partition("/")
    return resource in ("*", plural) and sub in ("*", subresource)


def _namespace_matches(
    server: APIServer, request: Request, selector: Obj | None, obj: Obj | None, old: Obj | None
) -> bool:
    if not selector:
        return True
    if request.kind.resource == "namespaces":
        found = obj if obj is not None else old
    elif not request.kind.namespaced:
        return True
    else:
        found = server.storage.get("namespaces", Key("", request.namespace))
    labels = ((found or {}).get("metadata") or {}).get("labels") or {}
    return selectors.from_label_selector(selector).matches(labels)


def _object_matches(selector: Obj | None, obj: Obj | None, old: Obj | None) -> bool:
    if not selector:
        return True
    wanted = selectors.from_label_selector(selector)
    return any(wanted.matches((one.get("metadata") or {}).get("labels") or {}) for one in (obj, old) if one is not None)
