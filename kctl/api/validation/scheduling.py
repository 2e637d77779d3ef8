"""Validation of what steers scheduling: affinity, tolerations, spreading, gates.

In comes a part of a pod spec with its path; complaints are appended in the order of
validateAffinity, ValidateTolerations, validateTopologySpreadConstraints (core validation).
"""

from __future__ import annotations

import re

from kctl.api import errors
from kctl.api.objects import Obj
from kctl.api.validation import formats, meta
from kctl.api.validation.meta import Errors, formatted

EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
NEEDS_VALUES = "must be specified when `operator` is 'In' or 'NotIn'"
NO_VALUES = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"


def affinity(value: Obj, at: str, out: Errors) -> None:
    """Check node affinity, pod affinity and pod anti-affinity."""
    node = value.get("nodeAffinity")
    if node is not None:
        _node_affinity(node, f"{at}.nodeAffinity", out)
    for name in ("podAffinity", "podAntiAffinity"):
        terms = value.get(name)
        if terms is None:
            continue
        for n, term in enumerate(terms.get(REQUIRED) or ()):
            _pod_term(term, f"{at}.{name}.{REQUIRED}[{n}]", out)
        for n, weighted in enumerate(terms.get(PREFERRED) or ()):
            here = f"{at}.{name}.{PREFERRED}[{n}]"
            _weight(weighted, here, out)
            _pod_term(weighted.get("podAffinityTerm") or {}, f"{here}.podAffinityTerm", out)


def _weight(value: Obj, at: str, out: Errors) -> None:
    """Check the weight of a preference."""
    weight = value.get("weight") or 0
    if not 1 <= weight <= 100:
        out.append(errors.invalid(f"{at}.weight", weight, "must be in the range 1-100"))


def _node_affinity(value: Obj, at: str, out: Errors) -> None:
    """Check required and preferred node affinity."""
    required = value.get(REQUIRED)
    if required is not None:
        node_selector(required, f"{at}.{REQUIRED}", out)
    for n, term in enumerate(value.get(PREFERRED) or ()):
        here = f"{at}.{PREFERRED}[{n}]"
        _weight(term, here, out)
        node_selector_term(term.get("preference") or {}, f"{here}.preference", out)


def node_selector(value: Obj, at: str, out: Errors) -> None:
    """Check a node selector: one term at least, as ValidateNodeSelector."""
    terms = value.get("nodeSelectorTerms") or ()
    if not terms:
        out.append(errors.required(f"{at}.nodeSelectorTerms", "must have at least one node selector term"))
    for n, term in enumerate(terms):
        node_selector_term(term, f"{at}.nodeSelectorTerms[{n}]", out)


def node_selector_term(value: Obj, at: str, out: Errors) -> None:
    """Check one term of a node selector."""
    for n, row in enumerate(value.get("matchExpressions") or ()):
        _node_requirement(row, f"{at}.matchExpressions[{n}]", out)
    for n, row in enumerate(value.get("matchFields") or ()):
        _field_requirement(row, f"{at}.matchFields[{n}]", out)


def _node_requirement(row: Obj, at: str, out: Errors) -> None:
    """Check one expression over node labels, as ValidateNodeSelectorRequirement."""
    operator, values = row.get("operator") or "", row.get("values") or ()
    if operator in {"In", "NotIn"}:
        if not values:
            out.append(errors.required(f"{at}.values", NEEDS_VALUES))
    elif operator in {"Exists", "DoesNotExist"}:
        if values:
            out.append(errors.forbidden_field(f"{at}.values", NO_VALUES))
    elif operator in {"Gt", "Lt"}:
        if len(values) != 1:
            text = "must be specified single value when `operator` is 'Lt' or 'Gt'"
            out.append(errors.required(f"{at}.values", text))
    else:
        out.append(errors.invalid(f"{at}.operator", operator, "not a valid selector operator"))
    formatted(formats.qualified_name, row.get("key") or "", f"{at}.key", out)
    for n, text in enumerate(values):
        formatted(formats.label_value, text, f"{at}.values[{n}]", out)


def _field_requirement(row: Obj, at: str, out: Errors) -> None:
    """Check one expression over node fields: only metadata.name, and one value."""
    operator, values = row.get("operator") or "", row.get("values") or ()
    if operator in {"In", "NotIn"}:
        if len(values) != 1:
            text = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
            out.append(errors.required(f"{at}.values", text))
    else:
        out.append(errors.invalid(f"{at}.operator", operator, "not a valid selector operator"))
    key = row.get("key") or ""
    if key != "metadata.name":
        out.append(errors.invalid(f"{at}.key", key, "not a valid field selector key"))
        return
    for n, text in enumerate(values):
        formatted(formats.dns_subdomain, text, f"{at}.values[{n}]", out)


def _pod_term(term: Obj, at: str, out: Errors) -> None:
    """Check one term of pod (anti-)affinity, as validatePodAffinityTerm."""
    meta.selector(term.get("labelSelector"), f"{at}.labelSelector", out)
    meta.selector(term.get("namespaceSelector"), f"{at}.namespaceSelector", out)
    for name in term.get("namespaces") or ():
        formatted(formats.dns_label, name, f"{at}.namespace", out)
    match_label_keys(term, "matchLabelKeys", at, out)
    match_label_keys(term, "mismatchLabelKeys", at, out)
    key = term.get("topologyKey") or ""
    if not key:
        out.append(errors.required(f"{at}.topologyKey", "can not be empty"))
    formatted(formats.qualified_name, key, f"{at}.topologyKey", out)


def match_label_keys(term: Obj, name: str, at: str, out: Errors) -> None:
    """Check label keys that are looked up in the pod itself."""
    keys = term.get(name) or ()
    if not keys:
        return
    selector = term.get("labelSelector")
    if selector is None:
        text = "must not be specified when labelSelector is not set"
        out.append(errors.forbidden_field(f"{at}.{name}", text))
    for n, key in enumerate(keys):
        formatted(formats.qualified_name, key, f"{at}.{name}[{n}]", out)
        if key in ((selector or {}).get("matchLabels") or {}):
            text = "exists in both matchLabelKeys and labelSelector"
            out.append(errors.invalid(f"{at}.{name}[{n}]", key, text))


def tolerations(values: list[Obj], at: str, out: Errors, *, numeric: bool = False) -> None:
    """Check tolerations, as ValidateTolerations; ``numeric`` admits the operators Lt and Gt."""
    for n, value in enumerate(values):
        _toleration(value, f"{at}[{n}]", out, numeric=numeric)


def _toleration(value: Obj, at: str, out: Errors, *, numeric: bool) -> None:
    """Check one toleration."""
    key, operator, effect = value.get("key") or "", value.get("operator") or "", value.get("effect") or ""
    if key:
        formatted(formats.qualified_name, key, f"{at}.key", out)
    if not key and operator != "Exists":
        text = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
        out.append(errors.invalid(f"{at}.operator", operator, text))
    if value.get("tolerationSeconds") is not None and effect != "NoExecute":
        text = "effect must be 'NoExecute' when `tolerationSeconds` is set"
        out.append(errors.invalid(f"{at}.effect", effect, text))
    text = value.get("value") or ""
    if operator in {"Equal", ""}:
        if formats.label_value(text):
            out.append(errors.invalid(f"{at}.operator", text, ";".join(formats.label_value(text))))
    elif operator == "Exists":
        if text:
            out.append(errors.invalid(f"{at}.operator", text, "value must be empty when `operator` is 'Exists'"))
    elif operator in {"Lt", "Gt"} and numeric:
        if not re.fullmatch("-?[1-9][0-9]*|0", text):
            out.append(errors.invalid(f"{at}.value", text, "value must be a valid integer"))
    else:
        supported = ("Equal", "Exists") if operator not in {"Lt", "Gt"} else ("Equal", "Exists", "Lt", "Gt")
        out.append(errors.not_supported(f"{at}.operator", operator, supported))
    if effect and effect not in EFFECTS:
        out.append(errors.not_supported(f"{at}.effect", effect, EFFECTS))


def taints(values: list[Obj], at: str, out: Errors) -> None:
    """Check the taints of a Node: complete, and no two of the same key and effect."""
    seen: set[tuple[str, str]] = set()
    for n, value in enumerate(values):
        here = f"{at}[{n}]"
        key, effect = value.get("key") or "", value.get("effect") or ""
        formatted(formats.qualified_name, key, f"{here}.key", out)
        text = value.get("value") or ""
        if formats.label_value(text):
            out.append(errors.invalid(f"{here}.value", text, ";".join(formats.label_value(text))))
        if not effect:
            out.append(errors.required(f"{here}.effect"))
        elif effect not in EFFECTS:
            out.append(errors.not_supported(f"{here}.effect", effect, EFFECTS))
        if (key, effect) in seen:
            shown = {name: value[name] for name in ("key", "value", "effect", "timeAdded") if name in value}
            duplicate = errors.duplicate(here, shown)
            out.append(duplicate._replace(detail="taints must be unique by key and effect pair"))
        seen.add((key, effect))


def spread_constraints(values: list[Obj], at: str, out: Errors) -> None:
    """Check topology spread constraints, as validateTopologySpreadConstraints."""
    pairs = [f"{{{row.get('topologyKey') or ''}, {row.get('whenUnsatisfiable') or ''}}}" for row in values]
    for n, value in enumerate(values):
        here = f"{at}[{n}]"
        skew, when, key = (
            value.get("maxSkew") or 0,
            value.get("whenUnsatisfiable") or "",
            value.get("topologyKey") or "",
        )
        if skew <= 0:
            out.append(errors.invalid(f"{here}.maxSkew", skew, "must be greater than zero"))
        if not key:
            out.append(errors.required(f"{here}.topologyKey", "can not be empty"))
        else:
            formatted(formats.qualified_name, key, f"{here}.topologyKey", out)
        if when not in {"DoNotSchedule", "ScheduleAnyway"}:
            supported = ("DoNotSchedule", "ScheduleAnyway")
            out.append(errors.not_supported(f"{here}.whenUnsatisfiable", when, supported))
        for _ in range(pairs[n + 1 :].count(pairs[n])):  # upstream reports the earlier of two
            out.append(errors.duplicate(f"{here}.{{topologyKey, whenUnsatisfiable}}", pairs[n]))
        _min_domains(value, here, out)
        for name in ("nodeAffinityPolicy", "nodeTaintsPolicy"):
            policy = value.get(name)
            if policy is not None and policy not in {"Honor", "Ignore"}:
                out.append(errors.not_supported(f"{here}.{name}", policy, ("Honor", "Ignore")))
        match_label_keys(value, "matchLabelKeys", here, out)
        meta.selector(value.get("labelSelector"), f"{here}.labelSelector", out)


def _min_domains(value: Obj, at: str, out: Errors) -> None:
    """Check minDomains, which only a hard constraint may have."""
    domains = value.get("minDomains")
    if domains is None:
        return
    if domains <= 0:
        out.append(errors.invalid(f"{at}.minDomains", domains, "must be greater than zero"))
    if value.get("whenUnsatisfiable") != "DoNotSchedule":
        text = f"can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {value.get('whenUnsatisfiable', '')}"
        out.append(errors.invalid(f"{at}.minDomains", domains, text))


def gates(values: list[Obj], at: str, out: Errors) -> None:
    """Check scheduling gates: qualified names, each once."""
    seen: set[str] = set()
    for n, value in enumerate(values):
        name = value.get("name") or ""
        formatted(formats.qualified_name, name, f"{at}[{n}]", out)
        if name in seen:
            out.append(errors.duplicate(f"{at}[{n}]", name))
        seen.add(name)
