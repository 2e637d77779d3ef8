"""The Report as text: three layers, what was not simulated, the verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import click

from kctl.api.objects import Obj

COLOURS = {
    "created": "green",
    "configured": "yellow",
    "replaced": "yellow",
    "pruned": "red",
    "unchanged": None,
    "changed": "yellow",
    "deleted": "red",
}
VERDICT_COLOURS = {"Converged": "green", "Settled": "yellow", "Oscillating": "red", "Horizon": "red"}
INDENT = "    "
CRASHING = "pods crash looping"
GOING_ROUND = (CRASHING, "pods ready", "pods not ready")
CRASHES_TOLD = 3
"""So often it is told that pods crash, in the timeline's text."""
SHARED = frozenset({"image", "node", "policy", "priorityclass", "storageclass", "webhook"})
"""Kinds of leaves that are in no namespace."""
SHOWN = 6
"""So many names of a long list are shown."""


def text(report: Obj, *, show_diff: bool = True) -> str:
    """Return the report as people read it; colours are click's, dropped off a terminal."""
    parts = []
    if report["intent"]:
        parts.append(_titled("Intent", intent_lines(report["intent"], show_diff=show_diff)))
    if report["consequence"]:
        parts.append(
            _titled("Consequence", [line for record in report["consequence"] for line in record_lines(record)])
        )
    if report["residual"]:
        parts.append(_titled("Residual", residual_lines(report["residual"])))
    if report.get("chance"):
        parts.append(_titled("Depends on chance", chance_lines(report)))
    parts += [_titled(title, lines) for title, lines in scenario_lines(report)]
    if report["warnings"]:
        parts.append(_titled("Warnings", report["warnings"]))
    if report["notSimulated"]:
        parts.append(_titled("Not simulated", [gap_line(entry) for entry in report["notSimulated"]]))
    return "\n".join([*parts, verdict_line(report)]) + "\n"


def _titled(title: str, lines: Sequence[str]) -> str:
    return "\n".join([click.style(title, bold=True), *(f"  {line}" for line in lines), ""])


def verdict_line(report: Obj) -> str:
    """Return the last line: verdict, virtual time, revision."""
    return f"{verdict_text(report)}, revision {report['revision']}"


def verdict_text(report: Obj) -> str:
    """Return the verdict and after how much virtual time."""
    verdict = click.style(report["verdict"], fg=VERDICT_COLOURS[report["verdict"]], bold=True)
    why = f" ({report['why']})" if report.get("why") else ""
    return f"{verdict}{why} after {report['virtualSeconds']:g} s (virtual)"


def intent_lines(intent: Sequence[Obj], *, show_diff: bool, suffix: str = "") -> list[str]:
    """Return a line per object, its field changes below it; ``suffix`` stands behind the change."""
    lines = []
    for entry in intent:
        change = click.style(entry["change"], fg=COLOURS.get(entry["change"]))
        name = in_namespace(entry["namespace"], entry["object"])
        place = f"  ({entry['file']}:{entry['line']})" if entry.get("file") else ""
        lines.append(f"{name} {change}{suffix}{place}")
        if show_diff and entry["change"] in ("changed", "configured", "replaced"):
            lines += [f"{INDENT}{line}" for field in entry.get("fields", ()) for line in field_lines(field)]
    return lines


def in_namespace(namespace: str, text: str) -> str:
    """Return the text with its namespace before it; the default one goes without saying."""
    return text if namespace in ("", "default") else f"{namespace}/{text}"


def field_lines(field: Obj) -> list[str]:
    """Return a field's change as ``path: old -> new``."""
    old, new = field.get("from"), field.get("to")
    if "from" not in field:
        return [click.style(f"+ {field['path']}: {_value(new)}", fg="green")]
    if "to" not in field:
        return [click.style(f"- {field['path']}: {_value(old)}", fg="red")]
    return [click.style(f"~ {field['path']}: {_value(old)} -> {_value(new)}", fg="yellow")]


def _value(value: object) -> str:
    import json

    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)


def _owned(record: Obj) -> str:
    return in_namespace(record["namespace"], record["owner"])


def record_lines(record: Obj) -> list[str]:
    """Return a record of the second layer."""
    match record["type"]:
        case "pods":
            return [_pods(record)]
        case "rollout":
            return [click.style(f"{_owned(record)}: {record['outcome']}: {record['message']}", fg="yellow")]
        case "nodes":
            return [
                f"{sign}{_count(len(record[what]), 'node')}: {', '.join(record[what])}"
                for sign, what in (("-", "deleted"), ("+", "created"))
                if record[what]
            ]
        case "loadBalancer":
            return [_load_balancer(record)]
        case "volumes":
            return _volumes(record)
        case "objects":
            return [_objects(record)]
        case _:
            times = f" (x{record['count']})" if record["count"] > 1 else ""
            return [
                click.style(f"Warning {record['reason']} {_owned(record)}: {record['message']}{times}", fg="yellow")
            ]


def _pods(record: Obj) -> str:
    parts = _by_parent("+", record["created"])
    if parts and record["nodes"]:
        parts[-1] += f" on {_count(len(record['nodes']), 'node')}"
    parts += _by_parent("-", record["deleted"])
    if record["deleted"]:
        parts.append(f"peak {record['peak']}")
    if record["deleted"] and record["minAvailable"] is not None:
        parts.append(f"min available {record['minAvailable']}")
    parts += [f"{n} {trouble}" for trouble, n in record["troubled"].items()]
    return f"{_owned(record)}: {', '.join(parts)}, {record['virtualSeconds']:g} s (virtual)"


def _by_parent(sign: str, counts: Mapping[str, int]) -> list[str]:
    """Return a part per ReplicaSet or Job; the Jobs that a CronJob makes in a day are counted together."""
    if len(counts) <= SHOWN:
        return [f"{sign}{_count(n, 'pod')} {name}" for name, n in counts.items()]
    return [f"{sign}{_count(sum(counts.values()), 'pod')} of {_some(list(counts))}"]


def _volumes(record: Obj) -> list[str]:
    """Return a line for volumes made or bound, and one for those deleted."""
    name = record["storageClass"]
    which = in_namespace(record["namespace"], f"storageclass/{name}" if name else "no storageclass")
    bound, gone = record["bound"], record["deleted"]
    made = f"+{_count(record['created'], 'volume')}" if record["created"] else ""
    lines = []
    if bound:
        before = f"{made}, bound to" if made else "volumes bound to"
        lines.append(f"{which}: {before} {_some(list(bound))}")
    elif made:
        lines.append(f"{which}: {made}")
    if gone:
        lines.append(f"{which}: -{_count(len(gone), 'volume')} of {_some(list(gone.values()))}")
    return lines


def _some(names: list[str]) -> str:
    """Return the names, of many only the first."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _load_balancer(record: Obj) -> str:
    if not record["after"]:
        return f"{_owned(record)}: load balancer {', '.join(record['before'])} gone"
    return f"{_owned(record)}: load balancer {', '.join(record['after'])}"


def _objects(record: Obj) -> str:
    parts = [f"{sign}{record[what]}" for sign, what in (("+", "created"), ("-", "deleted")) if record[what]]
    return f"{', '.join(parts)} {record['resource']}"


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def blocker_line(entry: Obj) -> str:
    """Return one entry of the third layer."""
    owner = _owned(entry)
    what = (
        owner
        if entry["object"] == entry["owner"]
        else f"{_count(entry['count'], entry['object'].split('/')[0])} of {owner}"
    )
    return click.style(f"{what} {entry['reason']}: {entry['message']}", fg="red")


def residual_lines(entries: Sequence[Obj]) -> list[str]:
    """Return the third layer: its entries, then what alone blocks several of them."""
    lines = [line for entry in entries for line in blocker_lines(entry)]
    by_leaf: dict[tuple[str, str], list[Obj]] = {}
    for entry in entries:
        leaf = entry.get("leaf") or {}
        if leaf.get("object"):
            name = leaf["object"] if "/" in leaf["object"] else f"{leaf['kind']} {leaf['object']}"
            namespace = "" if leaf["kind"] in SHARED else entry["namespace"]
            by_leaf.setdefault((namespace, name), []).append(entry)
    for (namespace, name), blocked in by_leaf.items():
        if len(blocked) > 1:
            pods = sum(entry["count"] for entry in blocked)
            what = f"{pods} pods" if blocked[0]["object"].startswith("pod/") else f"{pods} objects"
            lines.append(
                f"{in_namespace(namespace, name)} blocks {what} of {len({e['owner'] for e in blocked})} owners"
            )
    return lines


def blocker_lines(entry: Obj) -> list[str]:
    """Return one entry of the third layer, with what a scheduler's message leaves out below it."""
    more = [text for text in (entry.get("why"), entry.get("fix")) if text]
    return [blocker_line(entry), *([INDENT + "; ".join(more)] if more else [])]


def chance_lines(report: Obj) -> list[str]:
    """Return what differs from seed to seed, nothing when it was not tried."""
    if not report.get("chance"):
        return []
    from kctl.cli.seeds import lines

    return lines(report["chance"])


def scenario_lines(report: Obj) -> list[tuple[str, list[str]]]:
    """Return what became of a scenario, nothing when none was played."""
    if "expectations" not in report:
        return []
    from kctl.cli.whatif import lines

    return lines(report)


def gap_line(entry: Obj) -> str:
    """Return one thing that was used but is not simulated."""
    what = f"{entry['resource']} {entry['field']}".strip()
    times = f" (x{entry['count']})" if entry["count"] > 1 else ""
    return f"{what}: {entry['note']}{times}"


def timeline_text(rows: Sequence[Obj]) -> str:
    """Return the timeline, a line per row; what goes round for long is told a few times and then summed up."""
    lines = []
    for row in _folded(rows):
        what = row["what"]
        if row.get("names"):
            what = f"{', '.join(row['names'])} {what.removeprefix('pods ')}"
        elif what.startswith("pods"):
            what = f"{row['count']} {what.replace('pods', 'pod', 1) if row['count'] == 1 else what}"
        lines.append(f"  +{row['virtualSeconds']:g}s {_owned(row)}: {what}\n")
    return "".join(lines)


def _folded(rows: Sequence[Obj]) -> list[Obj]:
    """Return the rows; of pods that crash again and again the first times and the last one."""
    crashes: dict[str, list[int]] = {}
    for n, row in enumerate(rows):
        if row["what"] == CRASHING:
            crashes.setdefault(_owned(row), []).append(n)
    ends = {owner: found for owner, found in crashes.items() if len(found) > CRASHES_TOLD + 1}
    out = []
    for n, row in enumerate(rows):
        found = ends.get(_owned(row))
        if found is None or row["what"] not in GOING_ROUND or not found[CRASHES_TOLD - 1] < n <= found[-1]:
            out.append(row)
        elif n == found[-1]:
            out.append({**row, "what": f"goes on crash looping, {len(found) - CRASHES_TOLD} times more", "names": []})
    return out
