"""Every error becomes lines on stderr and an exit code here, and nowhere else."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click

from kctl.api.errors import KctlError, StatusError

INTERRUPTED = 130
WITH_VALUE = ("--state", "--seed", "--namespace", "-n")
"""The options that may stand before the command's name and take a value."""


def exit_code_of(error: BaseException, args: Sequence[str]) -> int:
    """Print the error as the user should see it and return the exit code."""
    failed = 2 if command_of(args) == "diff" else 1
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    if isinstance(error, click.ClickException):
        _say(usage(error))
        return 2
    if isinstance(error, click.Abort | KeyboardInterrupt):
        _say("interrupted")
        return INTERRUPTED
    if isinstance(error, KctlError):
        _say(text_of(error))
        return error.exit_code if failed == 1 else failed
    if isinstance(error, OSError):
        _say(f"error: {error.filename or 'writing the output'}: {error.strerror or error}")
        return failed
    _say(internal_error(error))
    return failed


def command_of(args: Sequence[str]) -> str:
    """Return the name of the command that a command line calls, "" for none."""
    words = iter(args)
    for word in words:
        if word in WITH_VALUE:
            next(words, None)
        elif not word.startswith("-"):
            return word
    return ""


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def usage(error: click.ClickException) -> str:
    """Return the lines to print for a command line that cannot be understood."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return error.format_message()
    lines = [f"error: {error.format_message()}"]
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is not None:
        lines.append(f'hint: see "{context.command_path} -h"')
    return "\n".join(lines)


def internal_error(error: BaseException) -> str:
    """Return what to print for a bug in kctl: what and where, without a traceback."""
    import os
    import traceback

    frames = traceback.extract_tb(error.__traceback__)
    place = f"{os.path.basename(frames[-1].filename)}:{frames[-1].lineno}" if frames else "kctl"  # noqa: PTH119
    if os.environ.get("KCTL_TRACEBACK"):
        traceback.print_exception(error)
    lines = [f"error: internal error at {place}: {type(error).__name__}: {error}"]
    lines.append("hint: this is a bug in kctl; KCTL_TRACEBACK=1 shows where it comes from. Nothing was half written")
    return "\n".join(lines)


def text_of(error: KctlError) -> str:
    """Return the lines to print for an error."""
    if isinstance(error, StatusError) and error.reason == "Invalid":
        lines = _invalid(error)
    elif isinstance(error, StatusError):
        lines = [f"Error from server ({error.reason}): {error.message}"]
    elif getattr(error, "errors", ()):
        lines = error.message.splitlines()  # each begins with its place
    else:
        first, *rest = error.message.splitlines() or [""]
        lines = [f"error: {first}", *rest]
    if error.hint:
        lines.append(f"hint: {error.hint}")
    return "\n".join(lines)


def _invalid(error: StatusError) -> list[str]:
    """Return what is wrong with an object, several things as a list, as kubectl's checkErr."""
    details = error.details or {}
    kind, name = details.get("kind", ""), details.get("name", "")
    said = f'The {kind} "{name}" is invalid' if kind or name else "The request is invalid"
    causes = list(dict.fromkeys(f"{cause['field']}: {cause['message']}" for cause in details.get("causes") or ()))
    if len(causes) > 1:
        return [f"{said}: ", *(f"* {cause}" for cause in causes)]
    if not causes:
        return [said if kind or name else f"{said}: {error.message}"]
    return [f"{said}: {causes[0]}"]


def unrevealing(error: KctlError, obj: Mapping[str, Any], *, secrets: bool = False) -> KctlError:
    """Return the error without the values it quotes, when it is about a Secret that is not to be shown."""
    from kctl.api.errors import unprocessable
    from kctl.cli.output import MASK

    is_secret = obj.get("kind") == "Secret" and obj.get("apiVersion") == "v1"
    if secrets or not is_secret or not isinstance(error, StatusError) or not error.errors:
        return error
    details = error.details or {}
    hidden = [one._replace(value=MASK) for one in error.errors]
    return unprocessable(details.get("kind", ""), details.get("group", ""), details.get("name", ""), hidden)
