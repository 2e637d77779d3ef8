"""ControllerRevisions: the pod templates a StatefulSet or DaemonSet has had.

In: the owner, the revisions it controls. Out: which revision holds its template now, new
revisions, which old ones are thrown away. Which of them pods are made of is the owners' matter.

A revision holds a patch that brings its template back. Its name and hash derive from that patch;
the bytes hashed are canonical JSON, so they differ from those of a real cluster
(see :func:`kctl.controllers.deployment_history.template_hash`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from kctl.api import names
from kctl.api.objects import Obj, annotations_of, key_of, owner_reference
from kctl.runtime.actions import Delete, Patch

REVISIONS = "controllerrevisions.apps"
POD_HASH = "controller-revision-hash"
"""The label that tells of which revision a pod is."""
LONGEST = 223
"""Upstream cuts an owner's name to this length in front of the hash."""


def held(template: Obj) -> Obj:
    """Return what a revision of the template holds, as getPatch: it replaces the template."""
    return {"spec": {"template": {**template, "$patch": "replace"}}}


def holds(revision: Obj, template: Obj) -> bool:
    """Say whether the revision is one of this template."""
    return bool(revision.get("data") == held(template))


def template_of(revision: Obj) -> Obj:
    """Return the pod template that the revision brings back, as ApplyRevision."""
    template: Obj = revision["data"]["spec"]["template"]
    return {name: value for name, value in template.items() if name != "$patch"}


def by_number(revisions: Iterable[Obj]) -> list[Obj]:
    """Return revisions in their order, as SortControllerRevisions: by number, age and name."""
    return sorted(revisions, key=_order)


def _order(revision: Obj) -> tuple[int, str, str]:
    meta = revision["metadata"]
    return revision["revision"], meta.get("creationTimestamp") or "~", meta["name"]


def hash_of(template: Obj, collisions: int) -> str:
    """Return the hash of a template's revision; ``collisions`` names were taken by others before."""
    data = json.dumps(held(template), sort_keys=True, separators=(",", ":")).encode()
    if collisions:
        data += str(collisions).encode()
    return names.safe_encode(names.fnv32a(data))


def name_of(owner: Obj, mark: str) -> str:
    """Return the name of an owner's revision, as ControllerRevisionName."""
    return f"{owner['metadata']['name'][:LONGEST]}-{mark}"


def new(owner: Obj, number: int, mark: str, hash_label: str) -> Obj:
    """Return the revision of the owner's template; ``hash_label`` is where it carries its hash."""
    template = owner["spec"]["template"]
    labels = (template.get("metadata") or {}).get("labels") or {}
    meta: Obj = {
        "name": name_of(owner, mark),
        "namespace": owner["metadata"].get("namespace", ""),
        "labels": {**labels, hash_label: mark},
        "ownerReferences": [owner_reference(owner)],
    }
    if annotations_of(owner):
        meta["annotations"] = annotations_of(owner)
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": meta,
        "data": held(template),
        "revision": number,
    }


def renumbered(revision: Obj, number: int) -> tuple[Obj, Patch]:
    """Return the revision as the newest one, and the action that makes it so."""
    return {**revision, "revision": number}, Patch(REVISIONS, key_of(revision), {"revision": number})


def free_hash(owner: Obj, others: Mapping[str, Obj], collisions: int) -> tuple[str, int]:
    """Return a hash whose name is free or taken by an equal revision, and how many were not.

    ``others`` are the namespace's revisions by name, as CreateControllerRevision counts collisions.
    """
    template = owner["spec"]["template"]
    while True:
        mark = hash_of(template, collisions)
        taken = others.get(name_of(owner, mark))
        if taken is None or holds(taken, template):
            return mark, collisions
        collisions += 1


def surplus(revisions: Sequence[Obj], live: Iterable[str], limit: int | None) -> list[Delete]:
    """Return what deletes the oldest revisions that nothing uses, beyond ``limit`` of them, as truncateHistory."""
    used = set(live)
    past = [revision for revision in by_number(revisions) if revision["metadata"]["name"] not in used]
    keep = 10 if limit is None else limit
    if keep < 0 or len(past) <= keep:
        return []
    return [Delete(REVISIONS, key_of(one), one["metadata"]["uid"]) for one in past[: len(past) - keep]]
