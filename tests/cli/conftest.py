"""A cluster in a directory of its own, and kctl run in it in this process."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, NamedTuple

import pytest

WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: 'nginx:1'}]}
"""


class Ran(NamedTuple):
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Read standard output as JSON."""
        return json.loads(self.out)


class Kctl:
    """Runs command lines in the current directory."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *args: str, code: int | None = 0) -> Ran:
        """Run a command and check its exit code (None: any)."""
        from kctl.cli.main import run

        self._capsys.readouterr()
        ended = run(args)
        captured = self._capsys.readouterr()
        ran = Ran(ended, captured.out, captured.err)
        assert "internal error" not in ran.err, ran.err
        if code is not None:
            assert ran.code == code, f"exit {ran.code}, wanted {code}\n{ran.out}\n{ran.err}"
        return ran

    def get(self, *args: str) -> Any:
        """Return an object as JSON."""
        return self("get", *args, "-o", "json").json()


@pytest.fixture
def kctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Kctl:
    """Return kctl in an empty directory."""
    for name in [name for name in os.environ if name.startswith(("KCTL_", "GIT_"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return Kctl(capsys)


@pytest.fixture
def web(kctl: Kctl) -> Kctl:
    """Return kctl where a Deployment of three replicas runs."""
    Path("web.yaml").write_text(WEB, encoding="utf-8")
    kctl("apply", "-f", "web.yaml")
    return kctl
