"""The files that are made from the program: the help page, the completion scripts.

``python -m kctl.cli.generated`` writes them into the checkout; a test compares.
"""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).parent
COMPLETIONS = PACKAGE.parents[1] / "completions"


def files() -> dict[Path, str]:
    """Return every generated file with its content."""
    from kctl.cli.completion import script
    from kctl.cli.main import help_page

    return {
        PACKAGE / "help.txt": help_page(),
        COMPLETIONS / "kctl.bash": script("bash"),
        COMPLETIONS / "_kctl": script("zsh"),
        COMPLETIONS / "kctl.fish": script("fish"),
    }


if __name__ == "__main__":
    for path, text in files().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
