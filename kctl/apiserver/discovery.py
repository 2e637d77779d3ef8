"""What is served: /api, /apis, group and version lists, /version, health.

Both forms of discovery: the old lists, one a group version, and the aggregated documents of
apidiscovery.k8s.io. kctl's own groups are served but not listed: they are how kctl keeps its
books, and clients that walk discovery should see a Kubernetes cluster.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kctl.api.errors import StatusError
from kctl.api.objects import Obj
from kctl.api.registry import Kind, Registry
from kctl.apiserver import negotiate
from kctl.apiserver.paths import NotAnAPIPath, Route
from kctl.apiserver.request import unknown_resource, wrong_method

if TYPE_CHECKING:
    from kctl.apiserver.http import HTTPResponse
    from kctl.apiserver.server import APIServer

VERSION = {
    "major": "1",
    "minor": "36",
    "emulationMajor": "1",
    "emulationMinor": "36",
    "minCompatibilityMajor": "1",
    "minCompatibilityMinor": "35",
    "gitVersion": "v1.36.2",
    "gitCommit": "unknown",
    "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "go1.26.6",
    "compiler": "gc",
    "platform": "linux/amd64",
}
"""What GET /version says: the Kubernetes release whose behaviour is served."""
HEALTH = ("/healthz", "/livez", "/readyz")
ISSUER = ("/.well-known/openid-configuration", "/openid/v1/jwks")
UNSERVED = {
    "/flagz": "kctl has no flags of a kube-apiserver to show",
    "/statusz": "kctl has no status of a kube-apiserver to show",
    "/metrics": "kctl measures nothing of its API server",
    "/metrics/slis": "kctl measures nothing of its API server",
}
"""Paths the real server has, and why they are not served."""
ADDRESSES = [{"clientCIDR": "0.0.0.0/0", "serverAddress": "127.0.0.1:6443"}]
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
GET = "GET"


def serve(server: APIServer, method: str, route: Route, accept: str) -> HTTPResponse:
    """Answer a path that names no resource."""
    from kctl.apiserver.http import HTTPResponse

    parts = route.path.strip("/").split("/")
    registry = server.registry
    if route.kind_of_path == "unknown":
        raise unknown_resource()
    if route.path == "/" or route.path.startswith(HEALTH):
        from kctl.apiserver import health

        if route.path == "/":
            return negotiate.respond(200, health.root(server, registry), "", [])
        if route.path in health.checks(server):
            return HTTPResponse(200, b"ok", [("Content-Type", "text/plain; charset=utf-8")])
        raise NotAnAPIPath
    if route.path in ISSUER:
        return _issuer(server, route.path)
    if route.path in UNSERVED:
        raise StatusError(501, "NotImplemented", UNSERVED[route.path])
    known = route.path == "/version" or parts[0] in ("api", "apis")
    if known and method != GET:
        raise wrong_method()
    if route.path == "/version":
        return negotiate.respond(200, VERSION, "", [])
    if parts == ["api"] or parts == ["apis"]:
        return _root(registry, core=parts == ["api"], accept=accept)
    if parts[0] == "api" and len(parts) == 2:
        return negotiate.respond(200, resource_list(registry, "", parts[1]), "", [])
    if parts[0] == "apis" and len(parts) == 2:
        return negotiate.respond(200, one_group(registry, parts[1]), "", [])
    if parts[0] == "apis" and len(parts) == 3:
        return negotiate.respond(200, resource_list(registry, parts[1], parts[2]), "", [])
    raise NotAnAPIPath


def _issuer(server: APIServer, path: str) -> HTTPResponse:
    """Return who signs ServiceAccount tokens, or its public keys (OpenID Connect Discovery)."""
    from kctl.apiserver import tokens
    from kctl.apiserver.http import HTTPResponse, dumps

    if path == ISSUER[1]:
        return HTTPResponse(200, dumps(tokens.key_set(server)), [("Content-Type", "application/jwk-set+json")])
    document = {
        "issuer": tokens.ISSUER,
        "jwks_uri": f"https://{ADDRESSES[0]['serverAddress']}{ISSUER[1]}",
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
    }
    return HTTPResponse(200, dumps(document), [("Content-Type", "application/json")])


def _root(registry: Registry, *, core: bool, accept: str) -> HTTPResponse:
    from kctl.apiserver.http import HTTPResponse, dumps

    form = _form(accept)
    if form == "aggregated":
        document = aggregated(registry, core=core)
        return HTTPResponse(200, dumps(document), [("Content-Type", AGGREGATED)])
    value = {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": ADDRESSES}
    return negotiate.respond(200, value if core else group_list(registry), "", [])


def _form(accept: str) -> str:
    """Return "aggregated" or "list", whichever the client accepts first; 406 for neither."""
    for clause in (accept or "*/*").split(","):
        media, *params = [part.strip() for part in clause.split(";")]
        given = dict(p.partition("=")[::2] for p in params)
        if media not in ("*/*", "application/*", "application/json"):
            continue
        if "as" not in given:
            return "list"
        if (given.get("g"), given.get("v"), given["as"]) == ("apidiscovery.k8s.io", "v2", "APIGroupDiscoveryList"):
            return "aggregated"
    raise StatusError(406, "NotAcceptable", f"only the following media types are accepted: {negotiate.BODY_TYPES}")


def listed(registry: Registry) -> list[Kind]:
    """Return the kinds discovery shows."""
    return [kind for kind in registry.all() if not kind.group.endswith("kctl.dev")]


def groups(registry: Registry) -> dict[str, list[str]]:
    """Return the named groups and their versions, in order of preference."""
    found: dict[str, list[str]] = {}
    for kind in listed(registry):
        versions = found.setdefault(kind.group, [])
        if kind.version not in versions:
            versions.append(kind.version)
    found.pop("", None)
    return found


def group_list(registry: Registry) -> Obj:
    """Return the APIGroupList."""
    found = [group(name, versions) for name, versions in groups(registry).items()]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": found}


def group(name: str, versions: list[str]) -> Obj:
    """Return name and versions of a group, the preferred one first."""
    entries = [{"groupVersion": f"{name}/{v}", "version": v} for v in versions]
    return {"name": name, "versions": entries, "preferredVersion": entries[0]}


def one_group(registry: Registry, name: str) -> Obj:
    """Return the APIGroup; plain 404 for a group nobody serves."""
    versions = groups(registry).get(name)
    if versions is None:
        raise NotAnAPIPath
    return {"kind": "APIGroup", "apiVersion": "v1", **group(name, versions)}


def resource_list(registry: Registry, group_name: str, version: str) -> Obj:
    """Return the APIResourceList of a group version."""
    kinds = [k for k in listed(registry) if (k.group, k.version) == (group_name, version)]
    if not kinds:
        if group_name and group_name not in groups(registry):
            raise NotAnAPIPath
        raise unknown_resource()
    entries = []
    for kind in kinds:
        entries.append(_resource(registry, kind))
        for name in kind.subresources:
            body = registry.subresource(kind, name)
            if body is not None:
                entries.append(_subresource(kind, body))
    entries.sort(key=lambda entry: str(entry["name"]))
    head: Obj = {"kind": "APIResourceList"}
    if group_name:
        head["apiVersion"] = "v1"
    group_version = f"{group_name}/{version}" if group_name else version
    return {**head, "groupVersion": group_version, "resources": entries}


FIRST_STORED_AS = {"customresourcedefinitions.apiextensions.k8s.io": "v1beta1"}
"""Versions that the hash of a resource is made of although they are no longer served."""


def hash_of(registry: Registry, kind: Kind) -> str:
    """Return what identifies the version a resource is stored in, as discovery's storageVersionHash."""
    stored = registry.storage(kind.resource)
    return stored._replace(version=FIRST_STORED_AS.get(kind.resource, stored.version)).storage_version_hash


def _resource(registry: Registry, kind: Kind) -> Obj:
    out: Obj = {
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": list(kind.verbs),
    }
    if kind.short_names:
        out["shortNames"] = list(kind.short_names)
    if kind.categories:
        out["categories"] = list(kind.categories)
    if "watch" in kind.verbs:
        out["storageVersionHash"] = hash_of(registry, kind)
    return out


def _subresource(parent: Kind, body: Kind) -> Obj:
    out: Obj = {"name": body.plural, "singularName": "", "namespaced": parent.namespaced}
    if (body.group, body.version) != (parent.group, parent.version):
        out |= {"group": body.group, "version": body.version} if body.group else {"version": body.version}
    return {**out, "kind": body.kind, "verbs": list(body.verbs)}


def aggregated(registry: Registry, *, core: bool) -> Obj:
    """Return the APIGroupDiscoveryList of the core group, or of all named groups."""
    found = {"": ["v1"]} if core else groups(registry)
    items = []
    for name, versions in found.items():
        entries = [_aggregated_version(registry, name, version) for version in versions]
        items.append({"metadata": {"name": name} if name else {}, "versions": entries})
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": items,
    }


def _aggregated_version(registry: Registry, group_name: str, version: str) -> Obj:
    resources = []
    kinds = [k for k in listed(registry) if (k.group, k.version) == (group_name, version)]
    for kind in sorted(kinds, key=lambda k: k.plural):
        entry: Obj = {
            "resource": kind.plural,
            "responseKind": {"group": "", "version": "", "kind": kind.kind}
            if kind.custom is None
            else {"group": kind.group, "version": kind.version, "kind": kind.kind},
            "scope": "Namespaced" if kind.namespaced else "Cluster",
            "singularResource": kind.singular,
            "verbs": list(kind.verbs),
        }
        if kind.short_names:
            entry["shortNames"] = list(kind.short_names)
        if kind.categories:
            entry["categories"] = list(kind.categories)
        subs = [(name, registry.subresource(kind, name)) for name in sorted(kind.subresources)]
        if subs:
            entry["subresources"] = [_aggregated_sub(kind, name, body) for name, body in subs if body is not None]
        resources.append(entry)
    return {"version": version, "resources": resources, "freshness": "Current"}


def _aggregated_sub(parent: Kind, name: str, body: Kind) -> Obj:
    same = (body.group, body.version) == (parent.group, parent.version) and parent.custom is None
    where = ("", "") if same else (body.group, body.version)
    return {
        "subresource": name,
        "responseKind": {"group": where[0], "version": where[1], "kind": body.kind},
        "verbs": list(body.verbs),
    }
