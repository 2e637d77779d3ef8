"""Autoscalers: who sets replicas, and whether two do."""

from __future__ import annotations

from collections.abc import Iterator

from kctl.api.objects import dig
from kctl.plan.lints.world import Finding, Item, World

AUTOSCALERS = "horizontalpodautoscalers.autoscaling"
SCALED = ("deployments.apps", "statefulsets.apps", "replicasets.apps", "replicationcontrollers")
RESOURCES = {
    "Deployment": "deployments.apps",
    "StatefulSet": "statefulsets.apps",
    "ReplicaSet": "replicasets.apps",
    "ReplicationController": "replicationcontrollers",
}


def _targets(world: World) -> dict[tuple[str, str, str], list[Item]]:
    """Return the autoscalers of each object that has some, by resource, namespace and name."""
    found: dict[tuple[str, str, str], list[Item]] = {}
    for item in world.all(AUTOSCALERS):
        kind, name = (dig(item.obj, "spec", "scaleTargetRef", field) for field in ("kind", "name"))
        if isinstance(kind, str) and isinstance(name, str) and kind in RESOURCES:
            found.setdefault((RESOURCES[kind], item.key.namespace, name), []).append(item)
    return found


def replicas(world: World) -> Iterator[Finding]:
    """Yield the workloads that set the replicas which an autoscaler sets too."""
    if not any(True for _ in world.own(*SCALED)):
        return
    scaled = _targets(world)
    for item in world.own(*SCALED):
        by = scaled.get((item.resource, *item.key))
        if by and dig(item.obj, "spec", "replicas") is not None:
            message = f"spec.replicas is set, but {by[0].text} scales it: leave it out, or who applies sets it back"
            yield item.finding("replicas-on-hpa-target", "spec.replicas", message)


def autoscalers(world: World) -> Iterator[Finding]:
    """Yield autoscalers whose target is not there, and those that share one."""
    if not any(True for _ in world.own(AUTOSCALERS)):
        return
    for (resource, namespace, name), found in _targets(world).items():
        for item in found:
            if item.target is None:
                continue
            others = [other for other in found if other is not item]
            path = "spec.scaleTargetRef"
            if others:
                message = f"{others[0].text} scales {resource.partition('.')[0]}/{name} as well"
                yield item.finding("hpa-overlap", path, message)
            if world.get(resource, namespace, name) is None and not world.is_provided(namespace, name):
                kind = dig(item.obj, "spec", "scaleTargetRef", "kind")
                yield item.finding("hpa-target-missing", path, f'its target {kind} "{name}" is not there')
