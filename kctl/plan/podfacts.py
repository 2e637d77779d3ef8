"""What of a pod the layers of a report speak about: read once per state, compared often.

In: a pod, or None for one that is not there. Out: :class:`Facts`. Most changes of a pod change
none of them.
"""

from __future__ import annotations

from typing import NamedTuple

from kctl.api.objects import Obj
from kctl.client.client import WatchEvent


class Facts(NamedTuple):
    """A pod in a few words; ``is_active`` and ``is_available`` are False for one that ends or has ended."""

    is_there: bool
    is_deleting: bool
    phase: str
    node: str
    is_ready: bool
    trouble: str = ""
    """What keeps it from running, in a word of :data:`TROUBLES` or the scheduler's."""

    @property
    def is_active(self) -> bool:
        """Whether it counts as a pod of its workload."""
        return self.is_there and not self.is_deleting and self.phase not in ("Succeeded", "Failed")

    @property
    def is_available(self) -> bool:
        """Whether it counts as one that is ready."""
        return self.is_ready and self.is_active


GONE = Facts(False, False, "", "", False)


def facts_of(pod: Obj | None) -> Facts:
    """Return the facts of a pod, ``GONE`` for None."""
    if pod is None:
        return GONE
    status = pod.get("status") or {}
    is_ready = False
    for found in status.get("conditions") or ():
        if found.get("type") == "Ready" and found.get("status") == "True":
            is_ready = True
            break
    is_deleting = bool(pod["metadata"].get("deletionTimestamp"))
    phase = status.get("phase") or ""
    trouble = "" if is_ready or is_deleting or phase in ("Succeeded", "Failed") else _trouble(status)
    return Facts(True, is_deleting, phase, (pod.get("spec") or {}).get("nodeName") or "", is_ready, trouble)


TROUBLES = {
    "CrashLoopBackOff": "crash looping",
    "CreateContainerConfigError": "misconfigured",
    "CreateContainerError": "misconfigured",
    "ErrImageNeverPull": "without image",
    "ErrImagePull": "without image",
    "ImagePullBackOff": "without image",
    "InvalidImageName": "without image",
}
"""What a container waits for, in a word for all that comes and goes while it waits for the same."""


def _trouble(status: Obj) -> str:
    for found in status.get("conditions") or ():
        if found.get("type") == "PodScheduled" and found.get("status") == "False":
            return "unschedulable" if found.get("reason") == "Unschedulable" else "gated"
    for field in ("initContainerStatuses", "containerStatuses"):
        for container in status.get(field) or ():
            waiting = (container.get("state") or {}).get("waiting")
            if waiting:
                word = TROUBLES.get(waiting.get("reason") or "")
                if word:
                    return word
            elif container.get("restartCount") and not container.get("ready"):
                return TROUBLES["CrashLoopBackOff"]
    return ""


class Followed:
    """The facts of pods while their changes come by."""

    def __init__(self) -> None:
        self._last: dict[str, Facts] = {}

    def change(self, event: WatchEvent) -> tuple[Facts, Facts]:
        """Return the facts of a pod before and after a change."""
        uid = event.object["metadata"].get("uid", "")
        if event.old is None:
            before = GONE
        else:
            before = self._last.get(uid) or facts_of(event.old)
        if event.type == "DELETED":
            self._last.pop(uid, None)
            return before, GONE
        after = self._last[uid] = facts_of(event.object)
        return before, after
