"""Where the command starts. The two commonest calls are answered before anything is imported."""

from __future__ import annotations

import sys

from kctl import __version__


def main() -> None:
    """Run the command line; exits with its code."""
    args = sys.argv[1:]
    if args in ([], ["--help"], ["-h"]):
        from pathlib import Path

        page = Path(__file__).with_name("cli") / "help.txt"
        sys.stdout.write(page.read_text(encoding="utf-8"))
        return
    if args == ["--version"]:
        sys.stdout.write(f"kctl {__version__}\n")
        return
    from kctl.cli.main import run

    sys.exit(run(args))


if __name__ == "__main__":
    main()
