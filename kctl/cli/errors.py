"""Every error becomes lines on stderr and an exit code here, and nowhere else."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from kctl.api.errors import KctlError, StatusError


def exit_code_of(error: BaseException, args: Sequence[str]) -> int:
    """Print the error as the user should see it and return the exit code."""
    is_diff = next((arg for arg in args if not arg.startswith("-")), "") == "diff"
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    if isinstance(error, click.ClickException):
        error.show(sys.stderr)
        return 2
    if isinstance(error, click.Abort | KeyboardInterrupt):
        print("interrupted", file=sys.stderr)
        return 130
    if isinstance(error, BrokenPipeError):
        sys.stderr.close()
        return 141
    if isinstance(error, KctlError):
        print(text_of(error), file=sys.stderr)
        return 2 if is_diff else error.exit_code
    if isinstance(error, OSError):
        print(f"error: {error.filename or 'file'}: {error.strerror or error}", file=sys.stderr)
        return 2 if is_diff else 1
    print(internal_error(error), file=sys.stderr)
    return 2 if is_diff else 1


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
    if isinstance(error, StatusError):
        lines = [f"Error from server ({error.reason}): {error.message}"]
    elif getattr(error, "errors", ()):
        lines = error.message.splitlines()  # each begins with its place
    else:
        first, *rest = error.message.splitlines() or [""]
        lines = [f"error: {first}", *rest]
    if error.hint:
        lines.append(f"hint: {error.hint}")
    return "\n".join(lines)
