"""Validation of a Job's policies: what failed pods mean, and when it has succeeded.

In comes the Job's spec; complaints are appended in the order of validatePodFailurePolicy and
validateSuccessPolicy (pkg/apis/batch/validation).
"""

from __future__ import annotations

from kctl.api import errors
from kctl.api.objects import Obj
from kctl.api.validation import formats
from kctl.api.validation.meta import Errors, formatted

ACTIONS = ("Count", "FailIndex", "FailJob", "Ignore")
OPERATORS = ("In", "NotIn")
STATUSES = ("False", "True", "Unknown")
MAX_RULES, MAX_CODES, MAX_CONDITIONS = 20, 255, 20
MAX_INDEXES = 64 * 1024


def _choice(value: str, choices: tuple[str, ...], at: str, out: Errors) -> None:
    """Check one of a few words, which must be given."""
    if not value:
        listed = " ".join(f'"{choice}"' for choice in choices)
        out.append(errors.required(at, f"valid values: [{listed}]"))
    elif value not in choices:
        out.append(errors.not_supported(at, value, choices))


def failure(spec: Obj, at: str, out: Errors) -> None:
    """Check the policy for failed pods."""
    rules = spec["podFailurePolicy"].get("rules") or []
    if len(rules) > MAX_RULES:
        out.append(errors.too_many(f"{at}.rules", len(rules), MAX_RULES))
    pod = (spec.get("template") or {}).get("spec") or {}
    names = {c.get("name") or "" for part in ("containers", "initContainers") for c in pod.get(part) or ()}
    for n, rule in enumerate(rules):
        _failure_rule(spec, rule, names, f"{at}.rules[{n}]", out)


def _failure_rule(spec: Obj, rule: Obj, names: set[str], at: str, out: Errors) -> None:
    """Check one rule: an action, and either exit codes or conditions."""
    action = rule.get("action") or ""
    if action == "FailIndex":
        if spec.get("backoffLimitPerIndex") is None:
            text = "requires the backoffLimitPerIndex to be set"
            out.append(errors.invalid(f"{at}.action", action, text))
    else:
        _choice(action, ACTIONS, f"{at}.action", out)
    codes, conditions = rule.get("onExitCodes"), rule.get("onPodConditions") or []
    if codes is not None:
        _exit_codes(codes, names, f"{at}.onExitCodes", out)
    if len(conditions) > MAX_CONDITIONS:
        out.append(errors.too_many(f"{at}.onPodConditions", len(conditions), MAX_CONDITIONS))
    for n, condition in enumerate(conditions):
        here = f"{at}.onPodConditions[{n}]"
        formatted(formats.qualified_name_plain, condition.get("type") or "", f"{here}.type", out)
        _choice(condition.get("status") or "", STATUSES, f"{here}.status", out)
    if codes is not None and conditions:
        text = "specifying both OnExitCodes and OnPodConditions is not supported"
        out.append(errors.invalid(at, errors.OMITTED, text))
    if codes is None and not conditions:
        text = "specifying one of OnExitCodes and OnPodConditions is required"
        out.append(errors.invalid(at, errors.OMITTED, text))


def _exit_codes(codes: Obj, names: set[str], at: str, out: Errors) -> None:
    """Check exit codes: ordered, each once, and not success."""
    operator, values = codes.get("operator") or "", codes.get("values") or []
    _choice(operator, OPERATORS, f"{at}.operator", out)
    name = codes.get("containerName")
    if name is not None and name not in names:
        text = "must be one of the container or initContainer names in the pod template"
        out.append(errors.invalid(f"{at}.containerName", name, text))
    if not values:
        out.append(errors.invalid(f"{at}.values", codes.get("values"), "at least one value is required"))
    elif len(values) > MAX_CODES:
        out.append(errors.too_many(f"{at}.values", len(values), MAX_CODES))
    for n, code in enumerate(values):
        if operator == "In" and code == 0:
            out.append(errors.invalid(f"{at}.values[{n}]", code, "must not be 0 for the In operator"))
        if code in values[:n]:
            out.append(errors.duplicate(f"{at}.values[{n}]", code))
    if values != sorted(values):
        out.append(errors.invalid(f"{at}.values", values, "must be ordered"))


def success(spec: Obj, at: str, out: Errors) -> None:
    """Check when an indexed Job has succeeded."""
    rules = spec["successPolicy"].get("rules") or []
    if not rules:
        text = "at least one rules must be specified when the successPolicy is specified"
        out.append(errors.required(f"{at}.rules", text))
    if len(rules) > MAX_RULES:
        out.append(errors.too_many(f"{at}.rules", len(rules), MAX_RULES))
    for n, rule in enumerate(rules):
        _success_rule(rule, spec.get("completions") or 0, f"{at}.rules[{n}]", out)


def _success_rule(rule: Obj, completions: int, at: str, out: Errors) -> None:
    """Check one rule: a count, indexes, or both."""
    count, indexes = rule.get("succeededCount"), rule.get("succeededIndexes")
    if count is None and indexes is None:
        text = "at least one of succeededCount or succeededIndexes must be specified"
        out.append(errors.required(at, text))
    total = 0
    if indexes is not None:
        if len(indexes) > MAX_INDEXES:
            out.append(errors.too_long(f"{at}.succeededIndexes", "", MAX_INDEXES))
        try:
            total = count_indexes(indexes, completions)
        except ValueError as why:
            text = f"error parsing succeededIndexes: {why}"
            out.append(errors.invalid(f"{at}.succeededIndexes", indexes, text))
    if count is None:
        return
    here = f"{at}.succeededCount"
    if count < 0:
        out.append(errors.invalid(here, count, formats.NEGATIVE))
    if count > completions:
        text = f"must be less than or equal to {completions} (the number of specified completions)"
        out.append(errors.invalid(here, count, text))
    if indexes is not None and count > total:
        text = f"must be less than or equal to {total} (the number of indexes in the specified succeededIndexes field)"
        out.append(errors.invalid(here, count, text))


def count_indexes(text: str, completions: int) -> int:
    """Return how many indexes ``0,3-5`` names; ValueError when it names none properly."""
    total, last = 0, -1
    for interval in text.split(",") if text else ():
        parts = interval.split("-")
        if len(parts) > 2:
            raise ValueError(
                f'the fraction "{interval}" violates the requirement that an index interval can have at most two '
                "parts separated by '-'"
            )
        first = last
        for n, part in enumerate(parts):
            number = _index(part, completions)
            if last >= number:
                raise ValueError(f"non-increasing order, previous: {last}, current: {number}")
            total += 1 if n == 0 else number - first
            first = last = number
    return total


def _index(text: str, completions: int) -> int:
    """Read one index below the number of completions."""
    if not (text.isascii() and text.removeprefix("+").isdigit()):
        raise ValueError(f'cannot convert string to integer for index: "{text}"')
    if int(text) >= completions:
        raise ValueError(f'too large index: "{text}"')
    return int(text)
