"""The installed command as a user runs it: a process in a directory of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"
KCTL = str(Path(sys.executable).with_name("kctl"))


class Ran(NamedTuple):
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Read standard output as JSON."""
        return json.loads(self.out)


class Kctl:
    """Runs kctl in a directory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        home = folder / ".home"
        home.mkdir(exist_ok=True)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("KCTL_", "GIT_"))}
        self.environ = {**inherited, "HOME": str(home), "NO_COLOR": "1"}

    def start(self, *args: str, **more: Any) -> subprocess.Popen[str]:
        """Start a command."""
        return subprocess.Popen(
            [KCTL, *args],
            cwd=self.folder,
            env=self.environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **more,
        )

    def __call__(self, *args: str, stdin: str = "", code: int | None = 0) -> Ran:
        """Run a command to its end and check its exit code (None: any) and that nothing was a traceback."""
        with self.start(*args) as process:
            out, err = process.communicate(stdin, timeout=120)
        ran = Ran(process.returncode, out, err)
        assert "Traceback" not in ran.err, ran.err
        if code is not None:
            assert ran.code == code, f"exit {ran.code}, wanted {code}\n{ran.out}\n{ran.err}"
        return ran

    def write(self, name: str, text: str) -> Path:
        """Write a file below the directory."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def revision(self) -> int:
        """Return the store's revision as a converged cluster reports it."""
        return int(self("converge", "-o", "json", code=None).json()["revision"])

    def fixed_point(self) -> None:
        """Check that converging again, the mark not looked at, changes nothing."""
        before = self("converge", "-o", "json", code=None).json()
        after = self("converge", "--full", "-o", "json", code=None).json()
        assert after["revision"] == before["revision"], after["consequence"]
        assert after["consequence"] == []
        assert after["virtualSeconds"] == 0


@pytest.fixture
def kctl(tmp_path: Path) -> Kctl:
    """Kctl in an empty directory."""
    return Kctl(tmp_path)


@pytest.fixture
def another(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Kctl]:
    """Make further directories with a kctl of their own."""
    return lambda: Kctl(tmp_path_factory.mktemp("another"))


@pytest.fixture
def corpus() -> Path:
    """The folder of real manifests; the test is skipped without it."""
    folder = SHARED / "corpus"
    if not folder.is_dir():
        pytest.skip("no ../shared/corpus beside the checkout")
    return folder


@pytest.fixture
def samples() -> Path:
    """The samples of the repository."""
    return ROOT / "samples"
