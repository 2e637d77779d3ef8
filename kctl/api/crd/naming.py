"""Which names a custom resource gets, and whether it is served.

In: a definition, the others, the time. Out: the status it should have. As the controllers of
apiextensions-apiserver: naming (status/naming_controller.go), establishing, approval of protected
groups (apiapproval), and what the finalizer says on the way out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import NamedTuple
from urllib.parse import urlsplit

from kctl.api.objects import REMOVED, Obj, dig, evolve, replace

FINALIZER = "customresourcecleanup.apiextensions.k8s.io"
APPROVAL = "api-approved.kubernetes.io"
PROTECTED = re.compile(r"(.*\.)?(k8s|kubernetes)\.io")
SEE = "https://github.com/kubernetes/enhancements/pull/1111"
MISSING = f'protected groups must have approval annotation "{APPROVAL}", see {SEE}'
MALFORMED = (
    f'protected groups must have approval annotation "{APPROVAL}" with either a URL or a reason starting with '
    f'"unapproved", see {SEE}'
)


class Names(NamedTuple):
    """The names that are taken in a group."""

    resources: frozenset[str]
    kinds: frozenset[str]


def taken(definitions: Iterable[Obj], group: str) -> Names:
    """Return the names that definitions of a group have been given."""
    resources: set[str] = set()
    kinds: set[str] = set()
    for definition in definitions:
        if definition["spec"]["group"] != group:
            continue
        names = dig(definition, "status", "acceptedNames") or {}
        resources |= {names.get("plural", ""), names.get("singular", ""), *(names.get("shortNames") or ())}
        kinds |= {names.get("kind", ""), names.get("listKind", "")}
    return Names(frozenset(resources - {""}), frozenset(kinds - {""}))


def settled(definition: Obj, names: Callable[[], Names], now: str) -> Obj:
    """Return the definition with the status its names deserve; itself when it has it already.

    ``names`` says which names others have; it is asked only when there is something to decide.
    """
    status = definition.get("status") or {}
    wanted, had = definition["spec"]["names"], status.get("acceptedNames") or {}
    conditions = list(status.get("conditions") or ())
    accepted = had
    if wanted != had:
        accepted, reason, message = _accepted(wanted, had, names())
        conditions = with_condition(
            conditions, "NamesAccepted", not message, reason, message or "no conflicts found", now
        )
        if message and not _is_true(conditions, "Established"):
            why = "not all names are accepted"
            conditions = with_condition(conditions, "Established", False, "NotAccepted", why, now)
    if _is_true(conditions, "NamesAccepted") and not _is_true(conditions, "Established"):
        why = "the initial names have been accepted"
        conditions = with_condition(conditions, "Established", True, "InitialNamesAccepted", why, now)
    conditions = _approved(definition, conditions, now)
    if accepted == had and conditions == (status.get("conditions") or []):
        return definition
    return {**definition, "status": {**status, "acceptedNames": accepted, "conditions": conditions}}


def _accepted(wanted: Obj, had: Obj, names: Names) -> tuple[Obj, str, str]:
    """Return the names that may be had, and which of the others is not to be had, and why."""
    out = dict(had)
    reason = message = ""
    for field, label, used in (
        ("plural", "Plural", names.resources),
        ("singular", "Singular", names.resources),
        ("shortNames", "ShortNames", names.resources),
        ("kind", "Kind", names.kinds),
        ("listKind", "ListKind", names.kinds),
    ):
        asked = wanted.get(field)
        if field == "shortNames":
            old = set(had.get(field) or ()) | {had.get("plural"), had.get("singular")}
            clashes = [name for name in asked or () if name not in old and name in used]
        else:
            clashes = [asked] if asked != had.get(field) and asked in used else []
        if clashes:
            texts = list(dict.fromkeys(f"{json.dumps(name)} is already in use" for name in clashes))
            reason, message = f"{label}Conflict", texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
        elif asked is None:
            out.pop(field, None)
        else:
            out[field] = asked
    if wanted.get("categories"):
        out["categories"] = wanted["categories"]
    else:
        out.pop("categories", None)
    return {field: out[field] for field in ORDER if field in out}, reason or "NoConflicts", message


ORDER = ("plural", "singular", "shortNames", "kind", "listKind", "categories")


def is_protected(group: str) -> bool:
    """Say whether a group belongs to the Kubernetes project."""
    return PROTECTED.fullmatch(group) is not None


def approval(definition: Obj) -> tuple[str, str]:
    """Return how a definition of a protected group stands, "" for other groups, and what is said of it."""
    if not is_protected(dig(definition, "spec", "group") or ""):
        return "", ""
    given = (definition["metadata"].get("annotations") or {}).get(APPROVAL, "")
    if not given:
        return "missing", MISSING
    if given.startswith("unapproved"):
        return "bypassed", f"not approved: {json.dumps(given)}"
    url = urlsplit(given)
    if url.netloc and url.scheme:
        return "approved", f"approved in {given}"
    return "invalid", MALFORMED


APPROVALS = {
    "approved": (True, "ApprovedAnnotation"),
    "bypassed": (False, "UnapprovedAnnotation"),
    "invalid": (False, "InvalidAnnotation"),
    "missing": (False, "MissingAnnotation"),
}


def _approved(definition: Obj, conditions: list[Obj], now: str) -> list[Obj]:
    state, message = approval(definition)
    if not state:
        return conditions
    is_true, reason = APPROVALS[state]
    return with_condition(conditions, "KubernetesAPIApprovalPolicyConformant", is_true, reason, message, now)


def with_condition(conditions: list[Obj], kind: str, is_true: bool, reason: str, message: str, now: str) -> list[Obj]:
    """Return the conditions with one of them as given; its time changes only with its status."""
    status = "True" if is_true else "False"
    old = next((c for c in conditions if c["type"] == kind), None)
    time = old["lastTransitionTime"] if old is not None and old["status"] == status else now
    new = {"type": kind, "status": status, "lastTransitionTime": time, "reason": reason, "message": message}
    if old is None:
        return [*conditions, new]
    return [new if c["type"] == kind else c for c in conditions] if new != old else conditions


def _is_true(conditions: Iterable[Obj], kind: str) -> bool:
    return any(c["type"] == kind and c["status"] == "True" for c in conditions)


def leaving(definition: Obj, now: str, *, left: int) -> Obj:
    """Return a definition that is being deleted while ``left`` instances are not gone yet."""
    conditions = list(dig(definition, "status", "conditions") or ())
    if left:
        reason, message = (
            "InstanceDeletionCheck",
            "could not confirm zero CustomResources remaining: timed out waiting for the condition",
        )
    else:
        reason, message = "InstanceDeletionCompleted", "removed all instances"
    conditions = with_condition(conditions, "Terminating", bool(left), reason, message, now)
    return replace(definition, status={**(definition.get("status") or {}), "conditions": conditions})


def without_finalizer(definition: Obj) -> Obj:
    """Return the definition without what held it until its instances were gone."""
    rest = [name for name in definition["metadata"].get("finalizers") or () if name != FINALIZER]
    return evolve(definition, {"metadata": {"finalizers": rest or REMOVED}})


def doomed(definition: Obj, now: str) -> Obj:
    """Return a definition as its deletion begins: held until its instances are gone."""
    finalizers = definition["metadata"].get("finalizers") or []
    if FINALIZER not in finalizers:
        finalizers = [*finalizers, FINALIZER]
    message = "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon"
    conditions = list(dig(definition, "status", "conditions") or ())
    conditions = with_condition(conditions, "Terminating", True, "InstanceDeletionPending", message, now)
    return evolve(
        definition,
        {"metadata": {"finalizers": finalizers, "deletionTimestamp": now}, "status": {"conditions": conditions}},
    )
