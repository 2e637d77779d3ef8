"""Pods alike: what the pipeline made of one that a controller asked for, made of the next of its template.

In: a create of a pod. Out: the pod as stored, when one that differs in nothing but its name has gone through the
pipeline before and nothing has changed since that admission goes by; None when it must go through itself.
Its name, uid and times are its own, and so is the name of the volume with its token. What holds where and how long:
the namespace is the very object it was, no quota counts there, and accounts, limits and classes are as they were
(:data:`JUDGES`); else what was learned is forgotten. A model is made of the second pod of an owner: many have one.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from kctl.api import names
from kctl.api.clock import rfc3339
from kctl.api.likeness import same
from kctl.api.objects import Key, Obj, dig
from kctl.apiserver.request import Request

if TYPE_CHECKING:
    from kctl.apiserver.server import APIServer

GIVEN = frozenset(
    ("name", "generateName", "namespace", "labels", "annotations", "ownerReferences", "finalizers"),
)
"""The metadata that a pod made of a template is sent with."""
TOKEN = "kube-api-access-"  # noqa: S105 - what the names of volumes begin with
LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
Place = tuple[Any, ...]


class Made(NamedTuple):
    """A pod as it was sent and as it was stored, its namespace then, and the name of its token's volume."""

    body: Obj
    pod: Obj
    namespace: Obj
    token: str


def created(server: APIServer, request: Request) -> Obj | None:
    """Create a pod like one before it; None when none is known."""
    models = _models(server, request)
    if not models:
        return None
    namespace = server.storage.get("namespaces", Key("", request.namespace))
    key = Key(request.namespace, request.body["metadata"]["name"])
    for model in models:
        if isinstance(model, Made) and model.namespace is namespace and _is_like(model.body, request.body):
            if server.admission.in_namespace("resourcequotas", request.namespace):
                return None
            if server.storage.get("pods", key) is not None:
                return None
            return server.storage.put("pods", key, _made(server, model, key))
    return None


def learn(server: APIServer, request: Request, pod: Obj) -> None:
    """Remember a pod that has gone through the pipeline."""
    models = _models(server, request)
    if models is None or not server.models.may_learn(server):
        return
    if not models:
        models.append(None)  # the first of its owner
        return
    namespace = server.storage.get("namespaces", Key("", request.namespace))
    token = _token(request.body, pod)
    if namespace is None or not _is_its_own(pod, token, rfc3339(server.clock.now())):
        return
    models[:] = [Made(request.body, pod, namespace, token)]


def _models(server: APIServer, request: Request) -> list[Made | None] | None:
    """Return what is known of the pods of an owner; None for pods that are not alike."""
    body, options = request.body, request.options
    if options.dry_run or request.repeats is not None or request.warnings is not None or not isinstance(body, dict):
        return None
    meta = body.get("metadata")
    if not isinstance(meta, dict) or not meta.keys() <= GIVEN or "status" in body:
        return None
    name, owners = meta.get("name"), meta.get("ownerReferences")
    if not isinstance(name, str) or not LABEL.fullmatch(name) or meta.get("namespace") != request.namespace:
        return None
    if not isinstance(owners, list) or len(owners) != 1 or not isinstance(owners[0], dict):
        return None
    how = (request.kind.api_version, request.manager, options.field_validation, request.user.name)
    return server.models.lasting(("new pod", request.namespace, str(owners[0].get("uid")), *how))


def _is_like(one: Obj, other: Obj) -> bool:
    """Say whether two bodies differ in the pod's name alone."""
    if one.keys() != other.keys() or one["metadata"].keys() != other["metadata"].keys():
        return False
    if any(value is not other[field] and not same(value, other[field]) for field, value in _but(one, "metadata")):
        return False
    mine, its = one["metadata"], other["metadata"]
    return all(value is its[field] or same(value, its[field]) for field, value in _but(mine, "name"))


def _but(struct: Obj, without: str) -> list[tuple[str, Any]]:
    return [(field, value) for field, value in struct.items() if field != without]


def _token(body: Obj, pod: Obj) -> str:
    """Return the name of the volume that admission gave the pod for its token, "" for none."""
    sent = {volume.get("name") for volume in dig(body, "spec", "volumes", default=())}
    found = (volume["name"] for volume in dig(pod, "spec", "volumes", default=()))
    return next((name for name in found if name.startswith(TOKEN) and name not in sent), "")


def _is_its_own(pod: Obj, token: str, now: str) -> bool:
    """Say whether the pod's name, uid and times stand nowhere but in their places, nor the name of its volume."""
    meta = pod["metadata"]
    managed = meta.get("managedFields")
    if not managed or any(entry.get("time") != now for entry in managed) or meta["creationTimestamp"] != now:
        return False
    rest = {field: value for field, value in meta.items() if field not in OWN}
    spec = _with_token(pod["spec"], token, "") if token else pod["spec"]
    text = json.dumps([rest, [entry.get("fieldsV1") for entry in managed], spec, pod.get("status")])
    return not any(own in text for own in (meta["name"], meta["uid"], now, token or meta["uid"]))


OWN = ("name", "uid", "creationTimestamp", "managedFields", "resourceVersion")


def _made(server: APIServer, model: Made, key: Key) -> Obj:
    """Return the pod of that name."""
    meta = model.pod["metadata"]
    now, revision = rfc3339(server.clock.now()), server.revision + 1
    own: Obj = {
        "name": key.name,
        "uid": names.uid(server.seed, "pods", key.namespace, key.name, revision),
        "creationTimestamp": now,
    }
    if now != meta["creationTimestamp"]:
        own["managedFields"] = [{**entry, "time": now} for entry in meta["managedFields"]]
    spec = model.pod["spec"]
    if model.token:
        identity = f"{server.seed}/{key.namespace}/{key.name}"
        spec = _with_token(spec, model.token, TOKEN + names.suffix(identity, revision))
    return {**model.pod, "metadata": {**meta, **own}, "spec": spec}


def _with_token(spec: Obj, old: str, new: str) -> Obj:
    """Return the spec with another name for one of its volumes."""
    out = {**spec, "volumes": [_renamed(volume, old, new) for volume in spec["volumes"]]}
    for field in ("initContainers", "containers"):
        if field in spec:
            out[field] = [_remounted(container, old, new) for container in spec[field]]
    return out


def _remounted(container: Obj, old: str, new: str) -> Obj:
    mounts = container.get("volumeMounts")
    if not mounts or all(mount["name"] != old for mount in mounts):
        return container
    return {**container, "volumeMounts": [_renamed(mount, old, new) for mount in mounts]}


def _renamed(named: Obj, old: str, new: str) -> Obj:
    return {**named, "name": new} if named["name"] == old else named
