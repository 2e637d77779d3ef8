"""resourceclaim-controller: pods get the claims of their templates, and give them back.

In: pods with claims for devices, ResourceClaims, their templates. Out: a claim ``<pod>-<claim>-<suffix>`` for each
template a pod names, written down in the pod's status; reservations for pods that were bound without the scheduler;
and once a pod has ended, its reservations are gone, unused claims are deallocated, and claims made for it are deleted.
Which devices a claim gets is the scheduler's.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from kctl.api import names
from kctl.api.deviceclaims import (
    CLAIMS,
    FINALIZER,
    MOST_RESERVED,
    POD_CLAIM,
    TEMPLATES,
    allocation_of,
    claim_names,
    claim_of,
    consumer,
    has_claims,
    is_reserved_for,
    not_owner,
    reserved_for,
)
from kctl.api.objects import Key, Obj, annotations_of, controller_of, is_deleting, key_of, owner_reference
from kctl.client.cache import META, SPEC, STATUS, Cache, Caches, Index, by_controller
from kctl.runtime.actions import Action, Apply, Create, Delete, Emit, Patch, Update
from kctl.runtime.controller import Controller, Decision, Watch

MANAGER = "ResourceClaimController"
"""The field manager of ``status.resourceClaimStatuses``."""
POD = "pod:"
"""What the keys of pods begin with; those of claims are plain."""
LONGEST = 57
"""So long the base of a claim's name is at most: five letters follow."""


class PodSeen(NamedTuple):
    """A pod, the claims there are by name, those it owns, and the templates it names."""

    pod: Obj
    claims: dict[str, Obj | None]
    own: tuple[Obj, ...]
    templates: dict[str, Obj | None]


class ClaimSeen(NamedTuple):
    """A claim, its consumers that still use it, and whether the pod it was made for has ended."""

    claim: Obj
    valid: tuple[Obj, ...]
    is_over: bool


class ResourceClaimController(Controller):
    """Makes claims from templates, and frees those that nobody uses."""

    name = "resourceclaim-controller"
    user = "system:serviceaccount:kube-system:resource-claim-controller"
    component = "resource_claim"
    level = 26
    """Before the scheduler, which would find no claim at its first attempt."""
    reads = (TEMPLATES,)
    writes = (CLAIMS, "pods", "events")

    def __init__(self) -> None:
        self.watches = (
            Watch("pods", _keys_of_pod, META | SPEC | STATUS),
            Watch(CLAIMS, _keys_of_claim),
            Watch(TEMPLATES, _keys_of_template),
        )

    def prepare(self, caches: Caches) -> None:
        """Register the indexes of pods by claims and templates, and of claims by their pods."""
        by_claim(caches["pods"])
        by_template(caches["pods"])
        by_controller(caches[CLAIMS])

    def observe(self, caches: Caches, key: Key) -> PodSeen | ClaimSeen | None:
        """Read a pod with its claims, or a claim with its consumers."""
        if key.name.startswith(POD):
            return self._pod_seen(caches, Key(key.namespace, key.name.removeprefix(POD)))
        claim = caches[CLAIMS].get(key)
        if claim is None:
            return None
        valid = tuple(one for one in reserved_for(claim) if _is_valid(one, caches["pods"], key.namespace))
        return ClaimSeen(claim, valid, _is_over(claim, caches["pods"]))

    def _pod_seen(self, caches: Caches, key: Key) -> PodSeen | None:
        pod = caches["pods"].get(key)
        if pod is None or is_deleting(pod) or is_done(pod):
            return None
        claims = {name: caches[CLAIMS].get(Key(key.namespace, name)) for name in claim_names(pod)}
        own = tuple(by_controller(caches[CLAIMS]).get(pod["metadata"]["uid"]))
        wanted = {entry.get("resourceClaimTemplateName") for entry in pod["spec"].get("resourceClaims") or ()}
        templates = {name: caches[TEMPLATES].get(Key(key.namespace, name)) for name in wanted if name}
        return PodSeen(pod, claims, own, templates)

    def decide(self, seen: PodSeen | ClaimSeen, now: float) -> Decision:
        """Give a pod what it lacks, or take back what nobody uses."""
        return decide_pod(seen) if isinstance(seen, PodSeen) else decide_claim(seen)


def decide_pod(seen: PodSeen) -> Decision:
    """Make the claims the pod lacks and reserve those of a pod that has its node, as syncPod."""
    pod = seen.pod
    actions: list[Action] = []
    made: dict[str, str] = {}
    for entry in pod["spec"].get("resourceClaims") or ():
        created = _claim_for(seen, entry)
        if isinstance(created, Emit):
            return Decision((created,))
        if created is not None:
            made[entry["name"]] = created["metadata"]["name"]
            if "uid" not in created["metadata"]:
                actions.append(Create(CLAIMS, created))
    if made:
        actions.append(_names_written(pod, made))
    if pod["spec"].get("nodeName"):
        actions += _reservations(seen)
    return Decision(tuple(actions))


def _claim_for(seen: PodSeen, entry: Obj) -> Obj | Emit | None:
    """Return the claim the pod's status lacks: one to make, or one that is there; None when all is well (handleClaim)."""
    pod = seen.pod
    named = claim_of(pod, entry)
    if named.name is None and not named.problem:
        return None
    if named.name is not None:
        found = seen.claims.get(named.name)
        if found is not None and not (named.is_generated and not_owner(pod, found)):
            return None
    wanted = entry.get("resourceClaimTemplateName")
    if wanted is None:
        return None
    for claim in seen.own:
        if annotations_of(claim).get(POD_CLAIM) == entry["name"]:
            return claim
    template = seen.templates.get(wanted)
    if template is None:
        why = f'resource claim template "{wanted}": resourceclaimtemplate.resource.k8s.io "{wanted}" not found'
        text = f"PodResourceClaim {entry['name']}: {why}"
        return Emit(pod, "Warning", "FailedResourceClaimCreation", text, once=True)
    return new_claim(pod, entry["name"], template)


def new_claim(pod: Obj, name: str, template: Obj) -> Obj:
    """Return the claim of a pod that is made from a template."""
    spec = template["spec"]
    meta = spec.get("metadata") or {}
    base = base_name(pod["metadata"]["name"], name)
    metadata: Obj = {
        "name": base + names.suffix(pod["metadata"]["uid"], names.fnv32a(name.encode()) % names.MAX_SLOT),
        "generateName": base,
        "namespace": key_of(pod).namespace,
        "annotations": {**(meta.get("annotations") or {}), POD_CLAIM: name},
        "ownerReferences": [owner_reference(pod)],
    }
    if meta.get("labels"):
        metadata["labels"] = meta["labels"]
    return {"apiVersion": "resource.k8s.io/v1", "kind": "ResourceClaim", "metadata": metadata, "spec": spec["spec"]}


def base_name(pod: str, claim: str) -> str:
    """Return what a generated claim's name begins with; what is too long is cut in proportion."""
    base = f"{pod}-{claim}-"
    if len(base) <= LONGEST:
        return base
    return f"{pod[: len(pod) * LONGEST // len(base)]}-{claim[: len(claim) * LONGEST // len(base)]}"


def _names_written(pod: Obj, made: dict[str, str]) -> Action:
    """Return what writes the names of claims into the pod's status, beside those that stand there."""
    there = {
        s["name"]: s.get("resourceClaimName") for s in (pod.get("status") or {}).get("resourceClaimStatuses") or ()
    }
    listed = sorted({**there, **made}.items())
    statuses = [{"name": name, "resourceClaimName": claim} for name, claim in listed if claim]
    key = key_of(pod)
    metadata = {"name": key.name, "namespace": key.namespace, "uid": pod["metadata"]["uid"]}
    obj = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "status": {"resourceClaimStatuses": statuses}}
    return Apply("pods", obj, MANAGER, force=True, subresource="status")


def _reservations(seen: PodSeen) -> Iterable[Action]:
    """Reserve allocated claims for a pod that somebody bound without doing it."""
    for entry in seen.pod["spec"].get("resourceClaims") or ():
        named = claim_of(seen.pod, entry)
        claim = seen.claims.get(named.name) if named.name else None
        if claim is None or (named.is_generated and not_owner(seen.pod, claim)):
            return
        if allocation_of(claim) is None or is_reserved_for(seen.pod, claim):
            continue
        if len(reserved_for(claim)) < MOST_RESERVED:
            yield _with_status(claim, reservedFor=[*reserved_for(claim), consumer(seen.pod)])


def decide_claim(seen: ClaimSeen) -> Decision:
    """Take consumers out that have ended; deallocate and delete what nobody uses, as syncClaim."""
    claim, valid = seen.claim, list(seen.valid)
    is_protected = FINALIZER in (claim["metadata"].get("finalizers") or ())
    if len(valid) < len(reserved_for(claim)):
        if not valid and is_protected:
            return Decision(_released(claim))
        return Decision((_with_status(claim, reservedFor=valid or None),))
    if valid:
        return Decision()
    if is_protected and is_deleting(claim):
        return Decision(_released(claim))
    if seen.is_over and not is_deleting(claim):
        return Decision((Delete(CLAIMS, key_of(claim), claim["metadata"]["uid"]),))
    return Decision()


def _with_status(claim: Obj, **fields: object) -> Update:
    """Return what sets fields of a claim's status; None takes one out."""
    status = {**(claim.get("status") or {}), **fields}
    return Update(CLAIMS, {**claim, "status": {k: v for k, v in status.items() if v is not None}}, "status")


def _released(claim: Obj) -> tuple[Action, ...]:
    """Return what gives the devices of a claim back, and takes off what protected it meanwhile."""
    left = [one for one in claim["metadata"].get("finalizers") or () if one != FINALIZER]
    metadata = {"uid": claim["metadata"]["uid"], "finalizers": left or None}
    unprotect = Patch(CLAIMS, key_of(claim), {"metadata": metadata})
    if allocation_of(claim) is None and not reserved_for(claim):
        return (unprotect,)
    return (_with_status(claim, reservedFor=None, allocation=None, devices=None), unprotect)


def is_done(pod: Obj) -> bool:
    """Say whether no container of the pod runs or ever will (isPodDone)."""
    if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return True
    return is_deleting(pod) and not pod["spec"].get("nodeName")


def _is_valid(consumer: Obj, pods: Cache, namespace: str) -> bool:
    """Say whether a consumer still uses the claim; only pods are known."""
    if consumer.get("apiGroup") or consumer.get("resource") != "pods":
        return True
    pod = pods.get(Key(namespace, consumer.get("name") or ""))
    return pod is not None and pod["metadata"].get("uid") == consumer.get("uid") and not is_done(pod)


def _is_over(claim: Obj, pods: Cache) -> bool:
    """Say whether the claim was made for a pod that has ended or was replaced; of one that is gone GC takes care."""
    owner = controller_of(claim)
    if owner is None or owner.get("kind") != "Pod" or owner.get("apiVersion") != "v1":
        return False
    pod = pods.get(Key(key_of(claim).namespace, owner["name"]))
    return pod is not None and (pod["metadata"].get("uid") != owner.get("uid") or is_done(pod))


# -- what wakes it


def by_claim(pods: Cache) -> Index:
    """Return the index of pods by the claims for devices they use."""

    def values(pod: Obj) -> tuple[Key, ...]:
        if not has_claims(pod) and "extendedResourceClaimStatus" not in (pod.get("status") or {}):
            return ()
        namespace = pod["metadata"].get("namespace") or ""
        return tuple(Key(namespace, name) for name in claim_names(pod))

    return pods.index("device claims", values, on=SPEC | STATUS)


def by_template(pods: Cache) -> Index:
    """Return the index of pods by the templates of claims they name."""

    def values(pod: Obj) -> tuple[Key, ...]:
        if not has_claims(pod):
            return ()
        namespace = pod["metadata"].get("namespace") or ""
        named = (entry.get("resourceClaimTemplateName") for entry in pod["spec"]["resourceClaims"])
        return tuple(Key(namespace, name) for name in named if name)

    return pods.index("device claim templates", values, on=SPEC)


def _pod_key(pod: Obj) -> Key:
    key = key_of(pod)
    return Key(key.namespace, POD + key.name)


def _keys_of_pod(old: Obj | None, new: Obj | None, caches: Caches) -> list[Key]:
    """Wake a pod that may lack a claim, and the claims of one that has ended or is gone."""
    pod = new or old
    if pod is None or (not has_claims(pod) and "extendedResourceClaimStatus" not in (pod.get("status") or {})):
        return []
    is_over = new is None or is_done(new)
    keys = [] if is_over or is_deleting(pod) else [_pod_key(pod)]
    if is_over:
        keys += [Key(key_of(pod).namespace, name) for name in claim_names(pod)]
    return keys


def _keys_of_claim(old: Obj | None, new: Obj | None, caches: Caches) -> list[Key]:
    """Wake the claim, and the pods that use it."""
    key = key_of(new or old or {})
    pods = by_claim(caches["pods"]).get(key)
    return [*([key] if new is not None else ()), *(_pod_key(pod) for pod in pods)]


def _keys_of_template(old: Obj | None, new: Obj | None, caches: Caches) -> list[Key]:
    """Wake the pods that wait for a template; upstream tries again until it is there."""
    if new is None or old is not None:
        return []
    return [_pod_key(pod) for pod in by_template(caches["pods"]).get(key_of(new))]
