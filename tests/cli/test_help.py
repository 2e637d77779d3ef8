"""Help and generated files say what the program does."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from kctl.cli import generated
from kctl.cli.commands import COMMANDS
from kctl.cli.main import root

OWN_MEANING = {
    "--expect",
    "--type",
    "--from",
    "--replicas",
    "--for",
    "--recursive",
    "--image",
    "--selector",
    "--sort-by",
}
"""Flags that mean another thing to another command, some of them in kubectl too."""


def all_commands() -> Iterator[tuple[str, click.Command]]:
    context = click.Context(root)
    for name in COMMANDS:
        command = root.get_command(context, name)
        assert command is not None
        yield name, command
        if isinstance(command, click.Group):
            for below in command.list_commands(context):
                found = command.get_command(context, below)
                assert found is not None
                yield f"{name} {below}", found


@pytest.mark.parametrize("path", generated.files(), ids=lambda path: path.name)
def test_a_generated_file_is_current(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == generated.files()[path], "run: python -m kctl.cli.generated"


def test_the_help_page_fits_80_columns_and_names_every_command() -> None:
    page = (generated.PACKAGE / "help.txt").read_text(encoding="utf-8")
    assert max(map(len, page.splitlines())) <= 80
    for name in COMMANDS:
        assert f"\n  {name} " in page


@pytest.mark.parametrize("words", [["--help"], ["-h"], []])
def test_the_static_page_is_what_click_would_print(kctl: Any, words: list[str]) -> None:
    ran = kctl(*words, code=0 if words else 2)
    assert "From manifests to a cluster:" in (ran.out or ran.err)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_help(kctl: Any, name: str) -> None:
    out = kctl(name, "-h").out
    assert out.startswith(f"Usage: kctl {name} ")
    assert "``" not in out
    assert "\\b" not in out
    assert out == kctl(name, "--help").out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_says_what_it_does(name: str) -> None:
    for path, command in all_commands():
        if path.split()[0] == name:
            silent = [p.opts for p in command.params if isinstance(p, click.Option) and not p.help and not p.hidden]
            assert silent == [], path


def test_the_same_option_is_the_same_everywhere() -> None:
    flags: dict[str, dict[tuple[Any, ...], list[str]]] = {}
    for path, command in all_commands():
        for option in command.params:
            if isinstance(option, click.Option):
                form = (tuple(option.opts), option.is_flag, option.multiple, option.metavar)
                for flag in option.opts:
                    flags.setdefault(flag, {}).setdefault(form, []).append(path)
    different = {flag: forms for flag, forms in flags.items() if len(forms) > 1 and flag not in OWN_MEANING}
    assert different == {}


def test_the_help_line_of_a_command_is_the_one_in_the_table() -> None:
    for name, entry in COMMANDS.items():
        command = importlib.import_module(f"kctl.cli.{entry.module}").command
        assert command.name == name
        assert command.get_short_help_str(200) == entry.help


def test_an_unknown_command_is_a_usage_error_with_a_guess(kctl: Any) -> None:
    ran = kctl("aply", code=2)
    assert ran.err.splitlines()[0] == "error: no such command: 'aply'; did you mean 'apply'?"


@pytest.mark.parametrize("name", ["logs", "exec", "attach", "port-forward", "cp"])
def test_what_needs_containers_is_refused_by_name(kctl: Any, name: str) -> None:
    assert kctl(name, "web", code=1).err == "error: kctl simulates pods and runs no containers\n"


@pytest.mark.parametrize("args", [["--version"], ["version"]])
def test_the_version(kctl: Any, args: list[str]) -> None:
    from kctl import __version__

    assert kctl(*args).out.startswith(f"kctl {__version__}")


def test_the_version_as_json(kctl: Any) -> None:
    assert kctl("version", "-o", "json").json()["kind"] == "Version"
