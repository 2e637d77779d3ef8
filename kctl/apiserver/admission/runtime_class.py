"""RuntimeClass: its overhead and scheduling constraints become the pod's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kctl.api.errors import forbidden
from kctl.api.objects import Key, Obj, dig
from kctl.apiserver.request import Request, shown_name

if TYPE_CHECKING:
    from kctl.apiserver.server import APIServer

CLASSES = "runtimeclasses.node.k8s.io"


def admit(server: APIServer, request: Request, pod: Obj, old: Obj | None) -> Obj:
    """Lay the class's overhead, node selector and tolerations on a new pod."""
    if old is not None:
        return pod
    spec = pod.get("spec") or {}
    wanted, name = spec.get("runtimeClassName"), shown_name(pod)
    found = server.storage.get(CLASSES, Key("", wanted)) if wanted else None
    if wanted and found is None:
        raise forbidden("pods", name, f'pod rejected: RuntimeClass "{wanted}" not found')
    overhead = dig(found, "overhead", "podFixed", default={})
    if not overhead and spec.get("overhead"):
        why = "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead"
        raise forbidden("pods", name, why)
    if overhead:
        if spec.get("overhead") and spec["overhead"] != overhead:
            raise forbidden("pods", name, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead")
        spec = {**spec, "overhead": overhead}
    scheduling = dig(found, "scheduling", default={})
    selector = {**(spec.get("nodeSelector") or {})}
    for key, value in sorted((scheduling.get("nodeSelector") or {}).items()):
        if selector.get(key, value) != value:
            why = (
                f"conflict: runtimeClass.scheduling.nodeSelector[{key}] = {value}; "
                f"pod.spec.nodeSelector[{key}] = {selector[key]}"
            )
            raise forbidden("pods", name, why)
        selector[key] = value
    if selector and selector != spec.get("nodeSelector"):
        spec = {**spec, "nodeSelector": selector}
    if scheduling.get("tolerations"):
        had = spec.get("tolerations") or []
        more = [t for t in scheduling["tolerations"] if t not in had]
        spec = {**spec, "tolerations": [*had, *more]}
    return pod if spec is pod.get("spec") else {**pod, "spec": spec}
