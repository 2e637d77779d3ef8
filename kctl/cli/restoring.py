"""What ``rollback`` writes: what people asked for, as it was at an earlier revision.

In: a client and what differs between then and now. Out: the writes, through the API server like
any other, and an entry for each as reports list it. What controllers made of it is theirs: they
follow. Sets that were applied are applied again as they were then, under the same field manager,
so that the next apply meets no conflict; the rest is written under this command's own.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from kctl.api import volumes as vol
from kctl.api.errors import Refused, StatusError
from kctl.api.objects import REMOVED, Key, Obj, annotations_of, controller_uid, dig, evolve, labels_of
from kctl.cli.revision_diff import Difference, schema_of
from kctl.gitops import fielddiff, inventory
from kctl.gitops.intent import INTENTS, RENDERED_SETS
from kctl.plan.report import is_made_by_components

if TYPE_CHECKING:
    from kctl.client.client import Client

INVENTORIES = inventory.RESOURCE
BOOKS = (RENDERED_SETS, INVENTORIES, INTENTS)
"""kctl's own records of what was applied, in the order they are written."""
MADE = (
    "instances.cloud.kctl.dev",
    "loadbalancers.cloud.kctl.dev",
    "volumes.cloud.kctl.dev",
    "controllerrevisions.apps",
)
"""Kinds that only controllers write."""
MADE_FROM_SERVICES = ("endpoints.kubernetes.io/managed-by", "endpointslice.kubernetes.io/managed-by")
"""Labels of what controllers make of a Service; what people make of the same kinds has none."""
FIRST = ("namespaces", "customresourcedefinitions.apiextensions.k8s.io", "serviceaccounts", "configmaps", "secrets")
SERVER = ("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "selfLink")
GONE = ("deletionTimestamp", "deletionGracePeriodSeconds")
NODE_SPEC = ("unschedulable", "taints")
BOUND = {"PersistentVolumeClaim": "volumeName", "PersistentVolume": "claimRef"}
"""The field that names the other side of a binding."""
BINDERS_OWN = frozenset(
    (
        vol.BIND_COMPLETED,
        vol.BOUND_BY_CONTROLLER,
        vol.SELECTED_NODE,
        vol.STORAGE_PROVISIONER,
        vol.BETA_STORAGE_PROVISIONER,
    )
)
CONTROLLERS_OWN = "deployment.kubernetes.io/"
NAME = "kctl-rollback"


class Applied(NamedTuple):
    """An object as a set brought it at the revision to go back to."""

    object: Obj
    field_manager: str


def wanted(found: Iterable[Difference], bootstrap: Container[tuple[str, Key]] = ()) -> list[Difference]:
    """Return the differences that people made, in the order in which they are undone.

    What every cluster begins with is nobody's, also where it is younger than the revision.
    """
    kept = [
        difference
        for difference in found
        if _is_peoples(difference)
        and not (difference.before is None and (difference.resource, difference.key) in bootstrap)
    ]
    return sorted(kept, key=lambda d: (_rank(d.resource), d.resource, d.key))


def _rank(resource: str) -> int:
    return FIRST.index(resource) if resource in FIRST else len(FIRST)


def _is_peoples(difference: Difference) -> bool:
    if difference.resource in MADE or difference.resource in BOOKS:
        return False
    obj = difference.before or difference.after or {}
    if controller_uid(obj) or any(label in labels_of(obj) for label in MADE_FROM_SERVICES):
        return False
    if (difference.resource, difference.key.name) in inventory.AUTOMATIC:
        return False
    if difference.resource != "nodes" and is_made_by_components(obj):
        return False
    if difference.resource == "nodes":
        return difference.before is not None and difference.after is not None
    return True


def guard(found: Sequence[Difference], *, confirmed: bool) -> None:
    """Refuse to delete what holds other things, unless that was confirmed."""
    names = [
        f"{difference.resource}/{difference.key.name}"
        for difference in found
        if difference.before is None and difference.resource in inventory.GUARDED
    ]
    if names and not confirmed:
        raise Refused(
            f"this deletes {', '.join(names)} with all they hold", hint="--prune-confirm does it all the same"
        )


def restore(client: Client, found: Sequence[Difference], applied: dict[tuple[str, Key], Applied]) -> list[Obj]:
    """Write what was then and return an entry for each object that is another now.

    What was not there goes first: it may hold what comes back, such as a node port.
    """
    doomed = {d.key.name for d in found if d.resource == "namespaces" and d.before is None}
    pruned = [d for d in reversed(found) if d.before is None and d.key.namespace not in doomed]
    for difference in pruned:
        client.delete(difference.resource, difference.key, propagation="Background")
    entries = [
        _put(client, difference, difference.before, applied.get((difference.resource, difference.key)))
        for difference in found
        if difference.before is not None
    ]
    entries += [_entry(difference, "pruned", None) for difference in pruned]
    return [entry for entry in entries if entry is not None]


def _put(client: Client, difference: Difference, then: Obj, applied: Applied | None) -> Obj | None:
    """Bring one object back; what has another in its place that cannot become it is made anew."""
    change = "created" if difference.after is None else "configured"
    try:
        live = _bring(client, difference, then, difference.after, applied)
    except StatusError as error:
        if error.reason != "Invalid" or difference.change != "replaced":
            raise
        client.delete(difference.resource, difference.key, grace=0, propagation="Background")
        live, change = _bring(client, difference, then, None, applied), "replaced"
    if difference.after is not None and not fielddiff.changes(difference.after, live):
        return None
    return _entry(difference, change, live)


def _bring(client: Client, difference: Difference, then: Obj, live: Obj | None, applied: Applied | None) -> Obj:
    """Write the part that its set brought by an apply, the rest by an update."""
    resource, is_new = difference.resource, live is None
    if applied is not None:
        live = client.apply(resource, applied.object, field_manager=applied.field_manager, force=True)
    if live is None:
        return client.create(resource, fresh(then))
    target = node_as_then(then, live) if resource == "nodes" else as_then(then, live)
    if is_new and resource == "pods":
        target = {**target, "spec": live["spec"]}  # made anew, it gets a node and a token of its own
    if fielddiff.comparable(target) == fielddiff.comparable(live):
        return live
    return client.update(resource, target)


def fresh(then: Obj) -> Obj:
    """Return the object to create anew: without what the server and the scheduler add."""
    meta = {name: value for name, value in then["metadata"].items() if name not in (*SERVER, *GONE)}
    out = {**{name: value for name, value in then.items() if name != "status"}, "metadata": meta}
    if then["kind"] == "Pod" and "nodeName" in then["spec"]:
        out["spec"] = {name: value for name, value in then["spec"].items() if name != "nodeName"}
    return without_generated(unbound(out), then["metadata"].get("uid", ""))


def without_generated(obj: Obj, uid: str) -> Obj:
    """Return a Job without the selector and the labels that name the uid it had; others as they are."""
    if obj["kind"] != "Job" or not obj["apiVersion"].startswith("batch/") or obj["spec"].get("manualSelector"):
        return obj
    of_pods = labels_of(obj["spec"]["template"])
    own: Obj = {name: REMOVED for name, value in of_pods.items() if value == uid}
    spec = {"selector": REMOVED, "template": {"metadata": {"labels": own}}}
    is_defaulted = labels_of(obj) == of_pods
    return evolve(obj, {"metadata": {"labels": REMOVED if is_defaulted else own}, "spec": spec})


def unbound(obj: Obj) -> Obj:
    """Return a claim or volume without what binding it wrote."""
    if obj["kind"] not in BOUND or obj["apiVersion"] != "v1":
        return obj
    field, by = BOUND[obj["kind"]], annotations_of(obj)
    left = {name: value for name, value in by.items() if name not in BINDERS_OWN}
    meta = {name: value for name, value in obj["metadata"].items() if name != "annotations"}
    out = {**obj, "metadata": {**meta, **({"annotations": left} if left else {})}}
    if vol.BOUND_BY_CONTROLLER in by:
        return evolve(out, {"spec": {field: REMOVED}})
    if field == "claimRef" and field in obj["spec"]:  # people named the claim, or the volume
        return evolve(out, {"spec": {field: {"uid": REMOVED, "resourceVersion": REMOVED}}})
    return out


def bound_as_now(then: Obj, live: Obj) -> Obj:
    """Return a claim or volume as it was, bound as it is now."""
    if then["kind"] not in BOUND or then["apiVersion"] != "v1":
        return then
    field = BOUND[then["kind"]]
    kept = {name: value for name, value in annotations_of(live).items() if name in BINDERS_OWN}
    out = evolve(unbound(then), {"metadata": {"annotations": kept}} if kept else {})
    return evolve(out, {"spec": {field: live["spec"].get(field, REMOVED)}})


def as_then(then: Obj, live: Obj) -> Obj:
    """Return the live object with everything that people write as it was."""
    then = bound_as_now(then, live)
    own = {name: live["metadata"][name] for name in (*SERVER, *GONE) if name in live["metadata"]}
    then = as_generated(then, live)
    meta = {name: value for name, value in then["metadata"].items() if name not in (*SERVER, *GONE)}
    annotations = {k: v for k, v in annotations_of(then).items() if not k.startswith(CONTROLLERS_OWN)}
    annotations |= {k: v for k, v in annotations_of(live).items() if k.startswith(CONTROLLERS_OWN)}
    meta = {name: value for name, value in {**meta, **own}.items() if name != "annotations"}
    if annotations:
        meta["annotations"] = annotations
    out = {**then, "metadata": meta}
    out.pop("status", None)
    return {**out, "status": live["status"]} if "status" in live else out


def as_generated(then: Obj, live: Obj) -> Obj:
    """Return a Job as it was, under the selector and the labels that name the uid it has now."""
    bare = without_generated(then, then["metadata"].get("uid", ""))
    if bare is then:
        return then
    uid, spec = live["metadata"]["uid"], live["spec"]
    named = {name: value for name, value in labels_of(spec["template"]).items() if value == uid}
    of_pods = {"metadata": {"labels": named}}
    out = evolve(bare, {"spec": {"selector": spec.get("selector"), "template": of_pods}})
    if labels_of(then) == labels_of(then["spec"]["template"]):
        out = evolve(out, {"metadata": {"labels": labels_of(out["spec"]["template"])}})
    return out


def node_as_then(then: Obj, live: Obj) -> Obj:
    """Return the node with labels, taints and cordon as they were; the rest is the kubelet's."""
    spec = {name: value for name, value in live["spec"].items() if name not in NODE_SPEC}
    spec |= {name: then["spec"][name] for name in NODE_SPEC if name in then["spec"]}
    meta = {name: value for name, value in live["metadata"].items() if name not in ("labels", "annotations")}
    meta |= {name: then["metadata"][name] for name in ("labels", "annotations") if name in then["metadata"]}
    return {**live, "metadata": meta, "spec": spec}


def _entry(difference: Difference, change: str, live: Obj | None) -> Obj:
    from kctl.cli.writing import name_of

    obj = live or difference.after or difference.before or {}
    fields: list[Obj] = []
    if change == "configured":
        fields = [field.data() for field in fielddiff.changes(difference.after, live, schema_of(obj))]
    return {
        "file": "",
        "line": 0,
        "object": name_of(obj),
        "apiVersion": obj["apiVersion"],
        "kind": obj["kind"],
        "namespace": difference.key.namespace,
        "name": difference.key.name,
        "change": change,
        "fields": fields,
    }


def books(client: Client, found: Sequence[Difference]) -> None:
    """Bring kctl's records of what was applied back: sets, inventories, intents."""
    for resource in BOOKS:
        for difference in found:
            if difference.resource == resource:
                _book(client, difference)
    anew = {(d.resource, *d.key) for d in found if d.before is not None and d.after is None}
    for listed in client.list(INVENTORIES).items:
        _forget_uids(client, listed, anew)


def _book(client: Client, difference: Difference) -> None:
    resource, then, live = difference.resource, difference.before, difference.after
    if then is None:
        client.delete(resource, difference.key)
        return
    spec = again(then["spec"], live) if resource == INTENTS else then["spec"]
    if live is None:
        client.create(resource, {**fresh(then), "spec": spec})
    elif live["spec"] != spec:
        client.update(resource, {**live, "spec": spec})


def again(spec: Obj, live: Obj | None) -> Obj:
    """Return an intent's spec to be carried out anew: it finds all as it should be, and notes the uids."""
    serial = max(spec["serial"], dig(live, "spec", "serial", default=0)) + 1
    return {**spec, "serial": serial, "force": True, "prune": False, "pruned": []}


def _forget_uids(client: Client, listed: Obj, anew: set[tuple[str, str, str]]) -> None:
    """Let a set's intent find out the uids of objects that were made anew."""
    entries = inventory.entries(listed)
    if not any(entry.identity in anew for entry in entries):
        return
    known = [entry._replace(uid="") if entry.identity in anew else entry for entry in entries]
    spec = inventory.build(listed["metadata"]["name"], known)["spec"]
    client.update(INVENTORIES, {**listed, "spec": spec})
    wish = inventory.read(client, INTENTS, listed["metadata"]["name"])
    if wish is not None:
        client.update(INTENTS, {**wish, "spec": again(wish["spec"], wish)})
