"""Ephemeral containers: started beside the others once the pod has its sandbox, never again when they have ended.

In: a :class:`~kctl.kubelet.life.Life` with a sandbox. Out: their statuses. As computePodActions: they wait for no init
container, count for neither phase nor readiness, and are no part of what a node has to have room for. Their images take
no time: nothing tells since when they are wanted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kctl.api.objects import Obj
from kctl.kubelet import containers as c
from kctl.kubelet.images import invalid_message, parse

if TYPE_CHECKING:
    from kctl.kubelet.life import Life


def run(life: Life) -> None:
    """Start those that have yet to start; end those of which somebody said when they do."""
    for container in life.ephemeral:
        status = life.statuses[container["name"]]
        if c.state_of(status) == "waiting" and c.last_run(status) is None:
            life.statuses[container["name"]] = _started(life, container, status)
        elif c.state_of(status) == "running":
            _end(life, container, status)


def _started(life: Life, container: Obj, status: Obj) -> Obj:
    image = parse(container["image"])
    if image.error:
        made = c.waiting(container, "InvalidImageName", invalid_message(container["image"], image.error))
        if made["state"] != status["state"]:
            life.warn("InspectFailed", made["state"]["waiting"]["message"], container)
            life.warn("Failed", "Error: InvalidImageName", container)
        return made
    text = f'Container image "{container["image"]}" already present on machine and can be accessed by the pod'
    for reason, message in (("Pulled", text), ("Created", "Container created"), ("Started", "Container started")):
        life.note(reason, message, container)
    made = c.running(container, life.pod["metadata"].get("uid", ""), life.now)
    ends = life.does(container).ends
    if ends is not None:
        life.timers.append(life.now + max(ends.after, 1.0))
    return {**{name: value for name, value in made.items() if name != "started"}, "ready": False}


def _end(life: Life, container: Obj, status: Obj) -> None:
    ends, since = life.does(container).ends, c.started_at(status)
    if ends is None or since is None:
        return
    at = since + max(ends.after, 1.0)
    if life.now < at:
        life.timers.append(at)
        return
    ended = c.terminated(status, life.now, exit_code=ends.exit_code, reason=ends.reason)
    life.statuses[container["name"]] = {name: value for name, value in ended.items() if name != "started"}
