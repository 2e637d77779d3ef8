"""What an autoscaler scales: the /scale of its target.

In: a reference to an object. Out: the object's scale as the caches know it, or why there is none, in
the words of upstream's scale client.
"""

from __future__ import annotations

from typing import NamedTuple

from kctl.api.objects import Key, Obj, dig
from kctl.api.registry import builtin
from kctl.api.selectors import Selector, from_label_selector, from_labels, parse
from kctl.client.cache import Caches
from kctl.controllers.disruption_scale import CRDS

SCALABLE = ("deployments.apps", "replicasets.apps", "statefulsets.apps", "replicationcontrollers")
NO_RESOURCE = "the server could not find the requested resource"


class TargetError(Exception):
    """The target has no scale."""


class Scale(NamedTuple):
    """The scale of an object; ``selector`` is None when it does not say which pods it counts."""

    resource: str
    key: Key
    wanted: int
    there: int
    selector: Selector | None
    version: str
    generation: int


def find(caches: Caches, namespace: str, ref: Obj) -> Scale:
    """Return the scale of the object referred to; TargetError."""
    version, kind, name = ref.get("apiVersion") or "", ref["kind"], ref["name"]
    key, group = Key(namespace, name), version.rpartition("/")[0]
    known = next((one for one in builtin().all() if one.kind == kind and one.group == group), None)
    if known is not None:
        if known.resource not in SCALABLE:
            raise TargetError(NO_RESOURCE)
        obj = _object(caches, known.resource, key)
        spec = obj["spec"].get("selector")
        plain = known.resource == "replicationcontrollers"
        selector = None if not spec else from_labels(spec) if plain else from_label_selector(spec)
        wanted = obj["spec"].get("replicas")
        return _scale(known.resource, obj, 1 if wanted is None else wanted, dig(obj, "status", "replicas"), selector)
    for crd in caches[CRDS].all():
        if crd["spec"]["group"] == group and crd["spec"]["names"]["kind"] == kind:
            return _custom(caches, crd, key)
    raise TargetError(f'no matches for kind "{kind}" in group "{group}"')


def _custom(caches: Caches, crd: Obj, key: Key) -> Scale:
    """Return the scale of a custom resource, by the paths of its definition."""
    resource = f"{crd['spec']['names']['plural']}.{crd['spec']['group']}"
    paths = next((dig(one, "subresources", "scale") for one in crd["spec"]["versions"] if one.get("storage")), None)
    if not paths:
        raise TargetError(NO_RESOURCE)
    obj = _object(caches, resource, key)
    text = _at(obj, paths["labelSelectorPath"]) if paths.get("labelSelectorPath") else ""
    selector = parse(str(text)) if text else None
    return _scale(resource, obj, _at(obj, paths["specReplicasPath"]), _at(obj, paths["statusReplicasPath"]), selector)


def _at(obj: Obj, path: str) -> object:
    return dig(obj, *path.removeprefix(".").split("."))


def _object(caches: Caches, resource: str, key: Key) -> Obj:
    obj = caches[resource].get(key)
    if obj is None:
        raise TargetError(f'{resource} "{key.name}" not found')
    return obj


def _scale(resource: str, obj: Obj, wanted: object, there: object, selector: Selector | None) -> Scale:
    meta = obj["metadata"]
    key = Key(meta.get("namespace") or "", meta["name"])
    return Scale(
        resource,
        key,
        int(str(wanted or 0)),
        int(str(there or 0)),
        selector,
        meta.get("resourceVersion", ""),
        meta.get("generation", 0),
    )
