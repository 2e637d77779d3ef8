"""Objects that are made anew because they cannot be changed: immutable fields, and hooks that run again.

In: a refusal, and who may be replaced. Out: whether it is about immutable fields, and the object gone
so that it can be created. What goes takes with it what it owns; that is why nobody is replaced who did not ask.
"""

from __future__ import annotations

from collections.abc import Iterable

from kctl.api.errors import StatusError, unavailable
from kctl.api.objects import Obj, key_of
from kctl.client.client import Client
from kctl.gitops import inventory
from kctl.gitops.changes import Change
from kctl.gitops.targets import Target

IMMUTABLE = (
    "field is immutable",
    "may not be changed",
    "is immutable after creation",
    "updates to statefulset spec for",
)
HOOKS = ("argocd.argoproj.io/hook", "helm.sh/hook")
POLICIES = ("argocd.argoproj.io/hook-delete-policy", "helm.sh/hook-delete-policy")
BEFORE = frozenset({"BeforeHookCreation", "before-hook-creation"})
ASKING = {
    "argocd.argoproj.io/sync-options": frozenset({"Replace=true", "Force=true"}),
    "kustomize.toolkit.fluxcd.io/force": frozenset({"enabled", "true"}),
    "kctl.dev/recreate": frozenset({"enabled"}),
}


def is_hook(target: Target) -> bool:
    """Say whether an object is a hook: it runs each time its set changes."""
    return any(name in _annotations(target) for name in HOOKS)


def may_be_replaced(target: Target) -> bool:
    """Say whether an object asks to be made anew when it cannot be changed."""
    given = _annotations(target)
    if is_hook(target):
        policies = {word for name in POLICIES for word in _words(given.get(name, ""))}
        return not policies or bool(policies & BEFORE)
    return any(not words.isdisjoint(_words(given.get(name, ""))) for name, words in ASKING.items())


def _annotations(target: Target) -> dict[str, str]:
    found = target.object["metadata"].get("annotations")
    return {name: str(value) for name, value in found.items()} if isinstance(found, dict) else {}


def _words(text: str) -> set[str]:
    return {word.strip() for word in text.split(",")} - {""}


def is_about_immutable(error: StatusError) -> bool:
    """Say whether a refusal is about nothing but fields that cannot be changed."""
    texts = [str(field) for field in error.errors] or [error.message]
    return error.code == 422 and all(any(words in text for words in IMMUTABLE) for text in texts)


def make_room(client: Client, resource: str, obj: Obj) -> None:
    """Delete the object of that name; Unavailable while something holds it back."""
    key = key_of(obj)
    if inventory.read_at(client, resource, key) is None:
        return
    client.delete(resource, key, propagation="Background", grace=0 if resource == "pods" else None)
    if inventory.read_at(client, resource, key) is not None:
        raise unavailable(f'{resource} "{key.name}" is being replaced and waits for its finalizers')


def with_hooks(changes: list[Change], targets: Iterable[Target], *, is_pruning: bool) -> list[Change]:
    """Return the changes with what becomes of hooks: all run when anything else changes, none when nothing does.

    One that is to outlive its next run (by its deletion policy) is not made anew.
    """
    hooks = {inventory.entry_of(target).identity: may_be_replaced(target) for target in targets if is_hook(target)}
    if not hooks:
        return changes
    identity = {id(change): (change.resource, change.namespace, change.name) for change in changes}
    others = [change for change in changes if identity[id(change)] not in hooks]
    runs = is_pruning or any(change.change != "unchanged" for change in others)
    first = any(change.change == "created" for change in changes)
    out = []
    for change in changes:
        if identity[id(change)] in hooks and not (runs or first):
            change = change._replace(change="unchanged", fields=())
        elif hooks.get(identity[id(change)]) and change.change in ("unchanged", "configured"):
            change = change._replace(change="replaced")
        out.append(change)
    return out
