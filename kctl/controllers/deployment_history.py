"""Which ReplicaSet is the Deployment's new one; revisions; which old ones are thrown away.

In: a draft and the ReplicaSets it has claimed. Out: the draft with ``new`` and ``old`` known
and the revision annotations right, as getAllReplicaSetsAndSyncRevision and cleanupDeployment.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from kctl.api import names
from kctl.api.objects import Obj, annotations_of, evolve, is_deleting, key_of, owner_reference
from kctl.controllers.deployment_draft import (
    DEPLOYMENTS,
    DESIRED_REPLICAS,
    MAX_REPLICAS,
    REPLICASETS,
    REVISION,
    REVISION_HISTORY,
    Draft,
    by_age,
    replicas_of,
    total,
)
from kctl.controllers.deployment_status import has_deadline
from kctl.runtime.actions import Delete

HASH = "pod-template-hash"
MAX_HISTORY = 2000
"""Upstream keeps at most this many characters of earlier revisions."""
UNLIMITED = 2147483647
OWN_ANNOTATIONS = frozenset(
    (
        "kubectl.kubernetes.io/last-applied-configuration",
        REVISION,
        REVISION_HISTORY,
        DESIRED_REPLICAS,
        MAX_REPLICAS,
        "deprecated.deployment.rollback.to",
    )
)
"""Annotations that do not pass from a Deployment to its ReplicaSets."""

__all__ = ["DEPLOYMENTS", "clean_up", "create_new", "find", "same_template", "template_hash"]


def find(draft: Draft, replicasets: Iterable[Obj]) -> None:
    """Tell the new ReplicaSet from the old ones and bring its annotations up to date."""
    template = draft.deployment["spec"]["template"]
    ordered = sorted(replicasets, key=by_age)
    draft.new = next((rs for rs in ordered if same_template(rs["spec"]["template"], template)), None)
    draft.old = [rs for rs in ordered if rs is not draft.new]
    if draft.new is not None:
        _sync_existing(draft, draft.new)


def _sync_existing(draft: Draft, rs: Obj) -> None:
    """Number the ReplicaSet that is (again) the new one, as getNewReplicaSet for an existing one."""
    changes: Obj = {}
    annotations = changed_annotations(draft.deployment, rs, next_revision(draft.old))
    if annotations:
        changes["metadata"] = {"annotations": annotations}
    wait = draft.deployment["spec"].get("minReadySeconds") or 0
    if (rs["spec"].get("minReadySeconds") or 0) != wait:
        changes["spec"] = {"minReadySeconds": wait}
    if changes:
        rs = draft.change(rs, changes)
    revision = annotations_of(rs).get(REVISION)
    if revision is not None:
        draft.annotate(REVISION, revision)
    if has_deadline(draft.deployment) and draft.condition("Progressing") is None:
        name = rs["metadata"]["name"]
        draft.set_condition("Progressing", "True", "FoundNewReplicaSet", f'Found new replica set "{name}"')


def create_new(draft: Draft) -> None:
    """Create the new ReplicaSet when there is none, as getNewReplicaSet."""
    if draft.new is not None:
        return
    size = new_size(draft, None)
    revision = str(next_revision(draft.old))
    rs = new_replicaset(draft, size, revision)
    draft.create(rs)
    name = rs["metadata"]["name"]
    if size > 0:
        draft.emit("ScalingReplicaSet", f"Scaled up replica set {name} from 0 to {size}")
    draft.annotate(REVISION, revision)
    if has_deadline(draft.deployment):
        draft.set_condition("Progressing", "True", "NewReplicaSetCreated", f'Created new replica set "{name}"')


def new_size(draft: Draft, rs: Obj | None) -> int:
    """Return how large the new ReplicaSet may be now, as NewRSNewReplicas; None: it does not exist."""
    now = replicas_of(rs) if rs is not None else 0
    if not draft.is_rolling:
        return draft.replicas
    room = draft.replicas + draft.max_surge - total(draft.all)
    if room <= 0:
        return now
    return now + min(room, draft.replicas - now)


def new_replicaset(draft: Draft, size: int, revision: str) -> Obj:
    """Return the ReplicaSet of the Deployment's template."""
    deployment = draft.deployment
    spec, meta = deployment["spec"], deployment["metadata"]
    mark = template_hash(spec["template"], (deployment.get("status") or {}).get("collisionCount"))
    template = evolve(spec["template"], {"metadata": {"labels": {HASH: mark}}})
    selector = evolve(spec["selector"], {"matchLabels": {HASH: mark}})
    copied = {k: v for k, v in annotations_of(deployment).items() if k not in OWN_ANNOTATIONS}
    body: Obj = {"replicas": size, "selector": selector, "template": template}
    if spec.get("minReadySeconds"):
        body["minReadySeconds"] = spec["minReadySeconds"]
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{meta['name']}-{mark}",
            "namespace": meta.get("namespace", ""),
            "labels": template["metadata"]["labels"],
            "annotations": {**copied, REVISION: revision, **draft.size_marks()},
            "ownerReferences": [owner_reference(deployment)],
        },
        "spec": body,
    }


def template_hash(template: Obj, collisions: int | None) -> str:
    """Return the pod-template-hash.

    The alphabet and the kind of hash are upstream's; the bytes hashed are canonical JSON and
    not Go's dump of the struct, so the values differ from those of a real cluster.
    """
    data = json.dumps(template, sort_keys=True, separators=(",", ":")).encode()
    if collisions is not None:
        data += collisions.to_bytes(8, "little")
    return names.safe_encode(names.fnv32a(data))


def same_template(one: Obj, other: Obj) -> bool:
    """Say whether two pod templates ask for the same but for the hash label, as EqualIgnoreHash."""
    return one == other or _without_hash(one) == _without_hash(other)


def _without_hash(template: Obj) -> Any:
    labels = (template.get("metadata") or {}).get("labels") or {}
    if HASH in labels:
        rest = {name: value for name, value in labels.items() if name != HASH}
        template = {**template, "metadata": {**template["metadata"], "labels": rest}}
    return _without_empty(template)


def _without_empty(value: Any) -> Any:
    """Leave out what is null or empty: for the API's types that is the same as not there."""
    if isinstance(value, dict):
        kept = ((name, _without_empty(item)) for name, item in value.items())
        return {name: item for name, item in kept if item is not None and item not in ({}, [])}
    if isinstance(value, list):
        return [_without_empty(item) for item in value]
    return value


def revision_of(rs: Obj) -> int | None:
    """Return the revision annotation, 0 when there is none, None when it is not a number."""
    text = annotations_of(rs).get(REVISION)
    if text is None:
        return 0
    try:
        return int(text)
    except ValueError:
        return None


def next_revision(old: Iterable[Obj]) -> int:
    """Return the number above every old revision."""
    return max((revision_of(rs) or 0 for rs in old), default=0) + 1


def changed_annotations(deployment: Obj, rs: Obj, revision: int) -> dict[str, str]:
    """Return the annotations of the new ReplicaSet that are not right, as SetNewReplicaSetAnnotations."""
    known = annotations_of(rs)
    wanted = annotations_of(deployment).items()
    changed = {k: v for k, v in wanted if k not in OWN_ANNOTATIONS and known.get(k) != v}
    current = revision_of(rs)
    if current is not None and current < revision:
        changed[REVISION] = str(revision)
        if REVISION in known:
            history = _longer_history(known.get(REVISION_HISTORY, ""), known[REVISION])
            if history is not None:
                changed[REVISION_HISTORY] = history
    return changed


def _longer_history(history: str, revision: str) -> str | None:
    """Append a revision, dropping the oldest while the whole is too long; None when it cannot fit."""
    if not history:
        return revision
    past = history.split(",")
    length = len(history) + len(revision) + 1
    start = 0
    while length > MAX_HISTORY and start < len(past):
        length -= len(past[start]) + 1
        start += 1
    return ",".join([*past[start:], revision]) if length <= MAX_HISTORY else None


def clean_up(draft: Draft) -> None:
    """Delete the oldest revisions beyond revisionHistoryLimit that have no pods, as cleanupDeployment."""
    limit = draft.deployment["spec"].get("revisionHistoryLimit")
    if limit is None or limit == UNLIMITED:
        return
    alive = [rs for rs in draft.old if not is_deleting(rs)]
    surplus = len(alive) - limit
    if surplus <= 0:
        return
    for rs in sorted(alive, key=lambda rs: (revision_of(rs) or 0, *by_age(rs)))[:surplus]:
        status, meta = rs.get("status") or {}, rs["metadata"]
        settled = meta.get("generation", 0) <= (status.get("observedGeneration") or 0)
        if settled and not status.get("replicas") and replicas_of(rs) == 0:
            draft.actions.append(Delete(REPLICASETS, key_of(rs), meta["uid"]))
