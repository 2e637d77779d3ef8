"""Where a cluster lives on disk: the folder ``.kctl/`` and the manifest ``kctl.yaml``.

Both are found like ``.git``: in the current directory or the nearest parent. The nearest of the
two decides: a directory with a ``kctl.yaml`` is a cluster of its own, also before it has a state.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from kctl.api.errors import KctlError

STATE = ".kctl"
CLUSTER_FILE = "kctl.yaml"
STORE = "store"
NUMBERED = tuple(f"store-{number}" for number in range(1, 6))
"""Where the replicas lie when there are several and nobody says where."""
REPLICAS = "replicas.json"
KEYS = "encryption-keys.json"
KEY_FILE = "KCTL_KEY_FILE"


class NoCluster(KctlError):
    """There is no state folder here."""

    def __init__(self) -> None:
        super().__init__('no cluster here: run "kctl init" or name one with --state')


def find(start: Path, name: str) -> Path | None:
    """Return the nearest ``name`` in ``start`` or a parent of it."""
    for folder in (start, *start.parents):
        candidate = folder / name
        try:
            if candidate.exists():
                return candidate
        except PermissionError:
            return None
    return None


def find_state(start: Path, given: str | None, environ: Mapping[str, str]) -> Path | None:
    """Return the state folder: ``given`` (--state), else KCTL_STATE, else the nearest ``.kctl``.

    A folder that is named, or stands beside a ``kctl.yaml``, is returned although it may not exist yet.
    """
    named = given or environ.get("KCTL_STATE")
    if named:
        return Path(named)
    for folder in (start, *start.parents):
        if (folder / STATE).is_dir() or (folder / CLUSTER_FILE).is_file():
            return folder / STATE
    return None


def is_cluster(state: Path | None) -> bool:
    """Say whether the folder holds a cluster."""
    if state is None:
        return False
    if (state / STORE).is_dir() or (state / REPLICAS).is_file():
        return True
    return any((state / name).is_dir() for name in NUMBERED)


def create(state: Path) -> Path:
    """Make the state folder, readable by its owner alone and ignored by git; return it."""
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        ignore = state / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")
            ignore.chmod(0o600)
    except OSError as error:
        raise KctlError(f"{state}: cannot create the state folder: {error.strerror}") from None
    return state


def key_file(state: Path, environ: Mapping[str, str] = os.environ) -> Path:
    """Return the file of the keys that Secrets are encrypted with: in the state folder, or as KCTL_KEY_FILE says."""
    named = environ.get(KEY_FILE)
    return Path(named) if named else state / KEYS
