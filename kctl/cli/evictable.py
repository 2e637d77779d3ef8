"""Which pods ``drain`` takes from a node, and why not, as kubectl's drain filters. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from kctl.api.objects import Obj, annotations_of, controller_of, key_of

MIRROR = "kubernetes.io/config.mirror"
DAEMONSET_FATAL = "DaemonSet-managed Pods (use --ignore-daemonsets to ignore)"
DAEMONSET_WARNING = "ignoring DaemonSet-managed Pods"
STORAGE_FATAL = "Pods with local storage (use --delete-emptydir-data to override)"
STORAGE_WARNING = "deleting Pods with local storage"
UNMANAGED_FATAL = "cannot delete Pods that declare no controller (use --force to override)"
UNMANAGED_WARNING = "deleting Pods that declare no controller"


class Flags(NamedTuple):
    """What drain may do although it hurts."""

    force: bool = False
    ignore_daemonsets: bool = False
    delete_emptydir_data: bool = False


class Verdict(NamedTuple):
    """What becomes of a pod: whether it goes, and a warning or an error."""

    goes: bool
    warning: str = ""
    error: str = ""


class Selection(NamedTuple):
    """The pods that go, the warning about them, and the errors that forbid to begin."""

    pods: list[Obj]
    warning: str
    errors: list[str]


def select(pods: Sequence[Obj], flags: Flags, has_daemonset: Callable[[str, str], bool]) -> Selection:
    """Return which of a node's pods go; ``has_daemonset`` says whether one of that name exists."""
    going: list[Obj] = []
    warnings: dict[str, list[str]] = {}
    errors: dict[str, list[str]] = {}
    for pod in pods:
        verdict = judge(pod, flags, has_daemonset)
        name = str(key_of(pod))
        if verdict.goes:
            going.append(pod)
        if verdict.warning:
            warnings.setdefault(verdict.warning, []).append(name)
        if verdict.error:
            text = verdict.error if verdict.error.startswith("cannot delete") else f"cannot delete {verdict.error}"
            errors.setdefault(text, []).append(name)
    return Selection(
        going,
        "; ".join(f"{text}: {', '.join(names)}" for text, names in sorted(warnings.items())),
        [f"{text}: {', '.join(names)}" for text, names in sorted(errors.items())],
    )


def judge(pod: Obj, flags: Flags, has_daemonset: Callable[[str, str], bool]) -> Verdict:
    """Return what becomes of one pod; a warning of a later rule takes the place of an earlier one."""
    owner = controller_of(pod)
    is_finished = (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
    warning = ""
    if owner is not None and owner["kind"] == "DaemonSet" and not is_finished:
        if not has_daemonset(key_of(pod).namespace, owner["name"]):
            missing = f'daemonsets.apps "{owner["name"]}" not found'
            if not flags.force:
                return Verdict(False, error=missing)
            warning = missing
        elif not flags.ignore_daemonsets:
            return Verdict(False, error=DAEMONSET_FATAL)
        else:
            return Verdict(False, warning=DAEMONSET_WARNING)
    if MIRROR in annotations_of(pod):
        return Verdict(False)
    if any(volume.get("emptyDir") is not None for volume in pod["spec"].get("volumes") or ()) and not is_finished:
        if not flags.delete_emptydir_data:
            return Verdict(False, error=STORAGE_FATAL)
        warning = STORAGE_WARNING
    if owner is None and not is_finished:
        if not flags.force:
            return Verdict(False, error=UNMANAGED_FATAL)
        warning = UNMANAGED_WARNING
    return Verdict(True, warning=warning)
