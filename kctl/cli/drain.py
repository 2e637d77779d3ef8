"""``kctl drain``: cordon nodes and evict their pods, in virtual time, as kubectl."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from kctl.api.errors import KctlError
from kctl.api.objects import Key, Obj, key_of
from kctl.cli import evictable, options, writing
from kctl.cli.session import Settings

if TYPE_CHECKING:
    from kctl.plane.plane import ControlPlane

RETRY = 5.0
"""Seconds after which kubectl asks again for an eviction that a budget forbade."""
CONFLICT = 429


class DrainFailed(KctlError):
    """A node could not be drained; ``errors`` are the lines to end with."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("\n".join(errors))
        self.errors = errors

    def __str__(self) -> str:
        return self.errors[0] if len(self.errors) == 1 else f"[{', '.join(self.errors)}]"


@click.command("drain", short_help="Cordon nodes and evict their pods.")
@click.argument("nodes", nargs=-1, metavar="NODE...")
@options.selector
@click.option("--pod-selector", default="", metavar="SELECTOR", help="Only pods with these labels.")
@click.option("--force", is_flag=True, help="Delete also pods that nothing makes anew.")
@click.option("--ignore-daemonsets", is_flag=True, help="Leave the pods of DaemonSets.")
@click.option("--delete-emptydir-data", is_flag=True, help="Evict also pods with emptyDir volumes.")
@click.option("--disable-eviction", is_flag=True, help="Delete instead, whatever disruption budgets say.")
@click.option("--grace-period", type=int, default=-1, help="Seconds a pod has to end; -1 for its own.")
@click.option("--timeout", default="0s", metavar="DURATION", help="Virtual time after which to give up; 0s for 1h.")
@click.option("--ignore-errors", is_flag=True, help="Go on with the next node after an error.")
@writing.options("kctl-drain")
@click.pass_obj
def command(
    settings: Settings,
    nodes: tuple[str, ...],
    selector: str,
    pod_selector: str,
    force: bool,
    ignore_daemonsets: bool,
    delete_emptydir_data: bool,
    disable_eviction: bool,
    grace_period: int,
    timeout: str,
    ignore_errors: bool,
    how: writing.How,
) -> int:
    """Let no new pods onto nodes and evict those that are there; budgets are respected."""
    from kctl.cli import cordoning
    from kctl.cli.session import open_existing
    from kctl.plane.plane import HORIZON, parse_duration

    flags = evictable.Flags(force, ignore_daemonsets, delete_emptydir_data)
    with open_existing(settings) as plane:
        found = cordoning.find(plane, nodes, selector, "drain NODE")
        for missing in found.missing:
            raise missing
        writing.emit(writing.durably(plane, how, lambda said: cordoning.mark(plane, found, said, unschedulable=True)))
        drainer = Drainer(
            plane,
            how,
            flags,
            pod_selector,
            grace_period if grace_period >= 0 else None,
            by_delete=disable_eviction,
            within=parse_duration(timeout) or HORIZON,
        )
        code = _drain_all(drainer, [target.object for target in found.targets], ignore_errors)
        if how.wait and how.dry_run == "none":
            writing.settle(plane)
        return code


def _drain_all(drainer: Drainer, nodes: list[Obj], ignore_errors: bool) -> int:
    """Drain node after node; the first that fails ends it, unless errors are to be ignored."""
    remaining = [node["metadata"]["name"] for node in nodes]
    for node in nodes:
        name = node["metadata"]["name"]
        try:
            drainer.drain(name)
        except DrainFailed as failed:
            print(
                f'error: unable to drain node "{name}" due to error: {failed}, continuing command...', file=sys.stderr
            )
            if ignore_errors and len(nodes) > 1:
                continue
            print("There are pending nodes to be drained:", file=sys.stderr)
            print("".join(f" {left}\n" for left in remaining), end="", file=sys.stderr)
            print("\n".join(failed.errors), file=sys.stderr)
            return 1
        remaining.remove(name)
        said = writing.Said(drainer.how)
        said.did(node, "drained")
        writing.emit(said)
    return 0


class Drainer:
    """Evicts the pods of nodes and waits, in virtual time, until they are gone."""

    def __init__(
        self,
        plane: ControlPlane,
        how: writing.How,
        flags: evictable.Flags,
        pod_selector: str,
        grace: int | None,
        *,
        by_delete: bool,
        within: float,
    ) -> None:
        self.how = how
        self._plane = plane
        self._flags = flags
        self._pod_selector = pod_selector
        self._grace = grace
        self._by_delete = by_delete
        self._within = within

    def drain(self, node: str) -> None:
        """Evict every pod that may go; DrainFailed when some may not, or will not."""
        selection = self._select(node)
        if selection.errors:
            raise DrainFailed(selection.errors)
        if selection.warning:
            print(f"Warning: {selection.warning}", file=sys.stderr)
        if self.how.dry_run != "none":
            for pod in selection.pods:
                click.echo(
                    f"evicting pod {key_of(pod)}{writing.SUFFIX[self.how.dry_run]}", err=self.how.output is not None
                )
            return
        self._evict_all(selection.pods)

    def _select(self, node: str) -> evictable.Selection:
        pods = self._plane.client.list(
            "pods", label_selector=self._pod_selector, field_selector=f"spec.nodeName={node}"
        ).items
        return evictable.select(pods, self._flags, self._has_daemonset)

    def _has_daemonset(self, namespace: str, name: str) -> bool:
        from kctl.api.errors import StatusError

        try:
            self._plane.client.get("daemonsets.apps", namespace, name)
        except StatusError as error:
            return error.reason != "NotFound"
        return True

    def _evict_all(self, pods: list[Obj]) -> None:
        """Ask for evictions until all are granted, letting the cluster make room in between."""
        started = self._plane.now
        waiting = pods
        while waiting:
            refused: list[Obj] = []
            said = writing.durably(self._plane, self.how, lambda said: self._ask(waiting, refused, said))  # noqa: B023 - called before the loop goes on
            writing.emit(said)
            if said.errors:
                raise DrainFailed([error.removeprefix("error: ") for error in said.errors])
            if not self.how.wait:
                return
            before = self._plane.revision
            self._settle(None)
            self._say_gone([pod for pod in waiting if pod not in refused])
            if len(refused) == len(waiting) and self._plane.revision == before:
                self._settle(RETRY)
                if self._plane.revision == before or self._plane.now - started > self._within:
                    raise DrainFailed([self._stuck(pod) for pod in refused])
            waiting = refused

    def _settle(self, advance: float | None) -> None:
        from kctl.cli.run import run

        run(self._plane, advance=advance)

    def _ask(self, pods: list[Obj], refused: list[Obj], said: writing.Said) -> None:
        """Ask for the eviction of each pod; those that a budget keeps are put into ``refused``."""
        from kctl.api.errors import StatusError

        refused.clear()
        client = writing.client_of(self._plane, self.how)
        for pod in pods:
            key = key_of(pod)
            if not self._by_delete:
                (said.note if said.how.output else said.line)(f"evicting pod {key}")
            try:
                if self._by_delete:
                    client.delete("pods", key, uid=pod["metadata"]["uid"], grace=self._grace)
                else:
                    client.evict(key, grace=self._grace)
            except StatusError as error:
                if error.code == CONFLICT:
                    refused.append(pod)
                    said.note(f"{self._where(key)} (will retry after 5s): {error.message}")
                elif error.reason != "NotFound":
                    said.failed(f"{self._where(key)}: {error.message}")

    @staticmethod
    def _where(key: Key) -> str:
        return f'error when evicting pods/"{key.name}" -n "{key.namespace}"'

    def _stuck(self, pod: Obj) -> str:
        return f"{self._where(key_of(pod))}: its disruption budget will never allow it"

    def _say_gone(self, pods: list[Obj]) -> None:
        """Say which pods are gone; DrainFailed for one that will not go."""
        from kctl.api.errors import StatusError

        word = "deleted" if self._by_delete else "evicted"
        said = writing.Said(self.how)
        left = []
        for pod in pods:
            key = key_of(pod)
            try:
                now = self._plane.client.get("pods", key.namespace, key.name)
                is_gone = now["metadata"]["uid"] != pod["metadata"]["uid"]
            except StatusError as error:
                is_gone = error.reason == "NotFound"
            if is_gone:
                said.did(pod, word)
            else:
                left.append(f'error when waiting for pod "{key.name}" in namespace "{key.namespace}" to terminate')
        writing.emit(said)
        if left:
            raise DrainFailed(left)
