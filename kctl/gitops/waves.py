"""Waves: what people say about order that references do not say.

In: the targets of a set. Out: which of them go together, in the order they go. What a wave needs
is healthy before the next one starts. Read are Argo CD's hook phases and sync waves (Helm's hooks as
Argo CD maps them), cli-utils' ``depends-on`` and kapp's change groups and rules. What of those tools'
annotations is not carried out is named, never passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from kctl.gitops.sources import ManifestError
from kctl.gitops.targets import Target

WAVE = "argocd.argoproj.io/sync-wave"
HOOKS = ("argocd.argoproj.io/hook", "helm.sh/hook")
DEPENDS = "config.kubernetes.io/depends-on"
LOCAL = "config.kubernetes.io/local-config"
GROUP, RULE = "kapp.k14s.io/change-group", "kapp.k14s.io/change-rule"
PHASES = {
    "PreSync": 0,
    "pre-install": 0,
    "pre-upgrade": 0,
    "crd-install": 0,
    "Sync": 1,
    "PostSync": 2,
    "post-install": 2,
    "post-upgrade": 2,
}
WORD = re.compile(r"upsert (after|before) upserting (\S+)\Z")
CARRIED_OUT = {
    "kustomize.toolkit.fluxcd.io/force",
    "helm.sh/hook-weight",
    WAVE,
    *HOOKS,
    DEPENDS,
    LOCAL,
    "kustomize.toolkit.fluxcd.io/prune",
    "helm.sh/resource-policy",
}
FOREIGN = ("argocd.argoproj.io/", "helm.sh/", "kustomize.toolkit.fluxcd.io/", "kapp.k14s.io/")
INERT = {"argocd.argoproj.io/tracking-id", "argocd.argoproj.io/installation-id", "helm.sh/chart"}
"""Annotations that only say where an object came from."""


class Waves(NamedTuple):
    """The targets that are applied, wave after wave; what was left out and why; what cannot be."""

    waves: list[list[Target]]
    remarks: list[ManifestError]
    errors: list[ManifestError]


def arrange(targets: Sequence[Target]) -> Waves:
    """Return the targets in their waves; one wave when nobody says anything about order."""
    remarks = [remark for target in targets for remark in _remarks(target)]
    left_out = {id(target): why for target in targets if (why := _left_out(target))}
    remarks += [
        target.error("metadata.annotations", left_out[id(target)]) for target in targets if id(target) in left_out
    ]
    applied = [target for target in targets if id(target) not in left_out]
    if not any(_annotations(target) for target in applied):
        return Waves([applied] if applied else [], remarks, [])
    places = {id(target): _place(target) for target in applied}
    needs, errors = _needs(applied, places)
    depth, cycles = _depths(applied, needs)
    order = {id(target): (*places[id(target)], depth[id(target)]) for target in applied}
    waves = [[t for t in applied if order[id(t)] == at] for at in sorted(set(order.values()))]
    return Waves(waves, remarks, errors + cycles)


def _annotations(target: Target) -> dict[str, str]:
    found = target.object["metadata"].get("annotations")
    if not isinstance(found, dict):
        return {}
    return {name: value for name, value in found.items() if isinstance(value, str)}


def _hooks(target: Target) -> list[str]:
    given = _annotations(target)
    text = next((given[name] for name in HOOKS if given.get(name)), "")
    return [word.strip() for word in text.split(",") if word.strip()]


def _left_out(target: Target) -> str:
    """Say why an object is no part of a sync: a hook of another moment, or a file for tools alone."""
    if _annotations(target).get(LOCAL) == "true":
        return f"left out: {LOCAL} says that it is for tools alone"
    hooks = _hooks(target)
    if hooks and not any(word in PHASES for word in hooks):
        return f"left out: a hook for {', '.join(hooks)}, which kctl does not run"
    return ""


def _place(target: Target) -> tuple[int, int]:
    """Return phase and wave of an object; what is no number counts as 0, as gitops-engine has it."""
    phases = [PHASES[word] for word in _hooks(target) if word in PHASES]
    given = _annotations(target)
    text = given.get(WAVE) or given.get("helm.sh/hook-weight") or "0"
    wave = int(text) if re.fullmatch(r"[+-]?[0-9]{1,9}", text) else 0
    return min(phases, default=PHASES["Sync"]), wave


def _needs(
    targets: Sequence[Target], places: dict[int, tuple[int, int]]
) -> tuple[dict[int, list[Target]], list[ManifestError]]:
    """Return what each object comes after within its wave; errors where that contradicts the waves."""
    pairs = [*_depends(targets), *_kapp(targets)]
    needs: dict[int, list[Target]] = {}
    errors = []
    for later, earlier, name in pairs:
        if places[id(earlier)] > places[id(later)]:
            message = f"{name} asks for {earlier.resource} {earlier.key.name} first, which is of a later wave"
            errors.append(later.error("metadata.annotations", message))
        elif places[id(earlier)] == places[id(later)]:
            needs.setdefault(id(later), []).append(earlier)
    return needs, errors


def _depends(targets: Sequence[Target]) -> Iterator[tuple[Target, Target, str]]:
    """Yield (later, earlier, annotation) of cli-utils' depends-on; objects that others bring do not count."""
    known = {_reference(target): target for target in targets}
    for target in targets:
        for text in _annotations(target).get(DEPENDS, "").split(","):
            found = known.get(text.strip())
            if found is not None and found is not target:
                yield target, found, DEPENDS


def _reference(target: Target) -> str:
    """Return how depends-on names an object: ``apps/namespaces/default/Deployment/web``."""
    kind, key = target.object["kind"], target.key
    where = f"namespaces/{key.namespace}/" if key.namespace else ""
    return f"{target.kind.group}/{where}{kind}/{key.name}"


def _kapp(targets: Sequence[Target]) -> Iterator[tuple[Target, Target, str]]:
    """Yield (later, earlier, annotation) of kapp's change rules."""
    groups: dict[str, list[Target]] = {}
    for target in targets:
        for name, value in _annotations(target).items():
            if _is(name, GROUP):
                groups.setdefault(value, []).append(target)
    for target in targets:
        for name, value in _annotations(target).items():
            rule = WORD.match(value) if _is(name, RULE) else None
            for other in groups.get(rule[2], ()) if rule else ():
                if other is not target and rule is not None:
                    yield (target, other, name) if rule[1] == "after" else (other, target, name)


def _is(name: str, base: str) -> bool:
    return name == base or name.startswith(f"{base}.")


def _depths(targets: Iterable[Target], needs: dict[int, list[Target]]) -> tuple[dict[int, int], list[ManifestError]]:
    """Return how many objects have to come before each, one after another; errors for circles."""
    depth: dict[int, int] = {}
    errors: list[ManifestError] = []
    for start in targets:
        stack, path = [(start, iter(needs.get(id(start), ())))], {id(start)}
        while stack and id(start) not in depth:
            target, rest = stack[-1]
            for need in rest:
                if id(need) in path:
                    errors.append(target.error("metadata.annotations", f"{target.key.name} waits for itself"))
                elif id(need) not in depth:
                    stack.append((need, iter(needs.get(id(need), ()))))
                    path.add(id(need))
                    break
            else:
                found = (depth.get(id(need), -1) for need in needs.get(id(target), ()))
                depth[id(target)] = 1 + max(found, default=-1)
                path.discard(id(target))
                stack.pop()
    return depth, errors


def _remarks(target: Target) -> Iterator[ManifestError]:
    """Yield what annotations ask for that is not carried out."""
    for name, value in sorted(_annotations(target).items()):
        if not name.startswith(FOREIGN) or name in INERT or name in CARRIED_OUT:
            continue
        if _is(name, GROUP) or (_is(name, RULE) and WORD.match(value)) or (name, value) in OPTIONS:
            continue
        yield target.error("metadata.annotations", f"{name}: {value}: kctl does not carry this out")
    if len([word for word in _hooks(target) if word in PHASES]) > 1:
        yield target.error("metadata.annotations", "a hook of several phases runs in the first of them only")


OPTIONS = {
    ("argocd.argoproj.io/hook-delete-policy", "BeforeHookCreation"),
    ("helm.sh/hook-delete-policy", "before-hook-creation"),
    ("argocd.argoproj.io/sync-options", "Replace=true"),
    ("argocd.argoproj.io/sync-options", "Force=true"),
    ("argocd.argoproj.io/sync-options", "Force=true,Replace=true"),
    ("argocd.argoproj.io/sync-options", "Replace=true,Force=true"),
    ("argocd.argoproj.io/sync-options", "Prune=false"),
    ("argocd.argoproj.io/sync-options", "Prune=confirm"),
    ("argocd.argoproj.io/sync-options", "ServerSideApply=true"),
}
"""Options whose one value kctl carries out."""
