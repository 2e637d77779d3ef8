"""ephemeral-volume-controller: a pod's ephemeral volumes get claims of their own.

In: pods with generic ephemeral volumes. Out: a claim ``<pod>-<volume>`` for each, owned by the pod, with which it goes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from kctl.api import volumes as vol
from kctl.api.objects import Key, Obj, controller_uid, is_deleting, key_of, owner_reference
from kctl.client.cache import META, SPEC, Caches, by_claim
from kctl.runtime.actions import Action, Create, Emit
from kctl.runtime.controller import Controller, Decision, Watch

CLAIMS = "persistentvolumeclaims"


class Seen(NamedTuple):
    """A pod, and the claims there are under the names of its ephemeral volumes."""

    pod: Obj
    claims: dict[str, Obj | None]


class EphemeralVolumeController(Controller):
    """Makes the claims of ephemeral volumes."""

    name = "ephemeral-volume-controller"
    user = "system:serviceaccount:kube-system:ephemeral-volume-controller"
    component = "ephemeral_volume"
    level = 35
    """After the scheduler, which finds no claim at its first attempt, as it does upstream."""
    writes = (CLAIMS, "events")

    def __init__(self) -> None:
        self.watches = (Watch("pods", _keys_of_pod, META | SPEC, where=vol.have_claims), Watch(CLAIMS, _keys_of_claim))

    def prepare(self, caches: Caches) -> None:
        """Register the index of pods by claim."""
        by_claim(caches["pods"])

    def observe(self, caches: Caches, key: Key) -> Seen | None:
        """Read a pod with ephemeral volumes that is not on its way out."""
        pod = caches["pods"].get(key)
        if pod is None or is_deleting(pod):
            return None
        names = [vol.claim_name(pod, volume) for volume in ephemeral(pod)]
        return Seen(pod, {name: caches[CLAIMS].get(Key(key.namespace, name)) for name in names})

    def decide(self, seen: Seen, now: float) -> Decision:
        """Create what is missing; complain of a claim that is not the pod's own."""
        pod = seen.pod
        actions: list[Action] = []
        for volume in ephemeral(pod):
            name = vol.claim_name(pod, volume)
            found = seen.claims.get(name)
            if found is None:
                actions.append(Create(CLAIMS, new_claim(pod, volume, name)))
            elif controller_uid(found) != pod["metadata"].get("uid"):
                key = key_of(pod)
                why = f"PVC {key.namespace}/{name} was not created for pod {key} (pod is not owner)"
                text = f"ephemeral volume {volume['name']}: {why}"
                actions.append(Emit(pod, "Warning", "FailedBinding", text, once=True))
        return Decision(tuple(actions))


def ephemeral(pod: Obj) -> list[Obj]:
    """Return the pod's generic ephemeral volumes."""
    return [volume for volume in pod["spec"].get("volumes") or () if volume.get("ephemeral")]


def new_claim(pod: Obj, volume: Obj, name: str) -> Obj:
    """Return the claim of an ephemeral volume."""
    template = volume["ephemeral"].get("volumeClaimTemplate") or {}
    meta = template.get("metadata") or {}
    kept = {field: meta[field] for field in ("labels", "annotations") if meta.get(field)}
    owner = {**owner_reference(pod), "blockOwnerDeletion": True, "controller": True}
    metadata = {"name": name, "namespace": key_of(pod).namespace, **kept, "ownerReferences": [owner]}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": template["spec"]}


def _keys_of_pod(old: Obj | None, new: Obj | None, caches: Caches) -> Iterable[Key]:
    return (key_of(new),) if new is not None and vol.has_claims(new) and ephemeral(new) else ()


def _keys_of_claim(old: Obj | None, new: Obj | None, caches: Caches) -> Iterable[Key]:
    """Wake the pods that have lost an ephemeral volume's claim."""
    if old is None or new is not None:
        return ()
    key = key_of(old)
    pods = by_claim(caches["pods"]).get(key)
    return [key_of(pod) for pod in pods if any(vol.claim_name(pod, volume) == key.name for volume in ephemeral(pod))]
