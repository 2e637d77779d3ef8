"""The schedulers that run: for each name that pods can ask for, how it decides and as whom it writes.

In: a configuration. Out: :class:`Scheduler` by name. All of them share one queue, one picture of the cluster
and one order of the queue, as the profiles of one kube-scheduler do.
"""

from __future__ import annotations

from typing import NamedTuple

from kctl.api.objects import Obj
from kctl.client.client import Client
from kctl.scheduler.config import DEFAULT_SCHEDULER, Configuration
from kctl.scheduler.framework import Framework
from kctl.scheduler.kernel import Kernel
from kctl.scheduler.podinfo import PodInfo, is_terminal
from kctl.scheduler.profile import frameworks
from kctl.scheduler.report import Reporter


class Scheduler(NamedTuple):
    """One profile at work."""

    framework: Framework
    kernel: Kernel
    reporter: Reporter


class Schedulers:
    """The schedulers by name."""

    def __init__(self, configuration: Configuration, client: Client, seed: int) -> None:
        self.by_name = {
            name: Scheduler(framework, Kernel(framework), Reporter(client, name))
            for name, framework in frameworks(configuration, seed).items()
        }
        self.sort_key = next(iter(self.by_name.values())).framework.sort_key

    def of(self, pod: PodInfo) -> Scheduler:
        """Return the scheduler that a pod asks for; KeyError when it does not run."""
        return self.by_name[scheduler_name(pod.spec)]

    def is_pending(self, pod: Obj) -> bool:
        """Say whether the pod is for one of the schedulers to place."""
        return (
            not pod["spec"].get("nodeName")
            and scheduler_name(pod["spec"]) in self.by_name
            and not pod["metadata"].get("deletionTimestamp")
            and not is_terminal(pod)
        )


def scheduler_name(spec: Obj) -> str:
    """Return the scheduler that a pod's spec asks for."""
    return spec.get("schedulerName") or DEFAULT_SCHEDULER
