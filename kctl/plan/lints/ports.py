"""Ports that nobody listens on: named by probes, hooks and Services, declared by no container."""

from __future__ import annotations

from collections.abc import Iterator

from kctl.api.objects import Obj, dig
from kctl.plan.lints.selecting import ports_of
from kctl.plan.lints.world import WORKLOADS, Finding, World, items, labels_selector, template_of

PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
HANDLERS = ("httpGet", "tcpSocket")


def probes(world: World) -> Iterator[Finding]:
    """Yield probes of named ports that their container does not declare: the kubelet cannot look them up."""
    for item in [item for resource in WORKLOADS for item in world.own(resource)]:
        template = template_of(item)
        for path, container in template.containers if template is not None else ():
            names = {port.get("name") for port in items(container, "ports")}
            for where, handler in _handlers(container, path):
                port = handler.get("port")
                if isinstance(port, str) and not port.isdecimal() and port not in names:
                    message = f'container {container.get("name")} declares no port named "{port}"'
                    yield item.finding("probe-port-missing", f"{where}.port", message)


def _handlers(container: Obj, path: str) -> Iterator[tuple[str, Obj]]:
    for probe in PROBES:
        for handler in HANDLERS:
            found = dig(container, probe, handler)
            if isinstance(found, dict):
                yield f"{path}.{probe}.{handler}", found
    for hook in ("postStart", "preStop"):
        for handler in HANDLERS:
            found = dig(container, "lifecycle", hook, handler)
            if isinstance(found, dict):
                yield f"{path}.lifecycle.{hook}.{handler}", found


def services(world: World) -> Iterator[Finding]:
    """Yield Services whose targetPort no container of their pods declares.

    A number that is not declared may be listened on all the same; it is remarked only where the pods declare ports,
    this one not, and one that the Service does not name.
    """
    for item in world.own("services"):
        selector = labels_selector(dig(item.obj, "spec", "selector"))
        selected = world.selected(item.key.namespace, selector) if selector is not None else []
        if not selected:
            continue
        declared = [port for template in selected for port in template.ports()]
        numbers = {port.get("containerPort") for port in declared}
        for path, port in ports_of(item):
            target = port.get("targetPort", port.get("port"))
            field = f"{path}.targetPort" if "targetPort" in port else path
            if isinstance(target, str) and not target.isdecimal():
                lacking = [t for t in selected if all(p.get("name") != target for p in t.ports())]
                if lacking:
                    message = f'the pods of {lacking[0].item.text} declare no port named "{target}"'
                    yield item.finding("service-port-missing", field, message)
            elif isinstance(target, int) and numbers and target not in numbers and len(ports_of(item)) == 1:
                listed = ", ".join(str(number) for number in sorted(numbers, key=str))
                message = f"its pods declare port {listed}, not {target}"
                yield item.finding("service-port-missing", field, message)
