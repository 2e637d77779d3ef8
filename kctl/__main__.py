"""Where the command starts. The commonest calls are answered before anything is imported."""

from __future__ import annotations

import gc
import os
import sys

from kctl import __version__

BROKEN_PIPE = 141
"""As a shell says of a program that SIGPIPE ended; kctl's own codes mean other things."""


def main() -> None:
    """Run the command line; exits with its code."""
    args = sys.argv[1:]
    gc.disable()  # a command ends before looking for garbage, of which there is next to none, pays
    if "_KCTL_COMPLETE" not in os.environ:  # a completion call has no arguments either
        if args in ([], ["--help"], ["-h"]):
            with open(os.path.join(os.path.dirname(__file__), "cli", "help.txt"), encoding="utf-8") as page:  # noqa: PTH118, PTH120, PTH123
                _print(page.read())
            return
        if args == ["--version"]:
            _print(f"kctl {__version__}\n")
            return
    from kctl.cli.main import run

    _leave(run(args))


def _leave(code: int) -> None:
    """End at once: taking a large cluster's objects apart one by one takes longer than some commands."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        sys.exit(code)  # the interpreter knows what to say
    os._exit(code)


def _print(text: str) -> None:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(BROKEN_PIPE)


if __name__ == "__main__":
    main()
