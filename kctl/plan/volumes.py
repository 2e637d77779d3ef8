"""What became of volumes in a run: made, deleted, and bound to which claims.

In: the changes of claims and volumes. Out: a record for each namespace and storage class.
"""

from __future__ import annotations

from kctl.api import volumes as vol
from kctl.api.objects import Key, Obj, annotations_of, dig, key_of
from kctl.client.client import WatchEvent

Group = tuple[str, str]
"""A namespace and a storage class."""


class Volumes:
    """Claims and volumes while a run lasts."""

    def __init__(self) -> None:
        self._bound: dict[Key, tuple[Group, str]] = {}
        self._made: dict[str, Group] = {}
        self._gone: dict[str, tuple[Group, str]] = {}

    def change(self, event: WatchEvent) -> None:
        """Take a change in."""
        if event.resource == "persistentvolumeclaims":
            self._claim_changed(event)
        else:
            self._volume_changed(event)

    def _claim_changed(self, event: WatchEvent) -> None:
        claim = event.object
        key = key_of(claim)
        if event.type == "DELETED":
            self._bound.pop(key, None)
        elif is_bound(claim) and not is_bound(event.old):
            self._bound[key] = ((key.namespace, vol.class_name(claim)), claim["spec"].get("volumeName") or "")

    def _volume_changed(self, event: WatchEvent) -> None:
        volume = event.object
        name = volume["metadata"]["name"]
        owner = vol.claim_key(volume)
        if owner is None:
            return
        group = (owner.namespace, vol.class_name(volume))
        if event.type == "DELETED":
            if self._made.pop(name, None) is None:
                self._gone[name] = (group, owner.name)
        elif event.old is None and event.type == "ADDED" and vol.PROVISIONED_BY in annotations_of(volume):
            self._made[name] = group

    def records(self) -> list[Obj]:
        """Return what happened."""
        groups = {group for group, _ in (*self._bound.values(), *self._gone.values())} | set(self._made.values())
        return [
            {
                "type": "volumes",
                "namespace": group[0],
                "storageClass": group[1],
                "created": sum(found == group for found in self._made.values()),
                "deleted": {name: claim for name, (found, claim) in sorted(self._gone.items()) if found == group},
                "bound": {key.name: name for key, (found, name) in sorted(self._bound.items()) if found == group},
            }
            for group in sorted(groups)
        ]


def is_bound(claim: Obj | None) -> bool:
    """Say whether a claim's phase is Bound."""
    return bool(dig(claim, "status", "phase") == "Bound")
