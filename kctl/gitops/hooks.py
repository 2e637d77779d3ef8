"""The post-commit hook: each commit is applied to the cluster as it is made.

The hook is a marked block in ``hooks/post-commit`` of the repository's own git folder, which is
shared by its worktrees and never committed. A hook that somebody else wrote is left alone: we
refuse and say which lines to add. Installing twice changes nothing; uninstalling takes the
block out and leaves whatever else has come to stand in the file.
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

TYPES = ("post-commit",)
LATER = ("post-merge", "post-rewrite", "pre-push", "pre-receive", "post-receive")
SHEBANG = "#!/bin/sh"


class Hook(NamedTuple):
    """Where a hook stands and what it is: installed, outdated, foreign or absent."""

    file: Path
    state: str


def install(
    repository: str, type: str = "post-commit", *, command: Sequence[str], path: str = "", state: str = ""
) -> Hook:
    """Write the hook and return it. ``command`` runs kctl: ``[sys.executable, "-m", "kctl"]``.

    ``path`` and ``state`` are what the hook gives to ``kctl sync`` as ``--path`` and ``--state``.
    Raises Refused when there is a hook of somebody else's, or none may be written.
    """
    block = _block(type, command, path, state)
    file = _file(repository, type)
    text = _read(file)
    start, end = _marks(type)
    if text and start not in text:
        lines = "\n".join(block.splitlines()[1:-1])
        raise Refused(f"{file}: there is a hook already, which is not ours", hint=f"add this to it:\n{lines}")
    if start in text and end not in text:
        raise Refused(f"{file}: our block has lost its end", hint=f"take out what follows {start!r} and try again")
    if text:
        before, _, rest = text.partition(start)
        new = before + block + rest.partition(end)[2].removeprefix("\n")
    else:
        new = f"{SHEBANG}\n{block}"
    _write(file, new)
    return Hook(file, "installed")


def uninstall(repository: str, type: str = "post-commit") -> Hook:
    """Take our block out; the file goes when nothing else is left in it."""
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
            file.unlink()
            return Hook(file, "absent")
    except OSError as error:
        raise KctlError(f"{file}: {reason(error)}") from None
    _write(file, left)
    return Hook(file, "foreign")


def status(
    repository: str, type: str = "post-commit", *, command: Sequence[str], path: str = "", state: str = ""
) -> Hook:
    """Say whether the hook is there and is the one :func:`install` would write."""
    block = _block(type, command, path, state)
    file = _file(repository, type)
    text = _read(file)
    if not text:
        return Hook(file, "absent")
    if _marks(type)[0] not in text:
        return Hook(file, "foreign")
    return Hook(file, "installed" if block in text and os.access(file, os.X_OK) else "outdated")


def _check(type: str) -> None:
    if type in LATER:
        raise UsageError(f"hooks of type {type} are not built yet; kctl has {', '.join(TYPES)}")
    if type not in TYPES:
        raise UsageError(f'no such hook: "{type}"')


def _marks(type: str) -> tuple[str, str]:
    return f"# >>> kctl {type} >>>\n", f"# <<< kctl {type} <<<\n"


def _block(type: str, command: Sequence[str], path: str, state: str) -> str:
    """Return the lines of the hook: sync this very commit, whatever the hook's environment says."""
    _check(type)
    start, end = _marks(type)
    before = ["--state", state] if state else []
    after = ["--path", path] if path else []
    run = shlex.join([*command, *before, "sync"])
    more = f" {shlex.join(after)}" if after else ""
    return f"""{start}# Written by "kctl hook install"; "kctl hook uninstall" takes it out.
kctl_commit=$(git rev-parse --verify HEAD) && kctl_top=$(git rev-parse --show-toplevel) && (
  unset $(git rev-parse --local-env-vars)
  cd "$kctl_top" && {run} "$kctl_top" --ref "$kctl_commit"{more} >&2
) || echo "kctl: sync of the commit ended with exit code $?" >&2
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
