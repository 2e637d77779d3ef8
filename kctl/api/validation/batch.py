"""Validation of Jobs and CronJobs.

In comes an object (and the old one); complaints are appended as pkg/apis/batch/validation orders
them. Policies for failed pods and for success are in :mod:`kctl.api.validation.job_policies`.
"""

from __future__ import annotations

from typing import Any

from kctl.api import errors
from kctl.api.objects import Obj, dig
from kctl.api.validation import cron, formats, internal, job_policies, meta, pods
from kctl.api.validation.meta import Errors
from kctl.api.validation.workloads import matches, not_negative

MODES = ("NonIndexed", "Indexed")
INDEXED = "requires indexed completion mode"
MANY, MANY_WITH_LIMIT = 100000, 10000
OWN_LABELS = ("controller-uid", "job-name", "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name")
CONCURRENCY = ("Allow", "Forbid", "Replace")
CRON_NAME = 52
"""A Job of a CronJob has eleven characters more."""
SCHEDULING = ("nodeSelector", "tolerations", "schedulingGates")


def job(obj: Obj, out: Errors) -> None:
    """Check a Job."""
    _job(obj, OWN_LABELS, out)


def job_anew(new: Obj, old: Obj, out: Errors) -> None:
    """Check a changed Job as a whole: the labels with a domain only where it had them, as older Jobs have not."""
    labels = dig(old, "spec", "template", "metadata", "labels", default={})
    has_both = all(key in labels for key in OWN_LABELS[2:])
    _job(new, OWN_LABELS if has_both else OWN_LABELS[:2], out)


def _job(obj: Obj, own: tuple[str, ...], out: Errors) -> None:
    spec, name = obj.get("spec") or {}, obj["metadata"].get("name") or ""
    _generated_selector(obj, spec, own, out)
    job_spec_and_selector(spec, "spec", out)
    completions = spec.get("completions") or 0
    if spec.get("completionMode") == "Indexed" and completions > 0:
        last = f"{name}-{completions - 1}"
        if formats.dns_label(last):
            text = f"will not able to create pod with invalid DNS label: {last}"
            out.append(errors.invalid("metadata.name", name, text))


def _generated_selector(obj: Obj, spec: Obj, own: tuple[str, ...], out: Errors) -> None:
    """Check that the selector is the Job's own, unless it is declared to be the user's."""
    selector = spec.get("selector")
    if spec.get("manualSelector") or selector is None:
        return
    uid, name = obj["metadata"].get("uid") or "", obj["metadata"].get("name") or ""
    if not uid:
        out.append(errors.required("metadata.uid"))
    expected = dict(zip(own, (uid, name, uid, name), strict=False))
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
    for key, value in expected.items():
        here = f"spec.template.metadata.labels[{key}]"
        if key not in labels:
            out.append(errors.required(here, f"must be '{value}'"))
        elif labels[key] != value:
            out.append(errors.invalid(here, dict(sorted(labels.items())), f"must be '{value}'"))
    if not meta.selector_error(selector) and not matches(selector, expected):
        text = "`selector` not auto-generated"
        out.append(errors.invalid("spec.selector", meta.shown_selector(selector), text))


def job_spec_and_selector(spec: Obj, at: str, out: Errors) -> None:
    """Check a Job's spec and that its selector finds its pods."""
    job_spec(spec, at, out)
    selector = spec.get("selector")
    if selector is None:
        out.append(errors.required(f"{at}.selector"))
    else:
        meta.selector(selector, f"{at}.selector", out)
    if selector is None or not meta.selector_error(selector):
        labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels")
        if not matches(selector, labels or {}):
            text = "`selector` does not match template `labels`"
            shown = dict(sorted(labels.items())) if labels else labels
            out.append(errors.invalid(f"{at}.template.metadata.labels", shown, text))


def job_spec(spec: Obj, at: str, out: Errors) -> None:
    """Check a Job's spec, its selector apart."""
    for name in ("parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished"):
        not_negative(spec, name, at, out)
    not_negative(spec, "backoffLimitPerIndex", at, out)
    if spec.get("maxFailedIndexes") is not None:
        not_negative(spec, "maxFailedIndexes", at, out)
        if spec.get("backoffLimitPerIndex") is None:
            out.append(errors.required(f"{at}.backoffLimitPerIndex", "when maxFailedIndexes is specified"))
    if spec.get("managedBy") is not None:
        meta.domain_prefixed(spec["managedBy"], f"{at}.managedBy", out)
        if len(spec["managedBy"]) > 63:
            out.append(errors.too_long(f"{at}.managedBy", "", 63))
    _completion_mode(spec, at, out)
    if spec.get("podFailurePolicy") is not None:
        job_policies.failure(spec, f"{at}.podFailurePolicy", out)
    success = spec.get("successPolicy")
    if success is not None:
        if spec.get("completionMode") != "Indexed":
            shown = internal.shown("SuccessPolicy", success)
            out.append(errors.invalid(f"{at}.successPolicy", shown, INDEXED))
        else:
            job_policies.success(spec, f"{at}.successPolicy", out)
    _replacement(spec, f"{at}.podReplacementPolicy", out)
    pods.template(spec.get("template") or {}, f"{at}.template", out)
    _restart(spec, f"{at}.template.spec.restartPolicy", out)


def _completion_mode(spec: Obj, at: str, out: Errors) -> None:
    """Check how completions are counted, and what counting by index asks for."""
    mode = spec.get("completionMode")
    if mode is None:
        return
    if mode not in MODES:
        out.append(errors.not_supported(f"{at}.completionMode", mode, MODES))
    if mode == "Indexed":
        _indexed(spec, at, out)
    if mode == "NonIndexed":
        for name in ("backoffLimitPerIndex", "maxFailedIndexes"):
            if spec.get(name) is not None:
                out.append(errors.invalid(f"{at}.{name}", spec[name], INDEXED))


def _indexed(spec: Obj, at: str, out: Errors) -> None:
    """Check the numbers of an indexed Job against each other."""
    completions, parallelism, failed = (spec.get(n) for n in ("completions", "parallelism", "maxFailedIndexes"))
    if completions is None:
        out.append(errors.required(f"{at}.completions", "when completion mode is Indexed"))
    if parallelism is not None and parallelism > MANY:
        text = f"must be less than or equal to {MANY} when completion mode is Indexed"
        out.append(errors.invalid(f"{at}.parallelism", parallelism, text))
    if completions is not None and failed is not None and failed > completions:
        out.append(errors.invalid(f"{at}.maxFailedIndexes", failed, "must be less than or equal to completions"))
    if failed is not None and failed > MANY:
        out.append(errors.invalid(f"{at}.maxFailedIndexes", failed, f"must be less than or equal to {MANY}"))
    if completions is None or completions <= MANY or spec.get("backoffLimitPerIndex") is None:
        return
    if failed is None:
        text = f"must be specified when completions is above {MANY}"
        out.append(errors.required(f"{at}.maxFailedIndexes", text))
    for name, value in (("parallelism", parallelism), ("maxFailedIndexes", failed)):
        if value is not None and value > MANY_WITH_LIMIT:
            text = (
                f"must be less than or equal to {MANY_WITH_LIMIT} when completions are above {MANY} and used with "
                "backoff limit per index"
            )
            out.append(errors.invalid(f"{at}.{name}", value, text))


def _replacement(spec: Obj, at: str, out: Errors) -> None:
    """Check when failed pods are replaced."""
    policy = spec.get("podReplacementPolicy")
    if policy is None:
        return
    allowed = ("Failed",) if spec.get("podFailurePolicy") is not None else ("Failed", "TerminatingOrFailed")
    if policy not in allowed:
        out.append(errors.not_supported(at, policy, allowed))


def _restart(spec: Obj, at: str, out: Errors) -> None:
    """Check that pods end."""
    policy = ((spec.get("template") or {}).get("spec") or {}).get("restartPolicy") or ""
    if policy in {"", "Always"}:
        out.append(errors.required(at, 'valid values: "OnFailure", "Never"'))
    elif policy not in {"OnFailure", "Never"}:
        out.append(errors.not_supported(at, policy, ("OnFailure", "Never")))
    elif spec.get("podFailurePolicy") is not None and policy != "Never":
        text = 'only "Never" is supported when podFailurePolicy is specified'
        out.append(errors.invalid(at, policy, text))


def job_update(new: Obj, old: Obj, out: Errors) -> None:
    """Check a changed Job, which was checked as a whole before: most of its spec stays."""
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    job_spec_and_selector(spec, "spec", out)
    _completions(spec, before, out)
    _immutable(spec, before, "selector", meta.shown_selector, out)
    _template(spec, before, old, out)
    _immutable(spec, before, "completionMode", None, out)
    _immutable(spec, before, "podFailurePolicy", lambda value: internal.shown("PodFailurePolicy", value), out)
    _immutable(spec, before, "backoffLimitPerIndex", None, out)
    _immutable(spec, before, "managedBy", None, out)
    _immutable(spec, before, "successPolicy", lambda value: internal.shown("SuccessPolicy", value), out)


def _immutable(spec: Obj, before: Obj, name: str, shown: Any, out: Errors) -> None:
    """Check that a field stays as it was."""
    value, earlier = spec.get(name), before.get(name)
    if value != earlier:
        out.append(errors.invalid(f"spec.{name}", shown(value) if shown else value, formats.IMMUTABLE))


def _completions(spec: Obj, before: Obj, out: Errors) -> None:
    """Check that completions stay, or change with the parallelism of an indexed Job."""
    if spec.get("completionMode") != "Indexed":
        _immutable(spec, before, "completions", None, out)
        return
    new = spec.get("completions")
    if new is not None and new != before.get("completions") and new != spec.get("parallelism"):
        text = "can only be modified in tandem with spec.parallelism"
        out.append(errors.invalid("spec.completions", new, text))


def _template(spec: Obj, before: Obj, old: Obj, out: Errors) -> None:
    """Check that the template stays; a Job suspended before it began may be scheduled elsewhere."""
    value, earlier = spec.get("template") or {}, before.get("template") or {}
    if before.get("suspend") and not (old.get("status") or {}).get("startTime"):
        pod = value.get("spec") or {}
        if pod != _with_directives(earlier.get("spec") or {}, pod):
            out.append(errors.invalid("spec.template.spec", internal.shown("PodSpec", pod), formats.IMMUTABLE))
    elif value != earlier:
        out.append(errors.invalid("spec.template", internal.shown_template(value), formats.IMMUTABLE))


def _with_directives(spec: Obj, other: Obj) -> Obj:
    """Return the pod spec with what decides where pods go, and what they get, as in ``other``."""
    out = dict(spec)
    for name in SCHEDULING:
        out.pop(name, None)
        if name in other:
            out[name] = other[name]
    affinity = {k: v for k, v in (spec.get("affinity") or {}).items() if k != "nodeAffinity"}
    node = (other.get("affinity") or {}).get("nodeAffinity")
    if node is not None:
        affinity["nodeAffinity"] = node
    if affinity or other.get("affinity") is not None:
        out["affinity"] = affinity
    for name in ("containers", "initContainers"):
        ours, new = spec.get(name) or [], other.get(name) or []
        if ours and len(ours) == len(new):
            out[name] = [{**a, "resources": b.get("resources") or {}} for a, b in zip(ours, new, strict=True)]
    return out


def job_status(new: Obj, old: Obj, out: Errors) -> None:
    """Check a changed status of a Job: no negative counts."""
    status = new.get("status") or {}
    for name in ("active", "succeeded", "failed", "ready", "terminating"):
        not_negative(status, name, "status", out)


def cron_job(obj: Obj, out: Errors) -> None:
    """Check a new CronJob."""
    _cron_spec(obj.get("spec") or {}, None, out)
    name = obj["metadata"].get("name") or ""
    if formats.size(name) > CRON_NAME:
        out.append(errors.invalid("metadata.name", name, f"must be no more than {CRON_NAME} characters"))


def cron_job_update(new: Obj, old: Obj, out: Errors) -> None:
    """Check a changed CronJob; a long name is too late to complain about."""
    _cron_spec(new.get("spec") or {}, old.get("spec") or {}, out)


def _cron_spec(spec: Obj, before: Obj | None, out: Errors) -> None:
    schedule = spec.get("schedule") or ""
    if not schedule:
        out.append(errors.required("spec.schedule"))
    else:
        _schedule(schedule, spec, before, out)
    not_negative(spec, "startingDeadlineSeconds", "spec", out)
    if before is None or before.get("timeZone") != spec.get("timeZone"):
        _time_zone(spec.get("timeZone"), out)
    policy = spec.get("concurrencyPolicy") or ""
    if not policy:
        out.append(errors.required("spec.concurrencyPolicy"))
    elif policy not in CONCURRENCY:
        out.append(errors.not_supported("spec.concurrencyPolicy", policy, CONCURRENCY))
    template, at = (spec.get("jobTemplate") or {}).get("spec") or {}, "spec.jobTemplate.spec"
    job_spec(template, at, out)
    if template.get("selector") is not None:
        shown = meta.shown_selector(template["selector"])
        out.append(errors.invalid(f"{at}.selector", shown, "`selector` will be auto-generated"))
    if template.get("manualSelector"):
        out.append(errors.not_supported(f"{at}.manualSelector", True, ("nil", "false")))
    not_negative(spec, "successfulJobsHistoryLimit", "spec", out)
    not_negative(spec, "failedJobsHistoryLimit", "spec", out)


def _schedule(schedule: str, spec: Obj, before: Obj | None, out: Errors) -> None:
    """Check when a CronJob runs; the zone stands in a field of its own."""
    why = cron.error(schedule)
    if why:
        out.append(errors.invalid("spec.schedule", schedule, why))
    if "TZ" not in schedule:
        return
    if "TZ" not in ((before or {}).get("schedule") or ""):
        text = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
        out.append(errors.invalid("spec.schedule", schedule, text))
    elif spec.get("timeZone") is not None:
        text = "cannot use both timeZone field and TZ or CRON_TZ in schedule"
        out.append(errors.invalid("spec.schedule", schedule, text))


def _time_zone(zone: str | None, out: Errors) -> None:
    """Check the time zone of a schedule."""
    if zone is None:
        return
    if not zone:
        out.append(errors.invalid("spec.timeZone", zone, "timeZone must be nil or non-empty string"))
    elif zone.lower() == "local":
        text = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
        out.append(errors.invalid("spec.timeZone", zone, text))
    elif not cron.is_time_zone(zone):
        out.append(errors.invalid("spec.timeZone", zone, f"unknown time zone {zone}"))
