"""``python -m tests.scheduler.mutants [--only NAME ...]``: is every rule and weight of the scheduler held by a test?

Each mutant is one line of the kernel or of a plugin made wrong, loaded in a process of its own. Those of the kernel
must differ from the plugins on random clusters; those of plugins, and of what both share, from the recorded decisions
of the real scheduler. What nobody notices is printed as survived.
"""

from __future__ import annotations

import argparse
import importlib.abc
import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
RECORDINGS = ROOT.parent / "shared" / "oracle"
CLUSTERS = 700
PLUGINS, ARRAYS, RECORDED = "plugins", "arrays", "recorded"
KERNEL = "kctl.scheduler.kernel."


class Mutant(NamedTuple):
    """A line made wrong, and what must notice it."""

    name: str
    module: str
    old: str
    new: str
    by: str = PLUGINS


MUTANTS = [
    Mutant("spread-size", KERNEL + "cells", "math.log(size + 2)", "math.log(size + 1)"),
    Mutant("spread-skew", KERNEL + "cells", "r + (n * log + extra)", "r + n * log"),
    Mutant("spread-reverse", KERNEL + "cells", "reach = high + min(scores)", "reach = high"),
    Mutant("spread-ignored", KERNEL + "cells", "if self.rules.ignored >= 0:", "if False:"),
    Mutant("spread-most", KERNEL + "cells", "(n := c.numbers[at]) is not None and n <= most", "(n := c.numbers[at]) is not None and n < most"),
    Mutant("anti-affinity", KERNEL + "cells", "not (n := c.numbers[at]) or n <= 0", "not (n := c.numbers[at]) or n <= 1"),
    Mutant("affinity-first", KERNEL + "cells", "begins = rules.first_may_begin and not any(", "begins = not any("),
    Mutant("affinity-every-key", KERNEL + "cells", "met = met and number > 0", "met = number > 0"),
    Mutant("attraction-integers", KERNEL + "cells", "int(MAX_SCORE * ((score - low) / (high - low)))", "MAX_SCORE * (score - low) // (high - low)"),
    Mutant("taints-unweighted", KERNEL + "cells", "a + weight * b for a, b in zip(points, found", "a + b for a, b in zip(points, found"),
    Mutant("spread-weight", KERNEL + "cells", "self._spread_weight = recipe.weights[SPREAD]", "self._spread_weight = 1"),
    Mutant("terms-weight", KERNEL + "cells", "self._terms_weight = recipe.weights[TERMS]", "self._terms_weight = 1"),
    Mutant("affinity-any-term", KERNEL + "rules", "int(all(term.matches(kind, namespaces)", "int(any(term.matches(kind, namespaces)"),
    Mutant("spread-itself", KERNEL + "rules", "constraint.max_skew - itself", "constraint.max_skew"),
    Mutant("spread-terminating", KERNEL + "rules", "not kind.terminating and constraint", "constraint"),
    Mutant("spread-every-key", KERNEL + "rules", "keys = {c.topology_key for c in all_of} if need_all else set()", "keys = set()"),
    Mutant("spread-taints", KERNEL + "rules", "honors_taints = constraint.honor_taints and not", "honors_taints = False and not"),
    Mutant("wishes-twice", KERNEL + "rules", "dict.fromkeys(term.topology_key for term, _ in wishes)", "dict.fromkeys(term.topology_key for term, _ in wishes[:1])"),
    Mutant("repelled-sign", KERNEL + "rules", "(term, -term.weight) for term in traits.preferred_anti_affinity]\n\n", "(term, term.weight) for term in traits.preferred_anti_affinity]\n\n"),
    Mutant("min-domains", KERNEL + "counters", "if sum(levels.values()) < min_domains:", "if not levels:"),
    Mutant("lowest-is-zero", KERNEL + "counters", "return min(levels)", "return 0"),
    Mutant("pod-count", KERNEL + "view", "len(node.pods) >= node.allowed_pods", "len(node.pods) > node.allowed_pods"),
    Mutant("extended", KERNEL + "view", "for name, wanted in cycle.pod.requests.scalar.items() if wanted > 0", "for name, wanted in () if wanted > 0"),
    Mutant("ports", KERNEL + "view", "all(check(cycle, node) is None for check in checks)", "True"),
    Mutant("ephemeral", KERNEL + "view", "if ephemeral and ephemeral >", "if False and ephemeral >"),
    Mutant("scored-requests", KERNEL + "view", "cpus - node.nonzero_cpu - scored_cpu", "cpus - node.cpu - cpu"),
    Mutant("balance-before", KERNEL + "view", "change = 50 + int((1 - abs(after)) * 100) - int((1 - abs(before)) * 100)", "change = int((1 - abs(after)) * 100)"),
    Mutant("images", KERNEL + "view", "if has_images and recipe", "if False and recipe"),
    Mutant("last-of-equals", KERNEL + "row", "best == -1 or code < best", "best == -1 or code >> SHIFT <= best >> SHIFT"),
    Mutant("cordoned", KERNEL + "landscape", "or n.unschedulable for n", "for n"),
    Mutant("new-terms", KERNEL + "engine", "if not found.keys() <= rules.repelling.keys():", "if False:"),
    Mutant("services", KERNEL + "engine", 'return (cluster.caches["services"].changes, selector)', "return (0, selector)"),
    Mutant("kept-nodes", KERNEL + "engine", "state.row.block(failing.blocked(cluster, pod))", "pass"),
    Mutant("own-nomination", KERNEL + "engine", "if node is not None and not failing.refuses(cluster, pod, node):", "if False:"),
    Mutant("refusals-of-guests", KERNEL + "failing", "if node.name in self._guests:", "if False:"),
    Mutant("not-helpful", KERNEL + "failing", "missing = len(self._nodes) - victims.refused", "missing = victims.refused"),
    Mutant("first-candidate", KERNEL + "victims", "self._prices.sort()", "pass"),
    Mutant("alike-by-pods", KERNEL + "victims", "tuple([pod.traits for pod in pods]),", "len(pods),"),
    Mutant("budgets-change", KERNEL + "victims", "if self._budgets != budgets:", "if self._budgets is None:"),
    Mutant("relabelled-pods", "kctl.scheduler.cluster", "if info.place >= 0 and old.watchers != new.watchers:", "if False:"),
    Mutant("arrays-halved", KERNEL + "vector", "least >>= 1", "least >>= 0", ARRAYS),
    Mutant("arrays-masked", KERNEL + "vector", "fits &= mask", "fits &= True", ARRAYS),
    Mutant("arrays-balance", KERNEL + "vector", "change >>= 1", "change >>= 0", ARRAYS),
    Mutant("arrays-moves", KERNEL + "vector", "self._cells[node] = cell.index", "pass", ARRAYS),
    Mutant("arrays-sizes", KERNEL + "vector", "self.changes += 1\n            if every:", "pass\n            if every:", ARRAYS),
    Mutant("weight-taints", "kctl.scheduler.config_plugins", '("TaintToleration", 3)', '("TaintToleration", 2)', RECORDED),
    Mutant("weight-spread", "kctl.scheduler.config_plugins", '("PodTopologySpread", 2)', '("PodTopologySpread", 1)', RECORDED),
    Mutant("weight-terms", "kctl.scheduler.config_plugins", '("InterPodAffinity", 2)', '("InterPodAffinity", 1)', RECORDED),
    Mutant("weight-nodes", "kctl.scheduler.config_plugins", '("NodeAffinity", 2)', '("NodeAffinity", 1)', RECORDED),
    Mutant("taints-normalised", "kctl.scheduler.plugins.taint_toleration", "MAX_SCORE - MAX_SCORE * score // top", "MAX_SCORE * (top - score) // top", RECORDED),
    Mutant("terms-floor", "kctl.scheduler.plugins.inter_pod_affinity", "int(MAX_SCORE * ((score - low) / (high - low)))", "round(MAX_SCORE * ((score - low) / (high - low)))", RECORDED),
    Mutant("hard-terms-weight", "kctl.scheduler.plugins.inter_pod_affinity", "hard_weight: int = 1", "hard_weight: int = 2", RECORDED),
    Mutant("spread-rounding", "kctl.scheduler.plugins.pod_topology_spread", "return round_half_up(score)", "return int(score)", RECORDED),
    Mutant("spread-hosts-skew", "kctl.scheduler.plugins.spread_constraints", '"topologyKey": HOSTNAME, "maxSkew": 3', '"topologyKey": HOSTNAME, "maxSkew": 9', RECORDED),
    Mutant("counts-none", "kctl.scheduler.plugins.spread_constraints", "    if constraint.counts_none:\n        return 0\n", "", RECORDED),
    Mutant("images-least", "kctl.scheduler.plugins.image_locality", "MIN_THRESHOLD = 23 * MIB", "MIN_THRESHOLD = 0", RECORDED),
    Mutant("balance-1.35", "kctl.scheduler.plugins.node_resources_balanced_allocation", "return HALF + int_quotient(HALF + after - before, 2)", "return after", RECORDED),
    Mutant("default-requests", "kctl.scheduler.requests", "DEFAULT_CPU = 100", "DEFAULT_CPU = 50", RECORDED),
    Mutant("wildcard-port", "kctl.scheduler.nodeinfo", "port.ip == ANY_ADDRESS or port.ip in users or", "port.ip in users or", RECORDED),
]  # fmt: skip


class Loader(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Loads one module with a line of it made wrong."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        """Claim the module."""
        return importlib.util.spec_from_loader(fullname, self) if fullname == self._mutant.module else None

    def exec_module(self, module: ModuleType) -> None:
        """Run the changed source."""
        path = ROOT.joinpath(*self._mutant.module.split(".")).with_suffix(".py")
        source = path.read_text(encoding="utf-8")
        if self._mutant.old not in source:
            raise SystemExit(f"{self._mutant.name}: the line is not in {path.name} any more")
        module.__file__ = str(path)
        exec(compile(source.replace(self._mutant.old, self._mutant.new), str(path), "exec"), module.__dict__)


def noticed(mutant: Mutant) -> str:
    """Run what must notice the mutant in this process; return what it was, "" for nothing."""
    sys.meta_path.insert(0, Loader(mutant))
    if mutant.by == RECORDED:
        from tests.oracle import scheduler

        for limit in (3, 12, 40):
            wrong = [found for found in scheduler.decisions(RECORDINGS, limit) if not found.result.passed]
            if len(wrong) > limit // 10:
                return f"{len(wrong)} recorded answers of {limit} clusters a set"
        return ""
    from tests.scheduler import equality

    options = equality.ARRAYS if mutant.by == ARRAYS else {}
    for seed in range(CLUSTERS):
        try:
            equality.compare(seed, **options)
        except (equality.Difference, ArithmeticError, LookupError, ValueError, AttributeError, AssertionError) as error:
            return f"cluster {seed + 1} of {CLUSTERS}: {type(error).__name__}"
    return ""


def run(mutant: Mutant) -> str:
    """Let a process of its own look for the mutant; return what noticed it, "" for nothing."""
    command = [sys.executable, "-m", "tests.scheduler.mutants", "--one", mutant.name]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise SystemExit(done.stderr)
    return done.stdout.strip()


def main() -> None:
    """Look for all mutants."""
    parser = argparse.ArgumentParser(prog="python -m tests.scheduler.mutants")
    parser.add_argument("--only", nargs="*", choices=sorted(mutant.name for mutant in MUTANTS))
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    by_name = {mutant.name: mutant for mutant in MUTANTS}
    if options.one:
        found = noticed(by_name[options.one])
        print(found)
        sys.exit(0 if found else 1)
    survived = 0
    for name in options.only or by_name:
        found = run(by_name[name])
        survived += not found
        print(
            f"{name:<24} {by_name[name].module.removeprefix('kctl.scheduler.'):<44} {found or 'SURVIVED'}", flush=True
        )
    sys.exit(1 if survived else 0)


if __name__ == "__main__":
    main()
