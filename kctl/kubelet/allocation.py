"""What a pod takes of its node while a resize of it waits: what its containers had before.

In: a pod. Out: the pod as its kubelet counts and runs it. Why a resize waits is :mod:`kctl.kubelet.resizing`'s to say.
"""

from __future__ import annotations

from collections.abc import Mapping

from kctl.api.objects import Obj, condition
from kctl.kubelet.phase import by_name

PENDING = "PodResizePending"
GROUPS = ("initContainers", "containers")


def is_pending(pod: Obj) -> bool:
    """Say whether a resize of the pod waits."""
    return condition(pod, PENDING) is not None


def allocated(pod: Obj) -> Obj:
    """Return the pod with what its containers have, where a resize of it waits."""
    if (pod["metadata"].get("generation") or 1) < 2 or not is_pending(pod):
        return pod
    status = pod.get("status") or {}
    known = by_name(status.get("initContainerStatuses"), status.get("containerStatuses"))
    spec = dict(pod["spec"])
    for group in GROUPS:
        if spec.get(group):
            spec[group] = [with_allocated(one, known) for one in spec[group]]
    return {**pod, "spec": spec}


def with_allocated(container: Obj, known: Mapping[str, Obj]) -> Obj:
    """Return the container as its kubelet runs it while a resize waits."""
    status = known.get(container["name"]) or {}
    return {**container, "resources": status["resources"]} if "resources" in status else container
