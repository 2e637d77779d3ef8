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


MANY_NODES = 12
"""More nodes than these stand together where the same is said of them."""


def scheduling_text(decisions: Iterable[Obj], *, wide: bool = False) -> str:
    """Return the plugin x node table of each decision, and what would help a pod that fits nowhere.

    Of many nodes those that are refused for the same reasons, or score the same, share a row, unless ``wide``.
    """
    parts = []
    for decision in decisions:
        pod = in_namespace(decision["namespace"], decision["pod"])
        nodes = decision["nodes"]
        plugins = sorted({plugin for found in nodes.values() for plugin in found["scores"]})
        rows: dict[tuple[str, ...], list[str]] = {}
        for name in nodes:
            cells = _cells(nodes[name], plugins)
            alone = (name,) if wide or len(nodes) <= MANY_NODES else ()
            rows.setdefault((*cells, *alone), []).append(name)
        table = sorted([folded(names), *cells[: len(plugins) + 2]] for cells, names in rows.items())
        headers = ["NODE", "WHY NOT", *plugins, *(["TOTAL"] if table else [])]
        text = f"pod/{pod}: {decision['message'] or chosen(decision)}\n{tables.grid(headers, table)}"
        parts.append(text + remedies_text(decision.get("remedies") or (), wide=wide))
    return "\n".join(parts)


def chosen(decision: Obj) -> str:
    """Say where the scheduler puts a pod, and between which nodes it was a tie."""
    if not decision["node"]:
        return "no decision"
    ties = [name for name in decision["best"] if name != decision["node"]]
    when = f" (at revision {decision['revision']})" if decision.get("revision") else ""
    return f"goes to {decision['node']}{when}" + (f", as good as {folded(ties)}" if ties else "")


def _cells(found: Obj, plugins: Iterable[str]) -> tuple[str, ...]:
    """Return all cells of a node's row but its name."""
    why = "; ".join(one["text"] for one in found.get("obstacles") or ()) if found["reason"] else ""
    total = found["total"]
    scores = [str(found["scores"].get(plugin, "")) for plugin in plugins]
    return (why or found["reason"] or "fits", *scores, "" if total is None else str(total))


def remedies_text(remedies: Iterable[Obj], *, wide: bool = False) -> str:
    """Return what would help, the smallest change first; ``wide`` has the commands that do it."""
    lines = []
    for remedy in remedies:
        lines.append(f"  {remedy['text']}\n")
        lines += [f"      {command}\n" for step in remedy["apply"] for command in commands(step)] if wide else []
    title = click.style("Would help", bold=True)
    return "".join([title, " (smallest change first, each tried)\n", *lines]) if lines else ""


def commands(step: Obj) -> list[str]:
    """Return the command lines that do one step of a remedy; none for what has to be made anew."""
    import json
    import shlex

    if "create" in step:
        return [f"echo {shlex.quote(json.dumps(step['create'], sort_keys=True))} | kctl create -f -"]
    if step["recreate"]:
        return []
    namespace = f" -n {step['namespace']}" if step["namespace"] not in ("", "default") else ""
    part = f" --subresource {step['subresource']}" if step["subresource"] else ""
    patch = shlex.quote(json.dumps(step["patch"]))
    return [f"kctl patch {step['resource']}/{step['name']}{namespace}{part} --type json -p {patch}"]


def folded(names: Iterable[str]) -> str:
    """Write names in a few words: those that differ in a number at the end only stand together, ``node-[1-3,7]``."""
    by_prefix: dict[str, list[tuple[int, str]]] = {}
    for name in names:
        prefix = name.rstrip("0123456789")
        digits = name[len(prefix) :]
        if not digits or (digits[0] == "0" and digits != "0"):
            prefix, digits = name, ""
        by_prefix.setdefault(prefix, []).append((int(digits) if digits else -1, name))
    out = []
    for prefix in sorted(by_prefix):
        found = sorted(by_prefix[prefix])
        out.append(found[0][1] if len(found) == 1 else f"{prefix}[{_ranges([number for number, _ in found])}]")
    return ",".join(out)


def _ranges(numbers: list[int]) -> str:
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][-1] + 1:
            parts[-1][1:] = [number]
        else:
            parts.append([number])
    return ",".join("-".join(map(str, part)) for part in parts)
