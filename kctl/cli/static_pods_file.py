"""The static pods that a ``kctl.yaml`` names by their paths.

In: the Cluster manifest and the folder it stands in. Out: the manifest with the pods in their place, or everything
that is wrong with them, with the lines of their own files.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from kctl.api import staticpods
from kctl.api.errors import FieldError, invalid
from kctl.api.objects import Obj, dig
from kctl.gitops import manifests
from kctl.gitops.manifests import Manifest
from kctl.gitops.sources import ManifestError, ManifestErrors


def is_named(cluster: Obj) -> bool:
    """Say whether a node group names files of static pods."""
    return any(isinstance(item, str) for group in _groups(cluster) for item in _listed(group))


def placed(cluster: Manifest, folder: Path) -> Obj:
    """Return the Cluster with the pods that its node groups name; ManifestErrors when they are none."""
    missing: list[FieldError] = []
    wrong: list[ManifestError] = []
    groups = []
    for n, group in enumerate(_groups(cluster.object)):
        found: list[object] = []
        for m, item in enumerate(_listed(group)):
            if not isinstance(item, str):
                found.append(item)
            elif not (folder / item).exists():
                missing.append(invalid(f"spec.nodeGroups[{n}].staticPods[{m}]", item, "there is no such file"))
            else:
                found += _read(folder / item, wrong)
        groups.append({**group, staticpods.FIELD: found} if found else group)
    if missing or wrong:
        raise ManifestErrors([*_errors(cluster, missing, "Cluster"), *wrong])
    return {**cluster.object, "spec": {**cluster.object["spec"], "nodeGroups": groups}}


def _read(path: Path, wrong: list[ManifestError]) -> list[Obj]:
    """Return the pods of a file, or of the files of a folder, in order of their names."""
    try:
        found = manifests.load([str(path)], options=manifests.Options())
    except ManifestErrors as errors:
        wrong += errors.errors
        return []
    for manifest in found:
        wrong += _errors(manifest, staticpods.errors_of(manifest.object), "static pod")
    return [manifest.object for manifest in found]


def _errors(manifest: Manifest, errors: Iterable[FieldError], subject: str) -> list[ManifestError]:
    return manifests.located(manifest, errors, subject).errors


def _groups(cluster: Obj) -> list[Obj]:
    """Return the node groups; none where one is no map, which the reader of the shape says."""
    found = dig(cluster, "spec", "nodeGroups")
    groups = found if isinstance(found, list) else []
    return groups if all(isinstance(group, dict) for group in groups) else []


def _listed(group: Obj) -> list[object]:
    found = group.get(staticpods.FIELD)
    return found if isinstance(found, list) else []
