"""The scheduler configuration that a ``kctl.yaml`` names by its path.

In: the Cluster manifest and the folder it stands in. Out: the configuration, or everything that is wrong
with it, with the lines of its own file.
"""

from __future__ import annotations

from pathlib import Path

from kctl.api.errors import invalid
from kctl.api.objects import Obj
from kctl.gitops import manifests
from kctl.gitops.manifests import Manifest
from kctl.scheduler import config


def read(cluster: Manifest, folder: Path) -> Obj:
    """Return the configuration that ``spec.scheduler`` names; ManifestErrors when there is no valid one."""
    name = cluster.object["spec"]["scheduler"]
    path = folder / name
    if not path.is_file():
        raise manifests.located(cluster, [invalid("spec.scheduler", name, "there is no such file")], "Cluster")
    found = manifests.load_one(path, manifests.SCHEDULER, "a scheduler")
    errors = config.parse(found.object)[1]
    if errors:
        raise manifests.located(found, errors, config.KIND)
    return found.object
