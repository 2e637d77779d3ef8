"""``kctl taint``: put taints on nodes and take them away, as kubectl."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import click

from kctl.api.errors import KctlError, UsageError
from kctl.api.objects import Obj, evolve
from kctl.cli import options, targets, writing
from kctl.cli.session import Settings

EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")


class Taint(NamedTuple):
    """One taint as the command line writes it; an empty effect, in a removal, means every effect."""

    key: str
    value: str
    effect: str

    def __str__(self) -> str:
        if not self.effect:
            return f"{self.key}={self.value}:" if self.value else self.key
        return f"{self.key}={self.value}:{self.effect}" if self.value else f"{self.key}:{self.effect}"

    def data(self) -> Obj:
        """Return the taint as a node holds it."""
        out: Obj = {"key": self.key, "effect": self.effect}
        return {**out, "value": self.value} if self.value else out


class Changes(NamedTuple):
    """The taints to put on and those to take away."""

    add: list[Taint]
    remove: list[Taint]


@click.command("taint", short_help="Put taints on nodes and take them away.")
@click.argument("arguments", nargs=-1, metavar="NODE NAME... KEY=VALUE:EFFECT... KEY[:EFFECT]-...")
@options.selector
@click.option("--all", "everything", is_flag=True, help="All nodes.")
@click.option("--overwrite", is_flag=True, help="Replace taints of the same key and effect.")
@writing.options("kctl-taint")
@click.pass_obj
def command(
    settings: Settings, arguments: tuple[str, ...], selector: str, everything: bool, overwrite: bool, how: writing.How
) -> int:
    """Put taints (KEY=VALUE:EFFECT) on nodes and take them away (KEY-, KEY:EFFECT-)."""
    from kctl.cli.session import open_existing

    names, specs = split(arguments)
    changes = parse(specs)
    check(names, changes, everything, selector)
    with open_existing(settings) as plane:
        client = writing.client_of(plane, how)

        def step(said: writing.Said) -> None:
            choice = targets.Choice(selector=selector, everything=everything)
            found = targets.from_args(plane, ["nodes", *([] if selector or everything else names[1:])], choice)

            def act(target: targets.Target) -> None:
                node, operation = tainted(target.object, changes, overwrite)
                if not how.is_local:
                    patch = {"spec": {"taints": node["spec"].get("taints") or None}}
                    node = client.patch("nodes", target.key, patch, dry_run=how.is_dry)
                said.did(node, operation)

            writing.each(found, said, act)

        return writing.carry_out(plane, how, step)


def split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Split the arguments into nodes and taints."""
    names: list[str] = []
    specs: list[str] = []
    for arg in arguments:
        if "=" in arg or ":" in arg or arg.endswith("-"):
            specs.append(arg)
        elif specs:
            raise UsageError(f"all resources must be specified before taint changes: {arg}")
        else:
            names.append(arg)
    if not names:
        raise UsageError("one or more resources must be specified as <resource> <name>")
    if not specs:
        raise UsageError("at least one taint update is required")
    return names, specs


def parse(specs: Sequence[str]) -> Changes:
    """Read taints; UsageError in kubectl's words."""
    changes = Changes([], [])
    for spec in specs:
        taint = _one(spec.removesuffix("-"))
        if spec.endswith("-"):
            changes.remove.append(taint._replace(value=""))
            continue
        if not taint.effect:
            raise UsageError(f"invalid taint spec: {spec}")
        if any(other[::2] == taint[::2] for other in changes.add):
            raise UsageError(
                f"duplicated taints with the same key and effect: {{{taint.key} {taint.value} {taint.effect} <nil>}}"
            )
        changes.add.append(taint)
    return changes


def _one(text: str) -> Taint:
    from kctl.api.validation.formats import label_value, qualified_name

    head, colon, effect = text.partition(":")
    if ":" in effect:
        raise UsageError(f"invalid taint spec: {text}")
    key, value = head, ""
    if colon:
        if effect not in EFFECTS:
            raise UsageError(f"invalid taint effect: {effect}, unsupported taint effect")
        key, _, value = head.partition("=")
        if "=" in value:
            raise UsageError(f"invalid taint spec: {text}")
    wrong = label_value(value) or qualified_name(key)
    if wrong:
        raise UsageError(f"invalid taint spec: {text}, {'; '.join(wrong)}")
    return Taint(key, value, effect)


def check(names: Sequence[str], changes: Changes, everything: bool, selector: str) -> None:
    """Refuse what means nothing or contradicts itself."""
    if names[0].lower() not in ("node", "nodes", "no"):
        raise UsageError(f"invalid resource type {names[0].lower()}, only node types are supported")
    both = [
        f'{{"{gone.key}":"{gone.effect}"}}'
        for new in changes.add
        for gone in changes.remove
        if new.key == gone.key and gone.effect in ("", new.effect)
    ]
    if both:
        raise UsageError(
            f"can not both modify and remove the following taint(s) in the same command: {', '.join(both)}"
        )
    if everything and selector:
        raise UsageError("setting 'all' parameter with a non empty selector is prohibited")
    if not everything and not selector and len(names) < 2:
        raise UsageError("at least one resource name must be specified since 'all' parameter is not set")


def tainted(node: Obj, changes: Changes, overwrite: bool) -> tuple[Obj, str]:
    """Return the node with its taints changed and the word for it, as reorganizeTaints."""
    old = node["spec"].get("taints") or []
    if not overwrite:
        there = [new.key for new in changes.add for taint in old if (taint["key"], taint["effect"]) == new[::2]]
        if there:
            raise KctlError(
                f"node {node['metadata']['name']} already has {','.join(there)} taint(s) with same effect(s) "
                "and --overwrite is false"
            )
    replaced = {new[::2] for new in changes.add}
    taints = [new.data() for new in changes.add]
    taints += [taint for taint in old if (taint["key"], taint["effect"]) not in replaced]
    has_added = len(taints) != len(old)
    has_removed, missing = False, []
    for gone in changes.remove:
        kept = [taint for taint in taints if taint["key"] != gone.key or gone.effect not in ("", taint["effect"])]
        has_removed = len(kept) != len(taints)
        if not has_removed:
            missing.append(f'taint "{gone}" not found')
        taints = kept
    if missing:
        raise KctlError(missing[0] if len(missing) == 1 else f"[{', '.join(missing)}]")
    word = "modified" if (has_added and has_removed) or overwrite else "tainted" if has_added else "untainted"
    return evolve(node, {"spec": {"taints": taints}}), word
