"""The strategies of DaemonSets (template generation) and Jobs (their own selector)."""

from __future__ import annotations

from kctl.api.objects import REMOVED, Obj, evolve

WITHOUT_MISSING: Obj = {"spec": {"updateStrategy": {"rollingUpdate": {"maxUnavailable": REMOVED}}}}
TEMPLATE_GENERATION = "deprecated.daemonset.template.generation"


def create_daemon_set(obj: Obj, now: str) -> Obj:
    """Prepare a new DaemonSet: the generation of its template begins at 1, kept as an annotation."""
    return _with_generation(obj, max(_generation(obj), 1))


def update_daemon_set(new: Obj, old: Obj) -> Obj:
    """Count changes of the template beside changes of the spec."""
    number = _generation(old)
    changed = (new.get("spec") or {}).get("template") != (old.get("spec") or {}).get("template")
    return _with_generation(new, number + 1 if changed else number)


def _generation(obj: Obj) -> int:
    """Return the template's generation as annotated, 0 for none."""
    text = (obj["metadata"].get("annotations") or {}).get(TEMPLATE_GENERATION) or "0"
    return int(text) if text.isascii() and text.isdigit() else 0


def _with_generation(obj: Obj, number: int) -> Obj:
    """Write the template's generation into the annotations."""
    meta = obj["metadata"]
    annotations = {**(meta.get("annotations") or {}), TEMPLATE_GENERATION: str(number)}
    return {**obj, "metadata": {**meta, "annotations": annotations}}


def create_stateful_set(obj: Obj, now: str) -> Obj:
    """Prepare a new StatefulSet: how many pods may be missing is a gate that is off."""
    rolling = ((obj.get("spec") or {}).get("updateStrategy") or {}).get("rollingUpdate") or {}
    return evolve(obj, WITHOUT_MISSING) if "maxUnavailable" in rolling else obj


def update_stateful_set(new: Obj, old: Obj) -> Obj:
    """Prepare a changed StatefulSet likewise."""
    return create_stateful_set(new, "")


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
