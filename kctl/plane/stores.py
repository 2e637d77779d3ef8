"""Where the replicas of a cluster's log lie, and how a plane opens it.

In: a state folder. Out: a store. One replica lies in ``store`` of the state folder and is written
down nowhere. Several, or one elsewhere, are listed in ``replicas.json``: directories, those
below the state folder relative to it, and the identity of the log once it was made. Until then
whoever opens the cluster to write makes it; from then on nobody makes a replica by accident, so
that one whose directory is gone is missed rather than begun anew.

Who of them votes is in the log; this is only where to look.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from kctl.api.errors import KctlError, Refused
from kctl.plane import state

if TYPE_CHECKING:
    from kctl.store.api import Consistency, Head, Store

LOG = "log.db"
SEEN = "seen"
"""The end of the log as a command of this state folder last left it."""


class Placement(NamedTuple):
    """The directories of the replicas; ``cluster`` is "" until the log is known to have been made."""

    directories: tuple[Path, ...]
    cluster: str = ""


def placement(folder: Path) -> Placement | None:
    """Return where the replicas of a state folder lie, None when there is no cluster."""
    try:
        text = (folder / state.REPLICAS).read_bytes()
    except FileNotFoundError:
        return _found(folder)
    except NotADirectoryError:
        raise KctlError(
            f"{folder} is a file, and no state folder can be made there",
            hint="remove it, or name another folder with --state",
        ) from None
    except OSError as error:
        raise KctlError(f"{folder / state.REPLICAS}: cannot read: {error.strerror}") from None
    try:
        document = json.loads(text)
        directories = tuple(folder / str(directory) for directory in document["directories"])
        if not directories:
            raise ValueError("no directory")
        return Placement(directories, str(document.get("cluster") or ""))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise KctlError(
            f"{folder / state.REPLICAS}: this is not a list of replicas, or it is damaged",
            hint='it holds {"directories": [...]}: write the directories of the replicas there again',
        ) from None


def _found(folder: Path) -> Placement | None:
    """Return the replicas in their usual places, for a folder that lists none."""
    if (folder / state.STORE).is_dir():
        return Placement((folder / state.STORE,))
    numbered = tuple(path for path in map(folder.joinpath, state.NUMBERED) if path.is_dir())
    return Placement(numbered, "unknown") if numbered else None


def choose(folder: Path, directories: Sequence[Path]) -> Placement:
    """Write down where the replicas of a new cluster will lie; of two who do, both get the first one's."""
    for directory in directories:
        if (directory / LOG).exists():
            raise Refused(
                f"{directory} holds a log already", hint='"kctl store attach" uses it; or name another directory'
            )
    partial = _written(folder, Placement(tuple(directories)))
    with suppress(FileExistsError):
        os.link(partial, folder / state.REPLICAS)
    partial.unlink(missing_ok=True)
    return placement(folder) or Placement(tuple(directories))


def keep(folder: Path, place: Placement) -> None:
    """Write the list of the replicas anew, whole or not at all."""
    _written(folder, place).replace(folder / state.REPLICAS)


def _written(folder: Path, place: Placement) -> Path:
    document = {
        "apiVersion": "kctl.dev/v1",
        "kind": "Replicas",
        "cluster": place.cluster,
        "directories": [_relative(folder, directory) for directory in place.directories],
    }
    partial = folder / f"{state.REPLICAS}.{os.getpid()}"
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(json.dumps(document, indent=1) + "\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise KctlError(f"{partial}: cannot write: {error.strerror}") from None
    return partial


def _relative(folder: Path, directory: Path) -> str:
    """Return a directory below the state folder as it lies there, so that the folder can be moved."""
    whole, base = Path(os.path.abspath(directory)), Path(os.path.abspath(folder))  # noqa: PTH100 - links stay
    return str(whole.relative_to(base)) if whole.is_relative_to(base) else str(whole)


def usual(folder: Path, count: int) -> list[Path]:
    """Return where ``count`` replicas lie when nobody says where."""
    return [folder / name for name in state.NUMBERED[:count]] if count > 1 else [folder / state.STORE]


def open_store(
    folder: Path | None,
    *,
    create: bool = True,
    replicas: int = 1,
    directories: Sequence[Path] = (),
    consistency: Consistency = "linearizable",
) -> Store:
    """Open the store of a state folder, Secrets sealed with its keys; in memory when there is none.

    With ``create`` a cluster that is not there is made, with so many replicas or with these
    directories. Without a majority of them a store of the ``consistency`` serializable still reads.
    """
    if folder is None:
        from kctl.store.memory import MemoryStore

        return MemoryStore()
    from kctl.apiserver.encryption import SealedStore
    from kctl.store.open import open_store as open_log

    place = placement(folder)
    if place is None and not create:
        raise state.NoCluster
    if create:
        state.create(folder)
    is_new = place is None
    if place is None:
        where = directories or usual(folder, replicas)
        place = choose(folder, where) if directories or replicas > 1 else Placement(tuple(where))
    try:
        store = open_log(place.directories, create=create and not place.cluster, consistency=consistency)
    except BaseException:
        if is_new:
            (folder / state.REPLICAS).unlink(missing_ok=True)
        raise
    if create and not place.cluster and (folder / state.REPLICAS).exists():
        keep(folder, place._replace(cluster=store.cluster_id))
    return SealedStore(store, state.key_file(folder))


def remember(folder: Path, cluster: str, head: Head) -> None:
    """Note beside the replicas where the log ends, so that older copies of all of them are recognised.

    Not made durable: after a power cut it may be behind the log, which is no harm, never ahead.
    """
    from kctl.store.sidecar import HeadFile

    note = HeadFile(folder / SEEN, cluster)
    said = note.read()
    with suppress(KctlError, OSError):
        if said is None or said.index < head.index:
            note.write(head)
    note.close()


def forgotten(folder: Path, cluster: str, head: Head) -> KctlError | None:
    """Return the error of a log that ends before what was noted, None when it goes on from there."""
    from kctl.store.errors import RolledBack
    from kctl.store.sidecar import HeadFile

    said = HeadFile(folder / SEEN, cluster).read()
    if said is None or said.index < head.index or (said.index, said.hash) == (head.index, head.hash):
        return None
    return RolledBack(head.revision, said.revision, folder / SEEN)
