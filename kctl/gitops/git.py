"""Reading commits out of a git repository that may be hostile.

The only module that knows GitPython, and of it only the command wrapper: ``git.Repo`` would read
the repository's configuration itself. Nothing here checks out, fetches, looks at the working
tree or runs a porcelain command. A revision is resolved once; trees are listed and blobs read
by their ids. What is no regular file (links, submodules) is reported and never followed.

Lazy fetching, terminal prompts, optional locks, replacement objects and the system's
configuration are switched off; git's own check of who owns the repository stays on.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

from kctl.api.clock import rfc3339
from kctl.api.errors import KctlError, UsageError
from kctl.gitops.documents import MAX_FILE
from kctl.gitops.sources import EXTENSIONS, KUSTOMIZATIONS, ManifestError, Source, shown

if TYPE_CHECKING:
    from typing import Self

HARDENED = {
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_PROTOCOL_FROM_USER": "0",
    "GIT_ALLOW_PROTOCOL": "",
    "GIT_ASKPASS": "",
    "GIT_PAGER": "cat",
}
LOCAL_VARIABLES = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_CEILING_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_PARAMETERS",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_QUARANTINE_PATH",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
)
"""What a hook's environment says about *its* repository; it is not ours to obey."""
QUARANTINE = ("GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_OBJECT_DIRECTORY", "GIT_QUARANTINE_PATH")
"""Where git keeps the objects of a push until its pre-receive hook has accepted them."""
REGULAR = ("100644", "100755")
CHUNK = 1 << 20


class Commit(NamedTuple):
    """One commit: who wrote it, when (RFC 3339), and the first line of the message."""

    sha: str
    author: str
    time: str
    subject: str


class Tree(NamedTuple):
    """The manifests in a commit, what is in its way, and what was passed over."""

    sources: list[Source]
    errors: list[ManifestError]
    skipped: list[str]


class Repository:
    """A repository on this machine, open for reading; use it as a context manager.

    ``quarantine`` lets it see the objects of a push that is not accepted yet (pre-receive).
    """

    def __init__(self, path: str, *, quarantine: bool = False) -> None:
        if "://" in path or (":" in path.split("/", 1)[0] and not Path(path).exists()):
            raise UsageError(f"{path}: kctl reads repositories on this machine only: clone it first")
        if not Path(path).is_dir():
            raise KctlError(f"{shown(path)}: no such directory")
        self.path = path
        self._git = _command(path)
        self._hidden = [name for name in LOCAL_VARIABLES if not (quarantine and name in QUARANTINE)]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the processes that read objects."""
        with _without(self._hidden):
            self._git.clear_cache()

    def resolve(self, ref: str) -> str:
        """Return the id of the commit that a revision names."""
        if not ref or "\0" in ref or "\n" in ref:
            raise KctlError(f"{shown(self.path)}: {ref!r} names no commit")
        try:
            return (
                self.run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}").decode().strip()
            )
        except KctlError as error:
            if error.message.endswith(SAID_NOTHING):
                raise KctlError(f'{shown(self.path)}: "{ref}" names no commit') from None
            raise

    def branch(self) -> str:
        """Return the branch that HEAD stands on, "" when it stands on a commit."""
        try:
            return os.fsdecode(self.run("symbolic-ref", "--quiet", "--short", "HEAD")).strip()
        except KctlError:
            return ""

    def commit(self, sha: str) -> Commit:
        """Return a commit's author, time and subject."""
        head, _, message = self.read(sha).partition(b"\n\n")
        author, time = "", 0
        for line in head.split(b"\n"):
            if line.startswith(b"author "):
                who, _, when = line[7:].rpartition(b"> ")
                author = (who + b">").decode("utf-8", "replace")
                seconds = when.split(b" ")[0]
                time = int(seconds) if seconds.isdigit() and len(seconds) < 12 else 0
        subject = message.split(b"\n", 1)[0].decode("utf-8", "replace")
        return Commit(sha, author, rfc3339(float(time)), subject)

    def between(self, first: str, last: str) -> list[str]:
        """Return the commits from one to another along first parents, both with it; [last] when there is no way."""
        listed = self.run("rev-list", "--reverse", "--first-parent", f"{first}..{last}", "--").decode().split()
        if not listed:
            return [last]
        parents = self.run("rev-list", "--parents", "--max-count=1", listed[0], "--").decode().split()[1:]
        return [first, *listed] if first in parents else [last]

    def tree_id(self, sha: str, folder: str = "") -> str:
        """Return the id of a folder's content in a commit, "" when it is not there."""
        steps = "/".join(_steps(folder))
        try:
            return os.fsdecode(
                self.run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{sha}:{steps}")
            ).strip()
        except KctlError:
            return ""

    def tree(self, sha: str, folder: str = "") -> Tree:
        """Return the manifests of a commit, of one of its folders and what is below it."""
        steps = _steps(folder)
        tree = Tree([], [], [])
        is_there = not steps
        for entry in self.run("ls-tree", "-r", "-z", "--full-tree", sha).split(b"\0"):
            if not entry:
                continue
            head, _, raw = entry.partition(b"\t")
            mode, _, blob = head.decode().split(" ")
            path = os.fsdecode(raw)
            parts = path.split("/")
            if any(part in ("", ".", "..") or part.lower() == ".git" for part in parts):
                raise KctlError(f"{shown(self.path)}: the commit holds the path {path!r}, which no checkout could")
            if parts[: len(steps)] == steps and (len(parts) > len(steps) or mode in REGULAR):
                is_there = True
                self._take(tree, mode, blob, parts)
        if not is_there:
            raise KctlError(f'{shown(self.path)}: commit {sha[:12]} has no folder "{folder}"')
        return tree

    def _take(self, tree: Tree, mode: str, blob: str, parts: Sequence[str]) -> None:
        """Sort one entry of the tree: a manifest, something in the way, something else."""
        file = shown("/".join(parts))
        if any(part.startswith(".") for part in parts):
            return
        if mode == "160000":
            tree.skipped.append(f"{file}: a submodule is not read")
        elif parts[-1] in KUSTOMIZATIONS:
            message = "building a kustomization is not built yet: commit the output of kustomize instead"
            tree.errors.append(ManifestError(file, 0, 0, message))
        elif parts[-1].endswith(EXTENSIONS):
            if mode in REGULAR:
                tree.sources.append(Source(file, lambda: self.read(blob), f"git-{blob}"))
            else:
                tree.skipped.append(f"{file}: a link is not followed")

    def read(self, sha: str) -> bytes:
        """Return an object's content, of a huge one only the beginning; raises OSError."""
        with _without(self._hidden):
            try:
                _, _, size, stream = self._git.stream_object_data(sha)
                data: bytes = stream.read(min(size, MAX_FILE + 1))
                while stream.read(CHUNK):
                    pass
            except ValueError as error:
                raise OSError(f"git cannot read {sha[:12]}: {error}") from None
        return data

    def run(self, *arguments: str) -> bytes:
        """Run a plumbing command and return what it prints; KctlError when it fails."""
        from git.exc import GitCommandError, GitCommandNotFound

        with _without(self._hidden):
            try:
                out: Any = self._git.execute(["git", *arguments], stdout_as_string=False, strip_newline_in_stdout=False)
            except GitCommandNotFound:
                raise KctlError("git is not installed") from None
            except GitCommandError as error:
                raise KctlError(f"{shown(self.path)}: {_said(error)}") from None
        return bytes(out)


SAID_NOTHING = "git failed without saying why"


def _command(path: str) -> Any:
    """Return GitPython's command wrapper for a folder, hardened."""
    try:
        from git.cmd import Git
    except ImportError:
        raise KctlError("git is not installed") from None
    command = Git(path)
    command.update_environment(**HARDENED)
    return command


def _said(error: Any) -> str:
    """Return the first line git wrote on stderr, without its quotes and prefixes."""
    text = error.stderr if isinstance(error.stderr, str) else str(error.stderr or "")
    text = text.strip().removeprefix("stderr:").strip().strip("'").strip()
    first = text.splitlines()[0] if text else SAID_NOTHING
    return first.removeprefix("fatal: ")


@contextmanager
def _without(names: Sequence[str]) -> Iterator[None]:
    """Hide a surrounding hook's repository from git while a process is started."""
    hidden = {name: os.environ.pop(name) for name in names if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(hidden)


def _steps(folder: str) -> list[str]:
    steps = [step for step in folder.split("/") if step not in ("", ".")]
    if ".." in steps:
        raise UsageError(f'--path {folder}: ".." leads out of the repository')
    return steps
