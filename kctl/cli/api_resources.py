"""``kctl api-resources``: the kinds the API server has, as kubectl lists them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kctl.cli import options
from kctl.cli.session import Settings

if TYPE_CHECKING:
    from kctl.api.registry import Kind


def _words(text: str) -> set[str]:
    return {word for word in text.split(",") if word}


def preferred(settings: Settings) -> list[Kind]:
    """Return every kind in the version that is preferred, with those of the cluster here when there is one."""
    from kctl.api.registry import builtin
    from kctl.cli.session import open_reader, state_folder
    from kctl.plane import state

    if state.is_cluster(state_folder(settings)):
        with open_reader(settings) as plane:
            known = plane.server.registry.all()
    else:
        known = builtin().all()
    found: dict[tuple[str, str], Kind] = {}
    for kind in known:  # in discovery's order: the preferred version of a group first
        found.setdefault((kind.group, kind.plural), kind)
    return [found[place] for place in sorted(found)]


@click.command("api-resources", short_help="List the kinds the API server has.")
@click.option("--api-group", default=None, metavar="GROUP", help='Only this group; "" is the core group.')
@click.option("--namespaced", type=bool, default=None, metavar="BOOL", help="Only namespaced kinds, or only others.")
@click.option("--verbs", default="", metavar="VERB,...", help="Only kinds that have all these verbs.")
@click.option("--categories", default="", metavar="NAME,...", help="Only kinds in all these categories.")
@click.option("--sort-by", type=click.Choice(("name", "kind")), help="Instead of by group and name.")
@options.no_headers
@options.output("wide", "name", "json", "yaml")
@click.pass_obj
def command(
    settings: Settings,
    api_group: str | None,
    namespaced: bool | None,
    verbs: str,
    categories: str,
    sort_by: str | None,
    no_headers: bool,
    output: str | None,
) -> None:
    """List every kind with its short names, group and scope, and whether kctl simulates it."""
    kinds = [
        kind
        for kind in preferred(settings)
        if (api_group is None or kind.group == api_group)
        and (namespaced is None or kind.namespaced == namespaced)
        and _words(verbs) <= {*kind.verbs}
        and _words(categories) <= {*kind.categories}
    ]
    if sort_by:
        kinds.sort(key=lambda kind: kind.plural if sort_by == "name" else kind.kind)
    _print(kinds, output, show_headers=not no_headers)


def _print(kinds: list[Kind], output: str | None, *, show_headers: bool) -> None:
    """Print the kinds in the form that ``-o`` names."""
    from kctl.api import register
    from kctl.cli import tables
    from kctl.cli.output import document, write

    if output == "name":
        write("".join(f"{kind.resource}\n" for kind in kinds))
        return
    if output in ("json", "yaml"):
        rows = [
            {
                "name": kind.plural,
                "shortNames": list(kind.short_names),
                "apiVersion": kind.api_version,
                "namespaced": kind.namespaced,
                "kind": kind.kind,
                "verbs": list(kind.verbs),
                "categories": list(kind.categories),
                "simulated": register.state_of(kind),
            }
            for kind in kinds
        ]
        write(document({"apiVersion": "kctl.dev/v1", "kind": "APIResourceList", "resources": rows}, output))
        return
    headers = ["NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED", "KIND", "SIMULATED"]
    cells = [
        [
            kind.plural,
            ",".join(kind.short_names),
            kind.api_version,
            kind.namespaced,
            kind.kind,
            register.state_of(kind),
            *([",".join(kind.verbs), ",".join(kind.categories)] if output == "wide" else []),
        ]
        for kind in kinds
    ]
    write(
        tables.plain(
            [*headers, *(["VERBS", "CATEGORIES"] if output == "wide" else [])], cells, show_headers=show_headers
        )
    )
