"""The commands: name, module, help line, in the groups that ``kctl --help`` shows.

A command's module is imported when the command is used; this table is all that ``--help``
and completion need.
"""

from __future__ import annotations

from typing import NamedTuple


class Entry(NamedTuple):
    """One command: the module below ``kctl.cli`` that holds ``command``, and its help line."""

    module: str
    help: str


GROUPS: dict[str, dict[str, Entry]] = {
    "From manifests to a cluster": {
        "apply": Entry("apply", "Apply manifests, run the control plane until it settles, show what became of it."),
        "plan": Entry("plan", "Show what apply would make of the cluster, without doing it."),
        "diff": Entry("diff", "Show what apply would change, or what has drifted since."),
        "sync": Entry("sync", "Apply the manifests of a git commit."),
        "hook": Entry("hook", "Install git hooks that sync commits, or judge pushes."),
        "delete": Entry("delete", "Delete objects by file, name or label."),
    },
    "Changing objects": {
        "create": Entry("create", "Create objects from files or flags."),
        "scale": Entry("scale", "Set how many replicas objects have."),
        "rollout": Entry("rollout", "Watch, undo, restart, pause and resume rollouts."),
        "label": Entry("label", "Set and take away labels."),
        "annotate": Entry("annotate", "Set and take away annotations."),
        "edit": Entry("edit", "Change objects in an editor."),
        "patch": Entry("patch", "Change fields of objects with a patch."),
        "rollback": Entry("rollback", "Go back to an earlier revision."),
    },
    "What is, and why": {
        "status": Entry("status", "Show the health of what was applied, with what blocks it."),
        "why": Entry("why", "Explain why an object is as it is."),
        "fit": Entry("fit", "Say how many pods still fit, where, and what stops the next."),
        "get": Entry("get", "List objects."),
        "describe": Entry("describe", "Show objects in detail."),
        "events": Entry("events", "List events."),
        "bisect": Entry("bisect", "Find the first revision or commit that breaks an expectation."),
        "log": Entry("log", "List the revisions of the cluster."),
        "explain": Entry("explain", "Explain the fields of a kind."),
        "api-resources": Entry("api_resources", "List the kinds the API server has."),
    },
    "The cluster": {
        "init": Entry("init", "Create a cluster in this directory."),
        "store": Entry("store", "Look after the log: replicas, checks, history, snapshots, keys."),
        "converge": Entry("converge", "Run the control plane until nothing would change any more."),
        "cordon": Entry("cordon", "Let no new pods onto nodes."),
        "uncordon": Entry("uncordon", "Let pods onto nodes again."),
        "nodes": Entry("nodes", "Show how full the nodes are."),
        "controllers": Entry("controllers", "List the control loops with what they did in the last run."),
        "drain": Entry("drain", "Cordon nodes and evict their pods."),
        "taint": Entry("taint", "Put taints on nodes and take them away."),
        "wait": Entry("wait", "Let virtual time pass until a condition holds."),
        "advance": Entry("advance", "Let virtual time pass."),
    },
    "Other": {
        "auth": Entry("auth", "Say who one is and what one may do."),
        "completion": Entry("completion", "Print the completion script of a shell."),
        "version": Entry("version", "Print the version."),
    },
}

COMMANDS: dict[str, Entry] = {name: entry for group in GROUPS.values() for name, entry in group.items()}
