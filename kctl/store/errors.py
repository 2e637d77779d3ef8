"""The errors of the store, one tree.

::

    StoreError
    ├── HeadMoved          another writer was faster: refresh and redo (the API server does)
    ├── Compacted          the revision asked for is forgotten
    ├── FutureRevision     the revision asked for has not happened
    ├── OutcomeUnknown     the disk failed during the commit: retry with the same request id
    ├── NoQuorum           too few replicas answer: nothing was written
    ├── Diverged           two replicas of equal standing differ: nothing is guessed
    ├── Locked             another process has held the writer lock for too long
    ├── NoStore            there is no log in this folder
    ├── DiskFull · ReadOnlyStore · Unreadable · NetworkFileSystem
    ├── WrongFormat        written by a later version, or not by kctl
    ├── Corrupt            a hash does not fit: nothing is guessed
    └── RolledBack         the file is older than what was acknowledged: writes are refused

The first three are part of normal work; the others end a command with one line.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from struct import error as StructError  # noqa: N812 - it is a class

from kctl.api.errors import KctlError
from kctl.store.api import Head


class StoreError(KctlError):
    """The log cannot do what was asked."""


class HeadMoved(StoreError):
    """The commit was computed from a head that is no longer the head; ``head`` is the current one."""

    def __init__(self, head: Head) -> None:
        super().__init__(f"another writer committed revision {head.revision} first", hint="try again")
        self.head = head


class Compacted(StoreError):
    """The revision asked for has been forgotten; ``compacted`` is the lowest one left."""

    def __init__(self, revision: int, compacted: int) -> None:
        super().__init__(
            f"revision {revision} has been compacted; the oldest that can be read is {compacted}",
            hint=f"ask for revision {compacted} or later",
        )
        self.revision = revision
        self.compacted = compacted


class FutureRevision(StoreError):
    """The revision asked for has not happened yet; ``current`` is the latest one."""

    def __init__(self, revision: int, current: int) -> None:
        super().__init__(
            f"revision {revision} is in the future; the latest is {current}", hint=f"ask for at most {current}"
        )
        self.revision = revision
        self.current = current


class OutcomeUnknown(StoreError):
    """The disk failed while the entry was made durable."""

    hint = "the change may or may not have been kept: run the command again"


class NoQuorum(StoreError):
    """Too few replicas can be used; ``missing`` names the others, each with the reason."""

    def __init__(self, usable: int, voters: int, missing: Sequence[tuple[str, str]]) -> None:
        reasons = "".join(f"; {why if place in why else f'{place}: {why}'}" for place, why in missing)
        super().__init__(
            f"{usable} of {voters} replicas can be used, {voters // 2 + 1} are needed{reasons}",
            hint='nothing was changed; bring a replica back, or see "kctl store status"',
        )
        self.missing = tuple(missing)


class Diverged(StoreError):
    """Two replicas tell different histories and neither is newer: kctl does not choose."""

    hint = 'look at both with "kctl store verify"; restore a snapshot or recover from one of them'


class Locked(StoreError):
    """Another process holds the writer lock."""


class NoStore(StoreError):
    """There is no log in this folder."""

    hint = 'run "kctl init" to create a cluster'


class DiskFull(StoreError):
    """No space is left; nothing of the entry was written."""

    hint = "what is in the log is whole and stays; free some space and run the command again"


class ReadOnlyStore(StoreError):
    """The file or its folder cannot be written."""

    hint = "nothing was changed; make the folder writable or use another one with --state"


class Unreadable(StoreError):
    """The file or its folder cannot be read."""

    hint = "check who owns the folder and its permissions"


class NetworkFileSystem(StoreError):
    """The folder lies on a file system whose locks and caches cannot be trusted."""

    hint = "keep the state on a local disk: name a folder there with --state"


class WrongFormat(StoreError):
    """The file is not a log of this version of kctl."""

    hint = "use the version of kctl that wrote it, or name another folder with --state"


NONSENSE = (TypeError, ValueError, AttributeError, OverflowError, IndexError, KeyError, StructError)
"""What reading a damaged file raises where a value is not even of the type it was written with."""


class Corrupt(StoreError):
    """What is stored does not fit its hash."""

    hint = "restore the state folder from a copy; nothing has been guessed or repaired"


class RolledBack(StoreError):
    """The log is older than what was acknowledged to a client."""

    def __init__(self, kept: int, acknowledged: int, head_file: Path) -> None:
        super().__init__(
            f"the log ends at revision {kept}, but revision {acknowledged} was acknowledged: "
            "its file was replaced by an older copy or lost its last writes; writes are refused",
            hint=f"restore the newer file, or remove {head_file} to accept the loss",
        )
