"""What lets a refused request through the next time: more room in a quota, looser limits or labels, what was missing.

In: a change of an object that admission or authorization judges by. Out: the namespace in which refusals may be
over. A loop that was refused there tries again when its back-off ends, as upstream's does anyway;
without such a change it would be refused again, and convergence need not wait for that.
"""

from __future__ import annotations

from kctl.api.objects import Obj, dig, labels_of
from kctl.api.resourcelist import compare, minus, written
from kctl.client.client import WatchEvent

EVERYWHERE = "*"
NEEDED = frozenset(("serviceaccounts", "priorityclasses.scheduling.k8s.io", "runtimeclasses.node.k8s.io"))
"""What a pod is refused without: it is over when one appears."""
RULES = frozenset(
    (
        "mutatingadmissionpolicies.admissionregistration.k8s.io",
        "mutatingadmissionpolicybindings.admissionregistration.k8s.io",
        "mutatingwebhookconfigurations.admissionregistration.k8s.io",
        "validatingadmissionpolicies.admissionregistration.k8s.io",
        "validatingadmissionpolicybindings.admissionregistration.k8s.io",
        "validatingwebhookconfigurations.admissionregistration.k8s.io",
        "clusterrolebindings.rbac.authorization.k8s.io",
        "clusterroles.rbac.authorization.k8s.io",
        "rolebindings.rbac.authorization.k8s.io",
        "roles.rbac.authorization.k8s.io",
    )
)
"""What may allow anything with any change of its own making."""
JUDGED_BY = frozenset(("resourcequotas", "limitranges", "namespaces")) | NEEDED | RULES
BOOKKEEPING = frozenset(("resourceVersion", "managedFields", "generation"))


def eased(event: WatchEvent) -> str:
    """Return the namespace that the change gives more room, "*" for all of them, "" for none."""
    meta = event.object["metadata"]
    where = str(meta.get("namespace") or "") or EVERYWHERE
    if event.resource == "namespaces":
        return str(meta["name"]) if _is_relabelled(event) else ""
    if event.resource in NEEDED:
        return where if event.type == "ADDED" else ""
    if event.resource in RULES:
        is_other = event.type != "MODIFIED" or event.old is None or _rules(event.old) != _rules(event.object)
        return where if is_other else ""
    return where if _gives_room(event) else ""


def _is_relabelled(event: WatchEvent) -> bool:
    return event.type == "MODIFIED" and event.old is not None and labels_of(event.old) != labels_of(event.object)


def _rules(obj: Obj) -> Obj:
    """Return what of a policy or a role its status and bookkeeping are not."""
    meta = {name: value for name, value in obj["metadata"].items() if name not in BOOKKEEPING}
    return {**{name: value for name, value in obj.items() if name != "status"}, "metadata": meta}


def _gives_room(event: WatchEvent) -> bool:
    """Say whether a quota or a limit range allows something that it did not."""
    old, new = event.old, event.object
    if event.resource == "limitranges":  # one that appears may say what a quota asks every pod to say
        return old is None or event.type != "MODIFIED" or bool(old.get("spec") != new.get("spec"))
    if event.type == "DELETED":
        return True
    return event.type == "MODIFIED" and old is not None and _has_more_room(old, new)


def _has_more_room(old: Obj, new: Obj) -> bool:
    """Say whether any resource of a quota has more left than before, or is not limited any more."""
    before, after = _left(old), _left(new)
    if dig(old, "spec", "scopeSelector") != dig(new, "spec", "scopeSelector"):
        return True
    return any(name not in after or compare(after[name], left) > 0 for name, left in before.items())


def _left(quota: Obj) -> dict[str, str]:
    hard, used = (written(dig(quota, "status", field)) for field in ("hard", "used"))
    return {name: minus(most, used.get(name, "0")) for name, most in hard.items()}
