"""delete: one object, as far as it goes.

As k8s.io/apiserver registry/rest BeforeDelete and the generic store: a pod gets a grace period,
finalizers hold an object back, propagation policies are finalizers too, and what nothing holds
is removed at once. Who removes dependents is the garbage collector, not this; many at once are
:mod:`kctl.apiserver.deletions`.
"""

from __future__ import annotations

from typing import Any

from kctl.api.clock import parse_time, rfc3339
from kctl.api.errors import conflict, forbidden, invalid, not_found, not_supported, unprocessable
from kctl.api.objects import REMOVED, Key, Obj, dig, evolve
from kctl.apiserver import definitions
from kctl.apiserver.request import Options, Request
from kctl.apiserver.server import APIServer

ANSWERED_WITH_OBJECT = frozenset(
    {
        "pods",
        "services",
        "persistentvolumeclaims",
        "persistentvolumes",
        "podtemplates",
        "resourcequotas",
        "serviceaccounts",
    }
)
"""Resources whose storage returns what it deleted (ReturnDeletedObject)."""
POLICIES = ("Foreground", "Background", "Orphan", "nil")
ORPHANED_BY_DEFAULT = frozenset(("replicationcontrollers",))


def handle(server: APIServer, request: Request) -> Obj:
    """Delete one object; return it while something holds it, a Status once it is gone."""
    check_options(request.options)
    resource = server.stored_as(request.kind.resource)
    old = server.storage.get(resource, Key(request.namespace, request.name))
    if old is None:
        server.admission.check_delete(request, None)
        raise not_found(request.kind.resource, request.name)
    server.admission.check_delete(request, old)
    check_preconditions(request, old)
    return carried_out(server, request, resource, old)


def carried_out(server: APIServer, request: Request, resource: str, old: Obj) -> Obj:
    """Delete an object that may be deleted and return the answer."""
    final, gone = remove(server, request, resource, old)
    if gone and request.kind.resource not in ANSWERED_WITH_OBJECT:
        return success(request, old)
    return server.in_version(request.kind, final)


def success(request: Request, old: Obj) -> Obj:
    """Return the Status that tells what is gone."""
    kind = request.kind
    details: Obj = {"name": old["metadata"]["name"]}
    if kind.group:
        details["group"] = kind.group
    details |= {"kind": kind.plural, "uid": old["metadata"]["uid"]}
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}


def check_options(options: Options) -> None:
    """Refuse a propagation policy that is none."""
    if options.propagation and options.propagation not in POLICIES[:3]:
        error = not_supported("propagationPolicy", options.propagation, POLICIES)
        raise unprocessable("DeleteOptions", "meta.k8s.io", "", [error])


def check_orphan_option(orphan: Any, options: Options) -> Options:
    """Turn the old ``orphanDependents`` into a policy; Invalid when both are given."""
    if orphan is None:
        return options
    if options.propagation:
        why = "orphanDependents and deletionPropagation cannot be both set"
        raise unprocessable(
            "DeleteOptions", "meta.k8s.io", "", [invalid("propagationPolicy", options.propagation, why)]
        )
    return options._replace(propagation="Orphan" if orphan else "Background")


def check_preconditions(request: Request, old: Obj) -> None:
    """Conflict when the object is not the one, or not the state, the client means."""
    meta, options = old["metadata"], request.options
    group = f".{request.kind.group}" if request.kind.group else ""
    resource = f"{request.kind.kind}{group}"
    if options.uid and options.uid != meta["uid"]:
        why = (
            f"the UID in the precondition ({options.uid}) does not match the UID in record ({meta['uid']}). "
            "The object might have been deleted and then recreated"
        )
        raise conflict(resource, request.name, why)
    version = options.precondition_version
    if version and version != meta["resourceVersion"]:
        why = (
            f"the ResourceVersion in the precondition ({version}) does not match the ResourceVersion in record "
            f"({meta['resourceVersion']}). The object might have been modified"
        )
        raise conflict(resource, request.name, why)


def remove(server: APIServer, request: Request, resource: str, old: Obj) -> tuple[Obj, bool]:
    """Delete as far as grace and finalizers let; return the object and whether it is gone."""
    if resource == "namespaces":
        return _remove_namespace(server, request, old)
    if (
        resource == definitions.RESOURCE
        and not old["metadata"].get("deletionTimestamp")
        and not request.options.dry_run
    ):
        return definitions.doom(server, old), False
    now = server.clock.now()
    marked, waiting = (old, False) if resource != "pods" else graceful(old, request.options, now)
    if waiting:
        return old, False
    finalizers = propagated(resource, old, request.options)
    if finalizers != (old["metadata"].get("finalizers") or []):
        marked = evolve(marked, {"metadata": {"finalizers": finalizers or REMOVED}})
    if (finalizers and resource != "pods") or (finalizers and marked["metadata"].get("deletionTimestamp") is None):
        marked = mark(marked, now)
    held = bool(finalizers) or bool(marked["metadata"].get("deletionGracePeriodSeconds"))
    if request.options.dry_run:
        return marked, not held
    key = Key(old["metadata"].get("namespace", ""), old["metadata"]["name"])
    if held:
        return (old if marked == old else server.storage.put(resource, key, marked)), False
    return server.storage.remove(resource, key, marked), True


def graceful(old: Obj, options: Options, now: float) -> tuple[Obj, bool]:
    """Return the pod with its grace period set, and whether a deletion that goes on stays as it is."""
    meta = old["metadata"]
    asked = None if options.grace is None else (1 if options.grace < 0 else options.grace)
    if meta.get("deletionTimestamp"):
        left = meta.get("deletionGracePeriodSeconds") or 0
        if not left:
            return old, False
        if asked is None or asked >= left:
            return old, True
        began = parse_time(meta["deletionTimestamp"]) - left
        change = {"deletionTimestamp": rfc3339(began + asked), "deletionGracePeriodSeconds": asked}
        return evolve(old, {"metadata": change}), False
    grace = _grace_of(old) if asked is None else asked
    if not dig(old, "spec", "nodeName") or dig(old, "status", "phase") in ("Failed", "Succeeded"):
        grace = 0
    change = {"deletionTimestamp": rfc3339(now + grace), "deletionGracePeriodSeconds": grace}
    return evolve(old, {"metadata": {**change, **_next_generation(meta)}}), False


def _grace_of(pod: Obj) -> int:
    found = dig(pod, "spec", "terminationGracePeriodSeconds", default=30)
    return 1 if found < 0 else int(found)


def _next_generation(meta: Obj) -> Obj:
    return {"generation": meta["generation"] + 1} if meta.get("generation") else {}


def mark(obj: Obj, now: float) -> Obj:
    """Return the object as being deleted without grace, as the store's markAsDeleting."""
    meta = obj["metadata"]
    change: Obj = {"deletionGracePeriodSeconds": 0}
    if meta.get("deletionGracePeriodSeconds") is None:
        change |= _next_generation(meta)
    if not meta.get("deletionTimestamp"):
        change["deletionTimestamp"] = rfc3339(now)
    return evolve(obj, {"metadata": change})


def propagated(resource: str, obj: Obj, options: Options) -> list[str]:
    """Return the finalizers that the propagation policy leaves the object with."""
    had: list[str] = obj["metadata"].get("finalizers") or []
    if resource == "events":
        return had
    others = [f for f in had if f not in ("orphan", "foregroundDeletion")]
    wanted: str | None = None
    if options.propagation == "Orphan":
        wanted = "orphan"
    elif options.propagation == "Foreground":
        wanted = "foregroundDeletion"
    elif options.propagation == "Background":
        wanted = None
    elif "orphan" in had or "foregroundDeletion" in had:
        return had
    elif resource in ORPHANED_BY_DEFAULT and not obj["metadata"].get("deletionTimestamp"):
        wanted = "orphan"
    if wanted is None:
        return others
    return had if wanted in had and len(had) == len(others) + 1 else [*others, wanted]


def may_go(resource: str, obj: Obj) -> bool:
    """Say whether the kind has no finalizers of its own left (a Namespace's are in its spec)."""
    return not (resource == "namespaces" and dig(obj, "spec", "finalizers"))


IMMORTAL = ("default", "kube-public", "kube-system")


def _remove_namespace(server: APIServer, request: Request, old: Obj) -> tuple[Obj, bool]:
    """Mark a namespace as terminating; it goes when its spec.finalizers are gone."""
    name = old["metadata"]["name"]
    if name in IMMORTAL:
        raise forbidden("namespaces", name, "this namespace may not be deleted")
    now, key = server.clock.now(), Key("", name)
    if not old["metadata"].get("deletionTimestamp"):
        change: Obj = {
            "metadata": {"deletionTimestamp": rfc3339(now), **_next_generation(old["metadata"])},
            "status": {"phase": "Terminating"},
        }
        finalizers = propagated("namespaces", old, request.options)
        if finalizers != (old["metadata"].get("finalizers") or []):
            change["metadata"]["finalizers"] = finalizers or REMOVED
        marked = evolve(old, change)
        if dig(marked, "spec", "finalizers") or finalizers:
            return (marked if request.options.dry_run else server.storage.put("namespaces", key, marked)), False
        old = marked
    if dig(old, "spec", "finalizers") or old["metadata"].get("finalizers"):
        return old, False
    return (old if request.options.dry_run else server.storage.remove("namespaces", key, old)), True
