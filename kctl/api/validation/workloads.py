"""Validation of Deployments, ReplicaSets, DaemonSets, StatefulSets and ReplicationControllers.

In comes an object (and the old one); complaints are appended as pkg/apis/apps/validation orders them.
"""

from __future__ import annotations

from typing import Any

from kctl.api import errors
from kctl.api.objects import Obj
from kctl.api.validation import formats, internal, meta, pods, storage
from kctl.api.validation.meta import Errors

NO_MATCH = "`selector` does not match template `labels`"
NOT_IN_STATEFUL_SET = (
    "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
    "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
)
MUTABLE_IN_STATEFUL_SET = (
    "replicas",
    "template",
    "updateStrategy",
    "minReadySeconds",
    "ordinals",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
)


def not_negative(spec: Obj, name: str, at: str, out: Errors) -> None:
    """Check that a number is not below zero."""
    if (spec.get(name) or 0) < 0:
        out.append(errors.invalid(f"{at}.{name}", spec[name], formats.NEGATIVE))


def _selector(spec: Obj, kind: str, at: str, out: Errors) -> bool:
    """Check the selector of a workload; say whether it can be compared with the template."""
    selector = spec.get("selector")
    if selector is None:
        out.append(errors.required(f"{at}.selector"))
        return True
    meta.selector(selector, f"{at}.selector", out)
    if not selector.get("matchLabels") and not selector.get("matchExpressions"):
        out.append(errors.invalid(f"{at}.selector", {}, f"empty selector is invalid for {kind}"))
    if meta.selector_error(selector):
        detail = "" if kind == "statefulset" else "invalid label selector"
        out.append(errors.invalid(f"{at}.selector", meta.shown_selector(selector), detail))
        return False
    return True


def matches(selector: Obj | None, labels: Obj) -> bool:
    """Say whether a valid selector matches labels; no selector matches nothing."""
    if selector is None:
        return False
    for key, value in (selector.get("matchLabels") or {}).items():
        if labels.get(key) != value:
            return False
    for row in selector.get("matchExpressions") or ():
        present, values = row["key"] in labels, row.get("values") or ()
        held = {
            "In": present and labels.get(row["key"]) in values,
            "NotIn": not present or labels.get(row["key"]) not in values,
            "Exists": present,
            "DoesNotExist": not present,
        }[row["operator"]]
        if not held:
            return False
    return True


def _labels_match(selector: Obj | None, template: Obj, at: str, out: Errors) -> None:
    """Check that the template carries the labels the selector asks for."""
    labels = (template.get("metadata") or {}).get("labels")
    if not matches(selector, labels or {}):
        shown = dict(sorted(labels.items())) if labels else labels
        out.append(errors.invalid(f"{at}.metadata.labels", shown, NO_MATCH))


def template(spec: Obj, selector: Obj | None, kind: str, at: str, out: Errors) -> None:
    """Check the template of pods that are replaced when they end."""
    value = spec.get("template") or {}
    here = f"{at}.template"
    _labels_match(selector, value, here, out)
    pods.template(value, here, out)
    always(value, kind, here, out)


def always(value: Obj, kind: str, at: str, out: Errors) -> None:
    """Check that pods restart always and never end."""
    pod = value.get("spec") or {}
    if pod.get("restartPolicy") != "Always":
        out.append(errors.not_supported(f"{at}.spec.restartPolicy", pod.get("restartPolicy") or "", ("Always",)))
    if pod.get("activeDeadlineSeconds") is not None:
        text = f"activeDeadlineSeconds in {kind} is not Supported"
        out.append(errors.forbidden_field(f"{at}.spec.activeDeadlineSeconds", text))


def deployment(obj: Obj, out: Errors) -> None:
    """Check a Deployment."""
    spec, at = obj.get("spec") or {}, "spec"
    not_negative(spec, "replicas", at, out)
    if _selector(spec, "deployment", at, out):
        template(spec, spec.get("selector"), "ReplicaSet", at, out)
    _deployment_strategy(spec.get("strategy") or {}, f"{at}.strategy", out)
    not_negative(spec, "minReadySeconds", at, out)
    not_negative(spec, "revisionHistoryLimit", at, out)
    deadline = spec.get("progressDeadlineSeconds")
    if deadline is not None:
        not_negative(spec, "progressDeadlineSeconds", at, out)
        if deadline <= (spec.get("minReadySeconds") or 0):
            text = "must be greater than minReadySeconds"
            out.append(errors.invalid(f"{at}.progressDeadlineSeconds", deadline, text))


def deployment_update(new: Obj, old: Obj, out: Errors) -> None:
    """Check a changed Deployment."""
    deployment(new, out)
    _same_selector(new, old, out)


def _same_selector(new: Obj, old: Obj, out: Errors) -> None:
    """Check that the selector stays as it was."""
    after, before = (new.get("spec") or {}).get("selector"), (old.get("spec") or {}).get("selector")
    if meta.shown_selector(after) != meta.shown_selector(before):
        out.append(errors.invalid("spec.selector", meta.shown_selector(after), formats.IMMUTABLE))


def _deployment_strategy(value: Obj, at: str, out: Errors) -> None:
    """Check how a Deployment replaces its pods."""
    kind, rolling = value.get("type") or "", value.get("rollingUpdate")
    if kind == "Recreate":
        if rolling is not None:
            text = "may not be specified when strategy `type` is 'Recreate'"
            out.append(errors.forbidden_field(f"{at}.rollingUpdate", text))
    elif kind == "RollingUpdate":
        _rolling(rolling or {}, f"{at}.rollingUpdate", out)
    else:
        shown = internal.shown("DeploymentStrategy", value)
        out.append(errors.not_supported(at, shown, ("Recreate", "RollingUpdate")))


def _rolling(value: Obj, at: str, out: Errors) -> None:
    """Check the bounds of a rolling update."""
    missing, surge = value.get("maxUnavailable", 0), value.get("maxSurge", 0)
    int_or_percent(missing, f"{at}.maxUnavailable", out)
    int_or_percent(surge, f"{at}.maxSurge", out)
    if number(missing) == 0 and number(surge) == 0:
        out.append(errors.invalid(f"{at}.maxUnavailable", missing, "may not be 0 when `maxSurge` is 0"))
    at_most_all(missing, f"{at}.maxUnavailable", out)


def int_or_percent(value: Any, at: str, out: Errors) -> None:
    """Check a number or percentage that is not negative, as ValidatePositiveIntOrPercent."""
    if isinstance(value, str):
        for text in formats.percent(value):
            out.append(errors.invalid(at, value, text))
    elif value < 0:
        out.append(errors.invalid(at, value, formats.NEGATIVE))


def at_most_all(value: Any, at: str, out: Errors) -> None:
    """Check that a percentage is not above 100, as IsNotMoreThan100Percent."""
    if isinstance(value, str) and not formats.percent(value) and int(value[:-1]) > 100:
        out.append(errors.invalid(at, value, "must not be greater than 100%"))


def number(value: Any) -> int:
    """Return the number of an int-or-percent; of any other text what strconv.Atoi makes of it."""
    if not isinstance(value, str):
        return int(value)
    text = value[:-1] if not formats.percent(value) else value
    digits = text[1:] if text[:1] in {"+", "-"} else text
    return int(text) if digits.isascii() and digits.isdigit() else 0


def replica_set(obj: Obj, out: Errors) -> None:
    """Check a ReplicaSet."""
    spec, at = obj.get("spec") or {}, "spec"
    not_negative(spec, "replicas", at, out)
    not_negative(spec, "minReadySeconds", at, out)
    if _selector(spec, "deployment", at, out):
        template(spec, spec.get("selector"), "ReplicaSet", at, out)


def replica_set_update(new: Obj, old: Obj, out: Errors) -> None:
    """Check a changed ReplicaSet."""
    replica_set(new, out)
    _same_selector(new, old, out)


def replication_controller(obj: Obj, out: Errors) -> None:
    """Check a ReplicationController, whose selector is a plain map."""
    spec, at = obj.get("spec") or {}, "spec"
    not_negative(spec, "minReadySeconds", at, out)
    if not spec.get("selector"):
        out.append(errors.required(f"{at}.selector"))
    not_negative(spec, "replicas", at, out)
    value = spec.get("template")
    if value is None:
        out.append(errors.required(f"{at}.template"))
        return
    if spec.get("selector"):
        _labels_match({"matchLabels": spec["selector"]}, value, f"{at}.template", out)
    pods.template(value, f"{at}.template", out)
    always(value, "ReplicationController", f"{at}.template", out)


def replication_controller_update(new: Obj, old: Obj, out: Errors) -> None:
    """Check a changed ReplicationController."""
    replication_controller(new, out)


def daemon_set(obj: Obj, out: Errors) -> None:
    """Check a DaemonSet."""
    spec, at = obj.get("spec") or {}, "spec"
    selector, value = spec.get("selector"), spec.get("template") or {}
    meta.selector(selector, f"{at}.selector", out)
    if selector is None or not meta.selector_error(selector):
        _labels_match(selector, value, f"{at}.template", out)
    if selector is not None and not selector.get("matchLabels") and not selector.get("matchExpressions"):
        out.append(errors.invalid(f"{at}.selector", {}, "empty selector is invalid for daemonset"))
    pods.template(value, f"{at}.template", out)
    always(value, "DaemonSet", f"{at}.template", out)
    not_negative(spec, "minReadySeconds", at, out)
    strategy = spec.get("updateStrategy") or {}
    if strategy.get("type") == "RollingUpdate":
        _daemon_rolling(strategy.get("rollingUpdate"), f"{at}.updateStrategy.rollingUpdate", out)
    elif strategy.get("type") != "OnDelete":
        shown = internal.shown("DaemonSetUpdateStrategy", strategy)
        out.append(errors.not_supported(f"{at}.updateStrategy", shown, ("RollingUpdate", "OnDelete")))
    not_negative(spec, "revisionHistoryLimit", at, out)


def _daemon_rolling(value: Obj | None, at: str, out: Errors) -> None:
    """Check the bounds of a DaemonSet's rolling update: one of them, not both."""
    if value is None:
        out.append(errors.required(at))
        return
    missing, surge = value.get("maxUnavailable", 0), value.get("maxSurge", 0)
    int_or_percent(missing, f"{at}.maxUnavailable", out)
    int_or_percent(surge, f"{at}.maxSurge", out)
    at_most_all(missing, f"{at}.maxUnavailable", out)
    at_most_all(surge, f"{at}.maxSurge", out)
    if number(missing) != 0 and number(surge) != 0:
        text = "may not be set when maxUnavailable is non-zero"
        out.append(errors.invalid(f"{at}.maxSurge", surge, text))
    if number(missing) == 0 and number(surge) == 0:
        out.append(errors.required(f"{at}.maxUnavailable", "cannot be 0 when maxSurge is 0"))


def daemon_set_update(new: Obj, old: Obj, out: Errors) -> None:
    """Check a changed DaemonSet: its selector first."""
    _same_selector(new, old, out)
    daemon_set(new, out)


def stateful_set(obj: Obj, out: Errors) -> None:
    """Check a StatefulSet."""
    spec, at = obj.get("spec") or {}, "spec"
    policy = spec.get("podManagementPolicy") or ""
    if not policy:
        out.append(errors.required(f"{at}.podManagementPolicy"))
    elif policy not in {"OrderedReady", "Parallel"}:
        text = "must be 'OrderedReady' or 'Parallel'"
        out.append(errors.invalid(f"{at}.podManagementPolicy", policy, text))
    _stateful_strategy(spec.get("updateStrategy") or {}, f"{at}.updateStrategy", out)
    retention = spec.get("persistentVolumeClaimRetentionPolicy")
    for name in ("whenDeleted", "whenScaled"):
        choice = (retention or {}).get(name)
        if choice is not None and choice not in {"Retain", "Delete"}:
            here = f"{at}.persistentVolumeClaimRetentionPolicy.{name}"
            out.append(errors.not_supported(here, choice, ("Retain", "Delete")))
    not_negative(spec, "replicas", at, out)
    not_negative(spec, "minReadySeconds", at, out)
    if spec.get("ordinals"):
        not_negative(spec["ordinals"], "start", f"{at}.ordinals", out)
    not_negative(spec, "revisionHistoryLimit", at, out)
    if spec.get("serviceName"):
        meta.formatted(formats.dns_label, spec["serviceName"], f"{at}.serviceName", out)
    if _selector(spec, "statefulset", at, out):
        value = spec.get("template") or {}
        _labels_match(spec.get("selector"), value, f"{at}.template", out)
        pods.template(_with_claims(value, spec.get("volumeClaimTemplates") or []), f"{at}.template", out)
        pods.template_metadata(value, f"{at}.template", out)
    pod = (spec.get("template") or {}).get("spec") or {}
    if pod.get("restartPolicy") != "Always":
        here = f"{at}.template.spec.restartPolicy"
        out.append(errors.not_supported(here, pod.get("restartPolicy") or "", ("Always",)))
    if pod.get("activeDeadlineSeconds") is not None:
        text = "activeDeadlineSeconds in StatefulSet is not Supported"
        out.append(errors.forbidden_field(f"{at}.template.spec.activeDeadlineSeconds", text))
    for n, row in enumerate(spec.get("volumeClaimTemplates") or ()):
        storage.claim_spec(row.get("spec") or {}, f"{at}.volumeClaimTemplates[{n}].spec", out)


def _with_claims(template: Obj, claims: list[Obj]) -> Obj:
    """Return the template with a volume in front for every claim, as the controller makes its pods."""
    if not claims:
        return template
    names = [(row.get("metadata") or {}).get("name") or "" for row in claims]
    spec = template.get("spec") or {}
    made = [{"name": name, "persistentVolumeClaim": {"claimName": name}} for name in names]
    own = [row for row in spec.get("volumes") or () if row.get("name") not in names]
    return {**template, "spec": {**spec, "volumes": [*made, *own]}}


def _stateful_strategy(value: Obj, at: str, out: Errors) -> None:
    """Check how a StatefulSet replaces its pods."""
    kind, rolling = value.get("type") or "", value.get("rollingUpdate")
    if not kind:
        out.append(errors.required(at))
    elif kind == "OnDelete":
        if rolling is not None:
            shown = internal.shown("StatefulSetRollingUpdate", rolling)
            text = "only allowed for updateStrategy 'RollingUpdate'"
            out.append(errors.invalid(f"{at}.rollingUpdate", shown, text))
    elif kind == "RollingUpdate":
        if rolling is not None:
            not_negative(rolling, "partition", f"{at}.rollingUpdate", out)
            if rolling.get("maxUnavailable") is not None:
                int_or_percent(rolling["maxUnavailable"], f"{at}.rollingUpdate.maxUnavailable", out)
    else:
        shown = internal.shown("StatefulSetUpdateStrategy", value)
        out.append(errors.invalid(at, shown, "must be 'RollingUpdate' or 'OnDelete'"))


def stateful_set_update(new: Obj, old: Obj, out: Errors) -> None:
    """Check a changed StatefulSet: most of its spec may not change."""
    stateful_set(new, out)
    after, before = dict(new.get("spec") or {}), dict(old.get("spec") or {})
    for name in MUTABLE_IN_STATEFUL_SET:
        after.pop(name, None)
        before.pop(name, None)
    if after != before:
        out.append(errors.forbidden_field("spec", NOT_IN_STATEFUL_SET))


DEPLOYMENT_COUNTS = (
    "observedGeneration",
    "replicas",
    "updatedReplicas",
    "terminatingReplicas",
    "readyReplicas",
    "availableReplicas",
    "unavailableReplicas",
)
REPLICA_SET_COUNTS = (
    "replicas",
    "fullyLabeledReplicas",
    "readyReplicas",
    "availableReplicas",
    "terminatingReplicas",
    "observedGeneration",
)


def deployment_status(new: Obj, old: Obj, out: Errors) -> None:
    """Check a changed status of a Deployment."""
    _counts(new, DEPLOYMENT_COUNTS, ("updatedReplicas", "readyReplicas", "availableReplicas"), out)


def replica_set_status(new: Obj, old: Obj, out: Errors) -> None:
    """Check a changed status of a ReplicaSet."""
    _counts(new, REPLICA_SET_COUNTS, ("fullyLabeledReplicas", "readyReplicas", "availableReplicas"), out)


def _counts(obj: Obj, names: tuple[str, ...], parts: tuple[str, ...], out: Errors) -> None:
    """Check that no count is negative and no part is above the whole."""
    status = obj.get("status") or {}
    for name in names:
        not_negative(status, name, "status", out)
    for name in parts:
        if (status.get(name) or 0) > (status.get("replicas") or 0):
            out.append(
                errors.invalid(f"status.{name}", status.get(name) or 0, "cannot be greater than status.replicas")
            )
    if (status.get("availableReplicas") or 0) > (status.get("readyReplicas") or 0):
        text = "cannot be greater than readyReplicas"
        out.append(errors.invalid("status.availableReplicas", status.get("availableReplicas") or 0, text))
