"""Selectors: two that select the same pods, and those that select none."""

from __future__ import annotations

from collections.abc import Iterator

from kctl.api import selectors
from kctl.api.objects import dig
from kctl.plan.lints.world import Finding, Item, World, items, labels_selector, selector_of

OWNING = ("deployments.apps", "replicasets.apps", "statefulsets.apps", "daemonsets.apps", "replicationcontrollers")
NOT_MAKING_PODS = frozenset({"monitoring.coreos.com"})
MAKING_PODS = frozenset({"Alertmanager", "Prometheus", "PrometheusAgent", "ThanosRuler"})


def workloads(world: World) -> Iterator[Finding]:
    """Yield workloads whose selector selects pods of another one."""
    if not any(True for _ in world.own(*OWNING)):
        return
    for resource in OWNING:
        for item in world.own(resource):
            for other in _also_selected(world, item):
                message = f"its selector also selects the pods of {other.text}"
                yield item.finding("selector-overlap", "spec.selector", message)


def _also_selected(world: World, item: Item) -> list[Item]:
    """Return the other workloads whose pods a workload selects."""
    found = dig(item.obj, "spec", "selector")
    selector = labels_selector(found) if item.resource == "replicationcontrollers" else selector_of(found)
    if selector is None or selector.empty:
        return []
    return [
        template.item
        for template in world.selected(item.key.namespace, selector)
        if template.item.resource in OWNING and (template.item.resource, template.item.key) != (item.resource, item.key)
    ]


def services(world: World) -> Iterator[Finding]:
    """Yield Services whose selector selects no pod there is or will be."""
    for item in world.own("services"):
        selector = labels_selector(dig(item.obj, "spec", "selector"))
        if selector is None or dig(item.obj, "spec", "type") == "ExternalName":
            continue
        if selects_nothing(world, item, selector):
            message = f"its selector {selector} selects no pods"
            yield item.finding("service-selects-nothing", "spec.selector", message)


def twins(world: World) -> Iterator[Finding]:
    """Yield Services of one type that offer the same ports of the same pods: one of them was hardly meant."""
    found: dict[object, Item] = {}
    for item in world.own("services"):
        selector = labels_selector(dig(item.obj, "spec", "selector"))
        spec = item.obj.get("spec")
        if selector is None or not isinstance(spec, dict):
            continue
        ports = [(p.get("port"), p.get("targetPort"), p.get("protocol", "TCP")) for _, p in ports_of(item)]
        kind, address = repr(spec.get("type", "ClusterIP")), repr(spec.get("clusterIP"))
        identity = (item.key.namespace, str(selector), kind, address, str(ports))
        other = found.setdefault(identity, item)
        if other is not item:
            message = f"{other.text} offers the same ports of the same pods"
            yield item.finding("service-overlap", "spec.selector", message)


def selects_nothing(world: World, item: Item, selector: selectors.Selector) -> bool:
    """Say whether nobody makes pods that are selected: no workload, no pod of the cluster, no operator."""
    namespace = item.key.namespace
    if world.selected(namespace, selector) or world.runs(namespace, selector):
        return False
    return not any(_may_make(custom, item, selector) for custom in world.custom if custom.key.namespace == namespace)


def _may_make(custom: Item, item: Item, selector: selectors.Selector) -> bool:
    """Say whether the pods of a custom resource's operator may be meant: it shares a name or labels with the selector."""
    group = custom.resource.partition(".")[2]
    if group in NOT_MAKING_PODS and custom.obj.get("kind") not in MAKING_PODS:
        return False
    values = {requirement.partition("=")[2] for requirement in str(selector).split(",")}
    labels = dig(custom.obj, "metadata", "labels", default={})
    return custom.key.name in values or (isinstance(labels, dict) and bool(values & {str(v) for v in labels.values()}))


def ports_of(item: Item) -> list[tuple[str, dict[str, object]]]:
    """Return the ports of a Service with their paths."""
    return [(f"spec.ports[{n}]", port) for n, port in enumerate(items(item.obj.get("spec"), "ports"))]
