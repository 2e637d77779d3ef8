"""``kctl patch``: change fields with a patch, as kubectl."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kctl.api.objects import Obj
from kctl.cli import options, targets, writing
from kctl.cli.session import Settings

if TYPE_CHECKING:
    from kctl.client.client import PatchType
    from kctl.plane.plane import ControlPlane

TYPES: dict[str, PatchType] = {"strategic": "strategic", "merge": "merge", "json": "json"}


@click.command("patch", short_help="Change fields of objects with a patch.")
@options.resources("TYPE NAME | TYPE/NAME", required=False)
@click.option("-p", "--patch", "text", default="", metavar="PATCH", help="The patch, as JSON or YAML.")
@click.option("--patch-file", default="", type=click.Path(), metavar="PATH", help="A file that holds the patch.")
@click.option(
    "--type",
    "type_",
    type=click.Choice(tuple(TYPES), case_sensitive=False),
    default="strategic",
    show_default=True,
    help="How the patch is read.",
)
@click.option("--subresource", default="", metavar="NAME", help="Patch this part: status, scale.")
@targets.options
@writing.options("kctl-patch")
@click.pass_obj
def command(
    settings: Settings,
    resources: tuple[str, ...],
    text: str,
    patch_file: str,
    type_: str,
    subresource: str,
    choice: targets.Choice,
    how: writing.How,
) -> int:
    """Change fields with a strategic merge patch, a JSON merge patch, or a JSON patch."""
    from kctl.api.errors import KctlError
    from kctl.cli.session import open_existing

    body = read(text, patch_file)
    with open_existing(settings) as plane:

        def step(said: writing.Said) -> None:
            found = targets.find(plane, resources, choice)
            if not found.targets and not found.missing:
                raise KctlError("no objects passed to patch")

            def act(target: targets.Target) -> None:
                patched = patch(plane, target, body, TYPES[type_], subresource, how)
                said.did(patched, "patched (no change)" if patched == target.object else "patched")

            writing.each(found, said, act)

        return writing.carry_out(plane, how, step)


def read(text: str, file: str) -> Any:
    """Return the patch as a value; UsageError when there is none or it cannot be read."""
    from kctl.api.errors import UsageError
    from kctl.gitops.documents import load

    if text and file:
        raise UsageError("cannot specify --patch and --patch-file together")
    if not text and not file:
        raise UsageError("must specify --patch or --patch-file containing the contents of the patch")
    if file:
        try:
            text = Path(file).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"unable to read patch file: {error}") from None
    loaded = load(text.encode())
    if loaded.problems or len(loaded.documents) != 1:
        why = loaded.problems[0].message if loaded.problems else "want one document"
        raise UsageError(f'unable to parse "{text}": {why}')
    return loaded.documents[0].value


def patch(
    plane: ControlPlane, target: targets.Target, body: Any, type_: PatchType, subresource: str, how: writing.How
) -> Obj:
    """Return what the patch makes of one object; nothing is kept with ``--dry-run``."""
    client = writing.client_of(plane, how)
    is_dry = how.is_dry or how.is_local
    return client.patch(target.kind.resource, target.key, body, type=type_, subresource=subresource, dry_run=is_dry)
