"""A commit as a set: manifests read from git objects, never from the working tree."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from kctl.api.errors import KctlError
from kctl.api.objects import Obj
from kctl.gitops import inventory, manifests
from kctl.gitops.git import Commit, Repository
from kctl.gitops.manifests import Manifest, Options
from kctl.gitops.sources import ManifestErrors


class Synced(NamedTuple):
    """What a commit brings: apply it as ``set_name`` with ``source``; ``skipped`` was passed over."""

    commit: Commit
    manifests: list[Manifest]
    set_name: str
    source: Obj
    skipped: list[str]


def sync_commit(
    repository: str,
    ref: str = "HEAD",
    path: str = "",
    *,
    options: Options = manifests.DEFAULTS,
    quarantine: bool = False,
) -> Synced:
    """Return the manifests of a commit, or of one of its folders; ``quarantine`` as for Repository.

    Raises ManifestErrors with everything that is wrong in the commit, KctlError when the
    repository, the revision or the folder is not there.
    """
    with Repository(repository, quarantine=quarantine) as repo:
        try:
            commit = repo.commit(repo.resolve(ref))
            tree = repo.tree(commit.sha, path)
            found, errors = manifests.collect(tree.sources, options)
        except OSError as error:
            raise KctlError(f"{repository}: {error}") from None
        top = str(Path(repository).resolve())
    errors = [*tree.errors, *errors]
    if errors:
        raise ManifestErrors(errors, hint=f"commit {commit.sha[:12]} was not applied")
    if not found:
        raise KctlError(f"commit {commit.sha[:12]} holds no manifests" + (f" in {path}" if path else ""))
    source: Obj = {"repository": top, "ref": ref, "path": path, "commit": commit.sha}
    source |= {"author": commit.author, "subject": commit.subject, "time": commit.time}
    return Synced(commit, found, inventory.set_name("git", Path(top).name, path), source, tree.skipped)
