"""Every simulated latency, in one table. All of them are assumptions, and reports say so."""

from __future__ import annotations

from typing import NamedTuple


class Profile(NamedTuple):
    """Durations in virtual seconds; kubelet and cloud timers move in whole seconds.

    The defaults are round figures for a small cluster with a warm registry, chosen and not
    measured; the cluster's ``kctl.yaml`` may override each of them under ``latencies``.
    The last three make some of them differ from image to image: ``most`` is the upper end of a range from which
    the seed draws (0: all take the same), the rate is in bytes a second, for images whose size is known (0: it does not matter).
    """

    node_boot: float = 0.0
    image_pull: float = 2.0
    container_start: float = 1.0
    container_stop: float = 1.0
    init_container_run: float = 1.0
    job_container_run: float = 1.0
    load_balancer_create: float = 5.0
    load_balancer_delete: float = 2.0
    volume_create: float = 3.0
    volume_delete: float = 2.0
    volume_attach: float = 4.0
    volume_detach: float = 2.0
    volume_resize: float = 3.0
    image_pull_most: float = 0.0
    container_start_most: float = 0.0
    image_pull_rate: float = 0.0
