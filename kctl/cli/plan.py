"""``kctl plan``: what an apply would make of the cluster, without doing it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from kctl.cli import carry, options, whatif
from kctl.cli import seeds as trial
from kctl.cli.session import Opened, Settings

if TYPE_CHECKING:
    from kctl.api.objects import Obj
    from kctl.api.structural import Unknown
    from kctl.gitops.apply import Options
    from kctl.plane.plane import ControlPlane

CHANGES = 2


@click.command("plan", short_help="Show what apply would make of the cluster, without doing it.")
@click.argument("commits", required=False, metavar="[A..B]")
@options.filenames()
@click.option("--repo", default=".", type=click.Path(file_okay=False), metavar="REPO", help="The repository of A..B.")
@options.folders
@options.namespace
@options.prune
@options.prune_confirm
@options.recreate
@options.force_conflicts
@options.field_manager
@options.validate
@options.timeout
@whatif.options
@trial.option
@options.no_diff
@options.show_secrets
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 2 when something changes, 0 when nothing does.")
@options.output("text", "json", "yaml", "name", "markdown", "junit")
@click.pass_obj
def command(
    settings: Settings,
    commits: str | None,
    paths: tuple[str, ...],
    recursive: bool,
    kustomize: str | None,
    ignore_not_manifest: bool,
    repo: str,
    folders: Sequence[str],
    namespace: str | None,
    prune: bool,
    prune_confirm: bool,
    recreate: bool,
    force_conflicts: bool,
    field_manager: str,
    validate: Unknown,
    timeout: str,
    seeds: int | None,
    no_diff: bool,
    show_secrets: bool,
    detailed_exitcode: bool,
    output: str | None,
    what: whatif.Asked,
) -> int:
    """Apply the manifests in PATH to an image of the cluster, run it until it settles, tell, forget.

    Prints the three layers that apply would print; no object, no revision and no file changes.
    Without a cluster here the plan is made on an empty one of the shape in kctl.yaml. A..B are
    two commits: an empty cluster converges at A and is then taken to B. Exit codes are those of apply.

    With --scenario or --what-if things go wrong on the way, and neither -f nor commits are needed: then it is
    the present cluster that is tried. Where something is expected the exit code says whether it holds: 0 or 1.
    """
    from kctl.api.errors import UsageError
    from kctl.cli.run import duration
    from kctl.gitops.apply import Options

    options.refuse_kustomize(kustomize)
    trial.check(seeds, paths)
    if bool(commits) == bool(paths) and (commits or not what.is_any):
        raise UsageError("give manifests with -f PATH, two commits as A..B, or a --what-if")
    play = whatif.Play(what, namespace) if what.is_any else None
    how = Options(
        namespace=namespace or "",
        force=force_conflicts,
        prune=prune or bool(commits),
        prune_confirm=prune_confirm,
        recreate=recreate,
        validate=validate,
        secrets=show_secrets,
        field_manager=field_manager,
    )
    work = Work(settings, commits, paths, recursive, ignore_not_manifest, repo, folders, how, duration(timeout), play)
    reports, code = work.results(seeds)
    if what.junit:
        whatif.write_junit(what.junit, reports)
    _print(reports, output, show_diff=not no_diff, timeline=what.timeline)
    return CHANGES if detailed_exitcode and not code and any(map(_changes, reports)) else code


class Work(NamedTuple):
    """What is to be planned, and how it is read."""

    settings: Settings
    commits: str | None
    paths: tuple[str, ...]
    recursive: bool
    ignore_not_manifest: bool
    repo: str
    folders: Sequence[str]
    how: Options
    within: float
    play: whatif.Play | None

    def open(self, settings: Settings) -> ControlPlane:
        """Open a plane to try it on."""
        from kctl.cli.session import open_ephemeral, open_imagined

        return open_ephemeral(settings) if self.commits else open_imagined(settings)

    def results(self, seeds: int | None) -> tuple[list[Obj], int]:
        """Return the reports, with what depends on chance in the last, and the exit code they stand for."""
        from kctl.cli.run import code_of

        with self.open(self.settings) as plane:
            reports = self.carried(plane)
        code = max(map(code_of, reports))
        if not seeds:
            return reports, code
        codes = [code]

        def attempt(plane: ControlPlane) -> list[Obj]:
            tried = self.carried(plane)
            codes.append(max(map(code_of, tried)))
            return tried

        chance = trial.chance(self.settings, seeds, attempt, self.open)
        return [*reports[:-1], {**reports[-1], "chance": chance}], max(codes)

    def carried(self, plane: ControlPlane) -> list[Obj]:
        """Carry it out on a plane and return the reports."""
        if self.commits:
            old, wanted = (self._of_commit(plane, ref) for ref in _range(self.commits))
            for manifests, job in old:
                carry.carried_out(Opened(plane, None), manifests, job, self.within)
        elif self.paths:
            wanted = [self._of_paths(plane)]
        elif self.play is not None:
            return [self.play.on_present(plane, self.within)]
        *first, last = carry.moving(plane, wanted)
        reports = [carry.report_of(Opened(plane, None), *one, self.within) for one in first]
        return [*reports, carry.report_of(Opened(plane, None), *last, self.within, play=self.play)]

    def _of_paths(self, plane: ControlPlane) -> carry.Set:
        """Return the manifests of paths, as the set that apply would make of them."""
        from kctl.cli.manifests import load, set_name
        from kctl.cli.session import state_folder

        manifests = load(
            plane,
            self.paths,
            recursive=self.recursive,
            ignore_not_manifest=self.ignore_not_manifest,
            namespace=self.how.namespace,
        )
        base = (state_folder(self.settings) or Path.cwd() / ".kctl").resolve().parent
        return manifests, carry.Job(set_name(base, self.paths), {"paths": sorted(self.paths)}, self.how)

    def _of_commit(self, plane: ControlPlane, ref: str) -> list[carry.Set]:
        """Return the manifests of a commit, as the sets that sync would make of them."""
        from kctl.cli.manifests import options as reading
        from kctl.gitops.sync import Wanted, sync_commits

        manner = reading(plane.folder, ignore_not_manifest=self.ignore_not_manifest, namespace=self.how.namespace)
        found = sync_commits(self.repo, Wanted(ref, self.folders or ("",)), options=manner)
        return [(synced.manifests, carry.Job(synced.set_name, synced.source, self.how)) for synced in found]


def _range(commits: str) -> tuple[str, str]:
    """Return the two ends of ``A..B``."""
    from kctl.api.errors import UsageError

    first, dots, last = commits.partition("..")
    if not (first and dots and last) or last.startswith("."):
        raise UsageError(f"{commits!r}: give two commits as A..B")
    return first, last


def _changes(report: Obj) -> bool:
    return any(entry["change"] != "unchanged" for entry in report["intent"])


def _print(reports: Sequence[Obj], output: str | None, *, show_diff: bool, timeline: bool) -> None:
    from kctl.cli import markdown
    from kctl.cli.output import write

    if timeline and output in (None, "text"):
        from kctl.cli import layers

        rows = [row for report in reports for row in report["timeline"]]
        write(click.style("Timeline", bold=True) + "\n" + layers.timeline_text(rows) + "\n")
    if output == "junit":
        from kctl.plan import junit

        write(junit.text(reports))
    elif output == "markdown":
        write("\n".join(markdown.text(report, title="kctl plan", show_diff=show_diff) for report in reports))
    else:
        carry.tell_all(reports, output, show_diff=show_diff)
