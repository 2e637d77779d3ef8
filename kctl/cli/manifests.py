"""Manifests as a command names them: paths, the parse cache of the state folder, ``-n``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kctl.gitops.manifests import Manifest, Options
    from kctl.plane.plane import ControlPlane


def options(folder: Path | None, *, ignore_not_manifest: bool = False, namespace: str | None = None) -> Options:
    """Return how manifests are read; parsed texts are cached in the state folder."""
    from kctl.gitops.manifests import DEFAULT_NAMESPACE, Options
    from kctl.gitops.parsed import ParseCache

    cache = ParseCache(folder) if folder is not None else None
    return Options(ignore_not_manifest, namespace or DEFAULT_NAMESPACE, cache)


def load(
    plane: ControlPlane,
    paths: Sequence[str],
    *,
    recursive: bool = False,
    ignore_not_manifest: bool = False,
    namespace: str | None = None,
) -> list[Manifest]:
    """Return the manifests behind ``-f``; ManifestErrors names all that is wrong."""
    from kctl.gitops import manifests

    how = options(plane.folder, ignore_not_manifest=ignore_not_manifest, namespace=namespace)
    return manifests.load(paths, recursive=recursive, stdin=sys.stdin.buffer, options=how)


def set_name(base: Path, paths: Sequence[str]) -> str:
    """Return the name of the set that these paths bring, whatever directory they are named from."""
    import os

    from kctl.gitops import inventory

    relative = {path if path == "-" else os.path.relpath(Path(path).resolve(), base) for path in paths}
    return inventory.set_name("apply", *sorted(relative))
