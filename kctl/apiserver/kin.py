"""Families of objects: those that may be of one template, told apart by what no template has a place for.

In: the objects of a batch. Out: those there may be many of that are alike, each with its two families: the wide
one is all that have the same fields, the close one those of them that have one owner.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from kctl.api.objects import Obj, controller_uid
from kctl.apiserver.steps import Filled
from kctl.apiserver.templates import Template

REPEATED = frozenset(
    {
        "controllerrevisions.apps",
        "cronjobs.batch",
        "daemonsets.apps",
        "deployments.apps",
        "endpoints",
        "endpointslices.discovery.k8s.io",
        "events",
        "instances.cloud.kctl.dev",
        "jobs.batch",
        "leases.coordination.k8s.io",
        "nodes",
        "persistentvolumeclaims",
        "persistentvolumes",
        "pods",
        "replicasets.apps",
        "serviceaccounts",
        "services",
        "statefulsets.apps",
    }
)
"""What there may be many of that are alike, and what is never sealed."""

Batch = Sequence[tuple[str, Obj | Filled]]
Family = tuple[Any, ...]
Families = dict[Family, list[tuple[str, Template]]]


class Member(NamedTuple):
    """An object of a batch that others may be like: its number in the batch, its families."""

    number: int
    object: Obj | Filled
    close: Family
    wide: Family


def as_object(obj: Obj | Filled) -> Obj:
    """Return an object, made if it was not yet."""
    return obj.object if isinstance(obj, Filled) else obj


def wide_family(obj: Obj) -> Family:
    """Return what objects have in common that are alike but for their owner; no template has a place there.

    With the uid of the owner before it, it is their close family.
    """
    return (*_counts(obj), *map(frozenset, _structs(obj)))


def _structs(obj: Obj) -> tuple[Obj, ...]:
    """Return the structs whose fields tell families apart."""
    return obj, obj["metadata"], obj.get("spec") or {}, obj.get("status") or {}


def _counts(obj: Obj) -> tuple[Any, ...]:
    """Return what else tells them apart."""
    fields = obj["metadata"].get("managedFields")
    status = obj.get("status")
    return (
        obj.get("kind"),
        len(fields) if fields else 0,
        str(obj.get("reason")),
        str(status.get("phase") if status else None),
    )


def members_of(batch: Batch) -> list[Member]:
    """Return the objects that may be like others; equal families are one, for they are large.

    Most objects have their fields in the order of others: those are looked up by it.
    """
    known: dict[Family, Family] = {}
    in_order: dict[tuple[Any, ...], Family] = {}
    found = []
    of_cohort: dict[int, tuple[Family, Family]] = {}
    for n, (resource, obj) in enumerate(batch):
        if isinstance(obj, Filled):
            both = of_cohort.get(id(obj.cohort))
            if both is None:
                both = of_cohort[id(obj.cohort)] = _both(obj.cohort.example, in_order, known)
            found.append(Member(n, obj, *both))
        elif resource in REPEATED:
            found.append(Member(n, obj, *_both(obj, in_order, known)))
    return found


def _both(obj: Obj, in_order: dict[tuple[Any, ...], Family], known: dict[Family, Family]) -> tuple[Family, Family]:
    """Return the close and the wide family of an object."""
    place = (*_counts(obj), *map(tuple, _structs(obj)))
    wide = in_order.get(place)
    if wide is None:
        wide = wide_family(obj)
        wide = in_order[place] = known.setdefault(wide, wide)
    owned = (controller_uid(obj), id(wide))
    close = known.get(owned)
    if close is None:
        close = known[owned] = (owned[0], wide)
    return close, wide


def enlist(families: Families, name: str, template: Template) -> None:
    """Add a template to its family."""
    is_wide = "ownerReferences" in template.places.get("metadata", {})
    wide = wide_family(template.example)
    families.setdefault(wide, [])  # also that it is known is known
    families.setdefault(wide if is_wide else (controller_uid(template.example), wide), []).append((name, template))
