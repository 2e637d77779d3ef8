"""What lets a refused request through the next time: more room in a quota, looser limits or labels, what was missing.

In: a change of an object that admission or authorization judges by. Out: which refusals may be over. A loop
that met such a one tries again when its back-off ends, as upstream's does anyway;
without such a change it would be refused again, and convergence need not wait for that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from kctl.api.objects import Obj, dig, labels_of
from kctl.api.quantity import parse
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
REQUESTED = re.compile(r"requested: (.*?), used: ")
BOOKKEEPING = frozenset(("resourceVersion", "managedFields", "generation"))


class Ease(NamedTuple):
    """Refusals that may be over: in which namespace (``*``: in any), what they say, what there is left of a quota."""

    namespace: str
    words: str = ""
    left: Mapping[str, str] | None = None

    def helps(self, namespace: str, refusal: str) -> bool:
        """Say whether what was refused with these words may be let through now."""
        if self.namespace not in (EVERYWHERE, namespace) or self.words not in refusal:
            return False
        left = self.left
        return left is None or all(compare(left[name], much) >= 0 for name, much in _asked(refusal) if name in left)


def eased(event: WatchEvent) -> Ease | None:
    """Return which refusals the change may end, None for none."""
    meta = event.object["metadata"]
    name, where = str(meta["name"]), str(meta.get("namespace") or "") or EVERYWHERE
    if event.resource == "namespaces":
        return Ease(name) if _is_relabelled(event) else None
    if event.resource in NEEDED:
        return Ease(where, name) if event.type == "ADDED" else None
    if event.resource in RULES:
        is_other = event.type != "MODIFIED" or event.old is None or _rules(event.old) != _rules(event.object)
        return Ease(where) if is_other else None
    if not _gives_room(event):
        return None
    if event.resource == "limitranges":
        return Ease(where)
    return Ease(where, f"quota: {name}", None if event.type == "DELETED" else _left(event.object))


def _asked(refusal: str) -> Iterator[tuple[str, str]]:
    """Yield the resources, and how much of each, that a quota refused (``requested: pods=1,...``)."""
    found = REQUESTED.search(refusal)
    for item in found[1].split(",") if found else ():
        name, _, much = item.strip().rpartition("=")
        try:
            parse(much)
        except ValueError:
            continue
        yield name, much


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
