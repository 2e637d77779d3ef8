"""Rows of what makes pods."""

from __future__ import annotations

from kctl.api import durations
from kctl.api.clock import parse_time
from kctl.api.objects import Obj, controller_of, dig, is_condition_true
from kctl.api.printers import (
    AGE,
    NAME,
    Cell,
    Printer,
    age,
    columns,
    label_selector,
    name,
    plain_selector,
    row,
    since,
    spec_of,
    status_of,
)
from kctl.api.printers.pods import CONTAINERS, IMAGES, containers_of

TEMPLATE = (f"Containers/1 | {CONTAINERS}", f"Images/1 | {IMAGES}")


def _made_of(obj: Obj) -> list[Cell]:
    """Return containers, images and selector: the wide columns of most workloads."""
    spec = spec_of(obj)
    return [*containers_of(spec.get("template")), label_selector(spec.get("selector"))]


def _deployment(obj: Obj) -> list[Cell]:
    status = status_of(obj)
    return [_ready(obj), status.get("updatedReplicas", 0), status.get("availableReplicas", 0)]


def _ready(obj: Obj) -> str:
    return f"{status_of(obj).get('readyReplicas', 0)}/{spec_of(obj).get('replicas', 0)}"


def _replicas(obj: Obj) -> list[Cell]:
    status = status_of(obj)
    return [spec_of(obj).get("replicas", 0), status.get("replicas", 0), status.get("readyReplicas", 0)]


def _made_of_labels(obj: Obj) -> list[Cell]:
    """Return the wide columns of a ReplicationController, whose selector is plain labels."""
    spec = spec_of(obj)
    return [*containers_of(spec.get("template")), plain_selector(spec.get("selector"))]


def _daemonset(obj: Obj) -> list[Cell]:
    status = status_of(obj)
    counts = (
        "desiredNumberScheduled",
        "currentNumberScheduled",
        "numberReady",
        "updatedNumberScheduled",
        "numberAvailable",
    )
    return [
        *(status.get(field, 0) for field in counts),
        plain_selector(dig(obj, "spec", "template", "spec", "nodeSelector")),
    ]


def _revision(obj: Obj) -> list[Cell]:
    owner = controller_of(obj)
    if owner is None:
        return ["<none>", obj.get("revision", 0)]
    group = owner["apiVersion"].rpartition("/")[0]
    kind = f"{owner['kind']}.{group}" if group else owner["kind"]
    return [f"{kind.lower()}/{owner['name']}", obj.get("revision", 0)]


def _job(obj: Obj, now: float) -> list[Cell]:
    spec, status = spec_of(obj), status_of(obj)
    succeeded, parallelism = status.get("succeeded", 0), spec.get("parallelism") or 0
    completions = f"{succeeded}/{spec['completions']}" if spec.get("completions") is not None else f"{succeeded}/1"
    if spec.get("completions") is None and parallelism > 1:
        completions += f" of {parallelism}"
    started, ended = status.get("startTime"), status.get("completionTime")
    duration = durations.age((parse_time(ended) if ended else now) - parse_time(started)) if started else ""
    return [name(obj), _job_status(obj), completions, duration, age(obj, now), *_made_of(obj)]


def _job_status(job: Obj) -> str:
    for type_ in ("Complete", "Failed"):
        if is_condition_true(job, type_):
            return type_
    if job["metadata"].get("deletionTimestamp"):
        return "Terminating"
    for type_ in ("Suspended", "FailureTarget", "SuccessCriteriaMet"):
        if is_condition_true(job, type_):
            return type_
    return "Running"


def _cronjob(obj: Obj, now: float) -> list[Cell]:
    spec, status = spec_of(obj), status_of(obj)
    last, job = status.get("lastScheduleTime"), dig(spec, "jobTemplate", "spec", default={})
    suspend = spec.get("suspend")
    return [
        name(obj),
        spec.get("schedule", ""),
        spec.get("timeZone", "<none>"),
        # text, although the column is a boolean
        "<unset>" if suspend is None else str(suspend),
        len(status.get("active") or ()),
        since(last, now) if last else "<none>",
        age(obj, now),
        *containers_of(job.get("template")),
        label_selector(job.get("selector")),
    ]


PRINTERS = {
    "deployments.apps": Printer(
        columns(
            NAME,
            "Ready | Number of the pod with ready state",
            "Up-to-date | @apps.v1.DeploymentStatus.updatedReplicas",
            "Available | @apps.v1.DeploymentStatus.availableReplicas",
            AGE,
            *TEMPLATE,
            "Selector/1 | @apps.v1.DeploymentSpec.selector",
        ),
        row(_deployment, _made_of),
    ),
    "replicasets.apps": Printer(
        columns(
            NAME,
            "Desired:integer | @apps.v1.ReplicaSetSpec.replicas",
            "Current:integer | @apps.v1.ReplicaSetStatus.replicas",
            "Ready:integer | @apps.v1.ReplicaSetStatus.readyReplicas",
            AGE,
            *TEMPLATE,
            "Selector/1 | @apps.v1.ReplicaSetSpec.selector",
        ),
        row(_replicas, _made_of),
    ),
    "replicationcontrollers": Printer(
        columns(
            NAME,
            "Desired:integer | @core.v1.ReplicationControllerSpec.replicas",
            "Current:integer | @core.v1.ReplicationControllerStatus.replicas",
            "Ready:integer | @core.v1.ReplicationControllerStatus.readyReplicas",
            AGE,
            *TEMPLATE,
            "Selector/1 | @core.v1.ReplicationControllerSpec.selector",
        ),
        row(_replicas, _made_of_labels),
    ),
    "statefulsets.apps": Printer(
        columns(NAME, "Ready | Number of the pod with ready state", AGE, *TEMPLATE),
        row(lambda obj: [_ready(obj)], lambda obj: containers_of(spec_of(obj).get("template"))),
    ),
    "daemonsets.apps": Printer(
        columns(
            NAME,
            "Desired:integer | @apps.v1.DaemonSetStatus.desiredNumberScheduled",
            "Current:integer | @apps.v1.DaemonSetStatus.currentNumberScheduled",
            "Ready:integer | @apps.v1.DaemonSetStatus.numberReady",
            "Up-to-date:integer | @apps.v1.DaemonSetStatus.updatedNumberScheduled",
            "Available:integer | @apps.v1.DaemonSetStatus.numberAvailable",
            "Node Selector | @core.v1.PodSpec.nodeSelector",
            AGE,
            *TEMPLATE,
            "Selector/1 | @apps.v1.DaemonSetSpec.selector",
        ),
        row(_daemonset, _made_of),
    ),
    "controllerrevisions.apps": Printer(
        columns(
            NAME,
            "Controller | Controller of the object",
            "Revision | @apps.v1.ControllerRevision.revision",
            AGE,
        ),
        row(_revision),
    ),
    "jobs.batch": Printer(
        columns(
            NAME,
            "Status | Status of the job.",
            "Completions | @batch.v1.JobStatus.succeeded",
            "Duration | Time required to complete the job.",
            AGE,
            *TEMPLATE,
            "Selector/1 | @batch.v1.JobSpec.selector",
        ),
        _job,
    ),
    "cronjobs.batch": Printer(
        columns(
            NAME,
            "Schedule | @batch.v1.CronJobSpec.schedule",
            "Timezone | @batch.v1.CronJobSpec.timeZone",
            "Suspend:boolean | @batch.v1.CronJobSpec.suspend",
            "Active:integer | @batch.v1.CronJobStatus.active",
            "Last Schedule | @batch.v1.CronJobStatus.lastScheduleTime",
            AGE,
            *TEMPLATE,
            "Selector/1 | @batch.v1.JobSpec.selector",
        ),
        _cronjob,
    ),
}
