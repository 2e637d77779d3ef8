"""Colours and progress on a terminal only; pipes that close; what goes to which stream."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
from typing import Any

import pytest

from kctl.cli import progress
from kctl.cli.progress import Reporter


def on_a_terminal(folder: Any, *args: str, **environ: str) -> str:
    """Return what a command writes when its output is a terminal."""
    ours, theirs = pty.openpty()
    inherited = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "KCTL_STATE")}
    with subprocess.Popen(
        [sys.executable, "-m", "kctl", *args],
        cwd=folder,
        env={**inherited, "TERM": "xterm", **environ},
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    ):
        os.close(theirs)
        chunks = []
        while True:
            try:
                chunk = os.read(ours, 65536)
            except OSError:  # the terminal's other end is gone
                break
            if not chunk:
                break
            chunks.append(chunk)
    os.close(ours)
    return b"".join(chunks).decode()


def test_a_terminal_has_colours(shop: Any) -> None:
    assert "\033[32m" in on_a_terminal(shop.folder, "status")


def test_no_color_means_none(shop: Any) -> None:
    assert "\033[" not in on_a_terminal(shop.folder, "status", NO_COLOR="1")


def test_a_pipe_has_no_colours(shop: Any) -> None:
    for args in (["status"], ["converge"], ["apply", "-f", "shop.yaml"], ["why", "deploy/web", "-n", "shop"]):
        assert "\033" not in shop(*args).out


def test_a_closed_pipe_is_no_error(shop: Any) -> None:
    for args in ("get renderedsets -o json", "--help", "diff -f shop.yaml", "version"):
        ran = subprocess.run(
            ["sh", "-c", f"(trap '' PIPE; sleep 0; exec {sys.executable} -m kctl {args}) | true"],
            cwd=shop.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.stderr == ""


def test_a_closed_pipe_ends_as_sigpipe_would(shop: Any) -> None:
    read, write = os.pipe()
    os.close(read)
    ran = subprocess.run(
        [sys.executable, "-m", "kctl", "get", "nodes"],
        cwd=shop.folder,
        stdout=write,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(write)
    assert (ran.returncode, ran.stderr) == (141, b"")


class TestProgress:
    @pytest.fixture
    def clock(self, monkeypatch: pytest.MonkeyPatch) -> list[float]:
        now = [0.0]
        monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
        return now

    def test_nothing_is_said_of_what_is_quick(self, clock: list[float]) -> None:
        stream = io.StringIO()
        with Reporter(stream) as reporter:
            clock[0] = 0.4
            reporter.report(10.0, 5)
        assert stream.getvalue() == ""

    def test_the_line_is_rewritten_and_taken_away(self, clock: list[float]) -> None:
        stream = io.StringIO()
        with Reporter(stream) as reporter:
            for clock[0] in (0.4, 0.6, 0.61, 0.8):
                reporter.report(1234.0, 5)
        assert stream.getvalue() == 2 * "\r\033[Kconverging: 1,234 s virtual, 5 steps" + "\r\033[Ktook 0.8 s\n"

    def test_the_line_is_taken_away_when_the_run_fails(self, clock: list[float]) -> None:
        stream = io.StringIO()
        reporter = Reporter(stream)
        clock[0] = 1.0
        reporter.report(1.0, 1)
        reporter.__exit__(ValueError, ValueError("no"), None)
        assert stream.getvalue().endswith("\r\033[K")


def test_an_error_of_kctl_itself_is_two_lines(kctl: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from kctl.cli import errors

    text = errors.internal_error(RuntimeError("boom"))
    assert text.splitlines()[0] == "error: internal error at kctl: RuntimeError: boom"
    assert "Traceback" not in text


@pytest.mark.parametrize(
    ("args", "name"),
    [
        (["diff", "-f", "x"], "diff"),
        (["--state", "diff", "get"], "get"),
        (["--seed=3", "-n", "x", "diff"], "diff"),
        (["--help"], ""),
    ],
)
def test_the_name_of_the_command_is_found(args: list[str], name: str) -> None:
    from kctl.cli.errors import command_of

    assert command_of(args) == name


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device here is always full")  # noqa: PTH110
def test_output_that_finds_no_room_says_what_could_not_be_written(shop: Any) -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123
        command = [sys.executable, "-m", "kctl", "get", "nodes"]
        ran = subprocess.run(command, cwd=shop.folder, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (1, "error: writing the output: No space left on device\n")
