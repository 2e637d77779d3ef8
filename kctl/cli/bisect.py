"""``kctl bisect``: the first revision, or the first commit, at which an expectation no longer holds.

Revisions are read as they were. Commits are tried: each on an empty cluster of the shape in
kctl.yaml, which converges at it and is forgotten; one that is refused does not meet any expectation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import click

from kctl.cli import options
from kctl.cli.session import Settings

if TYPE_CHECKING:
    from kctl.api.objects import Obj
    from kctl.plane.plane import ControlPlane

CONVERGED = "converged"


class Expectation(NamedTuple):
    """What is to hold: that nothing is blocked, or a condition of one object."""

    text: str
    namespace: str


class Tried(NamedTuple):
    """One revision or commit, and whether the expectation held."""

    name: str
    is_good: bool

    def data(self) -> Obj:
        """Return it as the result lists it."""
        return {"name": self.name, "good": self.is_good}


@click.command("bisect", short_help="Find the first revision or commit that breaks an expectation.")
@click.option("--good", required=True, metavar="REV|COMMIT", help="Where it still held.")
@click.option("--bad", required=True, metavar="REV|COMMIT", help="Where it no longer holds.")
@click.option(
    "--expect",
    default=CONVERGED,
    show_default=True,
    metavar="WHAT",
    help="converged, or TYPE/NAME with a condition of kctl wait: 'deploy/web condition=Available'.",
)
@click.option("--repo", metavar="REPO", type=click.Path(file_okay=False), help="The repository of the commits.")
@options.folders
@options.namespace
@options.output("json", "yaml", "name")
@click.pass_obj
def command(
    settings: Settings,
    good: str,
    bad: str,
    expect: str,
    repo: str | None,
    folders: Sequence[str],
    namespace: str | None,
    output: str | None,
) -> int:
    """Search between GOOD and BAD for the first at which WHAT does not hold.

    Without --repo they are revisions of the cluster here, or commits that were synced to it.
    With it they are commits of that repository; each that is looked at converges on an empty cluster.
    """
    from kctl.cli.session import open_reader

    expected = Expectation(expect, namespace or "default")
    _parsed(expect)  # a mistake in it is said before anything runs
    if repo:
        tried = search(*_commits(settings, repo, good, bad, expected, folders))
    else:
        with open_reader(settings) as plane:
            tried = search(*_revisions(plane, good, bad, expected))
    first = tried[-1].name
    _print(first, tried, output)
    return 0


def search(names: Sequence[str], holds: Callable[[str], bool]) -> list[Tried]:
    """Return what was tried, the first bad one last; KctlError when the ends are not what was said."""
    from kctl.api.errors import KctlError

    tried: list[Tried] = []

    def good(name: str) -> bool:
        tried.append(Tried(name, holds(name)))
        click.echo(f"{name}: {'good' if tried[-1].is_good else 'bad'}", err=True)
        return tried[-1].is_good

    if not good(names[0]):
        raise KctlError(f"{names[0]} was given as good, and there it does not hold")
    if good(names[-1]):
        raise KctlError(f"{names[-1]} was given as bad, and there it holds")
    low, high = 0, len(names) - 1
    while high - low > 1:
        middle = (low + high) // 2
        if good(names[middle]):
            low = middle
        else:
            high = middle
    tried.append(Tried(names[high], False))
    return tried


def _revisions(
    plane: ControlPlane, good: str, bad: str, expected: Expectation
) -> tuple[list[str], Callable[[str], bool]]:
    """Return the revisions at which something was done between two, and how to look at one."""
    from kctl.api.errors import UsageError
    from kctl.cli import past

    first, last = past.revision_of(plane, good), past.revision_of(plane, bad)
    if first >= last:
        raise UsageError("--good has to be before --bad")
    between = {end.revision for end in past.ends(plane) if first < end.revision < last}
    names = [str(revision) for revision in sorted({first, *between, last})]
    return names, lambda name: _holds(past.at(plane, int(name)), expected)


def _commits(
    settings: Settings, repo: str, good: str, bad: str, expected: Expectation, folders: Sequence[str]
) -> tuple[list[str], Callable[[str], bool]]:
    """Return the commits on the way from one to another, and how to try one."""
    from kctl.api.errors import UsageError
    from kctl.gitops.git import Repository

    with Repository(repo) as repository:
        names = repository.between(repository.resolve(good), repository.resolve(bad))
    if len(names) < 2:
        raise UsageError("--bad has to come after --good")
    return names, lambda name: _converges(settings, repo, name, expected, folders)


def _converges(settings: Settings, repo: str, commit: str, expected: Expectation, folders: Sequence[str]) -> bool:
    """Apply a commit to an empty cluster and say whether the expectation holds there."""
    from kctl.api.errors import KctlError
    from kctl.cli import carry
    from kctl.cli.session import Opened, open_ephemeral
    from kctl.gitops.apply import Options
    from kctl.gitops.sync import Wanted, sync_commits

    with open_ephemeral(settings) as plane:
        try:
            for synced in sync_commits(repo, Wanted(commit, folders or ("",))):
                job = carry.Job(synced.set_name, synced.source, Options())
                _, outcome = carry.carried_out(Opened(plane, None), synced.manifests, job)
        except KctlError as error:
            click.echo(str(error), err=True)
            return False
        return outcome.end == "Quiet" and _holds(plane, expected)


def _parsed(text: str) -> tuple[str, Callable[[Obj], bool]] | None:
    """Read an expectation: an object's name and its condition; None for ``converged``."""
    from kctl.api.errors import UsageError
    from kctl.cli import wait

    if text == CONVERGED:
        return None
    name, space, condition = text.strip().partition(" ")
    if not space or "/" not in name:
        raise UsageError(
            f"{text!r}: expect {CONVERGED}, or TYPE/NAME and a condition, as 'deploy/web condition=Available'"
        )
    return name, wait.parse(condition.strip())


def _holds(plane: ControlPlane, expected: Expectation) -> bool:
    from kctl.api.errors import StatusError
    from kctl.cli import select
    from kctl.plan import residual

    parsed = _parsed(expected.text)
    if parsed is None:
        return not list(residual.blockers(plane.client))
    name, check = parsed
    (chosen,) = select.parse(plane.server.registry, [name])
    namespace = expected.namespace if chosen.kind.namespaced else ""
    try:
        return check(plane.client.get(chosen.kind.resource, namespace, chosen.names[0]))
    except StatusError as error:
        if error.reason != "NotFound":
            raise
        return False


def _print(first: str, tried: Sequence[Tried], output: str | None) -> None:
    from kctl.cli.output import document, write

    if output in ("json", "yaml"):
        rows = [one.data() for one in tried[:-1]]
        write(document({"apiVersion": "kctl.dev/v1", "kind": "Bisection", "firstBad": first, "tried": rows}, output))
    elif output == "name":
        write(f"{first}\n")
    else:
        write(f"{first} is the first bad one\n")
