"""Requests that ask instead of store: who am I, may I, is this token good.

In: a review. Out: the same with its status, as the storages of pkg/registry/authorization and
pkg/registry/authentication answer. The answers come from :mod:`kctl.apiserver.authz` and
:mod:`kctl.apiserver.authn`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kctl.api.clock import rfc3339
from kctl.api.errors import bad_request, unprocessable
from kctl.api.objects import Obj, dig
from kctl.apiserver import metadata, rules
from kctl.apiserver.body import checked
from kctl.apiserver.request import MASTERS, Request, User

if TYPE_CHECKING:
    from kctl.apiserver.authz import Attributes
    from kctl.apiserver.server import APIServer

KINDS = frozenset(
    {
        "LocalSubjectAccessReview",
        "SelfSubjectAccessReview",
        "SelfSubjectReview",
        "SelfSubjectRulesReview",
        "SubjectAccessReview",
        "TokenReview",
    }
)
EVERYTHING: Obj = {
    "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
    "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
    "incomplete": False,
}


def handle(server: APIServer, request: Request) -> Obj:
    """Answer the review in the request's body."""
    kind = request.kind
    obj = rules.default(kind, metadata.placed(request, rules.decode(request, kind, checked(request))))
    obj = {k: v for k, v in obj.items() if k != "status"}
    now = server.clock.now()
    if kind.kind == "SelfSubjectReview":
        return {**obj, "metadata": {"creationTimestamp": rfc3339(now)}, "status": {"userInfo": user_info(request.user)}}
    if kind.kind == "SelfSubjectRulesReview":
        namespace = dig(obj, "spec", "namespace")
        if not namespace:
            raise bad_request("no namespace on request")
        return {**obj, "spec": {}, "status": rules_of(server, request.user, namespace)}
    if kind.kind == "TokenReview" and not dig(obj, "spec", "token"):
        raise bad_request("token is required for TokenReview in authentication")
    obj = rules.owned(kind, obj, None, manager=request.manager, now=now)
    errors = rules.validate_create(kind, obj)
    if errors:  # upstream names no kind here
        raise unprocessable("" if kind.group == "authorization.k8s.io" else kind.kind, kind.group, "", errors)
    if kind.kind == "TokenReview":
        return {**obj, "status": token_status(server, obj["spec"])}
    return {**obj, "status": access(server, request, obj["spec"])}


def user_info(user: User) -> Obj:
    """Return a user as authentication.k8s.io/v1 UserInfo."""
    out: Obj = {"username": user.name}
    if user.uid:
        out["uid"] = user.uid
    if user.groups:
        out["groups"] = list(user.groups)
    if user.extra:
        out["extra"] = {key: list(values) for key, values in user.extra}
    return out


def token_status(server: APIServer, spec: Obj) -> Obj:
    """Say whose a token is, as TokenReview does."""
    from kctl.apiserver import authn

    audiences = spec.get("audiences") or []
    found = authn.by_token(server, spec["token"], audiences)
    if found is None:
        return {"user": {}, "error": authn.why_not(server, spec["token"], audiences)}
    return {"authenticated": True, "user": user_info(found.user), "audiences": list(found.audiences)}


def access(server: APIServer, request: Request, spec: Obj) -> Obj:
    """Say whether somebody may do something, as the access reviews do."""
    user = request.user
    if request.kind.kind != "SelfSubjectAccessReview":
        extra = tuple((str(key).lower(), tuple(values)) for key, values in (spec.get("extra") or {}).items())
        user = User(spec.get("user") or "", spec.get("uid") or "", tuple(spec.get("groups") or ()), extra)
    found = server.authorizer.decide(attributes(user, spec))
    return {"allowed": found.is_allowed, **({"reason": found.reason} if found.reason else {})}


def attributes(user: User, spec: Obj) -> Attributes:
    """Return what a review asks for, as ResourceAttributesFrom and NonResourceAttributesFrom."""
    from kctl.apiserver.authz import Attributes

    path = spec.get("nonResourceAttributes")
    if path is not None:
        return Attributes(user, path.get("verb") or "", path=path.get("path") or "/")
    asked = spec.get("resourceAttributes") or {}
    fields = ("verb", "group", "resource", "subresource", "namespace", "name")
    verb, group, resource, subresource, namespace, name = (str(asked.get(field) or "") for field in fields)
    return Attributes(user, verb, group, resource, subresource, namespace, name, field_selector=_selector(asked))


def _selector(asked: Obj) -> str:
    """Return the field selector of a review as text; requirements other than equality do not count."""
    selector = asked.get("fieldSelector") or {}
    if selector.get("rawSelector"):
        return str(selector["rawSelector"])
    return ",".join(
        f"{each.get('key') or ''}={each['values'][0]}"
        for each in selector.get("requirements") or ()
        if each.get("operator") == "In" and len(each.get("values") or ()) == 1
    )


def rules_of(server: APIServer, user: User, namespace: str) -> Obj:
    """Return all that a user may do in a namespace, as SelfSubjectRulesReview lists it."""
    if "AlwaysAllow" in server.authorization:
        return EVERYTHING
    out: Obj = {"resourceRules": [], "nonResourceRules": [], "incomplete": False}
    errors: list[str] = []
    if "Node" in server.authorization and user.name.startswith("system:node:") and "system:nodes" in user.groups:
        out["incomplete"] = True
        errors.append("node authorizer does not support user rule resolution")
    if "RBAC" in server.authorization:
        held = server.authorizer.roles.held(user, namespace)
        for rule in held.rules():
            paths = rule.get("nonResourceURLs")
            fields = ("verbs", "nonResourceURLs") if paths else ("verbs", "apiGroups", "resources", "resourceNames")
            shown = {field: rule[field] for field in fields if rule.get(field)}
            out["nonResourceRules" if paths else "resourceRules"].append(shown)
        errors += held.errors
        out["incomplete"] = out["incomplete"] or bool(held.errors)
    elif MASTERS in user.groups:
        return EVERYTHING
    if errors:
        from kctl.apiserver.authz import aggregate

        out["evaluationError"] = aggregate(errors)
    return out
