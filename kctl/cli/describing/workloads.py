"""ReplicaSets, ReplicationControllers, DaemonSets, StatefulSets, Jobs and CronJobs, in kubectl's order."""

from __future__ import annotations

from collections.abc import Sequence

from kctl.api import durations, selectors
from kctl.api.clock import parse_time
from kctl.api.objects import Obj, controller_of, dig
from kctl.api.printers import label_selector, plain_selector
from kctl.cli.describing import data, layout, pods
from kctl.cli.describing.layout import Page

SHOWN_INDEXES = 50


def replica_set(obj: Obj, now: float, events: Sequence[Obj], *, owned: Sequence[Obj]) -> str:
    """Return the description of a ReplicaSet or a ReplicationController; ``owned`` are its pods."""
    page, spec, status = Page(), obj["spec"], obj.get("status") or {}
    is_plain = obj.get("kind") == "ReplicationController"
    _named(page, obj, (plain_selector if is_plain else label_selector)(spec.get("selector")))
    _controlled(page, obj)
    page.field(0, "Replicas", f"{status.get('replicas', 0)} current / {spec.get('replicas', 1)} desired")
    _pods_status(page, owned)
    pods.template(page, spec.get("template") or {})
    if status.get("conditions"):
        page.line(0, "Conditions:")
        rows = [(found["type"], found["status"], found.get("reason", "")) for found in status["conditions"]]
        page.table(1, ["Type", "Status", "Reason"], rows)
    layout.events(page, events, now)
    return page.text()


def daemon_set(obj: Obj, now: float, events: Sequence[Obj], *, owned: Sequence[Obj]) -> str:
    """Return the description of a DaemonSet; ``owned`` are its pods."""
    page, spec, status = Page(), obj["spec"], obj.get("status") or {}
    page.field(0, "Name", obj["metadata"]["name"])
    page.field(0, "Namespace", obj["metadata"]["namespace"])
    page.field(0, "Selector", selectors.from_label_selector(spec.get("selector")))
    chosen = dig(spec, "template", "spec", "nodeSelector", default={})
    page.field(0, "Node-Selector", ",".join(layout.pairs(chosen)) or "<none>")
    layout.metadata(page, obj)
    for text, field in (
        ("Desired Number of Nodes Scheduled", "desiredNumberScheduled"),
        ("Current Number of Nodes Scheduled", "currentNumberScheduled"),
        ("Number of Nodes Scheduled with Up-to-date Pods", "updatedNumberScheduled"),
        ("Number of Nodes Scheduled with Available Pods", "numberAvailable"),
        ("Number of Nodes Misscheduled", "numberMisscheduled"),
    ):
        page.line(0, f"{text}: {status.get(field, 0)}")
    _pods_status(page, owned)
    pods.template(page, spec.get("template") or {})
    layout.events(page, events, now)
    return page.text()


def stateful_set(obj: Obj, now: float, events: Sequence[Obj], *, owned: Sequence[Obj]) -> str:
    """Return the description of a StatefulSet; ``owned`` are its pods."""
    page, spec, status = Page(), obj["spec"], obj.get("status") or {}
    page.field(0, "Name", obj["metadata"]["name"])
    page.field(0, "Namespace", obj["metadata"]["namespace"])
    page.field(0, "CreationTimestamp", layout.time_text(obj["metadata"].get("creationTimestamp")))
    page.field(0, "Selector", selectors.from_label_selector(spec.get("selector")))
    layout.metadata(page, obj)
    page.field(0, "Replicas", f"{spec.get('replicas', 1)} desired | {status.get('replicas', 0)} total")
    page.field(0, "Update Strategy", dig(spec, "updateStrategy", "type", default=""))
    rolling = dig(spec, "updateStrategy", "rollingUpdate", default={})
    if "partition" in rolling:
        page.field(1, "Partition", rolling["partition"])
        if "maxUnavailable" in rolling:
            page.field(1, "MaxUnavailable", rolling["maxUnavailable"])
    _pods_status(page, owned)
    pods.template(page, spec.get("template") or {})
    _claims(page, spec.get("volumeClaimTemplates") or ())
    layout.events(page, events, now)
    return page.text()


def _claims(page: Page, claims: Sequence[Obj]) -> None:
    if not claims:
        page.field(0, "Volume Claims", "<none>")
        return
    page.line(0, "Volume Claims:")
    for claim in claims:
        page.field(1, "Name", claim["metadata"]["name"])
        page.field(1, "StorageClass", dig(claim, "spec", "storageClassName", default=""))
        layout.metadata(page, claim, level=1)
        page.field(1, "Capacity", dig(claim, "spec", "resources", "requests", "storage", default="<default>"))
        page.field(1, "Access Modes", f"[{' '.join(dig(claim, 'spec', 'accessModes', default=()))}]")


def job(obj: Obj, now: float, events: Sequence[Obj]) -> str:
    """Return the description of a Job."""
    page, spec, status = Page(), obj["spec"], obj.get("status") or {}
    _named(page, obj, str(selectors.from_label_selector(spec.get("selector"))))
    _controlled(page, obj)
    if "parallelism" in spec:
        page.field(0, "Parallelism", spec["parallelism"])
    page.field(0, "Completions", spec.get("completions", "<unset>"))
    for name, field in (
        ("Completion Mode", "completionMode"),
        ("Suspend", "suspend"),
        ("Backoff Limit", "backoffLimit"),
        ("TTL Seconds After Finished", "ttlSecondsAfterFinished"),
    ):
        if field in spec:
            page.field(0, name, _plain(spec[field]))
    started, ended = status.get("startTime"), status.get("completionTime")
    for name, stamp in (("Start Time", started), ("Completed At", ended)):
        if stamp:
            page.field(0, name, layout.time_text(stamp))
    if started and ended:
        page.field(0, "Duration", durations.age(parse_time(ended) - parse_time(started)))
    if "activeDeadlineSeconds" in spec:
        page.field(0, "Active Deadline Seconds", f"{spec['activeDeadlineSeconds']}s")
    ready = f" ({status['ready']} Ready)" if "ready" in status else ""
    counts = [status.get(field, 0) for field in ("active", "succeeded", "failed")]
    page.field(0, "Pods Statuses", f"{counts[0]} Active{ready} / {counts[1]} Succeeded / {counts[2]} Failed")
    if spec.get("completionMode") == "Indexed":
        page.field(0, "Completed Indexes", _indexes(status.get("completedIndexes") or ""))
    pods.template(page, spec.get("template") or {})
    layout.events(page, events, now)
    return page.text()


def _indexes(text: str) -> str:
    """Cut a long list of indexes behind a comma (capIndexesListOrNone)."""
    if not text:
        return "<none>"
    end = text.find(",", SHOWN_INDEXES)
    return text if end < 0 else f"{text[: end + 1]}..."


def cron_job(obj: Obj, now: float, events: Sequence[Obj]) -> str:
    """Return the description of a CronJob."""
    page, spec, status = Page(), obj["spec"], obj.get("status") or {}
    data.head(page, obj)
    page.field(0, "Schedule", spec.get("schedule", ""))
    page.field(0, "Concurrency Policy", spec.get("concurrencyPolicy", ""))
    page.field(0, "Suspend", str(spec["suspend"]) if "suspend" in spec else "<unset>")
    page.field(0, "Successful Job History Limit", spec.get("successfulJobsHistoryLimit", "<unset>"))
    page.field(0, "Failed Job History Limit", spec.get("failedJobsHistoryLimit", "<unset>"))
    deadline = spec.get("startingDeadlineSeconds")
    page.field(0, "Starting Deadline Seconds", "<unset>" if deadline is None else f"{deadline}s")
    inner = dig(spec, "jobTemplate", "spec", default={})
    chosen = inner.get("selector")
    page.field(0, "Selector", "<unset>" if chosen is None else selectors.from_label_selector(chosen))
    page.field(0, "Parallelism", inner.get("parallelism", "<unset>"))
    page.field(0, "Completions", inner.get("completions", "<unset>"))
    if "activeDeadlineSeconds" in inner:
        page.field(0, "Active Deadline Seconds", f"{inner['activeDeadlineSeconds']}s")
    pods.template(page, inner.get("template") or {})
    page.field(0, "Last Schedule Time", layout.time_text(status.get("lastScheduleTime")))
    active = [found["name"] for found in status.get("active") or ()]
    page.field(0, "Active Jobs", ", ".join(active) or "<none>")
    layout.events(page, events, now)
    return page.text()


def _named(page: Page, obj: Obj, selector: str) -> None:
    page.field(0, "Name", obj["metadata"]["name"])
    page.field(0, "Namespace", obj["metadata"]["namespace"])
    page.field(0, "Selector", selector)
    layout.metadata(page, obj)


def _controlled(page: Page, obj: Obj) -> None:
    owner = controller_of(obj)
    if owner:
        page.field(0, "Controlled By", f"{owner['kind']}/{owner['name']}")


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _pods_status(page: Page, owned: Sequence[Obj]) -> None:
    """Add how many pods are in which phase (getPodStatusForController)."""
    phases = [dig(pod, "status", "phase") for pod in owned]
    words = (("Running", "Running"), ("Pending", "Waiting"), ("Succeeded", "Succeeded"), ("Failed", "Failed"))
    page.field(0, "Pods Status", " / ".join(f"{phases.count(phase)} {word}" for phase, word in words))
