"""Defaults of the workloads of apps/v1, batch/v1 and their relatives in core.

In comes an object; out goes it with replicas, strategies, limits and its pod template defaulted.
"""

from __future__ import annotations

from kctl.api.defaults.pods import template
from kctl.api.defaults.storage import claim
from kctl.api.objects import Obj

QUARTER = "25%"
TEMPLATE_GENERATION = "deprecated.daemonset.template.generation"


def deployment(obj: Obj) -> Obj:
    """Default a Deployment, as apps/v1 SetDefaults_Deployment."""
    spec = dict(obj.get("spec") or {})
    if spec.get("replicas") is None:
        spec["replicas"] = 1
    spec["template"] = template(spec.get("template"))
    strategy = dict(spec.get("strategy") or {})
    if not strategy.get("type"):
        strategy["type"] = "RollingUpdate"
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.get("rollingUpdate") or {}
        if rolling.get("maxUnavailable") is None or rolling.get("maxSurge") is None:
            rolling = {
                **rolling,
                "maxUnavailable": QUARTER if rolling.get("maxUnavailable") is None else rolling["maxUnavailable"],
                "maxSurge": QUARTER if rolling.get("maxSurge") is None else rolling["maxSurge"],
            }
        strategy["rollingUpdate"] = rolling
    spec["strategy"] = strategy
    if spec.get("revisionHistoryLimit") is None:
        spec["revisionHistoryLimit"] = 10
    if spec.get("progressDeadlineSeconds") is None:
        spec["progressDeadlineSeconds"] = 600
    return with_status(obj, spec)


def replica_set(obj: Obj) -> Obj:
    """Default a ReplicaSet, as apps/v1 SetDefaults_ReplicaSet."""
    spec = dict(obj.get("spec") or {})
    if spec.get("replicas") is None:
        spec["replicas"] = 1
    spec["template"] = template(spec.get("template"))
    return with_status(obj, spec, {"replicas": 0})


def daemon_set(obj: Obj) -> Obj:
    """Default a DaemonSet, as apps/v1 SetDefaults_DaemonSet."""
    meta = obj.get("metadata") or {}
    if TEMPLATE_GENERATION not in (meta.get("annotations") or {}):  # a field of the internal type
        annotations = {**(meta.get("annotations") or {}), TEMPLATE_GENERATION: "0"}
        obj = {**obj, "metadata": {**meta, "annotations": annotations}}
    spec = dict(obj.get("spec") or {})
    spec["template"] = template(spec.get("template"))
    strategy = dict(spec.get("updateStrategy") or {})
    if not strategy.get("type"):
        strategy["type"] = "RollingUpdate"
    if strategy["type"] == "RollingUpdate":
        rolling = dict(strategy.get("rollingUpdate") or {})
        if rolling.get("maxUnavailable") is None:
            rolling["maxUnavailable"] = 1
        if rolling.get("maxSurge") is None:
            rolling["maxSurge"] = 0
        strategy["rollingUpdate"] = rolling
    spec["updateStrategy"] = strategy
    if spec.get("revisionHistoryLimit") is None:
        spec["revisionHistoryLimit"] = 10
    return with_status(obj, spec)


def stateful_set(obj: Obj) -> Obj:
    """Default a StatefulSet, as apps/v1 SetDefaults_StatefulSet."""
    spec = dict(obj.get("spec") or {})
    if not spec.get("podManagementPolicy"):
        spec["podManagementPolicy"] = "OrderedReady"
    strategy = dict(spec.get("updateStrategy") or {})
    if not strategy.get("type"):
        strategy["type"] = "RollingUpdate"
        strategy["rollingUpdate"] = strategy.get("rollingUpdate") or {}
    rolling = strategy.get("rollingUpdate")
    if strategy["type"] == "RollingUpdate" and rolling is not None and rolling.get("partition") is None:
        strategy["rollingUpdate"] = {"partition": 0, **rolling}
    spec["updateStrategy"] = strategy
    spec.setdefault("serviceName", "")
    if spec.get("ordinals") is not None:
        spec["ordinals"] = {"start": 0, **spec["ordinals"]}
    retention = spec.get("persistentVolumeClaimRetentionPolicy") or {}
    spec["persistentVolumeClaimRetentionPolicy"] = {
        "whenDeleted": retention.get("whenDeleted") or "Retain",
        "whenScaled": retention.get("whenScaled") or "Retain",
    }
    if spec.get("replicas") is None:
        spec["replicas"] = 1
    if spec.get("revisionHistoryLimit") is None:
        spec["revisionHistoryLimit"] = 10
    spec["template"] = template(spec.get("template"))
    claims = spec.get("volumeClaimTemplates")
    if claims:
        typed = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {}}
        spec["volumeClaimTemplates"] = [claim({**typed, **value}) for value in claims]
    return with_status(obj, spec, {"replicas": 0, "availableReplicas": 0})


def replication_controller(obj: Obj) -> Obj:
    """Default a ReplicationController: selector and labels from its template."""
    spec = dict(obj.get("spec") or {})
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels")
    if labels:
        if not spec.get("selector"):
            spec["selector"] = labels
        meta = obj.get("metadata") or {}
        if not meta.get("labels"):
            obj = {**obj, "metadata": {**meta, "labels": labels}}
    if spec.get("replicas") is None:
        spec["replicas"] = 1
    if spec.get("template") is not None:
        spec["template"] = template(spec["template"])
    return with_status(obj, spec, {"replicas": 0})


def job_spec(spec: Obj) -> Obj:
    """Default what a Job runs, as batch/v1 SetDefaults_Job."""
    out = dict(spec)
    if out.get("completions") is None and out.get("parallelism") is None:
        out["completions"] = 1
        out["parallelism"] = 1
    if out.get("parallelism") is None:
        out["parallelism"] = 1
    if out.get("backoffLimit") is None:
        out["backoffLimit"] = 6 if out.get("backoffLimitPerIndex") is None else 2**31 - 1
    if out.get("completionMode") is None:
        out["completionMode"] = "NonIndexed"
    if out.get("suspend") is None:
        out["suspend"] = False
    if out.get("podReplacementPolicy") is None:
        failing = out.get("podFailurePolicy") is not None
        out["podReplacementPolicy"] = "Failed" if failing else "TerminatingOrFailed"
    if out.get("manualSelector") is None:
        out["manualSelector"] = False
    out["template"] = template(out.get("template"))
    rules = (out.get("podFailurePolicy") or {}).get("rules")
    if rules:
        out["podFailurePolicy"] = {**out["podFailurePolicy"], "rules": [_failure_rule(rule) for rule in rules]}
    return out


def _failure_rule(rule: Obj) -> Obj:
    """Default the status a pod condition is compared with."""
    patterns = rule.get("onPodConditions")
    if not patterns:
        return rule
    return {**rule, "onPodConditions": [{**row, "status": row.get("status") or "True"} for row in patterns]}


def job(obj: Obj) -> Obj:
    """Default a Job; its labels come from its template."""
    labels = (((obj.get("spec") or {}).get("template") or {}).get("metadata") or {}).get("labels")
    meta = obj.get("metadata") or {}
    if labels and not meta.get("labels"):
        obj = {**obj, "metadata": {**meta, "labels": labels}}
    return with_status(obj, job_spec(obj.get("spec") or {}))


def cron_job(obj: Obj) -> Obj:
    """Default a CronJob, as batch/v1 SetDefaults_CronJob."""
    spec = dict(obj.get("spec") or {})
    if not spec.get("concurrencyPolicy"):
        spec["concurrencyPolicy"] = "Allow"
    defaults = {"suspend": False, "successfulJobsHistoryLimit": 3, "failedJobsHistoryLimit": 1}
    for name, value in defaults.items():
        if spec.get(name) is None:
            spec[name] = value
    # Only its pod template is defaulted here: the Job gets its defaults when it is created.
    job_template = spec.get("jobTemplate") or {}
    inner = job_template.get("spec") or {}
    inner = {**inner, "template": template(inner.get("template"))}
    spec["jobTemplate"] = {"metadata": {}, **job_template, "spec": inner}
    return with_status(obj, spec)


def pod_template(obj: Obj) -> Obj:
    """Default a PodTemplate."""
    return {**obj, "template": template(obj.get("template"))}


def with_status(obj: Obj, spec: Obj, status: Obj | None = None) -> Obj:
    """Return the object with its spec, and a status as the Go type writes an empty one."""
    return {**obj, "spec": spec, "status": {**(status or {}), **(obj.get("status") or {})}}


def with_empty_labels(obj: Obj, sent: Obj) -> Obj:
    """Keep a template's ``labels: {}`` where a selector asks for labels: the refusal tells {} from null."""
    template = (sent.get("spec") or {}).get("template") or {}
    labels = (template.get("metadata") or {}).get("labels") if isinstance(template, dict) else None
    if labels != {} or not _asks(obj["spec"].get("selector")):
        return obj
    template = obj["spec"]["template"]
    metadata = {**(template.get("metadata") or {}), "labels": {}}
    return {**obj, "spec": {**obj["spec"], "template": {**template, "metadata": metadata}}}


def _asks(selector: Obj | None) -> bool:
    """Say whether no object without labels can match."""
    if selector is None:
        return True
    if "matchLabels" not in selector and "matchExpressions" not in selector:
        return bool(selector)
    rows = selector.get("matchExpressions") or ()
    return bool(selector.get("matchLabels")) or any(row.get("operator") in {"In", "Exists"} for row in rows)
