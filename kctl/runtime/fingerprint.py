"""Does the whole state come back to what it was? An incremental, order-free hash answers.

What moves without meaning (resourceVersion, timestamps, counters, generated names) is left
out, so that a controller that deletes and creates the same pod for ever is seen as a cycle.

Nothing comes back while objects only come and are given their place: until one goes, or is respecified in another
way, changes are put aside, and hashed when that happens.
"""

from __future__ import annotations

import json
from hashlib import blake2b
from typing import Any

from kctl.api.objects import Key, Obj, controller_uid, key_of
from kctl.client.client import WatchEvent

VOLATILE = frozenset(
    {
        "resourceVersion",
        "managedFields",
        "uid",
        "creationTimestamp",
        "deletionTimestamp",
        "lastTransitionTime",
        "lastUpdateTime",
        "lastProbeTime",
        "lastHeartbeatTime",
        "startTime",
        "startedAt",
        "finishedAt",
        "restartCount",
        "containerID",
        "podIP",
        "podIPs",
        "observedGeneration",
        "generation",
    }
)
IGNORED = frozenset({"events", "leases.coordination.k8s.io", "endpoints", "endpointslices.discovery.k8s.io"})
"""What says nothing that other objects do not: tales, and lists of the pods that there are."""
BITS = 1 << 64
MOST_ASIDE = 8192
"""So many changes are put aside before they are hashed all the same: they keep the states they are about."""


class Fingerprint:
    """The sum of the hashes of everything that changed since it was made."""

    def __init__(self) -> None:
        self._sum = 0
        self._seen: dict[int, float] = {0: 0.0}
        self._structural: dict[str, int] = {}
        self._at_last_sight: dict[int, int] = {0: 0}
        self._hashes: dict[tuple[str, Key], tuple[Obj, int]] = {}
        self._only_grows = True
        self._aside: list[WatchEvent | float] = []
        """Changes not hashed yet, and between them the instants that ended."""
        self._changes = 0
        self.hashed = 0
        """How many changes were hashed; tests hold it against how many there were."""

    def see(self, event: WatchEvent) -> None:
        """Take one change in."""
        if event.resource in IGNORED:
            return
        if not self._only_grows:
            self._take(event)
            return
        self._aside.append(event)
        self._only_grows = self._grows(event)
        if not self._only_grows or len(self._aside) >= MOST_ASIDE:
            self._catch_up()

    @staticmethod
    def _grows(event: WatchEvent) -> bool:
        """Say whether a change adds to what is specified, or leaves it: of such alone no state comes back."""
        old, new = event.old, event.object
        if event.type == "DELETED":
            return False
        if old is None:
            return True
        before, after = old.get("spec"), new.get("spec")
        if before is after or before == after:
            return True
        if not isinstance(before, dict) or not isinstance(after, dict):
            return False
        new_fields = after.keys() - before.keys()
        is_rest_same = all(name in after and after[name] == value for name, value in before.items())
        return is_rest_same and not new_fields & VOLATILE and all(isinstance(after[name], str) for name in new_fields)

    def _catch_up(self) -> None:
        """Hash what was put aside; none of the instants in it was one before."""
        aside, self._aside = self._aside, []
        for one in aside:
            if isinstance(one, float):
                self._judge(one)
            else:
                self._take(one)

    def _take(self, event: WatchEvent) -> None:
        self.hashed += 1
        new = None if event.type == "DELETED" else event.object
        place = (event.resource, key_of(event.object))
        if event.old is not None:
            known = self._hashes.pop(place, None)
            before = known[1] if known is not None and known[0] is event.old else hash_of(event.resource, event.old)
            self._sum = (self._sum - before) % BITS
        if new is not None:
            after = hash_of(event.resource, new)
            self._hashes[place] = (new, after)
            self._sum = (self._sum + after) % BITS
        if new is None or event.old is None or new.get("spec") != event.old.get("spec"):
            what = f"{event.resource} {key_of(event.object)}"
            self._structural[what] = self._structural.get(what, 0) + 1
            self._changes += 1

    def repeats(self, now: float) -> str:
        """Return what is going round when this state was seen before, "" otherwise."""
        if self._only_grows:
            self._aside.append(now)
            return ""
        return self._judge(now)

    def _judge(self, now: float) -> str:
        changes = self._changes
        if self._sum in self._seen:
            if changes > self._at_last_sight[self._sum]:
                names = sorted(self._structural, key=lambda name: (-self._structural[name], name))[:3]
                return f"the state at +{now - self._seen[self._sum]:g}s repeats: {', '.join(names)} change in a cycle"
            return ""
        self._seen[self._sum] = now
        self._at_last_sight[self._sum] = changes
        return ""


def hash_of(resource: str, obj: Obj) -> int:
    """Hash what of an object means something: its state but for what moves by itself."""
    key = key_of(obj)
    name = controller_uid(obj) if obj["metadata"].get("generateName") else key.name
    body = json.dumps([resource, key.namespace, name, _stable(obj)], sort_keys=True, separators=(",", ":"))
    return int.from_bytes(blake2b(body.encode(), digest_size=8).digest())


def _stable(value: Any) -> Any:
    """Return the value without what moves without meaning."""
    if isinstance(value, dict):
        named = bool((value.get("metadata") or {}).get("generateName")) if "metadata" in value else False
        out = {k: _stable(v) for k, v in value.items() if k not in VOLATILE}
        if named:
            out["metadata"] = {k: v for k, v in out["metadata"].items() if k != "name"}
        return out
    if isinstance(value, list):
        return [_stable(v) for v in value]
    return value
