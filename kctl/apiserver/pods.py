"""What the subresources ``ephemeralcontainers`` and ``resize`` may change of a pod.

As the pod strategies of those names: everything else is taken from the pod as it is, the
generation counts the change, and the outcome is validated like a pod.
"""

from __future__ import annotations

from collections.abc import Callable

from kctl.api.errors import FieldError, duplicate, forbidden_field, invalid, required
from kctl.api.objects import Obj
from kctl.api.registry import Kind
from kctl.apiserver import rules


def with_ephemeral_containers(new: Obj, old: Obj) -> Obj:
    """Return the pod with the ephemeral containers of ``new``."""
    return _changed(old, {"ephemeralContainers": (new.get("spec") or {}).get("ephemeralContainers") or []})


def resized(new: Obj, old: Obj) -> Obj:
    """Return the pod with the resources of the containers of ``new``."""
    spec: Obj = {}
    for field in ("containers", "initContainers"):
        wanted = {c.get("name"): c for c in (new.get("spec") or {}).get(field) or ()}
        spec[field] = [
            {**c, **{k: wanted[c["name"]][k] for k in ("resources", "resizePolicy") if k in wanted[c["name"]]}}
            if c["name"] in wanted
            else c
            for c in old["spec"].get(field) or ()
        ]
    return _changed(old, spec)


PARTS: dict[str, Callable[[Obj, Obj], Obj]] = {
    "ephemeralcontainers": with_ephemeral_containers,
    "resize": resized,
}


def _changed(old: Obj, fields: Obj) -> Obj:
    spec = {**old["spec"], **{name: value for name, value in fields.items() if value or name in old["spec"]}}
    if spec == old["spec"]:
        return old
    generation = (old["metadata"].get("generation") or 0) + 1
    return {**old, "metadata": {**old["metadata"], "generation": generation}, "spec": spec}


def _names(ephemeral: list[Obj], taken: set[str]) -> list[FieldError]:
    """Return which ephemeral containers lack a name or image, or share a name."""
    found = []
    for n, container in enumerate(ephemeral):
        at, name = f"spec.ephemeralContainers[{n}]", container.get("name") or ""
        if not name:
            found.append(required(f"{at}.name"))
        elif name in taken:
            found.append(duplicate(f"{at}.name", name))
        taken = taken | {name}
        if not container.get("image"):
            found.append(required(f"{at}.image"))
    return found


def _quality_changes(new: Obj, old: Obj) -> list[FieldError]:
    """Refuse a resize that makes another QoS class of the pod, as ValidatePodResize."""
    from kctl.api.strategy.pods import quality

    noted = (old.get("status") or {}).get("qosClass") or quality(old["spec"])
    if quality(new["spec"]) == noted:
        return []
    return [invalid("spec", noted, "Pod QOS Class may not change as a result of resizing")]


def check(kind: Kind, subresource: str, new: Obj, old: Obj) -> list[FieldError]:
    """Return what is wrong with the changed pod; existing ephemeral containers stay as they are."""
    if subresource != "ephemeralcontainers":
        found = [e for e in rules.validate_create(kind, new) if not e.field.startswith("metadata")]
        return found + _quality_changes(new, old)
    from kctl.api.validation import internal

    at = "spec.ephemeralContainers"
    ephemeral = new["spec"].get("ephemeralContainers") or []
    now = {c.get("name"): c for c in ephemeral}
    found = _names(ephemeral, {c["name"] for f in ("containers", "initContainers") for c in new["spec"].get(f) or ()})
    for container in old["spec"].get("ephemeralContainers") or ():
        name = container["name"]
        if name not in now:
            found.append(forbidden_field(at, f'existing ephemeral containers "{name}" may not be removed\n'))
        elif now[name] != container:
            why = f'existing ephemeral containers "{name}" may not be changed\n'
            found.append(forbidden_field(at, why + internal.difference("EphemeralContainer", container, now[name])))
    return found
