"""The ConfigMaps and Secrets a pod cannot do without.

In: a pod's spec and what is known of its namespace. Out: what it names, and kubelet's words
for what is missing. Volumes of other kinds are taken to mount at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

from kctl.api.objects import Obj

Resource = Literal["configmaps", "secrets"]
Found = Mapping["Reference", Obj | None]
"""What each reference leads to, None for nothing."""


class Reference(NamedTuple):
    """A ConfigMap or Secret in the pod's namespace."""

    resource: Resource
    name: str


MADE_OF = ("volumes", "initContainers", "containers", "imagePullSecrets")
"""The fields of a spec in which references are."""
LIMIT = 1024
"""So many specs are known at a time."""
WORDS: dict[str, tuple[str, str, str]] = {
    "configmaps": ("configmap", "ConfigMap", "configmap references non-existent config key"),
    "secrets": ("secret", "Secret", "references non-existent secret key"),
}


class _Use(NamedTuple):
    """One place that names an object: with the keys it needs of it."""

    reference: Reference
    keys: tuple[str, ...]
    is_optional: bool


def named(spec: Obj) -> list[Reference]:
    """Return everything the pod names, each once, in the order of the spec."""
    found: dict[Reference, None] = {}
    for volume in spec.get("volumes") or ():
        for use in _volume_uses(volume):
            found[use.reference] = None
    for container in (*(spec.get("initContainers") or ()), *spec["containers"]):
        for use in _environment_uses(container):
            found[use.reference] = None
    for reference in _pull_secrets(spec):
        found[reference] = None
    return list(found)


class Named:
    """What specs name; those that share what they are made of are read once."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, ...], tuple[list[Any], list[Reference]]] = {}
        self._places: dict[tuple[int, str], tuple[list[Reference], list[tuple[str, str, str]]]] = {}

    def places(self, pod: Obj) -> list[tuple[str, str, str]]:
        """Return resource, namespace and name of everything the pod names."""
        namespace, found = pod["metadata"].get("namespace") or "", self.of(pod["spec"])
        known = self._places.get((id(found), namespace))
        if known is None:
            if len(self._places) >= LIMIT:
                self._places.clear()
            places: list[tuple[str, str, str]] = [(one.resource, namespace, one.name) for one in found]
            known = self._places[id(found), namespace] = (found, places)
        return known[1]

    def of(self, spec: Obj) -> list[Reference]:
        """Return everything the pod names, as :func:`named`."""
        made_of = [spec.get(field) for field in MADE_OF]
        place = tuple(map(id, made_of))
        found = self._known.get(place)  # which keeps what it is made of: no other gets its id
        if found is None:
            if len(self._known) >= LIMIT:
                self._known.clear()
            found = self._known[place] = (made_of, named(spec))
        return found[1]


def mount_problem(spec: Obj, found: Found) -> str:
    """Return why the pod's volumes cannot be set up, "" when they can."""
    for volume in spec.get("volumes") or ():
        problems = []
        for use in _volume_uses(volume):
            obj = found.get(use.reference)
            noun, _, no_key = WORDS[use.reference.resource]
            if use.is_optional:
                continue
            if obj is None:
                problems.append(f'{noun} "{use.reference.name}" not found')
            elif missing := [key for key in use.keys if not _has_key(obj, key)]:
                problems.append(f"{no_key}: {missing[0]}")
        if problems:
            text = problems[0] if len(problems) == 1 else "[" + ", ".join(problems) + "]"
            return f'MountVolume.SetUp failed for volume "{volume["name"]}" : {text}'
    return ""


def environment_problem(container: Obj, namespace: str, found: Found) -> str:
    """Return why the container's environment cannot be made, "" when it can."""
    for use in _environment_uses(container):
        if use.is_optional:
            continue
        obj = found.get(use.reference)
        noun, kind, _ = WORDS[use.reference.resource]
        if obj is None:
            return f'{noun} "{use.reference.name}" not found'
        for key in use.keys:
            if not _has_key(obj, key):
                return f"couldn't find key {key} in {kind} {namespace}/{use.reference.name}"
    return ""


def missing_pull_secrets(spec: Obj, found: Found) -> str:
    """Return the words of the event about pull secrets that are not there, "" for none."""
    missing = [reference.name for reference in _pull_secrets(spec) if found.get(reference) is None]
    if not missing:
        return ""
    return (
        f"Unable to retrieve some image pull secrets ({', '.join(missing)}); "
        "attempting to pull the image may not succeed."
    )


def _pull_secrets(spec: Obj) -> Iterator[Reference]:
    for secret in spec.get("imagePullSecrets") or ():
        if secret.get("name"):
            yield Reference("secrets", secret["name"])


def _volume_uses(volume: Obj) -> Iterator[_Use]:
    if "configMap" in volume:
        yield from _use("configmaps", volume["configMap"], "name")
    elif "secret" in volume:
        yield from _use("secrets", volume["secret"], "secretName")
    elif "projected" in volume:
        for source in (volume["projected"] or {}).get("sources") or ():
            if "configMap" in source:
                yield from _use("configmaps", source["configMap"], "name")
            elif "secret" in source:
                yield from _use("secrets", source["secret"], "name")


def _use(resource: Resource, source: Any, field: str) -> Iterator[_Use]:
    source = source or {}
    if source.get(field):
        keys = tuple(item["key"] for item in source.get("items") or () if item.get("key"))
        yield _Use(Reference(resource, source[field]), keys, bool(source.get("optional")))


def _environment_uses(container: Obj) -> Iterator[_Use]:
    for source in container.get("envFrom") or ():
        for field, resource in _ENV_FROM:
            ref = source.get(field)
            if ref and ref.get("name"):
                yield _Use(Reference(resource, ref["name"]), (), bool(ref.get("optional")))
    for variable in container.get("env") or ():
        value = variable.get("valueFrom")
        if not value:
            continue
        for field, resource in _ENV:
            ref = value.get(field)
            if ref and ref.get("name"):
                yield _Use(Reference(resource, ref["name"]), (ref["key"],), bool(ref.get("optional")))


_ENV_FROM: tuple[tuple[str, Resource], ...] = (("configMapRef", "configmaps"), ("secretRef", "secrets"))
_ENV: tuple[tuple[str, Resource], ...] = (("configMapKeyRef", "configmaps"), ("secretKeyRef", "secrets"))


def _has_key(obj: Obj, key: str) -> bool:
    return key in (obj.get("data") or {}) or key in (obj.get("binaryData") or {})
