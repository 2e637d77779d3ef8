"""Who belongs to whom: from a pod to the workload a person wrote.

In: objects as they come by. Out: for any uid its top controlling owner, also when some of the
chain has been deleted since.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from kctl.api.objects import Obj, group_of, key_of, printed_name

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
        self._links: dict[str, tuple[str, Ref]] = {}
        self._tops: dict[str, Ref] = {}
        for obj in objects:
            self.see(obj)

    def knows(self, obj: Obj) -> bool:
        """Say whether the object's controlling owner is remembered."""
        return obj["metadata"].get("uid") in self._parent

    def see(self, obj: Obj) -> None:
        """Remember the object's controlling owner."""
        meta = obj["metadata"]
        uid = meta.get("uid")
        if not uid or uid in self._parent:
            return
        for owner in meta.get("ownerReferences") or ():
            if owner.get("controller") and owner["kind"] != "Node":  # a mirror pod is what a person wrote
                break
        else:
            return
        link = self._links.get(owner["uid"])
        if link is None:
            group = GROUPS.get(owner["kind"], owner["kind"].lower())
            ref = Ref(meta.get("namespace") or "", f"{group}/{owner['name']}")
            link = self._links[owner["uid"]] = (owner["uid"], ref)
        self._parent[uid] = link
        if uid in self._links:
            self._tops.clear()  # the chains through this object go on

    def parent(self, obj: Obj) -> Ref | None:
        """Return the object's controlling owner."""
        self.see(obj)
        found = self._parent.get(obj["metadata"].get("uid", ""))
        return found[1] if found else None

    def top(self, obj: Obj) -> Ref:
        """Return the last owner of the chain that starts at ``obj``, the object itself if it has none."""
        uid = obj["metadata"].get("uid", "")
        if uid not in self._parent:
            self.see(obj)
        return self.top_of(uid) or ref_of(obj)

    def top_of(self, uid: str) -> Ref | None:
        """Return the last owner of the chain that starts at an object seen before, None when it has none."""
        link = self._parent.get(uid)
        if link is None:
            return None
        owner, ref = link
        top = self._tops.get(owner)
        if top is None:
            while (above := self._parent.get(owner)) is not None:
                owner, ref = above
            top = self._tops[link[0]] = ref
        return top
