"""Health trees and scheduling tables as text."""

from __future__ import annotations

from collections.abc import Iterable

import click

from kctl.api.objects import Obj
from kctl.cli import tables
from kctl.cli.layers import in_namespace

COLOURS = {"Current": "green", "InProgress": "yellow", "Failed": "red", "Terminating": "yellow", "Missing": "red"}


def tree_lines(node: Obj, *, depth: int = 0) -> list[str]:
    """Return a node and what is below it, indented."""
    name = node["object"]
    if depth == 0:
        name = in_namespace(node["namespace"], name)
    if node.get("nodes"):
        name += f" on {', '.join(node['nodes'])}"
    state = click.style(node["health"], fg=COLOURS.get(node["health"]))
    why = f": {node['reason']}: {node['message']}"
    if node["health"] == "Current":
        why = f" ({node['message']})" if node["message"] else ""
    lines = [f"{'  ' * depth}{name} {state}{why}"]
    for child in node["children"]:
        lines += tree_lines(child, depth=depth + 1)
    return lines


def scheduling_text(decisions: Iterable[Obj]) -> str:
    """Return the plugin x node table of each decision."""
    parts = []
    for decision in decisions:
        pod = in_namespace(decision["namespace"], decision["pod"])
        rows = []
        plugins = sorted({plugin for found in decision["nodes"].values() for plugin in found["scores"]})
        for name, found in sorted(decision["nodes"].items()):
            scores = [found["scores"].get(plugin, "") for plugin in plugins]
            total = found["total"]
            rows.append([name, found["reason"] or "fits", *scores, "" if total is None else total])
        headers = ["NODE", "WHY NOT", *plugins, *(["TOTAL"] if rows else [])]
        parts.append(f"pod/{pod}: {decision['message']}\n{tables.grid(headers, rows)}")
    return "\n".join(parts)
