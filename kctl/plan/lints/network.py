"""NetworkPolicies that let nothing reach a port which a Service offers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kctl.api.objects import Obj, dig
from kctl.plan.lints.selecting import ports_of
from kctl.plan.lints.world import Finding, Item, Template, World, items, labels_selector, selector_of

POLICIES = "networkpolicies.networking.k8s.io"


def policies(world: World) -> Iterator[Finding]:
    """Yield, for each Service whose pods policies isolate, the ports that no rule opens to anybody."""
    if not any(True for _ in world.own(POLICIES, "services")):
        return
    every = [item for item in world.all(POLICIES) if _isolates(item.obj)]
    if not every:
        return
    for service in world.all("services"):
        selector = labels_selector(dig(service.obj, "spec", "selector"))
        for template in world.selected(service.key.namespace, selector) if selector is not None else ():
            mine = [policy for policy in every if _selects(policy, template)]
            subject = next((policy for policy in mine if policy.target is not None), service)
            if not mine or subject.target is None:
                continue
            for _, port in ports_of(service):
                protocol = str(port.get("protocol") or "TCP")
                number = _resolved(port.get("targetPort", port.get("port")), protocol, template)
                if number is not None and not _opens(mine, number, protocol, template):
                    listed = ", ".join(sorted(policy.text for policy in mine))
                    message = f"{listed} let nothing reach port {number} of the pods of {service.text}"
                    yield subject.finding("networkpolicy-cuts-off", "spec", message)


def _isolates(policy: Obj) -> bool:
    """Say whether the policy is about what comes in; it is unless it says otherwise."""
    types = dig(policy, "spec", "policyTypes")
    return not isinstance(types, list) or not types or "Ingress" in types


def _selects(policy: Item, template: Template) -> bool:
    if policy.key.namespace != template.item.key.namespace:
        return False
    selector = selector_of(dig(policy.obj, "spec", "podSelector", default={}))
    return selector is not None and selector.matches(template.labels)


def _resolved(target: object, protocol: str, template: Template) -> int | None:
    """Return the number of a target port; None when no container says what its name stands for."""
    if isinstance(target, int):
        return target
    for port in template.ports():
        if port.get("name") == target and str(port.get("protocol") or "TCP") == protocol:
            number = port.get("containerPort")
            return number if isinstance(number, int) else None
    return None


def _opens(policies: Sequence[Item], number: int, protocol: str, template: Template) -> bool:
    """Say whether a rule of one of the policies lets anybody reach the port."""
    for policy in policies:
        for rule in items(policy.obj.get("spec"), "ingress"):
            ports = items(rule, "ports")
            if not ports or any(_covers(port, number, protocol, template) for port in ports):
                return True
    return False


def _covers(port: Obj, number: int, protocol: str, template: Template) -> bool:
    if str(port.get("protocol") or "TCP") != protocol:
        return False
    first = port.get("port")
    if first is None:
        return True
    start = _resolved(first, protocol, template)
    end = port.get("endPort")
    return start is not None and start <= number <= (end if isinstance(end, int) else start)
