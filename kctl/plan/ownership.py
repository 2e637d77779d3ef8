"""Who belongs to whom: from a pod to the workload a person wrote.

In: objects as they come by. Out: for any uid its top controlling owner, also when some of the
chain has been deleted since.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from kctl.api.objects import Obj, controller_of, group_of, key_of, printed_name

GROUPS = {
    "Deployment": "deployment.apps",
    "ReplicaSet": "replicaset.apps",
    "StatefulSet": "statefulset.apps",
    "DaemonSet": "daemonset.apps",
    "Job": "job.batch",
    "CronJob": "cronjob.batch",
}


class Ref(NamedTuple):
    """An object as people name it: ``deployment.apps/web`` in a namespace."""

    namespace: str
    text: str


def ref_of(obj: Obj) -> Ref:
    """Return how the object is named in reports, as ``kubectl -o name`` does."""
    namespace, name = key_of(obj)
    return Ref(namespace, printed_name(obj["kind"], group_of(obj), name))


class Owners:
    """Remembers controlling owners by uid."""

    def __init__(self, objects: Iterable[Obj] = ()) -> None:
        self._parent: dict[str, tuple[str, Ref]] = {}
        for obj in objects:
            self.see(obj)

    def see(self, obj: Obj) -> None:
        """Remember the object's controlling owner."""
        owner = controller_of(obj)
        uid = obj["metadata"].get("uid")
        if owner and uid and uid not in self._parent:
            namespace = obj["metadata"].get("namespace") or ""
            group = GROUPS.get(owner["kind"], owner["kind"].lower())
            self._parent[uid] = (owner["uid"], Ref(namespace, f"{group}/{owner['name']}"))

    def parent(self, obj: Obj) -> Ref | None:
        """Return the object's controlling owner."""
        self.see(obj)
        found = self._parent.get(obj["metadata"].get("uid", ""))
        return found[1] if found else None

    def top(self, obj: Obj) -> Ref:
        """Return the last owner of the chain that starts at ``obj``, the object itself if it has none."""
        self.see(obj)
        ref, uid = ref_of(obj), obj["metadata"].get("uid", "")
        while uid in self._parent:
            uid, ref = self._parent[uid]
        return ref
