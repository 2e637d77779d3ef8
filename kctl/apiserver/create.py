"""create: from a body to a stored object.

The order is kube-apiserver's: structure, defaults, ownership, mutating admission, then what the
store layer does in BeforeCreate (names, identity, allocation, the kind's strategy, validation),
validating admission, the write.
"""

from __future__ import annotations

from kctl.api.clock import rfc3339
from kctl.api.errors import StatusError, already_exists, bad_request, required, unprocessable
from kctl.api.objects import REMOVED, Key, Obj, evolve, key_of
from kctl.apiserver import metadata, rules
from kctl.apiserver.body import checked
from kctl.apiserver.remarks import remark, remark_prepared
from kctl.apiserver.request import Request
from kctl.apiserver.server import APIServer

GENERATE_ATTEMPTS = 8
"""How often a generated name is tried before AlreadyExists, as the store's RetryGenerateName."""


def handle(server: APIServer, request: Request) -> Obj:
    """Create the object of the request's body."""
    if request.kind.resource == "pods":
        from kctl.apiserver import alike_pods

        pod = alike_pods.created(server, request)
        if pod is None:
            pod = create(server, request)
            alike_pods.learn(server, request, pod)
        return pod
    if request.kind.resource != "events":
        return create(server, request)
    from kctl.apiserver import alike

    found = alike.created(server, request)
    if found is None:
        found = create(server, request)
        alike.learn_created(server, request, found)
    return found


def create(server: APIServer, request: Request) -> Obj:
    """Take the body through the whole pipeline."""
    if request.kind.custom is not None and request.kind.custom.is_terminating:
        text = "create not allowed while custom resource definition is terminating"
        raise StatusError(
            405, "MethodNotAllowed", text, details={"group": request.kind.group, "kind": request.kind.plural}
        )
    if request.kind.namespaced and not request.namespace:
        raise bad_request("an empty namespace may not be set during creation")
    obj = rules.decode(request, request.kind, checked(request))
    obj = metadata.placed(request, obj)
    obj = rules.default(request.kind, obj)
    now = server.clock.now()
    obj = metadata.wiped(obj)
    sent = _without_status(request, obj)
    owned = rules.owned(request.kind, sent, None, manager=request.manager, now=now, memo=server.ownership)
    meta = obj["metadata"]
    fields = owned["metadata"].get("managedFields")
    if fields is not None:
        obj = {**obj, "metadata": {**meta, "managedFields": fields}}
    return insert(server, request, obj)


def insert(server: APIServer, request: Request, obj: Obj) -> Obj:
    """Admit, prepare, validate and store a new object whose fields are owned already."""
    kind, now = request.kind, server.clock.now()
    sent = obj
    obj = server.admission.mutate(request, obj, None)
    if kind.group == "rbac.authorization.k8s.io":
        from kctl.apiserver import rbac_writes

        rbac_writes.check(server, request, obj, None)
    resource = server.stored_as(kind.resource)
    for attempt in range(GENERATE_ATTEMPTS):
        revision = server.revision + 1 if not request.options.dry_run else -server.next_preview()
        filled = metadata.fill_new(kind, obj, seed=server.seed, revision=revision, now=now, attempt=attempt)
        if attempt == GENERATE_ATTEMPTS - 1 or sent["metadata"].get("name") or not filled["metadata"].get("name"):
            break
        if server.storage.get(resource, key_of(filled)) is None:
            break
    obj = rules.prepare_create(kind, filled, now)
    if resource == "services":
        obj = server.allocator.for_create(obj, dry_run=request.options.dry_run)
    obj = stamped(request, obj, now)
    errors = rules.validate_create(kind, obj)
    if kind.group == "resource.k8s.io":
        from kctl.apiserver import device_admin

        errors += device_admin.errors_of(server, kind.kind, obj)
    if not errors and not obj["metadata"].get("name"):
        errors = [required("metadata.name", "name or generateName is required")]
    if errors:
        remark_prepared(request, obj)
        errors = rules.as_sent(errors, obj, request.body, lambda whole: rules.validate_create(kind, whole))
        raise unprocessable(obj.get("kind") or kind.kind, rules.group_of(kind), obj["metadata"].get("name", ""), errors)
    remark(request, obj, None)
    server.admission.validate(request, obj, None)
    key = Key(obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
    check_absent(request, server.storage.get(resource, key), key.name)
    version = sent["metadata"].get("resourceVersion")
    if request.options.dry_run:
        return evolve(obj, {"metadata": {"resourceVersion": version}}) if version else obj
    if version:
        raise StatusError(500, "InternalError", "resourceVersion should not be set on objects to be created")
    stored = server.registry.storage(kind.resource)
    if stored.api_version != kind.api_version:
        from kctl.apiserver import convert

        return convert.to_version(kind, server.storage.put(resource, key, convert.to_version(stored, obj)))
    return server.storage.put(resource, key, obj)


def check_absent(request: Request, found: Obj | None, name: str) -> None:
    """AlreadyExists when the name is taken, also by an object that is on its way out."""
    if found is None:
        return
    error = already_exists(request.kind.resource, name)
    if found["metadata"].get("deletionTimestamp"):
        raise StatusError(409, "AlreadyExists", f"object is being deleted: {error.message}", details=error.details)
    raise error


def stamped(request: Request, obj: Obj, now: float) -> Obj:
    """Return the object with what only the server knows: who asks, and when."""
    resource = request.kind.resource
    if resource == "persistentvolumes":
        return evolve(obj, {"status": {"lastPhaseTransitionTime": rfc3339(now)}})
    if resource == "certificatesigningrequests.certificates.k8s.io":
        user = request.user
        return evolve(obj, {"spec": {"username": user.name, "uid": user.uid or REMOVED, "groups": list(user.groups)}})
    if resource == "resourceslices.resource.k8s.io":
        from kctl.api.devicetaints import with_times

        return with_times(obj, None, rfc3339(now))
    return obj


def _without_status(request: Request, obj: Obj) -> Obj:
    if "status" in obj and "status" in request.kind.subresources:
        return {k: v for k, v in obj.items() if k != "status"}
    return obj
