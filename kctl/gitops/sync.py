"""A commit as a set: manifests read from git objects, never from the working tree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from kctl.api.errors import KctlError
from kctl.api.objects import Obj
from kctl.gitops import inventory, manifests, signatures
from kctl.gitops.git import Commit, Repository
from kctl.gitops.manifests import Manifest, Options
from kctl.gitops.sources import ManifestError, ManifestErrors


class Synced(NamedTuple):
    """What a commit brings: apply it as ``set_name`` with ``source``; ``skipped`` was passed over."""

    commit: Commit
    manifests: list[Manifest]
    set_name: str
    source: Obj
    skipped: list[str]


class Wanted(NamedTuple):
    """Which commit, and what of it: each path is a set of its own. ``verify`` is gpg, ssh or ""."""

    ref: str = "HEAD"
    paths: Sequence[str] = ("",)
    verify: str = ""
    signers: str = ""
    quarantine: bool = False


def sync_commit(repository: str, ref: str = "HEAD", path: str = "", *, options: Options = manifests.DEFAULTS) -> Synced:
    """Return the manifests of a commit, or of one of its folders; see :func:`sync_commits`."""
    return sync_commits(repository, Wanted(ref, (path,)), options=options)[0]


def sync_commits(repository: str, wanted: Wanted, *, options: Options = manifests.DEFAULTS) -> list[Synced]:
    """Return the sets that a commit brings, one for each path.

    Raises ManifestErrors with everything that is wrong in the commit, KctlError when the
    repository, the revision or a folder is not there, Refused for a signature that does not hold.
    """
    with Repository(repository, quarantine=wanted.quarantine) as repo:
        try:
            commit = repo.commit(repo.resolve(wanted.ref))
            if wanted.verify:
                signatures.check(repo, commit.sha, wanted.verify, signers=wanted.signers)
            read = [(path, _read(repo, commit, path, options)) for path in dict.fromkeys(wanted.paths)]
        except OSError as error:
            raise KctlError(f"{repository}: {error}") from None
    errors = [error for _, part in read for error in part.errors]
    errors += _doubles([part.manifests for _, part in read], options.namespace)
    if errors:
        raise ManifestErrors(errors, hint=f"commit {commit.sha[:12]} was not applied")
    for path, part in read:
        if not part.manifests:
            raise KctlError(f"commit {commit.sha[:12]} holds no manifests" + (f" in {path}" if path else ""))
    top = Path(repository).resolve()
    return [_synced(top, commit, wanted.ref, path, part) for path, part in read]


class Sign(NamedTuple):
    """What tells a set of a commit from others without reading it; ``tree`` is the id of its content."""

    set_name: str
    tree: str


def signs(repository: str, wanted: Wanted) -> list[Sign]:
    """Return the sets that a commit brings, unread."""
    top = Path(repository).resolve()
    with Repository(repository, quarantine=wanted.quarantine) as repo:
        sha = repo.resolve(wanted.ref)
        return [Sign(_name(top, path), repo.tree_id(sha, path)) for path in dict.fromkeys(wanted.paths)]


class _Part(NamedTuple):
    tree: str
    manifests: list[Manifest]
    errors: list[ManifestError]
    skipped: list[str]


def _read(repo: Repository, commit: Commit, path: str, options: Options) -> _Part:
    tree = repo.tree(commit.sha, path)
    found, errors = manifests.collect(tree.sources, options)
    return _Part(repo.tree_id(commit.sha, path), found, [*tree.errors, *errors], tree.skipped)


def _doubles(sets: Sequence[Sequence[Manifest]], namespace: str) -> Iterator[ManifestError]:
    """Yield an error for each object that two sets bring: they would fight over it."""
    if len(sets) > 1:
        yield from manifests.doubles([manifest for found in sets for manifest in found], namespace)


def _synced(top: Path, commit: Commit, ref: str, path: str, part: _Part) -> Synced:
    source: Obj = {"repository": str(top), "ref": ref, "path": path, "commit": commit.sha, "tree": part.tree}
    source |= {"author": commit.author, "subject": commit.subject, "time": commit.time}
    return Synced(commit, part.manifests, _name(top, path), source, part.skipped)


def _name(top: Path, path: str) -> str:
    return inventory.set_name("git", top.name, path)
