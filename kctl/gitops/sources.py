"""Paths in, texts out: which files ``-f`` means, and their bytes.

Takes files, directories (``-R``: what is below them too), ``-`` and any mixture. Directories
give their ``.yaml``, ``.yml`` and ``.json`` files in order of name; hidden entries (and with
them ``.kctl``) are skipped. Links are followed, loops of links reported. A file that is reached
twice is read once. Nothing is parsed here.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, NamedTuple

from kctl.api.errors import KctlError
from kctl.gitops.documents import MAX_FILE

EXTENSIONS = (".yaml", ".yml", ".json")
KUSTOMIZATIONS = frozenset({"kustomization.yaml", "kustomization.yml", "Kustomization"})
STDIN = "-"


class Source(NamedTuple):
    """One text: its name as the user would say it, how to read it, and what identifies it.

    ``read`` raises OSError. ``digest`` identifies the content where that is known without
    reading (a git blob); ``named`` says that the user named this very file.
    """

    file: str
    read: Callable[[], bytes]
    digest: str = ""
    named: bool = False


class ManifestError(NamedTuple):
    """One thing wrong with one file; line and column count from 1, 0 where they mean nothing."""

    file: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        where = "".join(f":{number}" for number in (self.line, self.column) if number)
        return f"{self.file}{where}: {self.message}"


class ManifestErrors(KctlError):
    """Everything that is wrong with the manifests, in order of file and line."""

    def __init__(self, errors: Iterable[ManifestError], *, hint: str = "") -> None:
        self.errors = sorted(set(errors))
        super().__init__("\n".join(map(str, self.errors)), hint=hint)


class Found(NamedTuple):
    """The texts behind the paths, and what could not be found."""

    sources: list[Source]
    errors: list[ManifestError]


def find(paths: Iterable[str], *, recursive: bool = False, stdin: IO[bytes] | None = None) -> Found:
    """Return the texts that the paths of ``-f`` mean."""
    search = _Search(recursive)
    for path in paths:
        if path == STDIN:
            search.add_stdin(stdin)
        elif "://" in path:
            search.fail(path, "kctl reads no URLs: download it first")
        else:
            search.add(path)
    return Found(search.sources, search.errors)


class _Search:
    """Collects sources; ``_seen`` are the files that were reached already."""

    def __init__(self, recursive: bool) -> None:
        self.sources: list[Source] = []
        self.errors: list[ManifestError] = []
        self._recursive = recursive
        self._seen: set[tuple[int, int]] = set()
        self._stdin_read = False
        self._reached = 0  # files seen, again or for the first time, and complaints

    def fail(self, path: str, message: str) -> None:
        self._reached += 1
        self.errors.append(ManifestError(path if "://" in path else shown(path), 0, 0, message))

    def add_stdin(self, stdin: IO[bytes] | None) -> None:
        if stdin is None or self._stdin_read:
            self.fail(
                STDIN, "standard input can be read only once" if self._stdin_read else "there is no standard input"
            )
            return
        self._stdin_read = True
        try:
            data = stdin.read(MAX_FILE + 1)
        except OSError as error:
            self.fail(STDIN, reason(error))
            return
        self.sources.append(Source(STDIN, lambda: data, named=True))

    def add(self, path: str) -> None:
        """Take in a path that the user named."""
        try:
            status = Path(path).stat()
        except (OSError, ValueError) as error:
            self.fail(path, _link_reason(path, error))
            return
        if stat.S_ISDIR(status.st_mode):
            before = self._reached
            has_folders = self._walk(path, (_identity(status),))
            if self._reached == before:
                more = " (add -R for what is in its subdirectories)" if has_folders and not self._recursive else ""
                self.fail(path, f"no manifests in this directory{more}")
        else:
            self._add_file(path, status, named=True)

    def _add_file(self, path: str, status: os.stat_result, *, named: bool = False) -> None:
        self._reached += 1
        identity = _identity(status)
        if stat.S_ISREG(status.st_mode):
            if identity in self._seen:
                return
            self._seen.add(identity)
        elif not named:
            self.fail(path, "not a regular file")
            return
        self.sources.append(Source(shown(path), lambda: read_file(path), named=named))

    def _walk(self, folder: str, above: tuple[tuple[int, int], ...]) -> bool:
        """Take in the files of a directory; say whether it has subdirectories."""
        try:
            with os.scandir(folder) as entries:
                names = sorted(entry.name for entry in entries if not entry.name.startswith("."))
        except OSError as error:
            self.fail(folder, reason(error))
            return False
        if not KUSTOMIZATIONS.isdisjoint(names):
            self.fail(
                folder, "building a kustomization is not built yet: name the files, or give the output of kustomize"
            )
            return False
        has_folders = False
        for name in names:
            path = str(Path(folder, name))
            is_manifest = name.endswith(EXTENSIONS)
            try:
                status = Path(path).stat()
            except OSError as error:
                if is_manifest or self._recursive:
                    self.fail(path, _link_reason(path, error))
                continue
            if not stat.S_ISDIR(status.st_mode):
                if is_manifest:
                    self._add_file(path, status)
                continue
            has_folders = True
            if self._recursive:
                self._descend(path, status, above)
        return has_folders

    def _descend(self, path: str, status: os.stat_result, above: tuple[tuple[int, int], ...]) -> None:
        identity = _identity(status)
        if identity in above:
            self.fail(path, "this link leads back to a directory it is in")
        elif identity not in self._seen:
            self._seen.add(identity)
            self._walk(path, (*above, identity))


def read_file(path: str) -> bytes:
    """Return the bytes of a file, one more than is allowed at most; raises OSError."""
    with Path(path).open("rb") as file:
        return file.read(MAX_FILE + 1)


def shown(path: str) -> str:
    """Return a path as messages show it: without ``./``, one line, printable."""
    text = os.fsencode(os.path.normpath(path)).decode("utf-8", "backslashreplace")
    return text if text.isprintable() else text.encode("unicode_escape").decode()


def reason(error: OSError | ValueError) -> str:
    """Return what the operating system said, as a message."""
    text = getattr(error, "strerror", None) or str(error)
    return text[:1].lower() + text[1:]


def _link_reason(path: str, error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError) and Path(path).is_symlink():
        return "this link leads nowhere"
    return reason(error)


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
