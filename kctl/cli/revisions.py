"""The revisions of a Deployment, DaemonSet or StatefulSet, and the patch that brings one back.

In: the object, its ReplicaSets or ControllerRevisions. Out: revisions with their templates, as
kubectl's HistoryViewers and Rollbackers. Pure; reading them from the server is :func:`load`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from kctl.api.errors import KctlError
from kctl.api.objects import REMOVED, Obj, annotations_of, controller_uid, evolve
from kctl.cli.rollout_status import REVISION

if TYPE_CHECKING:
    from kctl.client.client import Client, PatchType

CHANGE_CAUSE = "kubernetes.io/change-cause"
HASH = "pod-template-hash"
KEPT = (
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    "deployment.kubernetes.io/revision-history",
    "deployment.kubernetes.io/desired-replicas",
    "deployment.kubernetes.io/max-replicas",
    "deprecated.deployment.rollback.to",
)
"""Annotations a Deployment keeps when it is rolled back."""


class Revision(NamedTuple):
    """One revision: its number, why it was made, the pod template, and what holds it."""

    number: int
    cause: str
    template: Obj
    holder: Obj


def load(client: Client, obj: Obj) -> list[Revision]:
    """Return the revisions of an object in order; KctlError for a kind that has none."""
    namespace = obj["metadata"]["namespace"]
    if obj["kind"] == "Deployment":
        return of_replicasets(obj, client.list("replicasets.apps", namespace).items)
    if obj["kind"] in ("DaemonSet", "StatefulSet"):
        return of_controller_revisions(obj, client.list("controllerrevisions.apps", namespace).items)
    raise KctlError(f'no history viewer has been implemented for "{qualified(obj)}"')


def qualified(obj: Obj) -> str:
    """Return ``Deployment.apps``."""
    group = obj["apiVersion"].rpartition("/")[0]
    return f"{obj['kind']}.{group}" if group else str(obj["kind"])


def of_replicasets(deployment: Obj, replicasets: Iterable[Obj]) -> list[Revision]:
    """Return the revisions that the ReplicaSets of a Deployment hold."""
    uid = deployment["metadata"]["uid"]
    found = []
    for rs in replicasets:
        number = annotations_of(rs).get(REVISION, "")
        if controller_uid(rs) == uid and number.isdigit():
            cause = annotations_of(rs).get(CHANGE_CAUSE, "")
            found.append(Revision(int(number), cause, rs["spec"]["template"], rs))
    return sorted(found, key=lambda revision: revision.number)


def of_controller_revisions(obj: Obj, held: Iterable[Obj]) -> list[Revision]:
    """Return the revisions that the ControllerRevisions of an object hold."""
    uid = obj["metadata"]["uid"]
    found = []
    for one in held:
        if controller_uid(one) == uid:
            template = (one.get("data") or {}).get("spec", {}).get("template") or {}
            template = {name: value for name, value in template.items() if name != "$patch"}
            found.append(Revision(one["revision"], annotations_of(one).get(CHANGE_CAUSE, ""), template, one))
    return sorted(found, key=lambda revision: revision.number)


def choose(obj: Obj, revisions: Sequence[Revision], to: int) -> Revision:
    """Return the revision to go back to: the one before the latest when ``to`` is 0."""
    if to:
        found = next((revision for revision in revisions if revision.number == to), None)
        if found is None:
            raise KctlError(f"unable to find specified revision {to} in history")
        return found
    if len(revisions) < 2:
        if obj["kind"] == "Deployment":
            raise KctlError(f'no rollout history found for deployment "{obj["metadata"]["name"]}"')
        raise KctlError("no last revision to roll back to")
    return revisions[-2]


def is_current(obj: Obj, revision: Revision) -> bool:
    """Say whether the object has that revision's template already."""
    return without_hash(revision.template) == without_hash(obj["spec"]["template"])


def without_hash(template: Obj) -> Obj:
    """Return the template without the label that tells ReplicaSets apart."""
    labels = (template.get("metadata") or {}).get("labels") or {}
    if HASH not in labels:
        return template
    return evolve(template, {"metadata": {"labels": {HASH: REMOVED}}})


def restoring(obj: Obj, revision: Revision) -> tuple[PatchType, Any]:
    """Return the patch that brings a revision back."""
    if obj["kind"] != "Deployment":
        return "strategic", revision.holder["data"]
    own = annotations_of(obj)
    annotations = {name: own[name] for name in KEPT if name in own}
    annotations |= {name: value for name, value in annotations_of(revision.holder).items() if name not in KEPT}
    return "json", [
        {"op": "replace", "path": "/spec/template", "value": without_hash(revision.template)},
        {"op": "replace", "path": "/metadata/annotations", "value": annotations},
    ]


def table(revisions: Sequence[Revision], kind: str) -> str:
    """Return the history as kubectl prints it; a StatefulSet's has no causes."""
    if not revisions:
        return "No rollout history found."
    if kind == "StatefulSet":
        return "REVISION\n" + "".join(f"{revision.number}\n" for revision in revisions)
    width = max(len("REVISION"), *(len(str(revision.number)) for revision in revisions)) + 2
    rows = [("REVISION", "CHANGE-CAUSE"), *((str(r.number), r.cause or "<none>") for r in revisions)]
    return "".join(f"{number:<{width}}{cause}\n" for number, cause in rows)
