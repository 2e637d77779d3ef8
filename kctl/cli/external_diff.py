"""``KUBECTL_EXTERNAL_DIFF``: another program shows the differences, as kubectl lets it.

The objects as they are and as they would become are written to two directories under the names
kubectl gives them; the program is run on both. Secrets are masked there too.
"""

from __future__ import annotations

import shlex
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from kctl.api.errors import KctlError

if TYPE_CHECKING:
    from kctl.gitops.changes import Change

VARIABLE = "KUBECTL_EXTERNAL_DIFF"


def run(command: str, changes: Iterable[Change], *, secrets: bool) -> int:
    """Run the program on the changes and return its exit code; 1 means differences, as of diff."""
    from kctl.gitops import unified

    try:
        words = shlex.split(command)
    except ValueError as error:
        raise KctlError(f"{VARIABLE}: {error}") from None
    with tempfile.TemporaryDirectory(prefix="kctl-") as top:
        folders = Path(top, "LIVE"), Path(top, "MERGED")
        for folder in folders:
            folder.mkdir(mode=0o700)
        for change in changes:
            for folder, text in zip(folders, unified.texts(change, secrets=secrets), strict=True):
                Path(folder, unified.name_of(change).replace("/", "_")).write_text(text, encoding="utf-8")
        try:
            command_line = [*words, *map(str, folders)]  # the user's own program
            return subprocess.run(command_line, check=False).returncode  # noqa: S603
        except OSError as error:
            raise KctlError(f"{VARIABLE}: {words[0]}: {error.strerror}") from None
