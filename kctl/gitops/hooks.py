"""Git hooks that run kctl: installed, told apart from other people's, taken out again.

A hook is a marked block in a file of the repository's own ``hooks`` folder, which its worktrees
share and nobody commits. A hook that somebody else wrote goes on working: it is kept beside ours
as ``TYPE.before-kctl`` and runs first, with the same arguments and input; a refusal of its is
final. Installing twice changes nothing; uninstalling brings back what was there before.

Not here: what a hook does when it runs (``kctl hook run``, which the block calls).
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from kctl.api.errors import KctlError, Refused, UsageError
from kctl.gitops.git import Repository
from kctl.gitops.sources import reason

WORKING = ("post-commit", "post-merge", "post-rewrite", "pre-push")
BARE = ("pre-receive", "post-receive")
TYPES = WORKING + BARE
WITH_INPUT = frozenset({"post-rewrite", "pre-push", "pre-receive", "post-receive"})
REFUSING = frozenset({"pre-push", "pre-receive"})
"""The hooks whose exit code git obeys."""
SHEBANG = "#!/bin/sh"
KEPT = ".before-kctl"


class Hook(NamedTuple):
    """Where a hook stands and what it is: installed, outdated, foreign or absent."""

    file: Path
    state: str


class What(NamedTuple):
    """What a hook runs: ``command`` is kctl (``[sys.executable, "-m", "kctl"]``), the others its options."""

    command: Sequence[str]
    paths: Sequence[str] = ()
    state: str = ""
    branches: Sequence[str] = ()


def default_types(repository: str) -> tuple[str, ...]:
    """Return the hooks that make a repository drive a cluster: of a bare one those of a push."""
    return BARE if is_bare(repository) else ("post-commit",)


def is_bare(repository: str) -> bool:
    """Say whether a repository has no working tree."""
    with Repository(repository) as repo:
        return repo.run("rev-parse", "--is-bare-repository").strip() == b"true"


def install(repository: str, type: str, what: What) -> Hook:
    """Write the hook and return it; Refused where none may be written."""
    block = _block(type, what)
    file = _file(repository, type)
    text = _read(file)
    start, end = _marks(type)
    if start in text and end not in text:
        raise Refused(f"{file}: our block has lost its end", hint=f"take out what follows {start!r} and try again")
    if start in text:
        before, _, rest = text.partition(start)
        new = before + block + rest.partition(end)[2].removeprefix("\n")
    else:
        new = f"{SHEBANG}\n{block}"
        if text:
            _keep(file)
    _write(file, new)
    return Hook(file, "installed")


def _keep(file: Path) -> None:
    """Move somebody else's hook to where ours calls it; a hook that cannot run was none, and stays none."""
    kept = _kept(file)
    if kept.exists():
        raise Refused(f"{file}: there is a hook that is not ours, and one kept from before in {kept.name}")
    try:
        file.replace(kept)
    except OSError as error:
        raise KctlError(f"{file}: {reason(error)}") from None


def _kept(file: Path) -> Path:
    return file.with_name(file.name + KEPT)


def uninstall(repository: str, type: str = "post-commit") -> Hook:
    """Take our block out and bring back the hook that was there before it."""
    _check(type)
    file = _file(repository, type)
    text = _read(file)
    start, end = _marks(type)
    if start not in text or end not in text:
        return Hook(file, "foreign" if text else "absent")
    before, _, rest = text.partition(start)
    left = before + rest.partition(end)[2].removeprefix("\n")
    try:
        if left.strip() in ("", SHEBANG):
            if not _kept(file).exists():
                file.unlink()
                return Hook(file, "absent")
            _kept(file).replace(file)
            return Hook(file, "foreign")
    except OSError as error:
        raise KctlError(f"{file}: {reason(error)}") from None
    _write(file, left)
    return Hook(file, "foreign")


def status(repository: str, type: str, what: What) -> Hook:
    """Say whether the hook is there and is the one :func:`install` would write, with its own options for none."""
    _check(type)
    file = _file(repository, type)
    text = _read(file)
    if not text:
        return Hook(file, "absent")
    if _marks(type)[0] not in text:
        return Hook(file, "foreign")
    if not (what.paths or what.state or what.branches):
        what = _installed(text, type, what)
    block = _block(type, what)
    return Hook(file, "installed" if block in text and os.access(file, os.X_OK) else "outdated")


def _installed(text: str, type: str, what: What) -> What:
    """Return what to run with the options that the block in a hook has; as it was where they cannot be read."""
    start, end = _marks(type)
    block = text.partition(start)[2].partition(end)[0]
    for line in block.splitlines():
        before, found, rest = line.partition(f" hook run {type} ")
        if not found:
            continue
        try:
            left, right = shlex.split(before), shlex.split(rest.rpartition(" >&2")[0].partition(' -- "$@"')[0])
        except ValueError:
            return what
        options = list(zip(right[::2], right[1::2], strict=False))
        paths = [value for option, value in options if option == "--path"]
        branches = [value for option, value in options if option == "--branch"]
        state = left[-1] if len(left) > 1 and left[-2] == "--state" else ""
        return what._replace(paths=paths, state=state, branches=branches)
    return what


def _check(type: str) -> None:
    if type not in TYPES:
        raise UsageError(f'no such hook: "{type}"; kctl has {", ".join(TYPES)}')


def _marks(type: str) -> tuple[str, str]:
    return f"# >>> kctl {type} >>>\n", f"# <<< kctl {type} <<<\n"


def _block(type: str, what: What) -> str:
    """Return the lines of the hook: the one from before, then ours, both with git's arguments and input."""
    _check(type)
    start, end = _marks(type)
    words = [*what.command, *(["--state", what.state] if what.state else []), "hook", "run", type]
    words += [word for path in what.paths for word in ("--path", path)]
    words += [word for branch in what.branches for word in ("--branch", branch)]
    run = f'{shlex.join(words)} -- "$@" >&2'
    before = '"$kctl_before" "$@"'
    head = ""
    if type in WITH_INPUT:
        head = "kctl_input=$(cat && echo .)\n"
        given = 'printf %s "${kctl_input%.}" | '
        before, run = given + before, given + run
    failed = "exit $?" if type in REFUSING else f'echo "kctl: the {type} hook ended with exit code $?" >&2'
    return f"""{start}# Written by "kctl hook install"; "kctl hook uninstall" takes it out.
{head}kctl_before=$(dirname "$0")/{type}{KEPT}
if [ -x "$kctl_before" ]; then
  {before} || exit $?
fi
{run} || {failed}
{end}"""


def _file(repository: str, type: str) -> Path:
    """Return where the hook belongs; Refused when that folder is not the repository's own."""
    with Repository(repository) as repo:
        top = Path(repository)
        common = (top / _path(repo, "--git-common-dir")).resolve()
        hooks = (top / _path(repo, "--git-path", "hooks")).resolve()
    if hooks != common / "hooks":
        hint = f"core.hooksPath leads there; add the hook yourself, or unset core.hooksPath in {common / 'config'}"
        raise Refused(f"{hooks}: hooks of this repository stand in a folder it may share or commit", hint=hint)
    file = hooks / type
    if file.is_symlink():
        raise Refused(f"{file}: the hook is a link that something else manages")
    return file


def _path(repo: Repository, *arguments: str) -> str:
    return os.fsdecode(repo.run("rev-parse", *arguments).removesuffix(b"\n"))


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise KctlError(f"{file}: {reason(error)}") from None


def _write(file: Path, text: str) -> None:
    """Replace the file as a whole; it can be executed from its first moment."""
    partial = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(exist_ok=True)
        mode = file.stat().st_mode if file.exists() else 0o755
        partial.write_text(text, encoding="utf-8", errors="surrogateescape")
        partial.chmod(mode | 0o111)
        partial.replace(file)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise KctlError(f"{file}: {reason(error)}") from None
