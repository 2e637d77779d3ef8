"""Requests that ask instead of store: who am I, may I, is this token good.

Everything is allowed to everybody: the authoriser is AlwaysAllow, and says so. No tokens are
issued, so none is good.
"""

from __future__ import annotations

from kctl.api.clock import rfc3339
from kctl.api.errors import bad_request, unprocessable
from kctl.api.objects import Obj, dig
from kctl.apiserver import metadata, rules
from kctl.apiserver.body import checked
from kctl.apiserver.request import Request, User
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
RULES: Obj = {
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
        if not dig(obj, "spec", "namespace"):
            raise bad_request("no namespace on request")
        return {**obj, "spec": {}, "status": RULES}
    if kind.kind == "TokenReview" and not dig(obj, "spec", "token"):
        raise bad_request("token is required for TokenReview in authentication")
    obj = rules.owned(kind, obj, None, manager=request.manager, now=now)
    errors = rules.validate_create(kind, obj)
    if errors:  # upstream names no kind here
        raise unprocessable("" if kind.group == "authorization.k8s.io" else kind.kind, kind.group, "", errors)
    if kind.kind == "TokenReview":
        return {**obj, "status": {"user": {}, "error": "invalid bearer token"}}
    return {**obj, "status": {"allowed": True}}


def user_info(user: User) -> Obj:
    """Return a user as authentication.k8s.io/v1 UserInfo."""
    out: Obj = {"username": user.name}
    if user.uid:
        out["uid"] = user.uid
    return {**out, "groups": list(user.groups)}
