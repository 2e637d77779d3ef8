"""What the server sets in ``metadata``: names, identity, times.

As k8s.io/apiserver pkg/registry/rest BeforeCreate and BeforeUpdate; validity of names and
labels is judged in :mod:`kctl.api.validation`.
"""

from __future__ import annotations

from kctl.api import names
from kctl.api.clock import rfc3339
from kctl.api.errors import bad_request, conflict
from kctl.api.objects import Obj
from kctl.api.registry import Kind
from kctl.apiserver.request import Request

SERVER_SET = ("selfLink", "resourceVersion", "generation", "deletionTimestamp", "deletionGracePeriodSeconds")
"""Taken out of what a client sends to create."""

SYSTEM = ("uid", "creationTimestamp", "selfLink", "deletionTimestamp", "deletionGracePeriodSeconds")
STORED_UNDER = {
    "apiservices.apiregistration.k8s.io": "apiregistration.k8s.io/apiservices",
    "customresourcedefinitions.apiextensions.k8s.io": "apiextensions.k8s.io/customresourcedefinitions",
    "endpoints": "services/endpoints",
    "ingresses.networking.k8s.io": "ingress",
    "nodes": "minions",
    "replicationcontrollers": "controllers",
    "services": "services/specs",
}
"""Where upstream's keys, which its messages name, do not begin with the plural."""

STALE = "the object has been modified; please apply your changes to the latest version and try again"


def placed(request: Request, obj: Obj) -> Obj:
    """Return the object with the request's namespace; BadRequest when it names another."""
    meta = obj.get("metadata") or {}
    if not isinstance(meta, dict):
        meta = {}
    given = meta.get("namespace") or ""
    wanted = request.namespace if request.kind.namespaced else ""
    if given and given != wanted:
        if not request.kind.namespaced:  # kube-apiserver drops it without a word
            meta = {k: v for k, v in meta.items() if k != "namespace"}
            return {**obj, "metadata": meta}
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    if wanted and not given:
        meta = {**meta, "namespace": wanted}
    return {**obj, "metadata": meta}


def check_name(request: Request, obj: Obj) -> None:
    """Compare the object's name with the one in the request's path."""
    name = obj["metadata"].get("name") or ""
    if not name:
        raise bad_request(
            f"the name of the object ({request.name} based on URL) was undeterminable: name must be provided"
        )
    if name != request.name:
        raise bad_request(f"the name of the object ({name}) does not match the name on the URL ({request.name})")


def wiped(obj: Obj) -> Obj:
    """Return a new object without what only the system says of one, as WipeObjectMetaSystemFields."""
    meta = {k: v for k, v in obj["metadata"].items() if k not in SYSTEM}
    return {**obj, "metadata": meta} if len(meta) < len(obj["metadata"]) else obj


def fill_new(kind: Kind, obj: Obj, *, seed: int, revision: int, now: float, attempt: int = 0) -> Obj:
    """Return a new object with name (generated if asked), uid and creation time."""
    sent = obj["metadata"]
    meta = {k: v for k, v in sent.items() if k not in SERVER_SET and v is not None}
    if not meta.get("name") and meta.get("generateName"):
        base = meta["generateName"]
        identity = f"{seed}/{kind.resource}/{meta.get('namespace', '')}/{base}"
        meta["name"] = names.child_name(base, identity, revision + attempt)
    identity_of = (seed, kind.resource, meta.get("namespace", ""), meta.get("name", ""), revision)
    meta["uid"] = names.uid(*identity_of)
    meta["creationTimestamp"] = rfc3339(now)
    generation = obj["metadata"].get("generation")
    if generation:
        meta["generation"] = generation
    return {**obj, "metadata": meta}


def carry_over(new: Obj, old: Obj) -> Obj:
    """Return ``new`` with what an update never takes away: identity, creation, deletion."""
    before = old["metadata"]
    meta = {k: v for k, v in new["metadata"].items() if v is not None}
    meta.pop("selfLink", None)
    if not meta.get("uid") and "uid" in before:
        meta["uid"] = before["uid"]
    for field in ("creationTimestamp", "deletionTimestamp"):
        if field in before:
            meta[field] = before[field]
    if "deletionGracePeriodSeconds" in before and meta.get("deletionGracePeriodSeconds") is None:
        meta["deletionGracePeriodSeconds"] = before["deletionGracePeriodSeconds"]
    meta.pop("generation", None)
    if "generation" in before:
        meta["generation"] = before["generation"]
    meta["resourceVersion"] = before["resourceVersion"]
    return {**new, "metadata": meta}


def check_preconditions(resource: str, name: str, sent: Obj, old: Obj) -> None:
    """Conflict when the client changed another object, or another state of it, than this one."""
    uid = sent.get("uid")
    if uid and uid != old["metadata"]["uid"]:
        place = STORED_UNDER.get(resource) or resource.partition(".")[0]
        where = "/" + "/".join(filter(None, (place, old["metadata"].get("namespace"), name)))
        why = (
            f"StorageError: invalid object, Code: 4, Key: {where}, ResourceVersion: 0, AdditionalErrorMsg: "
            f"Precondition failed: UID in precondition: {uid}, UID in object meta: {old['metadata']['uid']}"
        )
        raise conflict(resource, name, why)
    version = sent.get("resourceVersion")
    if version and version != "0" and version != old["metadata"]["resourceVersion"]:
        raise conflict(resource, name, STALE)
