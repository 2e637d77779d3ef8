"""Pods of one template share what was worked out about them.

In: pod objects. Out: :class:`~kctl.scheduler.podinfo.PodInfo` whose traits are one object for all pods
that plugins cannot tell apart. Pods made in one call share the parts of their spec, so most are
recognised by the identity of these parts; the others by what they say.
"""

from __future__ import annotations

import json
from typing import Any

from kctl.api.objects import Obj
from kctl.scheduler.podinfo import PodInfo, Traits, owner_of, reports_resources

REMEMBERED = 8192
"""So many specs are known by identity before all of them are forgotten (they are found by content then)."""
HARMLESS = frozenset(
    (
        "cephfs",
        "configMap",
        "downwardAPI",
        "emptyDir",
        "flexVolume",
        "gitRepo",
        "glusterfs",
        "hostPath",
        "name",
        "nfs",
        "projected",
        "secret",
    )
)
"""Volumes that no plugin looks at; their names differ between pods of one template."""
OWN = frozenset(("nodeName", "volumes", "containers", "initContainers", "hostname", "subdomain"))


class Templates:
    """The traits known to one scheduler."""

    def __init__(self) -> None:
        self._by_identity: dict[tuple[Any, ...], tuple[Obj, Any, Traits]] = {}
        self._by_content: dict[tuple[Any, ...], Traits] = {}
        self._signatures: dict[tuple[Any, ...], tuple[Obj, str]] = {}
        self._relabelled: dict[tuple[int, int, int], tuple[Traits, Any, Any, Traits]] = {}
        """With what the ids are of, so that nothing else gets them meanwhile."""
        self.limit = REMEMBERED

    def info(self, obj: Obj) -> PodInfo:
        """Return the pod as the scheduler sees it."""
        return PodInfo(obj, self.traits(obj))

    def traits(self, obj: Obj) -> Traits:
        """Return the traits of a pod."""
        meta, spec = obj["metadata"], obj["spec"]
        labels = meta.get("labels")
        owner = owner_of(meta.get("ownerReferences"))
        place = (id(spec), id(labels), owner, meta.get("namespace"))
        found = self._by_identity.get(place)
        if found is not None and found[0] is spec and found[1] is labels and not _is_alone(obj):
            return found[2]
        if _is_alone(obj):
            return Traits(obj)
        traits = self._of_content(obj, owner, self._signature(spec))
        if not spec.get("nodeName"):
            if len(self._by_identity) >= self.limit:
                self._by_identity.clear()
            self._by_identity[place] = (spec, labels, traits)
        return traits

    def relabelled(self, obj: Obj, old: Traits) -> Traits:
        """Return the traits of a new version of a pod of which at most labels, owner and node have changed."""
        if old.home is not self or _is_alone(obj):
            return self.traits(obj)
        labels, owners = obj["metadata"].get("labels"), obj["metadata"].get("ownerReferences")
        place = (id(old), id(labels), id(owners))
        known = self._relabelled.get(place)
        if known is not None:
            return known[-1]
        found = self._of_content(obj, owner_of(owners), self._signature(old.spec))
        if len(self._relabelled) >= self.limit:
            self._relabelled.clear()
        self._relabelled[place] = (old, labels, owners, found)
        return found

    def forget(self) -> None:
        """Let go of everything; traits in use are found anew by who uses them."""
        self._by_identity.clear()
        self._by_content.clear()
        self._signatures.clear()
        self._relabelled.clear()

    def _of_content(self, obj: Obj, owner: tuple[str, str, str] | None, signature: str) -> Traits:
        meta = obj["metadata"]
        labels = meta.get("labels")
        key = (meta.get("namespace") or "", frozenset(labels.items()) if labels else None, owner, signature)
        traits = self._by_content.get(key)
        if traits is None:
            if len(self._by_content) >= 4 * self.limit:
                self.forget()
            traits = self._by_content[key] = Traits(obj, self)
        return traits

    def _signature(self, spec: Obj) -> str:
        """Write all of a spec that makes a difference to a plugin."""
        place = tuple([id(v) if isinstance(v, (dict, list)) else v for n, v in spec.items() if n != "nodeName"])
        found = self._signatures.get(place)
        if found is not None:
            return found[1]
        plain = {name: value for name, value in spec.items() if name not in OWN}
        for name in ("containers", "initContainers"):
            if spec.get(name):
                plain[name] = [{k: v for k, v in c.items() if k != "volumeMounts"} for c in spec[name]]
        volumes = [volume for volume in spec.get("volumes") or () if not HARMLESS.issuperset(volume)]
        if volumes:
            plain["volumes"] = volumes
        text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
        if len(self._signatures) >= self.limit:
            self._signatures.clear()
        self._signatures[place] = (spec, text)
        return text


def _is_alone(obj: Obj) -> bool:
    """Say whether the pod differs from others of its template in what it takes: while it is resized in place."""
    return bool(obj.get("status")) and reports_resources(obj)
