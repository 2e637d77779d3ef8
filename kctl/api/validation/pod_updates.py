"""Validation of changed Pods: few fields may change, and the message shows what did.

In come the new and the old Pod; complaints are appended in the order of ValidatePodUpdate and
ValidatePodStatusUpdate (core validation).
"""

from __future__ import annotations

from kctl.api import errors
from kctl.api.objects import Obj
from kctl.api.validation import formats, internal, pods
from kctl.api.validation.meta import Errors, formatted

UPDATABLE = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)
MIRROR = "kubernetes.io/config.mirror"


def update(new: Obj, old: Obj, out: Errors) -> None:
    """Check a changed Pod, its metadata apart."""
    pods.whole(new, out)
    _annotations(new, old, out)
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    for name in ("containers", "initContainers"):
        if _containers(spec.get(name) or [], before.get(name) or [], f"spec.{name}", out):
            return
    if _deadline(spec.get("activeDeadlineSeconds"), before.get("activeDeadlineSeconds"), out):
        return
    _only_added(spec.get("tolerations") or [], before.get("tolerations") or [], out)
    _only_removed_gates(spec.get("schedulingGates") or [], before.get("schedulingGates") or [], out)
    munged = _munged(spec, before)
    if not _equal(munged, before):
        difference = internal.difference("PodSpec", before, munged)
        out.append(errors.forbidden_field("spec", f"{UPDATABLE}\n{difference}"))


def _annotations(new: Obj, old: Obj, out: Errors) -> None:
    """Refuse to change the annotations the kubelet lives by, then check them all again."""
    at = "metadata.annotations"
    after, before = new["metadata"].get("annotations") or {}, old["metadata"].get("annotations") or {}
    for key in sorted(before):
        if after.get(key) != before[key]:
            if key.startswith(pods.APP_ARMOR):
                out.append(errors.forbidden_field(f"{at}[{key}]", "may not remove or update AppArmor annotations"))
            if key == MIRROR:
                out.append(errors.forbidden_field(f"{at}[{key}]", "may not remove or update mirror pod annotation"))
    for key in sorted(set(after) - set(before)):
        if key.startswith(pods.APP_ARMOR):
            out.append(errors.forbidden_field(f"{at}[{key}]", "may not add AppArmor annotations"))
        if key == MIRROR:
            out.append(errors.forbidden_field(f"{at}[{key}]", "may not add mirror pod annotation"))
    pods.check_annotations(after, new.get("spec") or {}, at, out)


def _containers(new: list[Obj], old: list[Obj], at: str, out: Errors) -> bool:
    """Check that containers stay, each with an image; say whether to stop."""
    if len(new) != len(old):
        out.append(errors.forbidden_field(at, "pod updates may not add or remove containers"))
        return True
    for n, value in enumerate(new):
        if not value.get("image"):
            out.append(errors.required(f"{at}[{n}].image"))
    return False


def _deadline(new: int | None, old: int | None, out: Errors) -> bool:
    """Check that the deadline only comes nearer; say whether to stop."""
    at = "spec.activeDeadlineSeconds"
    if new is None:
        if old is not None:
            out.append(errors.invalid(at, None, "must not update from a positive integer to nil value"))
        return False
    if not 0 <= new <= 2**31 - 1:
        out.append(errors.invalid(at, new, formats.in_range(0, 2**31 - 1)))
        return True
    if old is not None and old < new:
        out.append(errors.invalid(at, new, "must be less than or equal to previous value"))
        return True
    return False


def _only_added(new: list[Obj], old: list[Obj], out: Errors) -> None:
    """Check that no toleration went away; its seconds alone may change."""

    def plain(value: Obj) -> Obj:
        return {k: v for k, v in value.items() if k != "tolerationSeconds"}

    kept = [plain(value) for value in new]
    if any(plain(value) not in kept for value in old):
        text = "existing toleration can not be modified except its tolerationSeconds"
        out.append(errors.forbidden_field("spec.tolerations", text))


def _only_removed_gates(new: list[Obj], old: list[Obj], out: Errors) -> None:
    """Check that no scheduling gate came new."""
    known = {value.get("name") for value in old}
    for n, value in enumerate(new):
        if value.get("name") not in known:
            text = f"only deletion is allowed, but found new scheduling gate '{value.get('name') or ''}'"
            out.append(errors.forbidden_field(f"spec.schedulingGates[{n}].name", text))


def _munged(spec: Obj, before: Obj) -> Obj:
    """Return the new spec with everything that may change as it was."""
    out = dict(spec)
    for name in ("containers", "initContainers"):
        if spec.get(name):
            rows = zip(spec[name], before.get(name) or (), strict=False)
            out[name] = [{**value, "image": old.get("image", "")} for value, old in rows]
    names = ["activeDeadlineSeconds", "tolerations", "schedulingGates"]
    grace, old_grace = spec.get("terminationGracePeriodSeconds"), before.get("terminationGracePeriodSeconds")
    if old_grace is not None and old_grace < 0 and grace == 1:
        names.append("terminationGracePeriodSeconds")
    if before.get("schedulingGates"):
        names += _gated(spec, before)
    for name in names:
        if name in before:
            out[name] = before[name]
        else:
            out.pop(name, None)
    return out


def _gated(spec: Obj, before: Obj) -> list[str]:
    """Return what else may change while a Pod is gated: a node selector that only grows, affinity that narrows."""
    names = []
    selector, old = spec.get("nodeSelector") or {}, before.get("nodeSelector") or {}
    if all(selector.get(key) == value for key, value in old.items()):
        names.append("nodeSelector")
    if before.get("affinity") is None or (before["affinity"].get("nodeAffinity") is None):
        rest, old_rest = dict(spec.get("affinity") or {}), dict(before.get("affinity") or {})
        rest.pop("nodeAffinity", None)
        if rest == old_rest:
            names.append("affinity")
    return names


def _equal(new: Obj, old: Obj) -> bool:
    """Say whether two specs are the same to Go: absent and empty are alike."""
    return internal.shown("PodSpec", new) == internal.shown("PodSpec", old)


def status(new: Obj, old: Obj, out: Errors) -> None:
    """Check a changed status of a Pod, as ValidatePodStatusUpdate."""
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    if spec.get("nodeName") != before.get("nodeName"):
        text = "may not be changed directly"
        out.append(errors.forbidden_field("status.nodeName", text))
    after = new.get("status") or {}
    nominated = after.get("nominatedNodeName")
    if nominated:
        formatted(formats.dns_subdomain, nominated, "status.nominatedNodeName", out)
    for n, condition in enumerate(after.get("conditions") or ()):
        if condition.get("status") not in {"True", "False", "Unknown"}:
            here = f"status.conditions[{n}].status"
            out.append(errors.not_supported(here, condition.get("status") or "", ("False", "True", "Unknown")))
    for n, value in enumerate(after.get("podIPs") or ()):
        formatted(formats.ip, value.get("ip") or "", f"status.podIPs[{n}]", out)
