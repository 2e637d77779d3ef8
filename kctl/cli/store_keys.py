"""``kctl store key``: the keys that Secrets are encrypted with.

As with kube-apiserver's encryption configuration the first key writes and every key reads. Unlike
there one command does what its documentation describes as five steps: add a key, write everything
anew with it, and, when the history is to be forgotten too, drop the old one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kctl.cli.session import Settings
from kctl.cli.store_here import OUTPUT, YES, Here, ask, opened

if TYPE_CHECKING:
    from pathlib import Path

    from kctl.apiserver.encryption import SealedStore
    from kctl.store.api import Write

CAUSE = "store key"
ATTEMPTS = 20


@click.group("key", short_help="Manage the keys that Secrets are encrypted with.")
def group() -> None:
    """Manage the keys that Secrets are encrypted with.

    They lie in encryption-keys.json of the state folder, or where KCTL_KEY_FILE says. The first
    one encrypts what is written, every one can decrypt. Without its key a Secret is lost: keep a copy
    of the file.
    """


@group.command("list", short_help="List the keys and how much is encrypted with each.")
@OUTPUT
@click.pass_obj
def list_keys(settings: Settings, output: str | None) -> None:
    """List the keys, the one that writes first, and how many values each is needed for."""
    from kctl.apiserver.keys import IDENTITY
    from kctl.cli import tables
    from kctl.cli.output import document, write

    here = opened(settings)
    try:
        now, past = used(here.store, is_past=False), used(here.store, is_past=True)
        held = [key.name for key in here.store.sealer.keys]
    finally:
        here.store.close()
    names = [*held, *sorted(name for name in now | past if name and name not in held)]
    items = [
        {
            "name": name,
            "role": ("writes" if name == held[0] else "reads") if name in held else "missing",
            "values": now.get("" if name == IDENTITY else name, 0),
            "history": past.get("" if name == IDENTITY else name, 0),
        }
        for name in names
    ]
    found = {"apiVersion": "kctl.dev/v1", "kind": "EncryptionKeyList", "file": str(_file(here)), "items": items}
    if output:
        write(document(found, output))
        return
    if not items:
        write("no keys: the first Secret that is written makes one\n")
        return
    rows = [[item["name"], item["role"], item["values"], item["history"]] for item in items]
    write(tables.plain(("KEY", "ROLE", "VALUES", "HISTORY"), rows))


@group.command("rotate", short_help="Encrypt everything anew with a new key.")
@click.option("--forget", is_flag=True, help="Forget the history and drop the old keys too.")
@YES
@OUTPUT
@click.pass_obj
def rotate(settings: Settings, forget: bool, yes: bool, output: str | None) -> None:
    """Add a key, make it the one that writes, and write every Secret anew with it.

    Past revisions stay encrypted with the old keys, which are kept for them; --forget compacts the
    history and drops those keys. What was written in clear before is encrypted as well.
    """
    from kctl.apiserver import keys
    from kctl.cli.output import document, write

    if forget:
        ask("every past state will be forgotten, and the old keys dropped", yes=yes)
    here = opened(settings, "linearizable")
    try:
        here.store.head()  # without a majority nothing begins
        file = _file(here)
        new = keys.fresh()
        old = keys.change(file, lambda held: (new, *held))[1:]
    finally:
        here.store.close()
    count = _rewrite(here.folder)
    dropped: list[str] = []
    if forget:
        here = opened(settings, "linearizable")
        try:
            here.store.compact(here.store.head().revision)
            dropped = _drop_unused(here, new.name)
        finally:
            here.store.close()
    found = {
        "apiVersion": "kctl.dev/v1",
        "kind": "EncryptionKeyRotation",
        "key": new.name,
        "rewritten": count,
        "dropped": dropped,
    }
    text = f"key {new.name} writes from now on; {count} values were encrypted anew\n"
    if dropped:
        text += f"the history was forgotten and dropped: {', '.join(dropped)}\n"
    elif old:
        text += "the old keys stay for the history: see kctl store key list\n"
    write(document(found, output) if output else text)


@group.command("drop", short_help="Drop a key that is not needed any more.")
@click.argument("name")
@click.option("--accept-loss", is_flag=True, help="Delete what is encrypted with it: the key is lost.")
@YES
@click.pass_obj
def drop(settings: Settings, name: str, accept_loss: bool, yes: bool) -> None:
    """Drop the key NAME; refuses while anything is encrypted with it.

    When its file is lost nothing brings back what is encrypted with it: --accept-loss deletes those
    objects, so that the cluster can be used again.
    """
    from kctl.api.errors import KctlError, Refused
    from kctl.apiserver import keys
    from kctl.cli.output import write

    here = opened(settings, "linearizable")
    try:
        held = here.store.sealer.keys
        now, past = used(here.store, is_past=False).get(name, 0), used(here.store, is_past=True).get(name, 0)
        if not now and not past and name not in [key.name for key in held]:
            raise KctlError(f"there is no key {name}", hint="see kctl store key list")
        if (now or past) and not accept_loss:
            raise Refused(
                f"key {name} is needed for {now} values, and for {past} of the history",
                hint="kctl store key rotate --forget writes them anew; --accept-loss deletes them",
            )
        if now or past:
            ask(f"{now} objects that are encrypted with key {name} will be deleted, and the history forgotten", yes=yes)
            _delete(here.store, name)
        keys.change(_file(here), lambda all_: tuple(key for key in all_ if key.name != name))
    finally:
        here.store.close()
    write(f"dropped key {name}" + (f" and {now} objects\n" if now else "\n"))


def used(store: SealedStore, *, is_past: bool) -> dict[str, int]:
    """Return how many values each key is needed for, "" for those in clear: now, or in the history alone."""
    from kctl.apiserver.encryption import SEALED, must_seal
    from kctl.apiserver.sealing import key_name

    now = {(kv.key, kv.mod_revision): kv.value for prefix in SEALED for kv in store.below.list(prefix).items}
    values = now
    if is_past:
        base = store.below.compacted()
        first = [kv for prefix in SEALED for kv in store.below.list(prefix, revision=base or None).items]
        values = {(kv.key, kv.mod_revision): kv.value for kv in first}
        for change in store.below.changes(base):
            if change.value is not None and change.key.startswith(SEALED):
                values[change.key, change.revision] = change.value
        values = {place: value for place, value in values.items() if place not in now}
    counts: dict[str, int] = {}
    for (place, _), value in values.items():
        name = key_name(value)
        if name or must_seal(place, value):
            counts[name] = counts.get(name, 0) + 1
    return counts


def _file(here: Here) -> Path:
    return here.store.sealer.path


def _rewrite(folder: Path) -> int:
    """Write every value anew that the first key would encrypt and has not; return how many."""
    from kctl.api.errors import KctlError
    from kctl.api.objects import Key
    from kctl.apiserver.encryption import SEALED
    from kctl.plane.plane import ControlPlane
    from kctl.store.errors import HeadMoved

    with ControlPlane.open(folder, controllers=[]) as plane:
        storage = plane.server.storage
        for _ in range(ATTEMPTS):
            stale = [kv.key for prefix in SEALED for kv in plane.store.stale(prefix)]  # type: ignore[attr-defined]
            for place in stale:
                _, resource, namespace, name = place.split("/", 3)
                obj = storage.get(resource, Key(namespace, name))
                if obj is not None:
                    storage.put(resource, Key(namespace, name), obj)
            try:
                plane.commit(cause=CAUSE)
            except HeadMoved:
                plane.refresh()
                continue
            return len(stale)
    raise KctlError("other processes keep writing to this cluster", hint="run it again")


def _drop_unused(here: Here, kept: str) -> list[str]:
    """Take the keys out of the file that nothing is encrypted with any more; return their names."""
    from kctl.apiserver import keys

    dropped: list[str] = []

    def edit(held: keys.Keys) -> keys.Keys:
        needed = {kept, held[0].name, *used(here.store, is_past=False), *used(here.store, is_past=True)}
        dropped.extend(key.name for key in held if key.name not in needed)
        return tuple(key for key in held if key.name in needed)

    keys.change(_file(here), edit)
    return dropped


def _delete(store: SealedStore, name: str) -> None:
    """Delete every object that is encrypted with a key, and forget the history."""
    from kctl.apiserver.encryption import SEALED
    from kctl.apiserver.sealing import key_name
    from kctl.store.api import Write

    below = store.below
    head = below.head()
    doomed = [kv for prefix in SEALED for kv in below.list(prefix).items if key_name(kv.value) == name]
    writes: list[Write] = [
        Write(kv.key, None, head.revision + number, kv.create_revision) for number, kv in enumerate(doomed, 1)
    ]
    if writes:
        head = below.commit(head, writes, revision=head.revision + len(writes), now=head.now, cause=CAUSE)
    below.compact(head.revision)
