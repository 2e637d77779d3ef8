"""What the pods and claims of a StatefulSet look like, and who owns the claims.

In: the set, an ordinal, a template. Out: a pod with its identity and storage, its claims, and
the owner references the retention policy asks for. As stateful_set_utils.
"""

from __future__ import annotations

from collections.abc import Iterable

from kctl.api.objects import Obj, evolve, labels_of, owner_reference
from kctl.controllers.pods import from_template
from kctl.controllers.revisions import POD_HASH
from kctl.controllers.statefulset_slots import POD_INDEX, POD_NAME, Signature

DELETE = "Delete"


def start_of(sts: Obj) -> int:
    """Return the first ordinal."""
    return int((sts["spec"].get("ordinals") or {}).get("start") or 0)


def replicas_of(sts: Obj) -> int:
    """Return ``spec.replicas``, 1 when it is not said."""
    replicas = sts["spec"].get("replicas")
    return 1 if replicas is None else int(replicas)


def templates_of(sts: Obj) -> list[Obj]:
    """Return the claim templates."""
    return list(sts["spec"].get("volumeClaimTemplates") or ())


def pod_name(sts: Obj, ordinal: int) -> str:
    """Return the name of the pod in a slot."""
    return f"{sts['metadata']['name']}-{ordinal}"


def new_pod(sts: Obj, template: Obj, revision: str, ordinal: int) -> Obj:
    """Return the pod of a slot, as newStatefulSetPod."""
    name = pod_name(sts, ordinal)
    pod = from_template(template, sts, name, f"{sts['metadata']['name']}-")
    labels = {**labels_of(pod), **identity(sts, ordinal), POD_HASH: revision}
    spec = {**pod["spec"], "hostname": name}
    if sts["spec"].get("serviceName"):
        spec["subdomain"] = sts["spec"]["serviceName"]
    spec = with_storage(sts, spec, ordinal)
    return {**pod, "metadata": {**pod["metadata"], "labels": labels}, "spec": spec}


def identity(sts: Obj, ordinal: int) -> dict[str, str]:
    """Return the labels that say which pod this is, as updateIdentity."""
    return {POD_NAME: pod_name(sts, ordinal), POD_INDEX: str(ordinal)}


def with_storage(sts: Obj, spec: Obj, ordinal: int) -> Obj:
    """Return the pod's spec with a volume for each claim template, as updateStorage."""
    names = [template["metadata"]["name"] for template in templates_of(sts)]
    if not names:
        return spec
    volumes = [{"name": name, "persistentVolumeClaim": {"claimName": claim_name(sts, name, ordinal)}} for name in names]
    volumes += [volume for volume in spec.get("volumes") or () if volume["name"] not in names]
    return {**spec, "volumes": volumes}


def claim_name(sts: Obj, template: str, ordinal: int) -> str:
    """Return the name of a slot's claim."""
    return f"{template}-{pod_name(sts, ordinal)}"


def new_claim(sts: Obj, template: Obj, ordinal: int) -> Obj:
    """Return the claim that a template makes for a slot, as getPersistentVolumeClaims."""
    meta = template["metadata"]
    matched = sts["spec"]["selector"].get("matchLabels") or {}
    labels = {**(meta.get("labels") or {}), **matched}
    kept = {name: value for name, value in meta.items() if name in ("annotations", "finalizers") and value}
    name = claim_name(sts, meta["name"], ordinal)
    made: Obj = {"name": name, "namespace": sts["metadata"].get("namespace", ""), **kept}
    if labels:
        made["labels"] = labels
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": made, "spec": template["spec"]}


def policy_of(sts: Obj) -> tuple[bool, bool]:
    """Return whether claims go with the set and whether they go with a pod that is scaled away."""
    policy = sts["spec"].get("persistentVolumeClaimRetentionPolicy") or {}
    return policy.get("whenDeleted") == DELETE, policy.get("whenScaled") == DELETE


def wanted_owner(sts: Obj, is_in_range: bool) -> str:
    """Return the kind of the owner a claim is to have, "" for none, as updateClaimOwnerRefForSetAndPod."""
    with_set, with_pod = policy_of(sts)
    if with_pod and not is_in_range:
        return "Pod"
    return "StatefulSet" if with_set else ""


def names_set(ref: tuple[str, str, str, str, bool], sts: Obj) -> bool:
    """Say whether a reference is to a StatefulSet of this name, whichever its uid."""
    return ref[:3] == (sts["apiVersion"], "StatefulSet", sts["metadata"]["name"])


def names_pod(ref: tuple[str, str, str, str, bool], name: str) -> bool:
    """Say whether a reference is to a pod of this name, whichever its uid."""
    return ref[:3] == ("v1", "Pod", name)


def is_stale(signature: Signature, name: str, uid: str) -> bool:
    """Say whether a claim is still owned by a former pod of the slot, as hasStaleOwnerRef."""
    first = next((ref for ref in signature if names_pod(ref, name)), None)
    return first is not None and first[3] != uid


def is_owned_rightly(signature: Signature, sts: Obj, name: str, uid: str, is_in_range: bool) -> bool:
    """Say whether a claim's owners are as the policy asks or none of ours to change, as isClaimOwnerUpToDate.

    ``name`` and ``uid`` are the pod's.
    """
    own = sts["metadata"]["uid"]
    for_set = next((ref for ref in signature if names_set(ref, sts)), None)
    if (for_set is not None and for_set[3] != own) or is_stale(signature, name, uid):
        return True
    ours = [ref for ref in signature if ref[3] in (own, uid)]
    if _has_other_controller(signature, sts, name):
        return not ours
    if any(not ref[4] for ref in ours):
        return False
    wanted = wanted_owner(sts, is_in_range)
    return {"StatefulSet" if ref[3] == own else "Pod" for ref in ours} == ({wanted} if wanted else set())


def _has_other_controller(signature: Signature, sts: Obj, name: str) -> bool:
    """Say whether somebody else controls the claim, as hasUnexpectedController; stale owners are known by now."""
    if not any(policy_of(sts)):
        return False
    return any(ref[4] and not names_set(ref, sts) and not names_pod(ref, name) for ref in signature)


def references(sts: Obj, pod: Obj, claim: Obj, is_in_range: bool) -> list[Obj]:
    """Return the owner references a claim is to have, as updateClaimOwnerRefForSetAndPod."""
    refs = claim["metadata"].get("ownerReferences") or ()
    name = pod["metadata"]["name"]
    kept: list[Obj] = []
    signature = []
    for ref in refs:
        value = (ref.get("apiVersion", ""), ref["kind"], ref["name"], ref["uid"], bool(ref.get("controller")))
        signature.append(value)
        if not names_set(value, sts) and not names_pod(value, name):
            kept.append(ref)
    wanted = wanted_owner(sts, is_in_range)
    if not wanted or _has_other_controller(tuple(signature), sts, name):
        return kept
    return [*kept, owner_reference(sts if wanted == "StatefulSet" else {"apiVersion": "v1", "kind": "Pod", **pod})]


def with_identity(sts: Obj, pod: Obj, ordinal: int, missing: Iterable[str]) -> Obj:
    """Return the pod with its identity and, where volumes are ``missing``, its storage repaired."""
    fixed = evolve(pod, {"metadata": {"labels": identity(sts, ordinal)}})
    return {**fixed, "spec": with_storage(sts, fixed["spec"], ordinal)} if tuple(missing) else fixed
