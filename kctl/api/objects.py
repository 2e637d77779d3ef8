"""Kubernetes objects as plain JSON values, and the few ways to read and change them.

An object is a ``dict`` exactly as ``kubectl get -o json`` shows it. From the moment it
leaves the function that made it, it is never changed in place: :func:`evolve` copies the
dicts along the changed path and shares the rest, which costs about 0.5 µs where
``copy.deepcopy`` costs 100.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

Obj = dict[str, Any]
"""A Kubernetes object, or a part of one. Immutable by convention."""

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
"""The annotation in which kubectl's client-side apply keeps the whole manifest, a Secret's values too."""


class _Removed:
    """The type of :data:`REMOVED`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "REMOVED"


REMOVED: Final = _Removed()
"""As a value in the changes given to :func:`evolve`: take this field out."""


class Key(NamedTuple):
    """What names an object within its resource; ``namespace`` is "" for cluster scope."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


def evolve(obj: Mapping[str, Any], changes: Mapping[str, Any]) -> Obj:
    """Return ``obj`` with ``changes`` laid over it, sharing all that did not change.

    A dict in ``changes`` descends where ``obj`` has a dict too and otherwise replaces;
    any other value, lists included, replaces. :data:`REMOVED` takes a field out.

    >>> evolve({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}})
    {'a': {'b': 3, 'c': 2}}
    """
    out: Obj = dict(obj)
    for name, value in changes.items():
        if value is REMOVED:
            out.pop(name, None)
        elif isinstance(value, dict):
            old = out.get(name)
            out[name] = evolve(old if isinstance(old, dict) else {}, value)
        else:
            out[name] = value
    return out


def replace(obj: Mapping[str, Any], **fields: Any) -> Obj:
    """Return ``obj`` with whole top-level fields set (dicts replace, they do not merge)."""
    out = dict(obj)
    for name, value in fields.items():
        if value is REMOVED:
            out.pop(name, None)
        else:
            out[name] = value
    return out


def dig(obj: Any, *path: str | int, default: Any = None) -> Any:
    """Read a nested field; ``default`` where any step of ``path`` is missing or null."""
    for step in path:
        if isinstance(obj, dict):
            obj = obj.get(step)
        elif isinstance(obj, list) and isinstance(step, int) and -len(obj) <= step < len(obj):
            obj = obj[step]
        else:
            return default
        if obj is None:
            return default
    return obj


def key_of(obj: Obj) -> Key:
    """Return the object's namespace and name."""
    meta = obj["metadata"]
    return Key(meta.get("namespace") or "", meta["name"])


def group_of(obj: Obj) -> str:
    """Return the API group of the object's kind, "" for the core group."""
    return str(obj["apiVersion"]).rpartition("/")[0]


def printed_name(kind: str, group: str, name: str) -> str:
    """Return ``deployment.apps/web``, as ``kubectl -o name`` prints an object."""
    return f"{kind.lower()}.{group}/{name}" if group else f"{kind.lower()}/{name}"


def labels_of(obj: Obj) -> dict[str, str]:
    """Return ``metadata.labels``, empty when there are none."""
    return obj["metadata"].get("labels") or {}


def annotations_of(obj: Obj) -> dict[str, str]:
    """Return ``metadata.annotations``, empty when there are none."""
    return obj["metadata"].get("annotations") or {}


def is_deleting(obj: Obj) -> bool:
    """Say whether the object has a deletionTimestamp."""
    return bool(obj["metadata"].get("deletionTimestamp"))


def controller_of(obj: Obj) -> Obj | None:
    """Return the owner reference with ``controller: true``, as metav1.GetControllerOf."""
    for ref in obj["metadata"].get("ownerReferences") or ():
        if ref.get("controller"):
            return dict(ref)
    return None


def controller_uid(obj: Obj) -> str:
    """Return the uid of the controlling owner, "" for none."""
    for ref in obj["metadata"].get("ownerReferences") or ():
        if ref.get("controller"):
            return str(ref["uid"])
    return ""


def owner_reference(owner: Obj) -> Obj:
    """Return the controller reference to ``owner``, as metav1.NewControllerRef."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def condition(obj: Obj, type_: str) -> Obj | None:
    """Return the condition of that type in ``status.conditions``."""
    for found in dig(obj, "status", "conditions", default=()):
        if found.get("type") == type_:
            return dict(found)
    return None


def is_condition_true(obj: Obj, type_: str) -> bool:
    """Say whether the condition exists with status "True"."""
    return (condition(obj, type_) or {}).get("status") == "True"


def with_condition(conditions: Iterable[Obj], new: Obj) -> list[Obj]:
    """Return the conditions with ``new`` in the place of the one of its type, or at the end."""
    out = list(conditions)
    for n, old in enumerate(out):
        if old["type"] == new["type"]:
            out[n] = new
            return out
    out.append(new)
    return out


class FrozenDict(dict[str, Any]):
    """A dict that refuses to change; see :func:`freeze`."""

    def _refuse(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError("this object is shared and must not be changed in place: use evolve()")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse


class FrozenList(list[Any]):
    """A list that refuses to change; see :func:`freeze`."""

    def _refuse(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError("this object is shared and must not be changed in place: use evolve()")

    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse
    append = clear = extend = insert = pop = remove = reverse = sort = _refuse


def freeze(value: Any) -> Any:
    """Return the value with every dict and list in it made unchangeable (tests only)."""
    if isinstance(value, FrozenDict | FrozenList):
        return value
    if isinstance(value, dict):
        return FrozenDict({k: freeze(v) for k, v in value.items()})
    if isinstance(value, list):
        return FrozenList([freeze(v) for v in value])
    return value
