"""Resizing a pod in place: whether its node has room for what the spec asks for by now.

In: a pod whose spec was resized, its node, the other pods there. Out: nothing when the resize can be carried out, else
why it waits: Infeasible on this node ever, Deferred until others make room; the words of kubelet's events. As the
allocation manager's canResizePod. Not simulated: limits of memory
below what is in use, swap, static CPU and memory managers.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from kctl.api.objects import Obj, condition, dig
from kctl.kubelet.admission import amount, lacks, requests, taken_beside
from kctl.kubelet.allocation import GROUPS, PENDING
from kctl.kubelet.phase import TERMINAL, by_name

INFEASIBLE, DEFERRED = "Infeasible", "Deferred"
Waits = tuple[str, str]
"""Reason and message of a resize that waits."""


def may_be_resized(pod: Obj) -> bool:
    """Say whether somebody has changed the spec of a pod that its kubelet has taken."""
    if (pod["metadata"].get("generation") or 1) < 2:
        return False
    status = pod.get("status") or {}
    return bool(status.get("startTime")) and status.get("phase") not in TERMINAL


def waits(pod: Obj, node: Obj, on_node: Iterable[Obj]) -> Waits | None:
    """Return why the resize is not carried out, None when it is or none is asked for."""
    if not is_asked(pod):
        return None
    asked = requests(pod["spec"])
    for resource in ("memory", "cpu"):
        have = amount(resource, dig(node, "status", "allocatable", resource, default=0))
        if have and asked.get(resource, 0) > have:
            text = f"Node didn't have enough capacity: {resource}, requested: {asked[resource]}, capacity: {have}"
            return INFEASIBLE, text
    others = taken_beside(pod, on_node)
    found = next(lacks(pod, node, others), None)
    return None if found is None else (DEFERRED, found.text)


def is_asked(pod: Obj) -> bool:
    """Say whether a container has other resources than the spec asks for."""
    status = pod.get("status") or {}
    known = by_name(status.get("initContainerStatuses"), status.get("containerStatuses"))
    return any(_differs(one, known.get(one["name"])) for group in GROUPS for one in pod["spec"].get(group) or ())


def _differs(container: Obj, status: Obj | None) -> bool:
    if status is None or "resources" not in status:
        return False
    asked, has = container.get("resources") or {}, status["resources"]
    return any((asked.get(kind) or {}) != (has.get(kind) or {}) for kind in ("requests", "limits"))


def is_deferred(pod: Obj) -> bool:
    """Say whether a resize of the pod waits for others to make room."""
    if (pod["metadata"].get("generation") or 1) < 2:
        return False
    return (condition(pod, PENDING) or {}).get("reason") == DEFERRED


def words(pod: Obj, lead: str, error: str = "") -> str:
    """Return the message of an event about a resize, as podResizeMessage."""
    said: Obj = {}
    for group in GROUPS:
        listed = [
            {"name": one["name"], "resources": _in_order(one.get("resources") or {})}
            for one in pod["spec"].get(group) or ()
        ]
        if listed:
            said[group] = listed
    said["generation"] = pod["metadata"].get("generation") or 0
    if error:
        said["error"] = error
    return f"Pod resize {lead}: {json.dumps(said, separators=(',', ':'))}"


def _in_order(resources: Obj) -> Obj:
    return {kind: dict(sorted(resources[kind].items())) for kind in ("limits", "requests") if resources.get(kind)}
