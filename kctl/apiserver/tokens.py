"""serviceaccounts/token: tokens for ServiceAccounts, and whether one is good.

In: a TokenRequest, or a token. Out: the request with a signed token in its status, as
kube-apiserver's TokenREST; or whose the token is, as its jwtTokenAuthenticator and validator.
The signature itself is in :mod:`kctl.apiserver.jwt`; who asks for authentication, and what an
authenticated user may do, is not here.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from kctl.api import names
from kctl.api.clock import rfc3339
from kctl.api.errors import FieldError, bad_request, conflict, invalid, not_found, unprocessable
from kctl.api.objects import Key, Obj, dig
from kctl.apiserver import jwt, metadata, rules
from kctl.apiserver.body import checked
from kctl.apiserver.request import Request, wrong_method
from kctl.apiserver.server import APIServer

ISSUER = "https://kubernetes.default.svc"
AUDIENCES = (ISSUER,)
"""Whom a token is for that names nobody: the API server (--api-audiences)."""
SHORTEST = 10 * 60
LONGEST = 1 << 32
WARN_AFTER = 60 * 60 + 7
"""The lifetime that the ServiceAccount admission asks for (WarnOnlyBoundTokenExpirationSeconds)."""
EXTENDED = 24 * 365 * 60 * 60
"""What a pod's token with that lifetime really gets (ExpirationExtensionSeconds)."""
LEEWAY = 60
"""How many seconds clocks may differ (jwt.DefaultLeeway)."""
PREFIX = "authentication.kubernetes.io"


class InvalidToken(Exception):
    """A token of this cluster that is good no more, or not for this; the message says why."""


class Identity(NamedTuple):
    """Whose a token is: the user as UserInfo shows it, and the audiences it was accepted for."""

    username: str
    uid: str
    groups: tuple[str, ...]
    extra: dict[str, list[str]]
    audiences: tuple[str, ...]


def handle(server: APIServer, request: Request) -> Obj:
    """Answer a TokenRequest for the ServiceAccount the path names, as TokenREST.Create."""
    kind = server.registry.subresource(request.kind, "token")
    if kind is None or request.verb != "create":
        raise wrong_method()
    asked = request._replace(kind=kind)
    body = rules.decode(asked, kind, checked(asked, kind))
    obj = metadata.placed(asked, body)
    name, namespace = request.name, request.namespace
    given = obj["metadata"].get("name")
    if given and given != name:
        error = invalid("metadata.name", given, "must match the service account name if specified")
        raise unprocessable(kind.kind, kind.group, name, [error])
    account = server.storage.get("serviceaccounts", Key(namespace, name))
    if account is None:
        raise not_found("serviceaccounts", name)
    now = server.clock.now()
    obj = {k: v for k, v in obj.items() if k != "status"}
    spec = {"expirationSeconds": 60 * 60, **{k: v for k, v in (obj.get("spec") or {}).items() if v is not None}}
    uid = names.uid(server.seed, "serviceaccounts/token", namespace, name, server.revision)
    meta = {**obj["metadata"], "name": name, "namespace": namespace, "uid": uid, "creationTimestamp": rfc3339(now)}
    obj = rules.owned(
        kind, {**obj, "metadata": meta, "spec": spec}, None, manager=request.manager, now=now, subresource="token"
    )
    errors = validate(spec)
    if errors:
        raise unprocessable(kind.kind, kind.group, "", errors)
    spec = {"audiences": spec.get("audiences") or list(AUDIENCES), "boundObjectRef": None, **spec}
    bound = _bound(server, request, spec["boundObjectRef"])
    seconds = spec["expirationSeconds"]
    token = key(server).sign(claims(account, bound, spec, now=int(now), jti=uid))
    return {**obj, "spec": spec, "status": {"token": token, "expirationTimestamp": rfc3339(int(now) + seconds)}}


def validate(spec: Obj) -> list[FieldError]:
    """Return what is wrong with the spec, as ValidateTokenRequest."""
    seconds = spec["expirationSeconds"]
    if seconds < SHORTEST:
        return [invalid("spec.expirationSeconds", seconds, "may not specify a duration less than 10 minutes")]
    if seconds > LONGEST:
        return [invalid("spec.expirationSeconds", seconds, "may not specify a duration larger than 2^32 seconds")]
    return []


def _bound(server: APIServer, request: Request, ref: Obj | None) -> dict[str, Obj]:
    """Return the objects that the token is tied to, by their names in its claims."""
    if not ref:
        return {}
    version, kind, name = ref.get("apiVersion") or "", ref.get("kind") or "", ref.get("name") or ""
    group, _, minor = version.rpartition("/")
    if group or kind not in ("Pod", "Node", "Secret"):
        raise bad_request(f"cannot bind token to object of type {group}/{minor}, Kind={kind}")
    resource = f"{kind.lower()}s"
    found = server.storage.get(resource, Key("" if kind == "Node" else request.namespace, name))
    if found is None:
        raise not_found(resource, name)
    out = {kind.lower(): found}
    if kind == "Pod":
        if dig(found, "spec", "serviceAccountName") != request.name:
            who = json.dumps(request.name, ensure_ascii=False)
            raise bad_request(
                f"cannot bind token for serviceaccount {who} to pod running with different serviceaccount name."
            )
        node = dig(found, "spec", "nodeName")
        if node:
            out["node"] = server.storage.get("nodes", Key("", node)) or {"metadata": {"name": node}}
    if ref.get("uid") and ref["uid"] != found["metadata"]["uid"]:
        why = (
            f"the UID in the bound object reference ({ref['uid']}) does not match the UID in record. "
            "The object might have been deleted and then recreated"
        )
        raise conflict(kind, name, why)
    return out


def claims(account: Obj, bound: dict[str, Obj], spec: Obj, *, now: int, jti: str) -> Obj:
    """Return what a token says, as serviceaccount.Claims."""
    meta = account["metadata"]
    seconds = spec["expirationSeconds"]
    private: Obj = {"namespace": meta["namespace"], "serviceaccount": {"name": meta["name"], "uid": meta["uid"]}}
    for what, obj in bound.items():
        private[what] = {k: obj["metadata"][k] for k in ("name", "uid") if k in obj["metadata"]}
    if "pod" in bound and seconds == WARN_AFTER and set(spec["audiences"]) & set(AUDIENCES):
        private["warnafter"] = now + seconds
        seconds = EXTENDED
    return {
        "aud": spec["audiences"],
        "exp": now + seconds,
        "iat": now,
        "iss": ISSUER,
        "jti": jti,
        "kubernetes.io": private,
        "nbf": now,
        "sub": f"system:serviceaccount:{meta['namespace']}:{meta['name']}",
    }


def key(server: APIServer) -> jwt.SigningKey:
    """Return the key that signs this cluster's tokens; it is made when first asked for."""
    if server.token_key is None:
        server.token_key = jwt.key_of(server.folder, server.seed)
    return server.token_key


def key_set(server: APIServer) -> Obj:
    """Return the JSON Web Key Set of ``/openid/v1/jwks``."""
    return {"keys": [key(server).public()]}


def authenticate(server: APIServer, token: str, audiences: Sequence[str] = AUDIENCES) -> Identity | None:
    """Say whose a token is; None when it is not one of this issuer, InvalidToken when it is not good.

    As jwtTokenAuthenticator.AuthenticateToken: issuer, signature, audiences, then the claims.
    """
    try:
        if jwt.unverified(token).get("iss") != ISSUER:
            return None
    except jwt.BadSignature:
        return None
    try:
        said = key(server).verified(token)
    except jwt.BadSignature:
        raise InvalidToken("go-jose/go-jose: error in cryptographic primitive") from None
    meant = said.get("aud") or []
    accepted = tuple(audience for audience in audiences if audience in meant)
    if not accepted:
        listed = [f"[{' '.join(json.dumps(a, ensure_ascii=False) for a in given)}]" for given in (meant, audiences)]
        raise InvalidToken(f"token audiences {listed[0]} is invalid for the target audiences {listed[1]}")
    _check_times(said, server.clock.now())
    private = said["kubernetes.io"]
    _check_objects(server, private)
    namespace, account = private["namespace"], private["serviceaccount"]
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}")
    return Identity(said["sub"], account["uid"], groups, _extra(said), accepted)


def _check_times(said: Obj, now: float) -> None:
    if now - LEEWAY > said["exp"]:
        raise InvalidToken("service account token has expired")
    if now + LEEWAY < said["nbf"]:
        raise InvalidToken("service account token is not valid yet")


def _check_objects(server: APIServer, private: Obj) -> None:
    """Refuse a token whose account, pod, secret or node is gone or another, as validator.Validate."""
    namespace = private["namespace"]
    account = private["serviceaccount"]
    found = server.storage.get("serviceaccounts", Key(namespace, account["name"]))
    if found is None:
        raise InvalidToken(f'serviceaccounts "{account["name"]}" not found')
    _check_uid("service account UID ({}) does not match claim ({})", found, account)
    for what, message in (
        ("secret", "secret UID ({}) does not match service account secret ref claim ({})"),
        ("pod", "pod UID ({}) does not match service account pod ref claim ({})"),
        ("node", "node UID ({}) does not match service account node ref claim ({})"),
    ):
        ref = private.get(what)
        if ref is None or (what == "node" and "pod" in private):  # a pod's node only informs
            continue
        found = server.storage.get(f"{what}s", Key("" if what == "node" else namespace, ref["name"]))
        if found is None:
            raise InvalidToken("service account token has been invalidated")
        _check_uid(message, found, ref)


def _check_uid(message: str, found: Obj, ref: Obj) -> None:
    if found["metadata"]["uid"] != ref["uid"]:
        raise InvalidToken(message.format(found["metadata"]["uid"], ref["uid"]))


def _extra(said: Obj) -> dict[str, list[str]]:
    """Return what a user's extra tells of the token, as ServiceAccountInfo.UserInfo."""
    out = {f"{PREFIX}/credential-id": [f"JTI={said['jti']}"]}
    for what in ("node", "pod"):
        for field in ("name", "uid"):
            value = dig(said, "kubernetes.io", what, field)
            if value:
                out[f"{PREFIX}/{what}-{field}"] = [value]
    return out
