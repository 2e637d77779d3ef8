"""``kctl store``: the log of the cluster and what looks after it."""

from __future__ import annotations

from pathlib import Path

import click

from kctl.cli import store_keys, store_members
from kctl.cli.session import Settings
from kctl.cli.store_here import OUTPUT, YES, Here, ask, opened

DEGRADED = 3


@click.group("store", short_help="Look after the log: replicas, checks, history, snapshots, keys.")
def command() -> None:
    """Look after the log that everything else is derived from.

    It lies on 1, 3 or 5 replicas, each a directory. A write is acknowledged when a majority of
    them has it; without a majority writes are refused and reads say how old they are.
    """


@command.command("status", short_help="Show the replicas and what their placement survives.")
@OUTPUT
@click.pass_obj
def status(settings: Settings, output: str | None) -> int:
    """Show each replica with its state and lag, the end of the log, and what the placement survives.

    Exit code 0 when every replica is as it should be, 3 when one is not.
    """
    from kctl.cli import store_status
    from kctl.cli.output import document, write

    here = opened(settings)
    try:
        found = store_status.data(here)
    finally:
        here.store.close()
    write(document(found, output) if output else store_status.text(found))
    return 0 if found["state"] == "healthy" else DEGRADED


@command.command("verify", short_help="Check the replicas against their hashes.")
@click.option("--full", is_flag=True, help="Also every page, both indexes, and whether Secrets can be decrypted.")
@OUTPUT
@click.pass_obj
def verify(settings: Settings, full: bool, output: str | None) -> int:
    """Check every entry, every stored state and every sum of every replica, and compare the replicas.

    Nothing is repaired. Exit code 0 when all is as it was committed, 1 when something is not.
    """
    from kctl.cli import store_status
    from kctl.cli.output import document, write

    here = opened(settings)
    try:
        problems = store_status.problems(here, full=full)
        found = store_status.verified(here, problems, full=full)
    finally:
        here.store.close()
    write(document(found, output) if output else store_status.verified_text(found))
    return 1 if problems else 0


@command.command("usage", short_help="Show what fills the log.")
@OUTPUT
@click.pass_obj
def usage(settings: Settings, output: str | None) -> None:
    """Show per kind how many objects there are, how many states of them are kept, and their size."""
    from kctl.cli import store_status
    from kctl.cli.output import document, write

    here = opened(settings)
    try:
        found = store_status.usage(here)
    finally:
        here.store.close()
    write(document(found, output) if output else store_status.usage_text(found))


@command.command("compact", short_help="Forget history.")
@click.option("--to", type=int, metavar="REV", help="Forget what is older than this revision; default all but now.")
@click.option("--keep", type=int, metavar="N", help="Forget all but the last N revisions.")
@YES
@OUTPUT
@click.pass_obj
def compact(settings: Settings, to: int | None, keep: int | None, yes: bool, output: str | None) -> None:
    """Forget the states before a revision and give their space back.

    kctl does this by itself, as "history" in kctl.yaml says; what is forgotten cannot be read,
    compared or rolled back to any more. The present state is not touched.
    """
    from kctl.api.errors import UsageError
    from kctl.apiserver.sweep import sweep
    from kctl.cli.output import document, write

    if to is not None and keep is not None:
        raise UsageError("--to and --keep cannot go together")
    if (keep is not None and keep < 0) or (to is not None and to < 1):
        raise UsageError("there is no such revision: the first is 1")
    here = opened(settings, "linearizable")
    try:
        store, head = here.store, here.store.head()
        goal = to if to is not None else head.revision - (keep or 0)
        before, size = store.compacted(), _size(here)
        if goal > before:
            ask(
                f"the states before revision {goal} will be forgotten (now kept: {max(1, before)} to {head.revision})",
                yes=yes,
            )
            sweep(store, store.compact(goal))
        after = store.compacted()
    finally:
        here.store.close()
    sizes = {"before": size, "after": _size(here)}
    found = {"apiVersion": "kctl.dev/v1", "kind": "StoreCompaction", "from": before, "to": after, "size": sizes}
    done = f"compacted to revision {after}" if after > before else f"compacted to revision {after} already"
    write(document(found, output) if output else f"{done}; {_bytes(size)} -> {_bytes(_size(here))}\n")


@command.command("snapshot", short_help="Write the present state to one file.")
@click.argument("file", type=click.Path(dir_okay=False))
@YES
@OUTPUT
@click.pass_obj
def snapshot(settings: Settings, file: str, yes: bool, output: str | None) -> None:
    """Write the present state, without its history, to FILE; "kctl store restore" reads it.

    Secrets in it are encrypted as they are in the log: without the file of the keys they cannot be
    read again.
    """
    from kctl.cli import store_status
    from kctl.cli.output import document, write
    from kctl.plane import state

    path = Path(file)
    if path.exists():
        ask(f"{file} is there already and will be replaced", yes=yes)
    here = opened(settings, "linearizable")
    try:
        head = here.store.snapshot(path)
        needs_keys = store_status.has_sealed(here.store)
    finally:
        here.store.close()
    keys = state.key_file(here.folder) if needs_keys else None
    found = {
        "apiVersion": "kctl.dev/v1",
        "kind": "StoreSnapshot",
        "file": file,
        "revision": head.revision,
        "size": path.stat().st_size,
        "keys": str(keys) if keys else "",
    }
    text = f"wrote {file}: revision {head.revision}, {_bytes(path.stat().st_size)}\n"
    if keys:
        text += f"the Secrets in it are encrypted: keep {keys} too, and apart from it\n"
    write(document(found, output) if output else text)


for _below in (
    store_members.repair,
    store_members.restore,
    store_members.recover,
    store_members.attach,
    store_members.member,
    store_keys.group,
):
    command.add_command(_below)


def _size(here: Here) -> int:
    """Return the bytes of all replicas."""
    files = (directory / name for directory in here.place.directories for name in ("log.db", "log.db-wal"))
    return sum(file.stat().st_size for file in files if file.exists())


def _bytes(count: int) -> str:
    from kctl.cli.store_status import human

    return human(count)
