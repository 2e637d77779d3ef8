"""Selectors: two that select the same pods, and those that select none."""

from __future__ import annotations

from collections.abc import Iterator

from kctl.api import selectors
from kctl.api.objects import dig
from kctl.plan.lints.world import Finding, Item, Template, World, items, labels_selector, selector_of

OWNING = ("deployments.apps", "replicasets.apps", "statefulsets.apps", "daemonsets.apps", "replicationcontrollers")
NOT_MAKING_PODS = frozenset({"monitoring.coreos.com"})
MAKING_PODS = frozenset({"Alertmanager", "Prometheus", "PrometheusAgent", "ThanosRuler"})


def workloads(world: World) -> Iterator[Finding]:
    """Yield workloads whose selector selects pods of another one."""
    if not any(True for _ in world.own(*OWNING)):
        return
    by_label: dict[tuple[str, str, str], list[Template]] = {}
    for namespace in sorted({item.key.namespace for item in world.own(*OWNING)}):
        for template in world.templates(namespace):
            for label, value in template.labels.items():
                by_label.setdefault((namespace, label, str(value)), []).append(template)
    for resource in OWNING:
        for item in world.own(resource):
            for other in _also_selected(item, by_label):
                message = f"its selector also selects the pods of {other.text}"
                yield item.finding("selector-overlap", "spec.selector", message)


def _also_selected(item: Item, by_label: dict[tuple[str, str, str], list[Template]]) -> list[Item]:
    """Return the other workloads whose pods a workload selects; one label of the selector narrows the search."""
    found = dig(item.obj, "spec", "selector")
    is_plain = item.resource == "replicationcontrollers"
    selector = labels_selector(found) if is_plain else selector_of(found)
    exact = found if is_plain else dig(found, "matchLabels", default={})
    if selector is None or not isinstance(exact, dict) or not exact:
        return []
    namespace = item.key.namespace
    buckets = [by_label.get((namespace, label, str(value)), []) for label, value in exact.items()]
    return [
        template.item
        for template in min(buckets, key=len)
        if template.item.resource in OWNING
        and (template.item.resource, template.item.key) != (item.resource, item.key)
        and selector.matches(template.labels)
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
