"""Lints: what of a set of manifests will most likely not do what was meant, found before anything runs.

In: the targets of a set, and a client for what the cluster holds beside it. Out: findings with stable codes, in order of
file and line. Nothing is refused for them. ``kctl.dev/ignore-lints: CODE,CODE`` (or ``all``) on an object keeps its own
findings back. A rule would rather miss a mistake than call one what is none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from kctl.plan.lints.world import IGNORE, Finding, World, is_ignored

if TYPE_CHECKING:
    from kctl.client.client import Client
    from kctl.gitops.targets import Target

__all__ = ["IGNORE", "Finding", "check"]
Rule = Callable[[World], Iterator[Finding]]


def check(client: Client, targets: Iterable[Target]) -> list[Finding]:
    """Return what is to be remarked about the targets."""
    world = World(client, targets)
    if not world.targets:
        return []
    found = {finding for rule in rules() for finding in rule(world) if not is_ignored(world, finding)}
    return sorted(found)


def rules() -> Sequence[Rule]:
    """Return every rule."""
    from kctl.plan.lints import budgets, network, ports, references, scaling, selecting, simulation

    return (
        scaling.replicas,
        scaling.autoscalers,
        selecting.workloads,
        selecting.services,
        selecting.twins,
        budgets.selections,
        budgets.never,
        references.missing,
        references.keys,
        references.ingresses,
        ports.probes,
        ports.services,
        network.policies,
        simulation.pods,
        simulation.nodes,
    )
