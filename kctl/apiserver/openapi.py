"""OpenAPI: the documents clients validate and explain by.

``/openapi/v3`` lists a document per group version, each with a hash that changes when it does;
``/openapi/v3/apis/<group>/<version>`` is one: the paths of its kinds and all schemas they need,
made from the registry and the schema table, for custom kinds from their definition. Of v2 there
is as much as kubectl asks for to learn that a kind is not there. Streams into containers
(attach, exec, log, portforward, proxy) are left out: nothing answers behind them.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha512
from typing import TYPE_CHECKING, Any

from kctl.api.errors import StatusError
from kctl.api.objects import Key, Obj, dig
from kctl.api.registry import Kind, Registry
from kctl.apiserver import openapi_schemas as schemas
from kctl.apiserver.paths import Route

if TYPE_CHECKING:
    from kctl.apiserver.http import HTTPResponse
    from kctl.apiserver.server import APIServer

MEDIA = ("application/json", "application/vnd.kubernetes.protobuf", "application/yaml")
STREAMS = ("application/json;stream=watch", "application/vnd.kubernetes.protobuf;stream=watch")
PATCHES = (
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
)
WRITING = ("dryRun", "fieldManager", "fieldValidation")
SELECTING = (
    *("continue", "fieldSelector", "labelSelector", "limit", "resourceVersion", "resourceVersionMatch"),
    *("sendInitialEvents", "shardSelector", "timeoutSeconds"),
)
LISTING = ("allowWatchBookmarks", *SELECTING, "watch")
DELETING = (
    *("dryRun", "gracePeriodSeconds", "ignoreStoreReadErrorWithClusterBreakingPotential"),
    *("orphanDependents", "propagationPolicy"),
)
STREAMING = ("attach", "exec", "log", "portforward", "proxy")
V2_PROTOBUF = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
V2 = b"\n\x032.0"
"""A protobuf of the v2 document that says only which version of OpenAPI it is."""
EMPTY_V2: Obj = {
    "swagger": "2.0",
    "info": {"title": "Kubernetes", "version": "v1.36.2"},
    "paths": {},
    "definitions": {},
}
CRDS = "customresourcedefinitions.apiextensions.k8s.io"
TYPE_TEXTS = {
    "apiVersion": "APIVersion defines the versioned schema of this representation of an object. Servers should convert "
    "recognized schemas to the latest internal value, and may reject unrecognized values. More info: "
    "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#resources",
    "kind": "Kind is a string value representing the REST resource this object represents. Servers may infer this from "
    "the endpoint the client submits requests to. Cannot be updated. In CamelCase. More info: "
    "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds",
}


def serve(server: APIServer, method: str, route: Route, heads: dict[str, str]) -> HTTPResponse:
    """Answer a path below ``/openapi``."""
    from kctl.apiserver.http import HTTPResponse, dumps

    if method not in ("GET", "HEAD"):
        return HTTPResponse(405, b"", [("Allow", "GET, HEAD")])
    parts = route.path.strip("/").split("/")[1:]
    if parts == ["v2"]:
        if "protobuf" in heads.get("accept", ""):
            return HTTPResponse(200, V2, [("Content-Type", V2_PROTOBUF)])
        return HTTPResponse(200, dumps(EMPTY_V2), [("Content-Type", "application/json")])
    if parts == ["v3"]:
        return HTTPResponse(200, dumps(index(server)), [("Content-Type", "application/json")])
    group, version = "", ""
    if parts[:2] == ["v3", "api"] and len(parts) == 3:
        version = parts[2]
    elif parts[:2] == ["v3", "apis"] and len(parts) == 4:
        group, version = parts[2:]
    if not served(server.registry, group, version):
        return HTTPResponse(404, b"", [])
    accept = heads.get("accept", "")
    if accept and not any(word in accept for word in ("json", "*/*", "application/*")):
        raise StatusError(406, "NotAcceptable", "only the following media types are accepted: application/json")
    etag = f'"{digest(server, group, version)}"'
    found = [("Content-Type", "application/json"), ("Etag", etag), ("Vary", "Accept")]
    if heads.get("if-none-match", "") == etag:
        return HTTPResponse(304, b"", found)
    return HTTPResponse(200, dumps(document(server, group, version)), found)


def served(registry: Registry, group: str, version: str) -> list[Kind]:
    """Return the kinds of a group version, without kctl's own books."""
    if group.endswith("kctl.dev"):
        return []
    return [kind for kind in registry.all() if (kind.group, kind.version) == (group, version)]


def index(server: APIServer) -> Obj:
    """Return the list of documents with their hashes."""
    found: dict[str, Obj] = {}
    for kind in server.registry.all():
        path = f"apis/{kind.group}/{kind.version}" if kind.group else f"api/{kind.version}"
        if path not in found and not kind.group.endswith("kctl.dev"):
            url = f"/openapi/v3/{path}?hash={digest(server, kind.group, kind.version)}"
            found[path] = {"serverRelativeURL": url}
    return {"paths": {path: found[path] for path in sorted(found)}}


def digest(server: APIServer, group: str, version: str) -> str:
    """Return what changes when a document does: kctl's version, its kinds, their definitions."""
    from kctl import __version__

    kinds = served(server.registry, group, version)
    found = [_definition(server, kind) for kind in kinds]
    of_crds = [each["metadata"].get("resourceVersion") for each in found if each is not None]
    text = repr((__version__, group, version, [kind[:10] for kind in kinds], of_crds))
    return sha512(text.encode()).hexdigest().upper()


def document(server: APIServer, group: str, version: str) -> Obj:
    """Return the OpenAPI v3 document of a group version."""
    kinds = served(server.registry, group, version)
    custom = {kind.plural: found for kind in kinds if (found := _definition(server, kind))}
    if custom:
        return _custom(server.registry, kinds, custom)
    return _builtin(server.registry, group, version)


@lru_cache(maxsize=64)
def _builtin(registry: Registry, group: str, version: str) -> Obj:
    kinds = served(registry, group, version)
    names = {"meta.v1.APIResourceList", "meta.v1.Status"}
    paths: Obj = {}
    for kind in kinds:
        own = schemas.of_kind(kind.api_version, kind.kind)
        if own:
            paths.update(Paths(registry, kind, schemas.ref(own), schemas.ref(f"{own}List"), names).all())
            names |= {own, f"{own}List"} if "list" in kind.verbs else {own}
    return _whole(group, version, paths, schemas.schemas(names, group))


def _whole(group: str, version: str, paths: Obj, found: dict[str, Obj]) -> Obj:
    root = f"/apis/{group}/{version}/" if group else f"/api/{version}/"
    resources = schemas.ref("meta.v1.APIResourceList")
    operation = {
        "tags": [tag(group, version)],
        "description": "get available resources",
        "operationId": f"get{camel(group)}{version.capitalize()}APIResources",
        "responses": {"200": _response("OK", resources), "401": {"description": "Unauthorized"}},
    }
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "1.36"},
        "paths": dict(sorted({root: {"get": operation}, **paths}.items())),
        "components": {
            "schemas": found,
            "securitySchemes": {
                "BearerToken": {
                    "type": "apiKey",
                    "description": "Bearer Token authentication",
                    "name": "authorization",
                    "in": "header",
                }
            },
        },
    }


def camel(group: str) -> str:
    """Return a group as operation ids name it: ``RbacAuthorization``, ``Core``."""
    words = group.removesuffix(".k8s.io").split(".") if group else ["core"]
    return "".join(word[:1].upper() + word[1:].replace("-", "") for word in words)


def tag(group: str, version: str) -> str:
    """Return the tag of a group version's operations: ``rbacAuthorization_v1``."""
    name = camel(group)
    return f"{name[:1].lower()}{name[1:]}_{version}"


def _response(text: str, shape: Obj, *, streams: bool = False) -> Obj:
    media = sorted((*MEDIA, *STREAMS) if streams else MEDIA)
    return {"description": text, "content": {each: {"schema": shape} for each in media}}


class Paths:
    """The paths of one kind; ``names`` collects the definitions they refer to."""

    def __init__(self, registry: Registry, kind: Kind, own: Obj, listed: Obj, names: set[str]) -> None:
        self._registry, self._kind, self._own, self._listed, self._names = registry, kind, own, listed, names
        self._root = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
        self._where = ("namespace",) if kind.namespaced else ()
        self._scope = "Namespaced" if kind.namespaced else ""

    def all(self) -> Obj:
        """Return every path of the kind with its operations."""
        kind = self._kind
        found: Obj = {}
        inner = f"{self._root}/namespaces/{{namespace}}" if kind.namespaced else self._root
        collection, single = f"{inner}/{kind.plural}", f"{inner}/{kind.plural}/{{name}}"
        self._put(found, collection, self._where, self._collection())
        self._put(found, single, ("name", *self._where), self._single("", kind, self._own))
        if kind.namespaced and "list" in kind.verbs:
            ids = f"{kind.kind}ForAllNamespaces"
            self._put(found, f"{self._root}/{kind.plural}", (), {"get": self._list(ids)})
        self._watches(found)
        for sub in kind.subresources:
            body = self._registry.subresource(kind, sub)
            if sub in STREAMING or body is None:
                continue
            self._put(found, f"{single}/{sub}", ("name", *self._where), self._subresource(sub, body))
        return found

    def _put(self, found: Obj, path: str, where: tuple[str, ...], operations: Obj) -> None:
        """Add a path; what all its operations take stands with the path."""
        if not operations:
            return
        taken = [set(operation["parameters"]) for operation in operations.values()]
        common = set.intersection(*taken)
        out: Obj = {}
        for method, operation in operations.items():
            own = sorted(name for name in operation.pop("parameters") if name not in common)
            out[method] = {**operation, **({"parameters": [self._parameter(name) for name in own]} if own else {})}
        shared = sorted({*common, *where, "pretty"})
        found[path] = {**out, "parameters": [self._parameter(name) for name in shared]}

    def _parameter(self, name: str) -> Obj:
        if name == "name":
            text = f"name of the {self._kind.kind}"
            place, kind = "path", "string"
        else:
            place, kind, text = schemas.data()["parameters"][name]
        out: Obj = {"name": name.partition(" ")[0], "in": place, "description": text}
        if place == "path":
            out["required"] = True
        return {**out, "schema": {"type": kind, "uniqueItems": True}}

    def _operation(self, action: str, text: str, ids: str, kind: Kind, parameters: tuple[str, ...]) -> Obj:
        own = self._kind
        verb, _, rest = ids.partition(" ")
        return {
            "tags": [tag(own.group, own.version)],
            "description": text,
            "operationId": f"{verb}{camel(own.group)}{own.version[:1].upper()}{own.version[1:]}{rest}",
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": {"group": kind.group, "version": kind.version, "kind": kind.kind},
            "parameters": list(parameters),
        }

    def _answers(self, shape: Obj, *codes: str, streams: bool = False) -> Obj:
        words = {"200": "OK", "201": "Created", "202": "Accepted"}
        found = {code: _response(words[code], shape, streams=streams) for code in codes}
        return {"responses": {**found, "401": {"description": "Unauthorized"}}}

    def _list(self, rest: str) -> Obj:
        text = f"list or watch objects of kind {self._kind.kind}"
        made = self._operation("list", text, f"list {rest}", self._kind, LISTING)
        return {**made, **self._answers(self._listed, "200", streams=True)}

    def _collection(self) -> Obj:
        kind, out = self._kind, {}
        if "list" in kind.verbs:
            out["get"] = self._list(f"{self._scope}{kind.kind}")
        if "create" in kind.verbs:
            text = f"create {_article(kind.kind)} {kind.kind}"
            made = self._operation("post", text, f"create {self._scope}{kind.kind}", kind, WRITING)
            out["post"] = {**made, **_body(self._own), **self._answers(self._own, "200", "201", "202")}
        if "deletecollection" in kind.verbs:
            ids = f"delete Collection{self._scope}{kind.kind}"
            taken = tuple({*SELECTING, *DELETING})
            made = self._operation("deletecollection", f"delete collection of {kind.kind}", ids, kind, taken)
            out["delete"] = {**made, **self._options(), **self._answers(schemas.ref("meta.v1.Status"), "200")}
        return out

    def _options(self) -> Obj:
        self._names.add("meta.v1.DeleteOptions")
        return {"requestBody": {"content": {"*/*": {"schema": schemas.ref("meta.v1.DeleteOptions")}}}}

    def _single(self, sub: str, kind: Kind, shape: Obj) -> Obj:
        """Return get, put, patch and delete of an object, or of a subresource."""
        own, out = self._kind, {}
        verbs = kind.verbs if sub else own.verbs
        what = f"{sub} of the specified {own.kind}" if sub else f"the specified {own.kind}"
        ids = f"{self._scope}{own.kind}{sub[:1].upper()}{sub[1:]}"
        if "get" in verbs:
            out["get"] = {
                **self._operation("get", f"read {what}", f"read {ids}", kind, ()),
                **self._answers(shape, "200"),
            }
        if "update" in verbs:
            made = self._operation("put", f"replace {what}", f"replace {ids}", kind, WRITING)
            out["put"] = {**made, **_body(shape), **self._answers(shape, "200", "201")}
        if "delete" in verbs and not sub:
            text = f"delete {_article(own.kind)} {own.kind}"
            made = self._operation("delete", text, f"delete {ids}", kind, DELETING)
            answer = shape if own.resource in RETURNED else schemas.ref("meta.v1.Status")
            out["delete"] = {**made, **self._options(), **self._answers(answer, "200", "202")}
        if "patch" in verbs:
            self._names.add("meta.v1.Patch")
            taken = ("dryRun", "fieldManager of patch", "fieldValidation", "force")
            made = self._operation("patch", f"partially update {what}", f"patch {ids}", kind, taken)
            content = {media: {"schema": schemas.ref("meta.v1.Patch")} for media in self._patches()}
            body = {"requestBody": {"content": content, "required": True}}
            out["patch"] = {**made, **body, **self._answers(shape, "200", "201")}
        return out

    def _patches(self) -> tuple[str, ...]:
        return tuple(media for media in PATCHES if self._kind.custom is None or "strategic" not in media)

    def _subresource(self, sub: str, body: Kind) -> Obj:
        name = schemas.of_kind(body.api_version, body.kind)
        shape = self._own if (body.group, body.kind) == (self._kind.group, self._kind.kind) else schemas.ref(name)
        if name:
            self._names.add(name)
        if body.verbs == ("create",):
            ids = f"create {self._scope}{self._kind.kind}{sub[:1].upper()}{sub[1:]}"
            text = f"create {sub} of {_article(self._kind.kind)} {self._kind.kind}"
            made = self._operation("post", text, ids, body, WRITING)
            return {"post": {**made, **_body(shape), **self._answers(shape, "200", "201", "202")}}
        return self._single(sub, body, shape)

    def _watches(self, found: Obj) -> None:
        kind = self._kind
        if "watch" not in kind.verbs:
            return
        self._names.add("meta.v1.WatchEvent")
        inner = f"{self._root}/watch/namespaces/{{namespace}}" if kind.namespaced else f"{self._root}/watch"
        old = "deprecated: use the 'watch' parameter with a list operation instead"
        many = f"watch individual changes to a list of {kind.kind}. {old}."
        one = f"watch changes to an object of kind {kind.kind}. {old}, filtered to a single item with the "
        one += "'fieldSelector' parameter."
        entries = [
            (f"{inner}/{kind.plural}", self._where, "watchlist", many, f"watch {self._scope}{kind.kind}List"),
            (
                f"{inner}/{kind.plural}/{{name}}",
                ("name", *self._where),
                "watch",
                one,
                f"watch {self._scope}{kind.kind}",
            ),
        ]
        if kind.namespaced:
            ids = f"watch {kind.kind}ListForAllNamespaces"
            entries.append((f"{self._root}/watch/{kind.plural}", (), "watchlist", many, ids))
        for path, where, action, text, ids in entries:
            made = self._operation(action, text, ids, kind, LISTING)
            answer = self._answers(schemas.ref("meta.v1.WatchEvent"), "200", streams=True)
            self._put(found, path, where, {"get": {**made, **answer}})


RETURNED = {
    *("pods", "podtemplates", "persistentvolumes", "persistentvolumeclaims", "resourcequotas", "services"),
    *("serviceaccounts", "csidrivers.storage.k8s.io", "csinodes.storage.k8s.io", "storageclasses.storage.k8s.io"),
    *("volumeattachments.storage.k8s.io", "volumeattributesclasses.storage.k8s.io"),
}
"""Resources whose deletion answers with the object (ReturnDeletedObject)."""


def _article(kind: str) -> str:
    return "an" if kind[:1] in "AEIOU" else "a"


def _body(shape: Obj) -> Obj:
    return {"requestBody": {"content": {"*/*": {"schema": shape}}, "required": True}}


def _definition(server: APIServer, kind: Kind) -> Obj | None:
    if kind.custom is None:
        return None
    return server.storage.get(CRDS, Key("", kind.resource))


def _custom(registry: Registry, kinds: list[Kind], definitions: dict[str, Obj]) -> Obj:
    """Return the document of a group version that custom resource definitions bring."""
    names = {"meta.v1.APIResourceList", "meta.v1.Status", "meta.v1.ListMeta", "meta.v1.ObjectMeta"}
    own: dict[str, Obj] = {}
    paths: Obj = {}
    group, version = kinds[0].group, kinds[0].version
    for kind in kinds:
        prefix = ".".join(reversed(group.split(".")))
        name, listed = f"{prefix}.{version}.{kind.kind}", f"{prefix}.{version}.{kind.kind}List"
        own[name] = _with_type(_schema_of(definitions.get(kind.plural) or {}, version), kind)
        own[listed] = _list_of(kind, name)
        refs: list[Obj] = [{"$ref": f"{schemas.PREFIX}{each}"} for each in (name, listed)]
        paths.update(Paths(registry, kind, refs[0], refs[1], names).all())
    found = schemas.schemas(names, group)
    return _whole(group, version, paths, dict(sorted({**found, **own}.items())))


def _schema_of(definition: Obj, version: str) -> Obj:
    for each in dig(definition, "spec", "versions", default=()):
        if each.get("name") == version:
            found: Any = dig(each, "schema", "openAPIV3Schema", default={})
            return dict(found)
    return {}


def _with_type(shape: Obj, kind: Kind) -> Obj:
    """Return a custom kind's schema with what every object has."""
    fields = {field: {"description": text, "type": "string"} for field, text in TYPE_TEXTS.items()}
    meta = {
        "description": "Standard object's metadata. More info: "
        "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata",
        "allOf": [schemas.ref("meta.v1.ObjectMeta")],
    }
    gvk = {"group": kind.group, "kind": kind.kind, "version": kind.version}
    properties = {**(shape.get("properties") or {}), **fields, "metadata": meta}
    return {**shape, "type": "object", "properties": properties, "x-kubernetes-group-version-kind": [gvk]}


def _list_of(kind: Kind, name: str) -> Obj:
    fields: Obj = {field: {"description": text, "type": "string"} for field, text in TYPE_TEXTS.items()}
    where = "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md"
    fields["items"] = {
        "description": f"List of {kind.plural}. More info: {where}",
        "type": "array",
        "items": {"$ref": f"{schemas.PREFIX}{name}"},
    }
    fields["metadata"] = {
        "description": f"Standard list metadata. More info: {where}#types-kinds",
        "allOf": [schemas.ref("meta.v1.ListMeta")],
    }
    gvk = {"group": kind.group, "kind": f"{kind.kind}List", "version": kind.version}
    return {
        "description": f"{kind.kind}List is a list of {kind.kind}",
        "type": "object",
        "required": ["items"],
        "properties": fields,
        "x-kubernetes-group-version-kind": [gvk],
    }
