"""update: replace an object, or one of its subresources.

The write is refused when the client saw an older state, dropped when nothing would change, and
turned into a removal when it takes the last finalizer off an object that is being deleted.
"""

from __future__ import annotations

from kctl.api.clock import rfc3339
from kctl.api.errors import StatusError, invalid, not_found, unprocessable
from kctl.api.objects import Key, Obj
from kctl.apiserver import metadata, numbers, rules
from kctl.apiserver.body import checked
from kctl.apiserver.remarks import remark
from kctl.apiserver.request import Request
from kctl.apiserver.server import APIServer

ON_UPDATE = frozenset(
    {
        "services",
        "endpoints",
        "events",
        "limitranges",
        "leases.coordination.k8s.io",
        "priorityclasses.scheduling.k8s.io",
        "clusterroles.rbac.authorization.k8s.io",
        "clusterrolebindings.rbac.authorization.k8s.io",
        "roles.rbac.authorization.k8s.io",
        "rolebindings.rbac.authorization.k8s.io",
    }
)
"""Resources that a PUT creates (AllowCreateOnUpdate)."""
CONDITIONAL = frozenset(
    {
        "leases.coordination.k8s.io",
        "poddisruptionbudgets.policy",
        "csidrivers.storage.k8s.io",
        "csinodes.storage.k8s.io",
        "csistoragecapacities.storage.k8s.io",
        "volumeattachments.storage.k8s.io",
        "runtimeclasses.node.k8s.io",
        "apiservices.apiregistration.k8s.io",
        "validatingadmissionpolicies.admissionregistration.k8s.io",
        "validatingadmissionpolicybindings.admissionregistration.k8s.io",
        "mutatingadmissionpolicies.admissionregistration.k8s.io",
        "mutatingadmissionpolicybindings.admissionregistration.k8s.io",
        "validatingwebhookconfigurations.admissionregistration.k8s.io",
        "mutatingwebhookconfigurations.admissionregistration.k8s.io",
        "customresourcedefinitions.apiextensions.k8s.io",
    }
)
"""Resources whose updates must name a resourceVersion (AllowUnconditionalUpdate is false)."""


def handle(server: APIServer, request: Request) -> Obj:
    """Replace the object named by the request with its body."""
    resource = server.stored_as(request.kind.resource)
    old = server.storage.get(resource, Key(request.namespace, request.name))
    if resource != "pods" or request.subresource != "status" or old is None:
        return update(server, request, old)
    from kctl.apiserver import alike

    found = alike.changed(server, request, old)
    if found is None:
        found = update(server, request, old)
        alike.learn_changed(server, request, old, found)
    return found


def update(server: APIServer, request: Request, old: Obj | None) -> Obj:
    """Take the body through the whole pipeline."""
    obj = checked(request)
    obj = rules.decode(request, request.kind, obj, old)
    obj = metadata.placed(request, obj)
    metadata.check_name(request, obj)
    obj = rules.default(request.kind, obj, old if request.subresource == "status" else None, old)
    if old is None:
        if request.kind.resource in ON_UPDATE and not request.subresource:
            from kctl.apiserver import create

            request = request._replace(verb="create", body=obj)
            server.authorize(request)
            return create.handle(server, request)
        raise not_found(request.kind.resource, request.name)
    old = server.in_version(request.kind, old)
    version = obj["metadata"].get("resourceVersion") or ""
    if version:
        try:
            numbers.unsigned(version)
        except numbers.NotANumber as why:
            raise StatusError(500, "", str(why)) from None
    if version in ("", "0"):
        require_version(request)
    metadata.check_preconditions(request.kind.resource, request.name, obj["metadata"], old)
    return replace(server, request, obj, old)


def require_version(request: Request) -> None:
    """Refuse an update without resourceVersion where the kind demands one."""
    resource = request.kind.resource
    if resource in CONDITIONAL or request.kind.custom is not None:
        error = invalid("metadata.resourceVersion", 0, "must be specified for an update")
        plural, _, group = resource.partition(".")
        raise unprocessable(plural, group, request.name, [error])


def replace(server: APIServer, request: Request, obj: Obj, old: Obj, *, owned: bool = False) -> Obj:
    """Write ``obj`` in the place of ``old``; ``owned`` when its managedFields are final."""
    kind, sub = request.kind, request.subresource
    obj = metadata.carry_over(obj, old)
    if sub in POD_PARTS:
        return _pod_part(server, request, obj, old)
    if not owned:
        now = server.clock.now()
        obj = rules.owned(kind, obj, old, manager=request.manager, now=now, subresource=sub, memo=server.ownership)
    if kind.resource == "resourceslices.resource.k8s.io":
        from kctl.api.devicetaints import with_times

        obj = with_times(obj, old, rfc3339(server.clock.now()))
    obj = rules.prepare_update(kind, obj, old, sub)
    if sub == "status" and kind.resource == "persistentvolumes":
        obj = _with_phase_time(obj, old, server.clock.now())
    if not sub or sub == "status":
        obj = server.admission.mutate(request, obj, old)
    if kind.group == "rbac.authorization.k8s.io":
        from kctl.apiserver import rbac_writes

        rbac_writes.check(server, request, obj, old)
    if kind.resource == "services" and not sub:
        obj = server.allocator.for_update(obj, old, dry_run=request.options.dry_run)
    errors = rules.validate_update(kind, obj, old, sub)
    if errors:
        sent, before = request.body, old
        errors = rules.as_sent(errors, obj, sent, lambda whole: rules.validate_update(kind, whole, before, sub))
        raise unprocessable(obj.get("kind") or kind.kind, rules.group_of(kind), obj["metadata"]["name"], errors)
    if not sub:
        remark(request, obj, old)
    server.admission.validate(request, obj, old)
    return store(server, request, obj, old)


def _with_phase_time(new: Obj, old: Obj, now: float) -> Obj:
    """Return a volume's new state with the time since when it is in its phase, unless the client said."""
    before, after = old.get("status") or {}, new.get("status") or {}
    field = "lastPhaseTransitionTime"
    if before.get("phase") == after.get("phase") or after.get(field) not in (None, before.get(field)):
        return new
    return {**new, "status": {**after, field: rfc3339(now)}}


POD_PARTS = ("ephemeralcontainers", "resize")


def _pod_part(server: APIServer, request: Request, obj: Obj, old: Obj) -> Obj:
    """Write the part of a pod that its subresource is for."""
    from kctl.apiserver import pods

    changed = pods.PARTS[request.subresource](obj, old)
    now = server.clock.now()
    changed = rules.owned(request.kind, changed, old, manager=request.manager, now=now, subresource=request.subresource)
    errors = pods.check(request.kind, request.subresource, changed, old)
    if errors:
        raise unprocessable("Pod", "", request.name, errors)
    server.admission.validate(request, changed, old)
    return store(server, request, changed, old)


def store(server: APIServer, request: Request, obj: Obj, old: Obj) -> Obj:
    """Write the object unless nothing changed; remove it when its deletion was waiting for this."""
    kind = request.kind
    resource = server.stored_as(kind.resource)
    meta = obj["metadata"]
    if obj == old or same_but_times(obj, old):
        return old
    if request.options.dry_run:
        return obj
    key = Key(meta.get("namespace", ""), meta["name"])
    stored = server.registry.storage(kind.resource)
    if stored.api_version != kind.api_version:
        from kctl.apiserver import convert

        obj = convert.to_version(stored, obj)
    if deletable(obj):
        from kctl.apiserver import delete

        if delete.may_go(resource, obj):
            server.storage.remove(resource, key, obj)
            return server.in_version(kind, {**obj, "metadata": {**meta}})
    return server.in_version(kind, server.storage.put(resource, key, obj))


def deletable(obj: Obj) -> bool:
    """Say whether nothing holds a deleted object any more, as ShouldDeleteDuringUpdate."""
    meta = obj["metadata"]
    if not meta.get("deletionTimestamp") or meta.get("finalizers"):
        return False
    return not meta.get("deletionGracePeriodSeconds")


def same_but_times(new: Obj, old: Obj) -> bool:
    """Say whether two states differ only in when their managers last wrote."""
    a, b = new["metadata"].get("managedFields"), old["metadata"].get("managedFields")
    if a == b or a is None or b is None or len(a) != len(b):
        return False
    if any({**x, "time": ""} != {**y, "time": ""} for x, y in zip(a, b, strict=True)):
        return False
    same = {**new, "metadata": {**new["metadata"], "managedFields": b}}
    return same == old
