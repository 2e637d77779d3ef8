"""What README shows is what happens."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """Return the code blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_console_shows_what_is_printed(kctl: Any, samples: Path) -> None:
    shutil.copytree(samples, kctl.folder / "samples")
    small = type(kctl)(kctl.folder / "samples" / "too-small")
    runs = {
        "kctl apply -f samples/web-shop": lambda: kctl("apply", "-f", "samples/web-shop"),
        "cd samples/too-small && kctl apply -f .": lambda: small("apply", "-f", ".", code=3),
        "kctl why deploy/report": lambda: small("why", "deploy/report"),
    }
    shown = [block.split("\n", 1) for block in blocks("console")]
    assert [command for command, _ in shown] == [f"$ {command}" for command in runs]
    for command, output in shown:
        assert runs[command.removeprefix("$ ")]().out == output


@pytest.mark.parametrize("code", blocks("python"))
def test_the_program_runs(code: str) -> None:
    exec(compile(code, "README.md", "exec"), {})


def test_the_cluster_manifest_is_one(kctl: Any) -> None:
    [manifest] = blocks("yaml")
    kctl.write("kctl.yaml", manifest)
    assert kctl("init").out == "created a cluster of 4 nodes in .kctl\n"
