"""Who owns the replicas of an object, told of its Scale, and back.

In: the object's managedFields, or those a write of its Scale has left. Out: those of the other.
A Scale is no object of its own, so what is known of its owners is kept with the object it stands
for (ScaleHandler of k8s.io/apimachinery/pkg/util/managedfields).
"""

from __future__ import annotations

from kctl.api.objects import Obj
from kctl.api.patch import fieldsets
from kctl.api.patch.managed import Id, Owner, Owners, owners_of, with_owners

REPLICAS = ("f:spec", "f:replicas")
IN_SCALE: fieldsets.Fields = {"f:spec": {"f:replicas": {}}}
SCALE_VERSION = "autoscaling/v1"
Path = tuple[str, ...]


def _has(owner: Owner, path: Path) -> bool:
    node = owner.fields
    for element in path:
        if element not in node:
            return False
        node = node[element]
    return fieldsets.is_member(node)


def _set_of(path: Path) -> fieldsets.Fields:
    out: fieldsets.Fields = {}
    for element in reversed(path):
        out = {element: out}
    return out


def with_scale_owners(scale: Obj, parent: Obj, path: Path = REPLICAS) -> Obj:
    """Return the Scale with the owners of the parent's replicas as owners of its own (ToSubresource)."""
    version = parent["apiVersion"]
    owners: Owners = {}
    for id_, owner in owners_of(parent).items():
        if owner.version == version and _has(owner, path):
            scaled = id_._replace(version=SCALE_VERSION) if id_.version else id_
            owners[scaled] = Owner(IN_SCALE, SCALE_VERSION, owner.time)
    return with_owners(scale, owners, None)


def with_parent_owners(parent: Obj, scale: Obj, path: Path = REPLICAS) -> Obj:
    """Return the parent with the owners that a write of its Scale has left to its replicas (ToParent)."""
    version = parent["apiVersion"]
    left = {_anywhere(id_): owner for id_, owner in owners_of(scale).items() if _has(owner, REPLICAS)}
    owners: Owners = {}
    for id_, owner in owners_of(parent).items():
        if owner.version != version:
            continue  # as upstream: what it cannot place it drops
        if not _has(owner, path):
            owners[id_] = owner
        elif _anywhere(id_) in left:
            owners[id_] = owner
            del left[_anywhere(id_)]
        else:
            rest = fieldsets.difference(owner.fields, _set_of(path))
            if rest:
                owners[id_] = owner._replace(fields=rest)
    for key, owner in left.items():
        mine = Id(key.manager, key.operation, "" if key.operation == "Apply" else version, key.subresource)
        owners[mine] = Owner(_set_of(path), version, owner.time)
    return with_owners(parent, owners, parent)


def _anywhere(id_: Id) -> Id:
    return id_._replace(version="")
