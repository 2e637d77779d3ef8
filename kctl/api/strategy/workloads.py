"""The strategies of DaemonSets (template generation) and Jobs (their own selector)."""

from __future__ import annotations

from kctl.api.objects import Obj

TEMPLATE_GENERATION = "deprecated.daemonset.template.generation"


def create_daemon_set(obj: Obj, now: str) -> Obj:
    """Prepare a new DaemonSet: the generation of its template begins at 1, kept as an annotation."""
    return _with_generation(obj, 1)


def update_daemon_set(new: Obj, old: Obj) -> Obj:
    """Count changes of the template beside changes of the spec."""
    before = (old["metadata"].get("annotations") or {}).get(TEMPLATE_GENERATION) or "0"
    number = int(before) if before.isascii() and before.isdigit() else 0
    changed = (new.get("spec") or {}).get("template") != (old.get("spec") or {}).get("template")
    return _with_generation(new, number + 1 if changed else number)


def _with_generation(obj: Obj, number: int) -> Obj:
    """Write the template's generation into the annotations."""
    meta = obj["metadata"]
    annotations = {**(meta.get("annotations") or {}), TEMPLATE_GENERATION: str(number)}
    return {**obj, "metadata": {**meta, "annotations": annotations}}


def create_job(obj: Obj, now: str) -> Obj:
    """Prepare a new Job: unless it brings its own, a selector for pods of its uid."""
    meta, spec = obj["metadata"], obj.get("spec") or {}
    if spec.get("manualSelector"):
        return obj
    uid, name = meta.get("uid") or "", meta.get("name") or ""
    owned = {
        "batch.kubernetes.io/controller-uid": uid,
        "batch.kubernetes.io/job-name": name,
        "controller-uid": uid,
        "job-name": name,
    }
    template = spec.get("template") or {}
    template_meta = template.get("metadata") or {}
    # Keys a user gave stay: validation then says what they must be.
    labels = {**owned, **(template_meta.get("labels") or {})}
    selector = spec.get("selector") or {}
    selector = {
        **selector,
        "matchLabels": {"batch.kubernetes.io/controller-uid": uid, **(selector.get("matchLabels") or {})},
    }
    done = {**template, "metadata": {**template_meta, "labels": labels}}
    out = {**obj, "spec": {**spec, "selector": selector, "template": done}}
    if not meta.get("labels") or meta["labels"] is template_meta.get("labels"):
        # Labels that came from the template by default are one map in upstream, and still here:
        # the additions show in both.
        out["metadata"] = {**meta, "labels": labels}
    return out
