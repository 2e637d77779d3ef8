"""Validation of FlowSchemas and PriorityLevelConfigurations.

In comes an object; complaints are appended as pkg/apis/flowcontrol/validation orders them.
"""

from __future__ import annotations

from kctl.api import errors
from kctl.api.objects import Obj
from kctl.api.validation import formats, internal
from kctl.api.validation.meta import Errors, formatted

LAST = 10000
VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch")
SUBJECTS = {"User": "user", "Group": "group", "ServiceAccount": "serviceAccount"}
MANY_QUEUES = 10 * 1000 * 1000
ANY = "*"


def flow_schema(obj: Obj, out: Errors) -> None:
    """Check a FlowSchema."""
    spec, name = obj.get("spec") or {}, obj["metadata"].get("name") or ""
    place, at = spec.get("matchingPrecedence") or 0, "spec.matchingPrecedence"
    if place <= 0:
        out.append(errors.invalid(at, place, "must be a positive value"))
    if place > LAST:
        out.append(errors.invalid(at, place, f"must not be greater than {LAST}"))
    if place == 1 and name != "exempt":
        text = "only the schema named 'exempt' may have matchingPrecedence 1"
        out.append(errors.invalid(at, place, text))
    method = spec.get("distinguisherMethod")
    if method is not None and method.get("type") not in {"ByNamespace", "ByUser"}:
        shown = internal.shown("DistinguisherMethod", method)
        out.append(errors.not_supported("spec.distinguisherMethod.type", shown, ("ByNamespace", "ByUser")))
    level = (spec.get("priorityLevelConfiguration") or {}).get("name") or ""
    if level:
        formatted(formats.dns_subdomain, level, "spec.priorityLevelConfiguration.name", out)
    else:
        out.append(errors.required("spec.priorityLevelConfiguration.name", "must reference a priority level"))
    for n, rule in enumerate(spec.get("rules") or ()):
        _rule(rule, f"spec.rules[{n}]", out)


def _rule(rule: Obj, at: str, out: Errors) -> None:
    """Check one rule: who, and what."""
    if not rule.get("subjects"):
        out.append(errors.required(f"{at}.subjects", "subjects must contain at least one value"))
    for n, subject in enumerate(rule.get("subjects") or ()):
        _subject(subject, f"{at}.subjects[{n}]", out)
    if not rule.get("resourceRules") and not rule.get("nonResourceRules"):
        text = "at least one of resourceRules and nonResourceRules has to be non-empty"
        out.append(errors.required(at, text))
    for n, value in enumerate(rule.get("resourceRules") or ()):
        _resources(value, f"{at}.resourceRules[{n}]", out)
    for n, value in enumerate(rule.get("nonResourceRules") or ()):
        _paths(value, f"{at}.nonResourceRules[{n}]", out)


def _subject(value: Obj, at: str, out: Errors) -> None:
    """Check one subject, of its kind and no other."""
    kind = value.get("kind") or ""
    if kind not in SUBJECTS:
        out.append(errors.not_supported(f"{at}.kind", kind, sorted(SUBJECTS)))
        return
    mine = SUBJECTS[kind]
    part = value.get(mine)
    if part is None:
        out.append(errors.required(f"{at}.{mine}", f"{mine} is required when subject kind is '{kind}'"))
    else:
        _named(part, f"{at}.{mine}", out, account=kind == "ServiceAccount")
    for other, field in SUBJECTS.items():
        if other != kind and value.get(field) is not None:
            text = f"{field} is forbidden when subject kind is not '{other}'"
            out.append(errors.forbidden_field(f"{at}.{field}", text))


def _named(part: Obj, at: str, out: Errors, *, account: bool) -> None:
    """Check the name of a subject, for accounts with its namespace."""
    name = part.get("name") or ""
    if not name:
        out.append(errors.required(f"{at}.name"))
    elif account and name != ANY:
        formatted(formats.dns_subdomain, name, f"{at}.name", out)
    if account:
        namespace = part.get("namespace") or ""
        if namespace:
            formatted(formats.dns_label, namespace, f"{at}.namespace", out)
        else:
            out.append(errors.required(f"{at}.namespace", "must specify namespace for service account"))


def _listed(rule: Obj, name: str, at: str, missing: str, others: str, out: Errors) -> list[str]:
    """Check a list that must say something, and nothing beside ``*``."""
    values: list[str] = rule.get(name) or []
    if not values:
        out.append(errors.required(f"{at}.{name}", missing))
    elif ANY in values and len(values) > 1:
        text = f"if '*' is present, must not specify other {others}"
        out.append(errors.invalid(f"{at}.{name}", values, text))
    return values


def _verbs(rule: Obj, at: str, out: Errors) -> None:
    """Check the verbs of a rule."""
    values = _listed(rule, "verbs", at, "verbs must contain at least one value", "verbs", out)
    if values and ANY not in values and not set(values) <= set(VERBS):
        out.append(errors.not_supported(f"{at}.verbs", values, VERBS))


def _resources(rule: Obj, at: str, out: Errors) -> None:
    """Check a rule for resources."""
    _verbs(rule, at, out)
    _listed(rule, "apiGroups", at, "resource rules must supply at least one api group", "api groups", out)
    _listed(rule, "resources", at, "resource rules must supply at least one resource", "resources", out)
    namespaces = rule.get("namespaces") or []
    if not namespaces:
        if not rule.get("clusterScope"):
            text = "resource rules that are not cluster scoped must supply at least one namespace"
            out.append(errors.required(f"{at}.namespaces", text))
    elif ANY in namespaces:
        if len(namespaces) > 1:
            text = "if '*' is present, must not specify other namespaces"
            out.append(errors.invalid(f"{at}.namespaces", namespaces, text))
    else:
        for n, namespace in enumerate(namespaces):
            formatted(formats.dns_label, namespace, f"{at}.namespaces[{n}]", out)


def _paths(rule: Obj, at: str, out: Errors) -> None:
    """Check a rule for paths."""
    _verbs(rule, at, out)
    missing = "nonResourceURLs must contain at least one value"
    paths = _listed(rule, "nonResourceURLs", at, missing, "non-resource URLs", out)
    for n, path in enumerate(paths if ANY not in paths else ()):
        here = f"{at}.nonResourceURLs[{n}]"
        if not path:
            out.append(errors.invalid(here, path, "must not be empty"))
        elif path == "/":
            continue
        elif not path.startswith("/"):
            out.append(errors.invalid(here, path, "must start with slash"))
        elif " " in path:
            out.append(errors.invalid(here, path, "must not contain white-space"))
        elif "//" in path:
            out.append(errors.invalid(here, path, "must not contain double slash"))


def priority_level(obj: Obj, out: Errors) -> None:
    """Check a PriorityLevelConfiguration."""
    spec = obj.get("spec") or {}
    kind = spec.get("type") or ""
    if kind == "Exempt":
        if spec.get("limited") is not None:
            out.append(errors.forbidden_field("spec.limited", "must be nil if the type is Exempt"))
        if spec.get("exempt") is not None:
            _shares(spec["exempt"], "spec.exempt", out)
    elif kind == "Limited":
        if spec.get("exempt") is not None:
            out.append(errors.forbidden_field("spec.exempt", "must be nil if the type is Limited"))
        if spec.get("limited") is None:
            out.append(errors.required("spec.limited", "must not be empty when type is Limited"))
        else:
            _limited(spec["limited"], "spec.limited", out)
    else:
        out.append(errors.not_supported("spec.type", kind, ("Exempt", "Limited")))


def _shares(value: Obj, at: str, out: Errors) -> None:
    """Check the shares of a level that is not limited."""
    shares, lendable = value.get("nominalConcurrencyShares"), value.get("lendablePercent")
    if shares is not None and shares < 0:
        out.append(errors.invalid(f"{at}.nominalConcurrencyShares", shares, "must be a non-negative integer"))
    if lendable is not None and not 0 <= lendable <= 100:
        out.append(errors.invalid(f"{at}.lendablePercent", lendable, formats.in_range(0, 100)))


def _limited(value: Obj, at: str, out: Errors) -> None:
    """Check shares, queues and lending."""
    shares, borrowing = value.get("nominalConcurrencyShares"), value.get("borrowingLimitPercent")
    if shares is not None and shares < 0:
        out.append(errors.invalid(f"{at}.nominalConcurrencyShares", shares, "must be a non-negative integer"))
    _response(value.get("limitResponse") or {}, f"{at}.limitResponse", out)
    lendable = value.get("lendablePercent")
    if lendable is not None and not 0 <= lendable <= 100:
        out.append(errors.invalid(f"{at}.lendablePercent", lendable, formats.in_range(0, 100)))
    if borrowing is not None and borrowing < 0:
        text = "if specified, must be a non-negative integer"
        out.append(errors.invalid(f"{at}.borrowingLimitPercent", borrowing, text))


def _response(value: Obj, at: str, out: Errors) -> None:
    """Check what happens to requests beyond the limit."""
    kind, queuing = value.get("type") or "", value.get("queuing")
    if kind == "Reject":
        if queuing is not None:
            text = "must be nil if limited.limitResponse.type is not Limited"
            out.append(errors.forbidden_field(f"{at}.queuing", text))
    elif kind == "Queue":
        if queuing is None:
            text = "must not be empty if limited.limitResponse.type is Limited"
            out.append(errors.required(f"{at}.queuing", text))
        else:
            _queuing(queuing, f"{at}.queuing", out)
    else:
        out.append(errors.not_supported(f"{at}.type", kind, ("Queue", "Reject")))


def _queuing(value: Obj, at: str, out: Errors) -> None:
    """Check the sizes of queues."""
    length, hand, queues = (value.get(name) or 0 for name in ("queueLengthLimit", "handSize", "queues"))
    if length <= 0:
        out.append(errors.invalid(f"{at}.queueLengthLimit", length, "must be positive"))
    if queues <= 0:
        out.append(errors.invalid(f"{at}.queues", queues, "must be positive"))
    elif queues > MANY_QUEUES:
        out.append(errors.invalid(f"{at}.queues", queues, f"must not be greater than {MANY_QUEUES}"))
    if hand <= 0:
        out.append(errors.invalid(f"{at}.handSize", hand, "must be positive"))
    elif hand > queues:
        text = f"should not be greater than queues ({queues})"
        out.append(errors.invalid(f"{at}.handSize", hand, text))
