"""What the hooks do when git runs them: sync what was committed or pushed, or judge it first.

In: the hook's type, git's arguments and input. Out: the report on standard output, and the exit
code git obeys for ``pre-push`` and ``pre-receive``. Those two carry the commit out on an image of
the cluster and refuse what is no valid set of manifests, what a guard refuses, and what brings a
blocker that was not there before; what was blocked already is no fault of this push.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from kctl.cli import carry
from kctl.cli.session import Opened, Settings, open_imagined, open_or_draft

if TYPE_CHECKING:
    from kctl.api.objects import Obj
    from kctl.gitops.apply import Options
    from kctl.gitops.manifests import Manifest
    from kctl.gitops.pushes import Update
    from kctl.plane.plane import ControlPlane

CONFIRM = "kctl.prune-confirm"
ROUNDS = 10
REFUSED = 1


class Run(NamedTuple):
    """One run of a hook: where it runs, what of the repository counts."""

    settings: Settings
    repository: str
    paths: Sequence[str]
    branches: Sequence[str]
    options: Options


def run(settings: Settings, type: str, *, paths: Sequence[str], branches: Sequence[str], text: str) -> int:
    """Do what the hook is for; ``text`` is what git wrote to its standard input."""
    from kctl.gitops.apply import Options

    how = Options(prune=True, prune_confirm=CONFIRM in _push_options(), force=False)
    this = Run(settings, os.fspath(Path.cwd()), paths or ("",), branches, how)
    if type in ("post-commit", "post-merge", "post-rewrite"):
        return _head(this)
    if type == "pre-push":
        return _judge(this, list(_updates(this, text, is_push=True)))
    if type == "pre-receive":
        return _judge(this, list(_updates(this, text)), quarantine=True)
    return max((_follow(this, update.branch) for update in _updates(this, text)), default=0)


def _push_options() -> list[str]:
    """Return what ``git push -o`` said."""
    count = os.environ.get("GIT_PUSH_OPTION_COUNT", "")
    number = int(count) if count.isdigit() and len(count) < 4 else 0
    return [os.environ.get(f"GIT_PUSH_OPTION_{n}", "") for n in range(number)]


def _head(this: Run) -> int:
    """Sync the commit that HEAD is at, unless it is on another branch or a rebase is under way."""
    from kctl.gitops.git import Repository
    from kctl.gitops.pushes import is_wanted

    with Repository(this.repository) as repo:
        if this.branches and not is_wanted(repo.branch(), this.branches):
            return 0
        folders = (os.fsdecode(repo.run("rev-parse", "--git-path", name)).strip() for name in _REBASES)
        if any((Path(this.repository) / folder).exists() for folder in folders):
            return 0  # its end runs post-rewrite
        commit = repo.resolve("HEAD")
    return _sync(this, commit)


_REBASES = ("rebase-merge", "rebase-apply")


def _updates(this: Run, text: str, *, is_push: bool = False) -> Iterator[Update]:
    """Yield what a push does to the branches that count; of deleted ones say that nothing follows."""
    from kctl.gitops import pushes
    from kctl.gitops.git import Repository

    branches = this.branches
    if not branches and not is_push:
        with Repository(this.repository) as repo:
            branches = [repo.branch()]
    found = pushes.pushed(text) if is_push else pushes.received(text)
    for update in pushes.wanted(found, branches):
        if update.commit:
            yield update
        else:
            _tell(f"kctl: {update.branch} is deleted: the cluster stays as it is")


def _judge(this: Run, updates: Sequence[Update], *, quarantine: bool = False) -> int:
    """Try every update on an image of the cluster; refuse the push when one would not converge."""
    from kctl.api.errors import KctlError, Refused
    from kctl.cli.errors import text_of

    refused = 0
    for update in updates:
        try:
            why = _would_break(this, update, quarantine=quarantine)
        except Refused as error:
            why = f"{error}\nhint: git push -o {CONFIRM} does it all the same"
        except KctlError as error:
            why = text_of(error)
        if why:
            refused = REFUSED
            _tell(f"{why}\nkctl: {update.branch} {update.commit[:12]} is refused; the cluster is as it was")
    return refused


def _would_break(this: Run, update: Update, *, quarantine: bool) -> str:
    """Return why the cluster would not be as desired at a commit, "" when it would."""
    from kctl.cli import layers
    from kctl.plan import residual

    with open_imagined(this.settings) as plane:
        before = {_blocker(found.data()) for found in residual.blockers(plane.client)}
        sets = _read(this, plane, update.commit, quarantine=quarantine)
        reports = [_report(Opened(plane, None), found, job) for found, job in carry.moving(plane, sets)]
    told = []
    for built in reports:
        new = [entry for entry in built["residual"] if _blocker(entry) not in before]
        if built["verdict"] in ("Oscillating", "Horizon") or new:
            told.append(layers.text({**built, "residual": new}))
        else:
            verdict = layers.verdict_text(built)
            _tell(f"kctl: {update.branch} {update.commit[:12]} {verdict} on an image of the cluster")
    return "\n".join(told)


def _blocker(entry: Obj) -> tuple[str, str, str]:
    return entry["namespace"], entry["owner"], entry["reason"]


def _report(opened: Opened, manifests: Sequence[Manifest], job: carry.Job) -> Obj:
    """Carry a set out and return the Report, of the intent what changes."""
    report = carry.report_of(opened, manifests, job)
    return {**report, "intent": [entry for entry in report["intent"] if entry["change"] != "unchanged"]}


def _follow(this: Run, branch: str) -> int:
    """Sync a branch until it is where it was: a push beside this one may have moved it meanwhile."""
    from kctl.gitops.git import Repository

    ref, done, code = f"refs/heads/{branch}", "", 0
    for _ in range(ROUNDS):
        with Repository(this.repository) as repo:
            commit = repo.resolve(ref)
        if commit == done:
            break
        code, done = _sync(this, commit), commit
    return code


def _sync(this: Run, commit: str) -> int:
    """Apply a commit, converge and print what changed."""
    from kctl.cli import layers
    from kctl.cli.run import code_of
    from kctl.plan import report

    opened, code = open_or_draft(this.settings), 0
    with opened.plane as plane:
        if _is_applied(this, plane, commit):
            built = report.build(plane, plane.run())
            _tell(f"kctl: commit {commit[:12]} changes nothing here\n{layers.verdict_line(built)}")
            return code_of(built)
        for manifests, job in carry.moving(plane, _read(this, plane, commit)):
            source = job.source
            _tell(f"kctl: commit {commit[:12]} {source['path'] and source['path'] + ': '}{source['subject']}")
            built = _report(opened, manifests, job)
            opened = opened._replace(folder=None)  # the first has settled it
            _tell(layers.text(built).removesuffix("\n"))
            code = max(code, code_of(built))
    return code


def _is_applied(this: Run, plane: ControlPlane, commit: str) -> bool:
    """Say whether what a commit brings is what was applied last, and nothing has changed since."""
    from kctl.gitops import intent, inventory
    from kctl.gitops.sync import Wanted, signs

    if not plane.converger.is_marked():
        return False
    for sign in signs(this.repository, Wanted(commit, this.paths)):
        found = inventory.read(plane.client, intent.INTENTS, sign.set_name)
        if found is None or not sign.tree or found["spec"]["source"].get("tree") != sign.tree:
            return False
        if not intent.is_finished(found) or found["status"]["phase"] != "Done":
            return False
    return True


def _tell(text: str) -> None:
    from kctl.cli.output import write

    write(f"{text}\n")


def _read(
    this: Run, plane: ControlPlane, commit: str, *, quarantine: bool = False
) -> list[tuple[Sequence[Manifest], carry.Job]]:
    """Return the sets that a commit brings, and say what of it was passed over."""
    from kctl.cli.manifests import options as reading
    from kctl.gitops.sync import Wanted, sync_commits

    wanted = Wanted(commit, this.paths, quarantine=quarantine)
    found = sync_commits(this.repository, wanted, options=reading(plane.folder))
    for synced in found:
        for skipped in synced.skipped:
            _tell(f"kctl: skipped {skipped}")
    return [(synced.manifests, carry.Job(synced.set_name, synced.source, this.options)) for synced in found]
