"""Rows of pods and of what makes pods."""

from __future__ import annotations

from kctl.api.clock import parse_time
from kctl.api.objects import Obj, condition, dig
from kctl.api.printers import (
    AGE,
    NAME,
    Cell,
    Printer,
    age,
    columns,
    human_duration,
    joined,
    label_selector,
    plain_selector,
    since,
)


def _pod(pod: Obj, now: float) -> list[Cell]:
    spec, status = pod["spec"], pod.get("status") or {}
    reason, ready, restarts, last = pod_status(pod)
    shown = f"{restarts} ({human_duration(now - last)} ago)" if restarts and last else str(restarts)
    gates = spec.get("readinessGates") or ()
    passed = sum((condition(pod, gate["conditionType"]) or {}).get("status") == "True" for gate in gates)
    sidecars = sum(c.get("restartPolicy") == "Always" for c in spec.get("initContainers") or ())
    total = len(spec["containers"]) + sidecars
    ips = status.get("podIPs") or ()
    return [
        pod["metadata"]["name"],
        f"{ready}/{total}",
        reason,
        shown,
        age(pod, now),
        (ips[0].get("ip") if ips else status.get("podIP")) or "<none>",
        spec.get("nodeName") or "<none>",
        status.get("nominatedNodeName") or "<none>",
        f"{passed}/{len(gates)}" if gates else "<none>",
    ]


def pod_status(pod: Obj) -> tuple[str, int, int, float]:
    """Return what kubectl shows as STATUS, ready containers, restarts, the last restart's instant."""
    status = pod.get("status") or {}
    reason = status.get("reason") or status.get("phase") or ""
    scheduled = condition(pod, "PodScheduled")
    if scheduled and scheduled.get("reason") == "SchedulingGated":
        reason = "SchedulingGated"
    init = {c["name"]: c for c in pod["spec"].get("initContainers") or ()}
    blocked, ready, restarts, last = _init_reason(status, init)
    if blocked:
        reason = blocked
    if not blocked or _is_initialized(pod):
        found, more_ready, own, own_last = _container_reason(status)
        restarts, last, ready = own + restarts * bool(init), max(last, own_last), ready + more_ready
        reason = found or reason
        if reason == "Completed" and any(_is_running(c) for c in status.get("containerStatuses") or ()):
            reason = "Running" if (condition(pod, "Ready") or {}).get("status") == "True" else "NotReady"
    if pod["metadata"].get("deletionTimestamp"):
        if status.get("reason") == "NodeLost":
            reason = "Unknown"
        elif status.get("phase") not in ("Succeeded", "Failed"):
            reason = "Terminating"
    return reason, ready, restarts, last


def _is_initialized(pod: Obj) -> bool:
    return (condition(pod, "Initialized") or {}).get("status") == "True"


def _is_running(container: Obj) -> bool:
    return bool(container.get("ready")) and dig(container, "state", "running") is not None


def _init_reason(status: Obj, init: dict[str, Obj]) -> tuple[str, int, int, float]:
    """Return what the init containers wait for, ready sidecars, restarts, the last restart."""
    restarts, sidecar_restarts, ready, last = 0, 0, 0, 0.0
    statuses = status.get("initContainerStatuses") or ()
    for n, found in enumerate(statuses):
        restarts += found.get("restartCount", 0)
        last = max(last, _finished(found))
        is_sidecar = init.get(found["name"], {}).get("restartPolicy") == "Always"
        if is_sidecar:
            sidecar_restarts += found.get("restartCount", 0)
        terminated, waiting = dig(found, "state", "terminated"), dig(found, "state", "waiting")
        if terminated and terminated.get("exitCode", 0) == 0:
            continue
        if is_sidecar and found.get("started"):
            ready += bool(found.get("ready"))
            continue
        if terminated:
            return f"Init:{_ended(terminated)}", ready, restarts, last
        if waiting and waiting.get("reason") and waiting["reason"] != "PodInitializing":
            return f"Init:{waiting['reason']}", ready, restarts, last
        return f"Init:{n}/{len(init)}", ready, restarts, last
    return "", ready, sidecar_restarts, last


def _container_reason(status: Obj) -> tuple[str, int, int, float]:
    """Return the reason the last listed container gives first, ready ones, restarts, the last restart."""
    reason, ready, restarts, last = "", 0, 0, 0.0
    for found in reversed(status.get("containerStatuses") or ()):
        restarts += found.get("restartCount", 0)
        last = max(last, _finished(found))
        waiting, terminated = dig(found, "state", "waiting"), dig(found, "state", "terminated")
        if waiting and waiting.get("reason"):
            reason = waiting["reason"]
        elif terminated:
            reason = _ended(terminated)
        elif _is_running(found):
            ready += 1
    return reason, ready, restarts, last


def _ended(terminated: Obj) -> str:
    if terminated.get("reason"):
        return str(terminated["reason"])
    if terminated.get("signal"):
        return f"Signal:{terminated['signal']}"
    return f"ExitCode:{terminated.get('exitCode', 0)}"


def _finished(container: Obj) -> float:
    text = dig(container, "lastState", "terminated", "finishedAt")
    return parse_time(text) if text else 0.0


def _names(template: Obj) -> tuple[str, str]:
    containers = dig(template, "spec", "containers", default=())
    return joined((c["name"] for c in containers), ""), joined((c.get("image", "") for c in containers), "")


def _deployment(obj: Obj, now: float) -> list[Cell]:
    status = obj.get("status") or {}
    return [
        obj["metadata"]["name"],
        f"{status.get('readyReplicas', 0)}/{obj['spec'].get('replicas', 0)}",
        status.get("updatedReplicas", 0),
        status.get("availableReplicas", 0),
        age(obj, now),
        *_names(obj["spec"]["template"]),
        label_selector(obj["spec"].get("selector")),
    ]


def _replicaset(obj: Obj, now: float) -> list[Cell]:
    status, selector = obj.get("status") or {}, obj["spec"].get("selector")
    shown = plain_selector(selector) if obj["kind"] == "ReplicationController" else label_selector(selector)
    return [
        obj["metadata"]["name"],
        obj["spec"].get("replicas", 0),
        status.get("replicas", 0),
        status.get("readyReplicas", 0),
        age(obj, now),
        *_names(obj["spec"].get("template") or {}),
        shown,
    ]


def _statefulset(obj: Obj, now: float) -> list[Cell]:
    ready = f"{dig(obj, 'status', 'readyReplicas', default=0)}/{obj['spec'].get('replicas', 0)}"
    return [obj["metadata"]["name"], ready, age(obj, now), *_names(obj["spec"]["template"])]


def _daemonset(obj: Obj, now: float) -> list[Cell]:
    status = obj.get("status") or {}
    fields = ("desired", "current")
    return [
        obj["metadata"]["name"],
        *(status.get(f"{field}NumberScheduled", 0) for field in fields),
        status.get("numberReady", 0),
        status.get("updatedNumberScheduled", 0),
        status.get("numberAvailable", 0),
        plain_selector(dig(obj, "spec", "template", "spec", "nodeSelector")),
        age(obj, now),
        *_names(obj["spec"]["template"]),
        label_selector(obj["spec"].get("selector")),
    ]


def _job(obj: Obj, now: float) -> list[Cell]:
    spec, status = obj["spec"], obj.get("status") or {}
    succeeded, parallelism = status.get("succeeded", 0), spec.get("parallelism")
    if spec.get("completions") is not None:
        completions = f"{succeeded}/{spec['completions']}"
    elif (parallelism or 0) > 1:
        completions = f"{succeeded}/1 of {parallelism}"
    else:
        completions = f"{succeeded}/1"
    started, ended = status.get("startTime"), status.get("completionTime")
    duration = ""
    if started:
        end = parse_time(ended) if ended else now
        duration = human_duration(end - parse_time(started))
    return [
        obj["metadata"]["name"],
        _job_status(obj),
        completions,
        duration,
        age(obj, now),
        *_names(spec["template"]),
        label_selector(spec.get("selector")),
    ]


def _job_status(job: Obj) -> str:
    for type_, shown in (("Complete", "Complete"), ("Failed", "Failed")):
        if (condition(job, type_) or {}).get("status") == "True":
            return shown
    if job["metadata"].get("deletionTimestamp"):
        return "Terminating"
    for type_ in ("Suspended", "FailureTarget", "SuccessCriteriaMet"):
        if (condition(job, type_) or {}).get("status") == "True":
            return type_
    return "Running"


def _cronjob(obj: Obj, now: float) -> list[Cell]:
    spec, status = obj["spec"], obj.get("status") or {}
    last = status.get("lastScheduleTime")
    template = dig(spec, "jobTemplate", "spec", default={})
    return [
        obj["metadata"]["name"],
        spec["schedule"],
        spec.get("timeZone") or "<none>",
        str(bool(spec.get("suspend"))),
        len(status.get("active") or ()),
        since(last, now) if last else "<none>",
        age(obj, now),
        *_names(template.get("template") or {}),
        label_selector(template.get("selector")),
    ]


_SET = ("Desired:integer", "Current:integer", "Ready:integer", AGE, "Containers/1", "Images/1", "Selector/1")

PRINTERS = {
    "pods": Printer(
        columns(
            NAME, "Ready", "Status", "Restarts", AGE, "IP/1", "Node/1", "Nominated Node/1", "Readiness Gates/1"
        ),
        _pod,
    ),
    "deployments.apps": Printer(
        columns(
            NAME, "Ready", "Up-to-date:integer", "Available:integer", AGE, "Containers/1", "Images/1", "Selector/1"
        ),
        _deployment,
    ),
    "replicasets.apps": Printer(columns(NAME, *_SET), _replicaset),
    "replicationcontrollers": Printer(columns(NAME, *_SET), _replicaset),
    "statefulsets.apps": Printer(columns(NAME, "Ready", AGE, "Containers/1", "Images/1"), _statefulset),
    "daemonsets.apps": Printer(
        columns(
            NAME,
            "Desired:integer",
            "Current:integer",
            "Ready:integer",
            "Up-to-date:integer",
            "Available:integer",
            "Node Selector",
            AGE,
            "Containers/1",
            "Images/1",
            "Selector/1",
        ),
        _daemonset,
    ),
    "jobs.batch": Printer(
        columns(NAME, "Status", "Completions", "Duration", AGE, "Containers/1", "Images/1", "Selector/1"), _job
    ),
    "cronjobs.batch": Printer(
        columns(
            NAME,
            "Schedule",
            "Timezone",
            "Suspend:boolean",
            "Active:integer",
            "Last Schedule",
            AGE,
            "Containers/1",
            "Images/1",
            "Selector/1",
        ),
        _cronjob,
    ),
}
