"""Which slots of a StatefulSet have a pod and a claim, and in what state: folds over pods and claims.

In: pods and claims as they change. Out: per StatefulSet, and per claim template of one, sets of
ordinals (:mod:`kctl.controllers.bits`), so that a sync costs the same for ten pods and for ten
thousand. A pod whose name is not ``<set>-<ordinal>`` is a *misfit*: it is counted, no more.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from kctl.api.objects import Obj, controller_of, is_deleting, labels_of
from kctl.client.cache import LABELS, META, OWNERS, SPEC, STATUS, Cache, Fold
from kctl.controllers.pods import phase_of, ready_since
from kctl.controllers.revisions import POD_HASH

POD_NAME = "statefulset.kubernetes.io/pod-name"
POD_INDEX = "apps.kubernetes.io/pod-index"
OWN_LABELS = frozenset((POD_NAME, POD_INDEX, POD_HASH))
"""Labels the controller gives a pod; no selector of a StatefulSet can ask for them."""
ORDINAL = re.compile(r"(.*)-(0|[1-9]\d{0,5})")
"""Higher ordinals than these are not simulated: a set of them would be as large as they are high."""
HIGHEST = 999_999
ON = LABELS | OWNERS | META | SPEC | STATUS

Pairs = tuple[tuple[str, str], ...]
Signature = tuple[tuple[str, str, str, str, bool], ...]


class Slots(NamedTuple):
    """The pods of one StatefulSet; every number is a set of ordinals but ``misfits``, a count.

    ``serving`` are Running and Ready, ``ready`` tells since when, ``revisions`` of which revision, ``groups`` by
    which other labels, ``volumes`` of which claim templates a pod uses its own claim.
    """

    pods: int = 0
    terminating: int = 0
    pending: int = 0
    ended: int = 0
    named: int = 0
    serving: int = 0
    ready: dict[str, int] = {}  # noqa: RUF012 - never changed in place
    revisions: dict[str, int] = {}  # noqa: RUF012
    groups: dict[Pairs, int] = {}  # noqa: RUF012
    volumes: dict[tuple[str, ...], int] = {}  # noqa: RUF012
    misfits: int = 0


class Claims(NamedTuple):
    """The claims of one template: which there are, which go, who owns them."""

    there: int = 0
    deleting: int = 0
    owners: dict[Signature, int] = {}  # noqa: RUF012


class Share(NamedTuple):
    """What one pod adds; ``ordinal`` is -1 of a misfit."""

    ordinal: int
    flags: tuple[bool, bool, bool, bool]
    since: str | None = None
    revision: str = ""
    group: Pairs = ()
    volumes: tuple[str, ...] = ()


NO_SLOTS, NO_CLAIMS = Slots(), Claims()
MISFIT = Share(-1, (False, False, False, False))


def ordinal_of(name: str, parent: str) -> int:
    """Return the ordinal in the name of a parent's pod, -1 when it is none of the parent's."""
    found = ORDINAL.fullmatch(name)
    return int(found[2]) if found and found[1] == parent else -1


def slots(pods: Cache) -> Fold[Slots]:
    """Return the fold of pods by the uid of their StatefulSet."""
    return pods.tally("slots", shares_of, NO_SLOTS, _add, _remove, on=ON, where=is_ordered)


def shares_of(pod: Obj) -> tuple[tuple[str, Share], ...]:
    """Return what a pod adds to its StatefulSet's slots."""
    owner = controller_of(pod)
    if owner is None or owner["kind"] != "StatefulSet":
        return ()
    return ((owner["uid"], share_of(pod, owner["name"])),)


def is_ordered(pod: Obj) -> bool:
    """Say whether a StatefulSet controls the pod."""
    owner = controller_of(pod)
    return owner is not None and owner["kind"] == "StatefulSet"


def share_of(pod: Obj, parent: str) -> Share:
    """Return what a pod of ``parent`` tells a StatefulSet."""
    name = pod["metadata"]["name"]
    ordinal = ordinal_of(name, parent)
    if ordinal < 0:
        return MISFIT
    phase, labels = phase_of(pod), labels_of(pod)
    return Share(
        ordinal,
        (is_deleting(pod), phase == "Pending", phase in ("Succeeded", "Failed"), labels.get(POD_NAME) == name),
        ready_since(pod) if phase == "Running" else None,
        labels.get(POD_HASH, ""),
        tuple(sorted(pair for pair in labels.items() if pair[0] not in OWN_LABELS)),
        _own_claims(pod, name),
    )


def _own_claims(pod: Obj, name: str) -> tuple[str, ...]:
    """Return the volumes that use the claim a template of that name makes for the pod."""
    found = []
    for volume in pod["spec"].get("volumes") or ():
        claim = volume.get("persistentVolumeClaim")
        if claim and claim.get("claimName") == f"{volume['name']}-{name}":
            found.append(volume["name"])
    return tuple(sorted(found))


def _add(slots: Slots, share: Share) -> Slots:
    if share.ordinal < 0:
        return slots._replace(misfits=slots.misfits + 1)
    bit = 1 << share.ordinal
    terminating, pending, ended, named = share.flags
    return Slots(
        slots.pods | bit,
        slots.terminating | bit if terminating else slots.terminating,
        slots.pending | bit if pending else slots.pending,
        slots.ended | bit if ended else slots.ended,
        slots.named | bit if named else slots.named,
        slots.serving if share.since is None else slots.serving | bit,
        slots.ready if share.since is None else _with(slots.ready, share.since, bit),
        _with(slots.revisions, share.revision, bit),
        _with(slots.groups, share.group, bit),
        _with(slots.volumes, share.volumes, bit),
        slots.misfits,
    )


def _remove(slots: Slots, share: Share) -> Slots:
    if share.ordinal < 0:
        return slots._replace(misfits=slots.misfits - 1)
    bit = 1 << share.ordinal
    return Slots(
        slots.pods & ~bit,
        slots.terminating & ~bit,
        slots.pending & ~bit,
        slots.ended & ~bit,
        slots.named & ~bit,
        slots.serving & ~bit,
        slots.ready if share.since is None else _without(slots.ready, share.since, bit),
        _without(slots.revisions, share.revision, bit),
        _without(slots.groups, share.group, bit),
        _without(slots.volumes, share.volumes, bit),
        slots.misfits,
    )


def _with(sets: dict[Any, int], key: object, bit: int) -> dict[Any, int]:
    return {**sets, key: sets.get(key, 0) | bit}


def _without(sets: dict[Any, int], key: object, bit: int) -> dict[Any, int]:
    left = sets[key] & ~bit
    if left:
        return {**sets, key: left}
    return {other: bits for other, bits in sets.items() if other != key}


def claims(cache: Cache) -> Fold[Claims]:
    """Return the fold of claims by namespace and name without the ordinal."""
    return cache.tally("claims", _claim_shares, NO_CLAIMS, _add_claim, _remove_claim, on=META | OWNERS)


def signature_of(claim: Obj) -> Signature:
    """Return who owns a claim, as a value."""
    return tuple(
        (ref.get("apiVersion", ""), ref["kind"], ref["name"], ref["uid"], bool(ref.get("controller")))
        for ref in claim["metadata"].get("ownerReferences") or ()
    )


def _claim_shares(claim: Obj) -> tuple[tuple[tuple[str, str], tuple[int, bool, Signature]], ...]:
    meta = claim["metadata"]
    found = ORDINAL.fullmatch(meta["name"])
    if found is None:
        return ()
    return (((meta.get("namespace") or "", found[1]), (int(found[2]), is_deleting(claim), signature_of(claim))),)


def _add_claim(claims: Claims, share: tuple[int, bool, Signature]) -> Claims:
    bit = 1 << share[0]
    deleting = claims.deleting | bit if share[1] else claims.deleting
    return Claims(claims.there | bit, deleting, _with(claims.owners, share[2], bit))


def _remove_claim(claims: Claims, share: tuple[int, bool, Signature]) -> Claims:
    bit = 1 << share[0]
    return Claims(claims.there & ~bit, claims.deleting & ~bit, _without(claims.owners, share[2], bit))
