"""Annotations ``sim.kctl.dev/...`` that say nothing: their value cannot be read, or nobody looks for them there.

What cannot be read has no effect, and a plan that quietly leaves a failure out is worse than none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kctl.api.behaviour import PREFIX, unreadable, unreadable_of_node
from kctl.api.objects import dig
from kctl.plan.lints.world import WORKLOADS, Finding, Item, World, items, template_of

CODE, MISPLACED = "unreadable-simulation", "misplaced-simulation"
KINDS = ("containers", "initContainers")


def pods(world: World) -> Iterator[Finding]:
    """Yield annotations of pods that the kubelets cannot read, and those of workloads that no pod gets."""
    for item in [item for resource in WORKLOADS for item in world.own(resource)]:
        template = template_of(item)
        if template is None:
            continue
        above = template.path.rpartition("spec")[0]
        meta = f"{above}metadata"
        found = _map(item.obj, *(step for step in meta.split(".") if step), "annotations")
        names = {str(container.get("name")) for kind in KINDS for container in items(template.spec, kind)}
        for problem in unreadable(found, names):
            yield _finding(item, CODE, meta, problem.key, problem.text)
        if meta != "metadata":
            yield from _misplaced(item, f"{meta}.annotations")


def _misplaced(item: Item, instead: str) -> Iterator[Finding]:
    for key in _map(item.obj, "metadata", "annotations"):
        if key.startswith(PREFIX):
            text = f"kubelets read it of pods only: it belongs into {instead}"
            yield _finding(item, MISPLACED, "metadata", key, text)


def nodes(world: World) -> Iterator[Finding]:
    """Yield annotations of nodes that the kubelets cannot read."""
    for item in world.own("nodes"):
        for problem in unreadable_of_node(_map(item.obj, "metadata", "annotations")):
            yield _finding(item, CODE, "metadata", problem.key, problem.text)


def _map(obj: Any, *path: str) -> Mapping[str, Any]:
    found = dig(obj, *path)
    return found if isinstance(found, dict) else {}


def _finding(item: Item, code: str, meta: str, key: str, text: str) -> Finding:
    path = f"{meta}.annotations[{key}]"
    return item.finding(code, path, f"{path}: {text}")
