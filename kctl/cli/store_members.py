"""``kctl store repair``, ``member``, ``restore`` and ``recover``: what changes where the log lies.

The list of directories in the state folder says where to look, the log itself who votes. A directory
is listed before a replica is made there and taken off the list after its replica has left, so that
whatever dies in between leaves a list that names too much, never too little.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kctl.cli.session import Settings
from kctl.cli.store_here import OUTPUT, YES, Here, ask, located, opened

if TYPE_CHECKING:
    from kctl.plane.stores import Placement
    from kctl.store.api import Member
    from kctl.store.config import Config

DIRECTORY = click.Path(file_okay=False)
LOG, ASIDE = "log.db", "log.db.lost"


@click.command("repair", short_help="Bring back replicas that are behind, damaged or gone.")
@YES
@OUTPUT
@click.pass_obj
def repair(settings: Settings, yes: bool, output: str | None) -> None:
    """Let replicas that are behind catch up, and build those that are damaged or gone anew.

    They are copied from a majority of the others, every hash checked; what was acknowledged is never
    given up. The only replica's indexes are made anew from its rows when those are whole. Asks only
    when the log of another cluster lies in the place of a replica.
    """
    done = _unlist_strangers(settings)
    here = opened(settings, "linearizable")
    try:
        foreign = [member.place for member in here.store.members() if member.state == "foreign"]
        if foreign:
            ask(f"another log lies in {', '.join(foreign)} and will be replaced", yes=yes)
        healed = list(here.store.below.repair())  # type: ignore[attr-defined]
    finally:
        here.store.close()
    _say("repair", [*done, *healed] or ["nothing to repair"], output)


def _unlist_strangers(settings: Settings) -> list[str]:
    """Take directories off the list whose replica has left the log: what removed it was interrupted."""
    from kctl.plane import stores

    here = opened(settings)
    try:
        if len(here.place.directories) == 1 or not here.store.freshness().is_confirmed:
            return []
        config = _config(here)
        members = [one for one in here.store.members() if one.id in config.members]
        taken = {os.path.realpath(one.place) for one in members}
        free = [where for where in here.place.directories if os.path.realpath(where) not in taken]
        ours = ("", here.store.cluster_id)  # nothing lies there, or a replica that has left
        gone = [str(where) for where in free if _cluster_of(where) in ours] if all(m.place for m in members) else []
        if gone:
            stores.keep(here.folder, _without(here, gone))
        return [f"{place}: its replica has left the log, and it is looked at no more" for place in gone]
    finally:
        here.store.close()


@click.group("member", short_help="Change where the replicas lie and how many there are.")
def member() -> None:
    """Change where the replicas lie and how many there are: 1, 3 or 5 vote.

    A new replica is a copy that follows; it votes once its becoming a voter is an entry of the log
    that a majority has. Replicas are named by their directory or their id.
    """


@member.command("add", short_help="Add replicas.")
@click.argument("directories", nargs=-1, required=True, type=DIRECTORY, metavar="DIR...")
@OUTPUT
@click.pass_obj
def add(settings: Settings, directories: tuple[str, ...], output: str | None) -> None:
    """Make a replica in each DIR, and let them vote as soon as 3 or 5 would.

    From one replica to three takes two directories: kctl store member add /disk2/k /disk3/k
    """
    from kctl.plane import state
    from kctl.store import membership
    from kctl.store.config import SIZES

    new = [Path(directory) for directory in directories]
    here = opened(settings, "linearizable")
    done: list[str] = []
    try:
        group = _group(here)
        here.store.head()
        follow = {os.path.realpath(one.place) for one in here.store.members() if one.id in _config(here).members}
        missing = [directory for directory in new if os.path.realpath(directory) not in follow]
        _refuse_logs(here, missing)
        _list_more(here, missing)
        for directory in missing:
            state.create(directory)
            name = membership.add_learner(group, directory)
            done.append(f"{directory}: {name} follows the log")
        learners = [member.id for member in here.store.members() if member.role == "learner"]
        voters = [member.id for member in here.store.members() if member.role == "voter"]
        if learners and len(voters) + len(learners) in SIZES:
            membership.promote(group, *learners)
            done += [f"{name} votes" for name in learners]
        elif learners:
            more = next(size for size in (*SIZES, len(voters) + len(learners)) if size > len(voters)) - len(voters)
            done.append(f"it votes once there are {more} to add: an even number survives no more than one less")
    finally:
        here.store.close()
    _say("add", done or ["they vote already"], output)


@member.command("remove", short_help="Take replicas out.")
@click.argument("replicas", nargs=-1, required=True, metavar="DIR|ID...")
@YES
@OUTPUT
@click.pass_obj
def remove(settings: Settings, replicas: tuple[str, ...], yes: bool, output: str | None) -> None:
    """Take replicas out of the log; their files stay where they are.

    From three to one takes two at once.
    """
    from kctl.plane import stores
    from kctl.store import membership

    here = opened(settings, "linearizable")
    try:
        found = [_named(here, name) for name in replicas]
        config = _config(here)
        members = [one for one in found if one.id in config.members]  # others have left, and were still listed
        left = len(config.voters) - sum(one.id in config.voters for one in members)
        ask(f"{', '.join(one.place for one in found)} will hold the log no more; {left} are left to vote", yes=yes)
        if members:
            membership.remove(_group(here), *(one.id for one in members))
        membership.settle(_group(here))
        stores.keep(here.folder, _without(here, [one.place for one in found]))
    finally:
        here.store.close()
    _say("remove", [f"{one.place}: no replica of this log any more; its files are left there" for one in found], output)


@member.command("replace", short_help="Put a replica elsewhere.")
@click.argument("replica", metavar="DIR|ID")
@click.argument("directory", type=DIRECTORY, metavar="NEW-DIR")
@YES
@OUTPUT
@click.pass_obj
def replace(settings: Settings, replica: str, directory: str, yes: bool, output: str | None) -> None:
    """Make a replica in NEW-DIR that takes the place of another; the files of that one stay where they are."""
    from kctl.api.errors import UsageError
    from kctl.plane import state, stores
    from kctl.store import membership

    here = opened(settings, "linearizable")
    try:
        old, new = _named(here, replica), Path(directory)
        here.store.head()
        config = _config(here)
        place = os.path.realpath(new)
        there = next((one for one in here.store.members() if os.path.realpath(one.place) == place), None)
        if there is not None and there.id in config.members and old.id in config.members:
            raise UsageError(f"{new} holds a replica of this log already")
        ask(f"{old.place} will hold the log no more; {new} takes its place", yes=yes)
        name = there.id if there is not None else ""
        if old.id in config.members:
            _refuse_logs(here, [new])
            _list_more(here, [new])
            state.create(new)
            name = membership.replace(_group(here), old.id, new)
        membership.settle(_group(here))
        wide = here._replace(place=stores.Placement((*here.place.directories, new)))
        stores.keep(here.folder, _without(wide, [old.place]))
    finally:
        here.store.close()
    _say("replace", [f"{new}: {name} takes the place of {old.place}"], output)


@click.command("attach", short_help="Use a log that lies in other directories.")
@click.argument("directories", nargs=-1, required=True, type=DIRECTORY, metavar="DIR...")
@OUTPUT
@click.pass_obj
def attach(settings: Settings, directories: tuple[str, ...], output: str | None) -> None:
    """Make the log whose replicas lie in the DIRs the one of this directory, which must have none.

    For when the state folder is gone and the replicas, elsewhere, are not, or when their disks were
    moved. Never let two machines use the same replicas: their locks are not each other's.
    """
    from kctl.api.errors import Refused
    from kctl.cli.session import shown, state_folder
    from kctl.plane import state, stores
    from kctl.store.open import open_store

    folder = state_folder(settings) or Path.cwd() / state.STATE
    if state.is_cluster(folder):
        raise Refused(
            f"{shown(folder)} holds a cluster already", hint="remove the folder, or name another with --state"
        )
    found = [Path(directory) for directory in directories]
    store = open_store(found)
    try:
        head = store.head()
        state.create(folder)
        stores.keep(folder, stores.Placement(tuple(found), store.cluster_id))
    finally:
        store.close()
    _say("attach", [f"{shown(folder)} uses the log in {_places(found)}, revision {head.revision}"], output)


@click.command("restore", short_help="Begin anew from a snapshot.")
@click.argument("file", type=click.Path(dir_okay=False))
@click.option(
    "--replica", "places", multiple=True, type=DIRECTORY, metavar="DIR", help="Where a replica lies; default as before."
)
@YES
@OUTPUT
@click.pass_obj
def restore(settings: Settings, file: str, places: tuple[str, ...], yes: bool, output: str | None) -> None:
    """Make the state that FILE holds the state of the cluster that is here, or of a new one.

    The log that is here is set aside, not deleted. The restored one is another cluster: it has an id of
    its own and its revisions go on a million above the snapshot's, so that nobody who followed the old
    one takes one history for the other. Secrets need the keys they were encrypted with.
    """
    from kctl.cli.init import replica_count
    from kctl.cli.session import load_cluster, state_folder
    from kctl.plane import state, stores
    from kctl.store import restore as restoring
    from kctl.store import snapshot

    header, items = snapshot.read(Path(file))
    count = sum(1 for _ in items)
    folder = state_folder(settings) or Path.cwd() / state.STATE
    named = [Path(place) for place in places]
    replica_count(None, named)
    there = stores.placement(folder)
    if there is not None:
        ask(
            f"the state of {folder} will be that of revision {header.head.revision} of {header.cluster}; "
            f"what is there now is set aside as {ASIDE}",
            yes=yes,
        )
    directories = named or (
        list(there.directories) if there is not None else stores.usual(folder, load_cluster(settings).replicas)
    )
    state.create(folder)
    old = [directory for directory in directories if (directory / LOG).exists()]
    head = restoring.restore(Path(file), directories, replace=there is not None)
    if named or there is not None or len(directories) > 1:
        _listed(folder, directories)
    done = [f"restored {count} objects from {file}: revision {head.revision}"]
    done += [f"{directory / ASIDE}: what was there before" for directory in old]
    _say("restore", done, output)


@click.command("recover", short_help="Go on from one replica when a majority is lost for good.")
@click.option("--from", "source", required=True, type=DIRECTORY, metavar="DIR", help="The replica that is left.")
@click.option("--accept-loss", is_flag=True, help="Give up what only the lost replicas had.")
@click.option("-y", "--yes", is_flag=True, hidden=True, expose_value=False)
@OUTPUT
@click.pass_obj
def recover(settings: Settings, source: str, accept_loss: bool, output: str | None) -> None:
    """Make a new log from what one replica still has, in all the places of the old one.

    For when a majority will never come back: first try to bring its disks back, for what only they had is
    lost. The new log is another cluster, as with restore; the old files stay as log.db.lost. States of
    the source that are damaged are left out and named. --accept-loss is the answer to the question.
    """
    from kctl.api.errors import Refused
    from kctl.store import restore as restoring

    folder, place = located(settings)
    if not accept_loss:
        raise Refused(
            f"going on from {source} alone, in {_places(place.directories)}, gives up whatever the other "
            "replicas had beyond it",
            hint="bring a majority back if you can; --accept-loss does it all the same",
        )
    found = restoring.recover(source, place.directories, accept_loss=True)
    if (folder / _list_name()).exists() or len(place.directories) > 1:
        _listed(folder, place.directories)
    done = [f"recovered {found.objects} objects of revision {found.revision}; the log goes on at {found.head.revision}"]
    done += [f"lost: {key}" for key in found.lost]
    _say("recover", done, output)


def _places(directories: Sequence[Path]) -> str:
    return ", ".join(map(str, directories))


def _list_name() -> str:
    from kctl.plane import state

    return state.REPLICAS


def _listed(folder: Path, directories: Sequence[Path]) -> None:
    """Write down where the replicas of a new log lie, with its identity."""
    from kctl.plane import stores
    from kctl.store.open import open_store

    store = open_store(directories)
    try:
        stores.keep(folder, stores.Placement(tuple(directories), store.cluster_id))
    finally:
        store.close()


def _group(here: Here) -> Any:
    """Return the group of replicas of the open log."""
    return here.store.below.group  # type: ignore[attr-defined]


def _refuse_logs(here: Here, directories: Sequence[Path]) -> None:
    """Refuse directories that hold a log; a copy of this one that never came to vote is set aside."""
    from kctl.api.errors import Refused, UsageError

    if len({os.path.realpath(directory) for directory in directories}) < len(directories):
        raise UsageError("a directory is named twice: each replica needs its own")
    listed = {os.path.realpath(directory) for directory in here.place.directories}
    for directory in directories:
        if not (directory / LOG).exists():
            continue
        if os.path.realpath(directory) not in listed or _cluster_of(directory) != here.store.cluster_id:
            raise Refused(f"{directory} holds a log already", hint="name another directory, or remove it")
        (directory / LOG).replace(directory / ASIDE)  # what made it was interrupted


def _cluster_of(directory: Path) -> str:
    """Return the identity of the log in a directory, "" when it cannot be read."""
    from kctl.api.errors import KctlError
    from kctl.store import facts, replica

    try:
        db = replica.connect(directory / LOG, write=False)
        try:
            return facts.read(db).cluster
        finally:
            db.close()
    except KctlError:
        return ""


def _config(here: Here) -> Config:
    """Return who the members of the log are."""
    found: Config = _group(here).read(lambda _, known: known.facts.config)
    return found


def _list_more(here: Here, directories: Sequence[Path]) -> None:
    """Put directories on the list, those that are not yet."""
    from kctl.plane import stores

    listed = {os.path.realpath(directory) for directory in here.place.directories}
    more = [directory for directory in directories if os.path.realpath(directory) not in listed]
    stores.keep(here.folder, stores.Placement((*here.place.directories, *more), here.store.cluster_id))


def _named(here: Here, name: str) -> Member:
    """Return the member that a directory or an id names; UsageError when there is none or more."""
    from kctl.api.errors import UsageError

    members = here.store.members()
    path = os.path.realpath(name)
    found = [one for one in members if one.id == name or (one.place and os.path.realpath(one.place) == path)]
    found = found or [one for one in members if name and one.id.startswith(name)]
    if len(found) != 1:
        known = ", ".join(one.place or one.id for one in members)
        raise UsageError(f"{name} is no replica of this log", hint=f"its replicas are {known}")
    return found[0]


def _without(here: Here, places: Sequence[str]) -> Placement:
    """Return the list of directories without those of members that have left."""
    from kctl.plane.stores import Placement

    gone = {os.path.realpath(place) for place in places}
    kept = {os.path.realpath(where): where for where in here.place.directories}
    return Placement(tuple(kept[where] for where in kept if where not in gone), here.store.cluster_id)


def _say(action: str, done: Sequence[str], output: str | None) -> None:
    from kctl.cli.output import document, write

    found = {"apiVersion": "kctl.dev/v1", "kind": "StoreChange", "action": action, "done": list(done)}
    here = f"{Path.cwd()}/"
    write(document(found, output) if output else "".join(f"{line.replace(here, '')}\n" for line in done))
