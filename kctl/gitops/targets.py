"""Targets: manifests with their kinds looked up and their namespaces filled in.

In: manifests, the kinds the server knows. Out: one target per manifest, or every kind nobody
knows, with its place. Custom resource definitions in the set are kinds too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol

from kctl.api.objects import Key, Obj
from kctl.api.registry import Kind
from kctl.gitops.manifests import Manifest
from kctl.gitops.sources import ManifestError, ManifestErrors

DEFAULT_NAMESPACE = "default"
NAME_LABEL = "kubernetes.io/metadata.name"
CRDS = "customresourcedefinitions.apiextensions.k8s.io"


class Kinds(Protocol):
    """Finds kinds; :class:`kctl.api.registry.Registry` does."""

    def by_kind(self, api_version: str, kind: str) -> Kind | None:
        """Return the kind an object names by its ``apiVersion`` and ``kind``."""
        ...


class Target(NamedTuple):
    """An object to apply: where it was written, its kind, and the object with its namespace."""

    manifest: Manifest
    kind: Kind
    object: Obj

    @property
    def resource(self) -> str:
        """The resource: ``deployments.apps``."""
        return self.kind.resource

    @property
    def key(self) -> Key:
        """Namespace ("" when cluster-scoped) and name."""
        meta = self.object["metadata"]
        return Key(meta.get("namespace") or "", meta["name"])

    def error(self, path: str, message: str) -> ManifestError:
        """Return an error about a field of the object, named as kubectl names it."""
        return self.manifest.error(path, f'{self.resource} "{self.key.name}": {message}')


def resolve(manifests: Iterable[Manifest], kinds: Kinds, *, namespace: str = "") -> list[Target]:
    """Return the targets; ManifestErrors names every unknown kind and wrong namespace.

    ``namespace`` is what the user gave with ``-n``: objects without one go there, and those that
    name another are refused, as kubectl does.
    """
    manifests = list(manifests)
    brought = {(kind.api_version, kind.kind): kind for manifest in manifests for kind in kinds_of(manifest.object)}
    targets: list[Target] = []
    errors: list[ManifestError] = []
    for manifest in manifests:
        obj = manifest.object
        kind = kinds.by_kind(obj["apiVersion"], obj["kind"]) or brought.get((obj["apiVersion"], obj["kind"]))
        if kind is None:
            errors.append(_unknown(manifest))
            continue
        own = obj["metadata"].get("namespace") or ""
        if kind.namespaced and namespace and own not in ("", namespace):
            message = f'namespace "{own}" does not match "{namespace}", which -n gives'
            errors.append(Target(manifest, kind, obj).error("metadata.namespace", message))
            continue
        obj = _labelled(obj) if kind.resource == "namespaces" else obj
        targets.append(Target(manifest, kind, _placed(obj, kind, own or namespace or DEFAULT_NAMESPACE)))
    if errors:
        raise ManifestErrors(errors)
    return targets


def _unknown(manifest: Manifest) -> ManifestError:
    from kctl.api.removed import why_gone

    obj = manifest.object
    message = f'no matches for kind "{obj["kind"]}" in version "{obj["apiVersion"]}"'
    name = obj["metadata"]["name"]
    why = why_gone(obj["apiVersion"], obj["kind"]) or "ensure CRDs are installed first"
    return manifest.error("kind", f'{obj["kind"]} "{name}": {message}: {why}')


def _placed(obj: Obj, kind: Kind, namespace: str) -> Obj:
    """Return the object with its namespace, without one when its kind is cluster-scoped."""
    meta = obj["metadata"]
    if kind.namespaced:
        return obj if meta.get("namespace") == namespace else {**obj, "metadata": {**meta, "namespace": namespace}}
    if "namespace" not in meta:
        return obj
    return {**obj, "metadata": {name: value for name, value in meta.items() if name != "namespace"}}


def _labelled(namespace: Obj) -> Obj:
    """Return a Namespace with the label that the server would give it.

    A bare Namespace says nothing that server-side apply could own, and the server would take the
    next apply for the first one.
    """
    meta = namespace["metadata"]
    labels = meta.get("labels")
    if labels is not None and not isinstance(labels, dict):
        return namespace  # the server says what is wrong with them
    return {**namespace, "metadata": {**meta, "labels": {NAME_LABEL: meta["name"], **(labels or {})}}}


def kinds_of(crd: Obj) -> Iterator[Kind]:
    """Yield the kinds that a CustomResourceDefinition brings, none for any other object."""
    if crd.get("kind") != "CustomResourceDefinition" or not str(crd.get("apiVersion")).startswith(
        "apiextensions.k8s.io/"
    ):
        return
    from kctl.api.crd import version

    yield from version.kinds(crd, established=False)
