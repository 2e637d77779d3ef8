"""Manifests: the objects in texts, each with the place it comes from.

In: paths, or texts from elsewhere (a git commit). Out: manifests in order of file and line, or
a :class:`ManifestErrors` that holds everything that is wrong, not the first thing only. Whether
an object is *valid* is not decided here but by the API server.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

from kctl.api.errors import FieldError
from kctl.api.objects import Obj, group_of
from kctl.gitops import sources
from kctl.gitops.documents import Document, Loaded, positions_of
from kctl.gitops.documents import load as load_text
from kctl.gitops.parsed import ParseCache
from kctl.gitops.positions import Place, Positions
from kctl.gitops.sources import ManifestError, ManifestErrors, Source

CLUSTER = ("kctl.dev/v1", "Cluster")
SCENARIO = ("sim.kctl.dev/v1", "Scenario")
SCHEDULER = ("kubescheduler.config.k8s.io/v1", "KubeSchedulerConfiguration")
KUSTOMIZE = "kustomize.config.k8s.io/"
DEFAULT_NAMESPACE = "default"


class Manifest(NamedTuple):
    """One object and where it was written."""

    file: str
    line: int
    object: Obj
    positions: Positions

    def place(self, path: str = "") -> str:
        """Return ``file:line`` of a field, or of what is closest around it."""
        return f"{self.file}:{self.positions.place(path).line if path else self.line}"

    def error(self, path: str, message: str) -> ManifestError:
        """Return an error about a field."""
        return ManifestError(self.file, self.positions.place(path).line if path else self.line, 0, message)


class Options(NamedTuple):
    """How files are read: what is no manifest may be skipped, parsed texts may be cached."""

    ignore_not_manifest: bool = False
    namespace: str = DEFAULT_NAMESPACE
    cache: ParseCache | None = None


DEFAULTS: Final = Options()


def load(
    paths: Sequence[str],
    *,
    recursive: bool = False,
    stdin: IO[bytes] | None = None,
    options: Options = DEFAULTS,
) -> list[Manifest]:
    """Return the manifests behind the paths of ``-f``; ManifestErrors names all that is wrong."""
    found = sources.find(paths, recursive=recursive, stdin=stdin)
    manifests, errors = collect(found.sources, options)
    errors = [*found.errors, *errors]
    if not manifests and not errors:
        errors = [ManifestError(sources.shown(path), 0, 0, "no manifests here") for path in paths]
    if errors:
        raise ManifestErrors(errors)
    return manifests


def load_cluster(path: Path) -> Manifest:
    """Return the Cluster that a ``kctl.yaml`` describes; ManifestErrors when it is not just that."""
    return load_one(path, CLUSTER, "a cluster")


def load_one(path: Path, wanted: tuple[str, str], subject: str) -> Manifest:
    """Return the one document of a file that says how kctl is set; ManifestErrors when it is not just that."""
    file = sources.shown(os.path.relpath(path))
    reader = _Reading(Options())
    loaded = reader.text(Source(file, lambda: sources.read_file(str(path)), named=True))
    for document in loaded.documents:
        if _type_of(document.value) != wanted:
            reader.errors.append(ManifestError(file, document.line, 0, f"want kind {wanted[1]} of {wanted[0]} here"))
    if not reader.errors and len(loaded.documents) != 1:
        message = f"{subject} is described by one document" if loaded.documents else f"want kind {wanted[1]} here"
        reader.errors.append(ManifestError(file, 0, 0, message))
    if reader.errors:
        raise ManifestErrors(reader.errors)
    document = loaded.documents[0]
    return Manifest(file, document.line, document.value, document.positions)


def located(manifest: Manifest, errors: Iterable[FieldError], subject: str = "") -> ManifestErrors:
    """Return field errors with the places of the fields; ``subject`` stands before each."""
    lead = f"{subject}: " if subject else ""
    return ManifestErrors(manifest.error(error.field, f"{lead}{error}") for error in errors)


def collect(texts: Iterable[Source], options: Options = DEFAULTS) -> tuple[list[Manifest], list[ManifestError]]:
    """Return the manifests in the texts, in order, and everything that is wrong with them."""
    reading = _Reading(options)
    manifests = [manifest for text in texts for manifest in reading.manifests(text)]
    manifests.sort(key=lambda manifest: (manifest.file, manifest.line))
    return manifests, sorted({*reading.errors, *doubles(manifests, options.namespace)})


class _Reading:
    """Turns texts into manifests and collects errors on the way."""

    def __init__(self, options: Options) -> None:
        self.errors: list[ManifestError] = []
        self._options = options

    def fail(self, file: str, place: Place | None, message: str) -> None:
        self.errors.append(ManifestError(file, place.line if place else 0, 0, message))

    def text(self, source: Source) -> Loaded:
        """Parse a text, or take what it was parsed to before."""
        cache = self._options.cache
        try:
            if cache is None:
                loaded = load_text(source.read())
            else:
                loaded = self._cached(source, cache)
        except OSError as error:
            self.fail(source.file, None, sources.reason(error))
            return Loaded([], [])
        self.errors += [ManifestError(source.file, *problem) for problem in loaded.problems]
        return loaded

    def _cached(self, source: Source, cache: ParseCache) -> Loaded:
        data: bytes | None = None
        digest = source.digest
        if not digest:
            data = source.read()
            digest = cache.digest(data)
        rows = cache.get(digest)
        if rows is not None:
            read = source.read if data is None else (lambda known=data: known)
            documents = [
                Document(line, column, value, positions_of(Place(line, column), index, read))
                for index, (line, column, value) in enumerate(rows)
            ]
            return Loaded(documents, [])
        loaded = load_text(source.read() if data is None else data)
        if not loaded.problems:
            cache.put(digest, [(document.line, document.column, document.value) for document in loaded.documents])
        return loaded

    def manifests(self, source: Source) -> Iterator[Manifest]:
        """Yield the manifests of a text."""
        before = len(self.errors)
        loaded = self.text(source)
        if source.named and not loaded.documents and len(self.errors) == before:
            self.fail(source.file, None, "no manifests in this file")
        for document in loaded.documents:
            start = Place(document.line, document.column)
            yield from self._flatten(source.file, document.value, start, document.positions)

    def _flatten(self, file: str, value: Any, start: Place, positions: Positions) -> Iterator[Manifest]:
        """Yield the object, or the objects of a List one by one."""
        if not self._is_manifest(file, value, start):
            return
        api_version, kind = _type_of(value)
        items = value.get("items")
        if kind.endswith("List") and ("items" in value or (api_version, kind) == ("v1", "List")):
            if not isinstance(items, list | None):
                self.fail(file, positions.place("items"), "items must be a list")
                return
            for index, item in enumerate(items or ()):
                inside = positions.inside("items", index)
                yield from self._flatten(file, _typed(item, api_version, kind), inside.find(()), inside)
            return
        if (api_version, kind) in (CLUSTER, SCHEDULER, SCENARIO):
            return
        if self._has_name(file, value, positions):
            yield Manifest(file, start.line, value, positions)

    def _is_manifest(self, file: str, value: Any, start: Place) -> bool:
        """Say whether a document claims to be an object, and complain when it does not."""
        if not isinstance(value, dict):
            if not self._options.ignore_not_manifest:
                what = "a list" if isinstance(value, list) else "a plain value"
                self.fail(file, start, f"not a manifest: the document is {what}, not an object")
            return False
        if isinstance(value.get("sops"), dict) and "mac" in value["sops"]:
            if not self._options.ignore_not_manifest:
                message = "encrypted with SOPS: kctl cannot read it; decrypt it first, or skip it"
                self.fail(file, start, f"{message} with --ignore-not-manifest")
            return False
        missing = [field for field in ("apiVersion", "kind") if not value.get(field)]
        if len(missing) == 2 and self._options.ignore_not_manifest:
            return False
        if missing:
            self.fail(file, start, f"not a manifest: {' and '.join(missing)} must be set")
            return False
        if not all(isinstance(value[field], str) for field in ("apiVersion", "kind")):
            self.fail(file, start, "not a manifest: apiVersion and kind must be strings")
            return False
        if value["apiVersion"].startswith(KUSTOMIZE):
            self.fail(file, start, "building a kustomization is not built yet: give the output of kustomize")
            return False
        return True

    def _has_name(self, file: str, value: Obj, positions: Positions) -> bool:
        """Say whether the object can be applied: it has a name of its own."""
        meta = value.get("metadata")
        kind = value["kind"]
        if meta is not None and not isinstance(meta, dict):
            self.fail(file, positions.place("metadata"), f"{kind}: metadata must be an object")
            return False
        name = (meta or {}).get("name")
        if name and isinstance(name, str):
            namespace = (meta or {}).get("namespace")
            if namespace is None or isinstance(namespace, str):
                return True
            self.fail(
                file, positions.place("metadata.namespace"), f'{kind} "{name}": metadata.namespace must be a string'
            )
            return False
        if name or name in (False, 0):
            hint = " (y, n, yes, no, on and off are booleans in YAML: quote it)" if isinstance(name, bool) else ""
            self.fail(file, positions.place("metadata.name"), f"{kind}: metadata.name must be a string{hint}")
        elif (meta or {}).get("generateName"):
            message = f"{kind}: metadata.generateName cannot be applied: every apply would make another object"
            self.fail(file, positions.place("metadata.generateName"), message)
        else:
            self.fail(file, positions.place("metadata"), f"{kind}: metadata.name must be set")
        return False


def _type_of(value: Any) -> tuple[str, str]:
    if not isinstance(value, dict):
        return "", ""
    return str(value.get("apiVersion") or ""), str(value.get("kind") or "")


def _typed(item: Any, api_version: str, kind: str) -> Any:
    """Return an item of a typed list (``ConfigMapList``) with the type it may leave out."""
    if kind == "List" or not isinstance(item, dict):
        return item
    return {"apiVersion": api_version, "kind": kind.removesuffix("List"), **item}


def doubles(manifests: Sequence[Manifest], default_namespace: str) -> Iterator[ManifestError]:
    """Yield an error for each manifest whose object an earlier one describes already."""
    first: dict[tuple[str, str, str, str], Manifest] = {}
    for manifest in manifests:
        obj = manifest.object
        meta = obj["metadata"]
        identity = (group_of(obj), obj["kind"], meta.get("namespace") or default_namespace, meta["name"])
        known = first.setdefault(identity, manifest)
        if known is not manifest:
            name = meta["name"]
            message = f'{obj["kind"]} "{name}" is also described at {known.place()}'
            yield ManifestError(manifest.file, manifest.line, 0, message)
