"""The pods of a Job: what new ones look like, and which go first when there are too many.

In: a Job, its pods, completion indexes. Out: pods to create and pods to delete.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from kctl.api import names
from kctl.api.clock import parse_time
from kctl.api.objects import Obj, annotations_of, evolve, key_of
from kctl.controllers.job_failures import judge
from kctl.controllers.job_indexes import INDEX, index_of
from kctl.controllers.pods import from_template, phase_of, ready_since
from kctl.controllers.replicaset_ranking import PHASES
from kctl.runtime.actions import Patch

TRACKING = "batch.kubernetes.io/job-tracking"
FAILURES = "batch.kubernetes.io/job-index-failure-count"
IGNORED_FAILURES = "batch.kubernetes.io/job-index-ignored-failure-count"
INDEX_VARIABLE = {
    "name": "JOB_COMPLETION_INDEX",
    "valueFrom": {"fieldRef": {"fieldPath": f"metadata.labels['{INDEX}']"}},
}


def is_tracked(pod: Obj) -> bool:
    """Say whether the pod carries the finalizer that keeps it until it has been counted."""
    return TRACKING in (pod["metadata"].get("finalizers") or ())


def untrack(pod: Obj) -> Patch:
    """Return the action that takes the finalizer off this very pod, whatever else has changed."""
    meta = {"uid": pod["metadata"]["uid"], "$deleteFromPrimitiveList/finalizers": [TRACKING]}
    return Patch("pods", key_of(pod), {"metadata": meta}, "strategic")


def new_pods(job: Obj, count: int, taken: Iterable[str]) -> list[Obj]:
    """Return ``count`` pods of a Job without indexes; ``taken`` are the names of those it has."""
    meta = job["metadata"]
    base = f"{meta['name']}-"
    template = _tracked(job["spec"]["template"])
    slots = names.next_slots(meta["uid"], taken, count)
    return [from_template(template, job, names.child_name(base, meta["uid"], slot), base) for slot in slots]


def new_indexed_pod(job: Obj, index: int, taken: Iterable[str], replaced: Obj | None) -> Obj:
    """Return the pod for an index; ``replaced`` is the failed one whose count of failures goes on."""
    meta, spec = job["metadata"], job["spec"]
    middle = f"-{index}-"
    base = meta["name"][: names.MAX_BASE - len(middle)] + middle
    identity = f"{meta['uid']}{middle}"
    (slot,) = names.next_slots(identity, [name for name in taken if name.startswith(base)], 1)
    annotations = {INDEX: str(index)}
    if spec.get("backoffLimitPerIndex") is not None:
        annotations |= _failure_counts(job, replaced)
    changes: Obj = {"metadata": {"annotations": annotations, "labels": {INDEX: str(index)}}}
    changes["spec"] = {"hostname": f"{meta['name']}-{index}"}
    for field in ("initContainers", "containers"):
        if spec["template"]["spec"].get(field):
            changes["spec"][field] = [_with_index(container) for container in spec["template"]["spec"][field]]
    template = evolve(_tracked(spec["template"]), changes)
    return from_template(template, job, names.child_name(base, identity, slot), base)


def _tracked(template: Obj) -> Obj:
    finalizers = (template.get("metadata") or {}).get("finalizers") or []
    if TRACKING in finalizers:
        return template
    return evolve(template, {"metadata": {"finalizers": [*finalizers, TRACKING]}})


def _with_index(container: Obj) -> Obj:
    variables = container.get("env") or []
    if any(variable["name"] == INDEX_VARIABLE["name"] for variable in variables):
        return container
    return {**container, "env": [*variables, INDEX_VARIABLE]}


def _failure_counts(job: Obj, replaced: Obj | None) -> dict[str, str]:
    if replaced is None:
        return {FAILURES: "0"}
    counts = judge(job, replaced).counts
    ignored = count_in(replaced, IGNORED_FAILURES) + (not counts)
    out = {FAILURES: str(count_in(replaced, FAILURES) + counts)}
    return {**out, IGNORED_FAILURES: str(ignored)} if ignored else out


def count_in(pod: Obj, annotation: str) -> int:
    """Return a count an annotation keeps, 0 for none or a malformed one."""
    text = annotations_of(pod).get(annotation, "")
    return int(text) if text.isdecimal() and int(text) < 2**31 else 0


def failures_of_index(pod: Obj) -> int:
    """Return how often pods of this one's index had failed before it, ignored failures included."""
    return count_in(pod, FAILURES) + count_in(pod, IGNORED_FAILURES)


def surplus(job: Obj, active: Sequence[Obj], at_least: int) -> list[Obj]:
    """Return the pods to remove: useless and doubled indexes, then as many as asked, as activePodsForRemoval."""
    gone: list[Obj] = []
    left = list(active)
    if job["spec"].get("completionMode") == "Indexed":
        gone, left = _doubled(active, job["spec"]["completions"])
    missing = at_least - len(gone)
    if missing > 0:
        gone += sorted(left, key=worth)[:missing]
    return gone


def _doubled(active: Sequence[Obj], completions: int) -> tuple[list[Obj], list[Obj]]:
    """Split off pods without a valid index and, of several with one index, all but the worthiest."""
    gone: list[Obj] = []
    by_index: dict[int, list[Obj]] = {}
    for pod in active:
        index = index_of(pod)
        if index is None or index >= completions:
            gone.append(pod)
        else:
            by_index.setdefault(index, []).append(pod)
    kept = []
    for index in sorted(by_index):
        *worse, best = sorted(by_index[index], key=worth)
        gone += worse
        kept.append(best)
    return gone, kept


def worth(pod: Obj) -> tuple[Any, ...]:
    """Order pods by what is lost with them, least first, as controller.ActivePods."""
    meta = pod["metadata"]
    since = ready_since(pod)
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    return (
        bool(pod["spec"].get("nodeName")),
        PHASES.get(phase_of(pod), 0),
        since is not None,
        -parse_time(since) if since else 0.0,
        -max((found.get("restartCount", 0) for found in statuses), default=0),
        -parse_time(meta["creationTimestamp"]) if meta.get("creationTimestamp") else 0.0,
        meta["name"],
    )
