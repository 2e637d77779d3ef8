"""Drains that are held up, and by what: the budget, and the pods that use it up.

In: a client. Out: blockers (object, owner, reason, message) for every pod that a scenario's drain waits for. Where the
budget's other pods cannot become healthy again by themselves, the drain waits for ever: that is said.
"""

from __future__ import annotations

from collections.abc import Iterator

from kctl.api import selectors
from kctl.api.objects import Obj, condition, dig, is_condition_true, is_deleting, key_of, labels_of
from kctl.client.client import Client
from kctl.plan.ownership import Ref

SCENARIOS, BUDGETS = "scenarios.sim.kctl.dev", "poddisruptionbudgets.policy"


def waiting(client: Client) -> list[tuple[Ref, Ref, str, str]]:
    """Return a blocker for each pod a drain waits for."""
    found: list[tuple[Ref, Ref, str, str]] = []
    for scenario in client.list(SCENARIOS).items:
        for drain in dig(scenario, "status", "draining", default=()):
            for refused in drain.get("waiting") or ():
                namespace, name = refused["namespace"], refused["name"]
                why = "; ".join(_causes(client, namespace, name))
                message = f"{refused['message'].rstrip('.')}: {why}" if why else refused["message"]
                owner = Ref("", f"node/{drain['node']}")
                found.append((Ref(namespace, f"pod/{name}"), owner, "DrainBlocked", message))
    return found


def _causes(client: Client, namespace: str, name: str) -> Iterator[str]:
    """Yield what each budget of a pod has, needs and lacks."""
    pods = client.list("pods", namespace).items
    pod = next((found for found in pods if key_of(found).name == name), None)
    if pod is None:
        return
    nodes = {node["metadata"]["name"]: node for node in client.list("nodes").items}
    for budget in client.list(BUDGETS, namespace).items:
        selector = selectors.from_label_selector(dig(budget, "spec", "selector"))
        if not selector.matches(labels_of(pod)):
            continue
        status = budget.get("status") or {}
        lost = [
            text for other in pods if selector.matches(labels_of(other)) and (text := _lost(other, nodes)) is not None
        ]
        yield (
            f"poddisruptionbudget.policy/{key_of(budget).name} has {status.get('currentHealthy', 0)} healthy pods "
            f"of {status.get('expectedPods', 0)} and needs {status.get('desiredHealthy', 0)}"
        )
        yield from lost


def _lost(pod: Obj, nodes: dict[str, Obj]) -> str | None:
    """Say why a pod is not healthy, None when it is."""
    if is_condition_true(pod, "Ready") and not is_deleting(pod):
        return None
    name, node_name = key_of(pod).name, dig(pod, "spec", "nodeName", default="")
    node = nodes.get(node_name)
    is_silent = node is not None and (condition(node, "Ready") or {}).get("status") == "Unknown"
    if is_silent and is_deleting(pod):
        return f"{name} is terminating on {node_name}, of which nothing is heard: until it comes back or is taken out of service nobody confirms that the pod has ended"
    if is_silent:
        return f"{name} is on {node_name}, of which nothing is heard"
    if not node_name:
        text = (condition(pod, "PodScheduled") or {}).get("message") or "it has no node yet"
        return f"{name} is pending: {text}"
    return f"{name} is not ready"
