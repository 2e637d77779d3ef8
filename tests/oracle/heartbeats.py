"""Heartbeats of the recorded nodes: which nodes send them, and what stops and comes back with them.

In: the step ``node`` (stop, start). Out: conditions posted, the note of a node that has fallen silent.
"""

from __future__ import annotations

from typing import Any

from kctl import ControlPlane
from kctl.api.behaviour import SILENT_SINCE, note
from kctl.api.clock import rfc3339
from kctl.api.objects import Key
from kctl.client.client import Client

Obj = dict[str, Any]
NEVER_LOST = {
    "node-monitor-grace-period": "4h",
    "node-startup-grace-period": "4h",
    "horizontal-pod-autoscaler-sync-period": "2s",
    "pvclaimbinder-sync-period": "3s",
}
NODE_FLAGS = {
    "node-monitor-period": "500ms",
    "node-monitor-grace-period": "4s",
    "node-startup-grace-period": "8s",
    "node-eviction-rate": 20,
    "secondary-node-eviction-rate": 0.001,
}
"""What the recordings set: lost nodes are a matter of seconds in those that are about them."""
LOOK = 0.5
"""Seconds between two looks at the nodes (node-monitor-period)."""
BEAT = 1.0
"""Seconds until a new node's first heartbeat."""
POSTED = (
    ("MemoryPressure", "False", "KubeletHasSufficientMemory"),
    ("DiskPressure", "False", "KubeletHasNoDiskPressure"),
    ("PIDPressure", "False", "KubeletHasSufficientPID"),
    ("NetworkUnavailable", "False", "RouteCreated"),
    ("Ready", "True", "KubeletReady"),
)


class Heartbeats:
    """The part of a scenario that is about heartbeats."""

    plane: ControlPlane
    client: Client
    beating: dict[str, float]
    """Nodes that send heartbeats, and since when."""
    silent: set[str]
    """Nodes whose kubelet has stopped."""

    def pods(self) -> list[Obj]:
        """Return the pods of the case."""
        raise NotImplementedError

    def _fill(self, value: Any) -> Any:
        raise NotImplementedError

    def _advance(self, seconds: float) -> None:
        raise NotImplementedError

    def _ready(self, pod: Obj, ready: bool, phase: str, *, waiting: str = "") -> None:
        raise NotImplementedError

    def _op_node(self, op: Obj) -> None:
        for name in map(self._fill, op["names"]):
            if op["action"] == "stop":
                self.silent.add(name)
                self.beating.pop(name, None)
                self._annotate(name, note(self.plane.now))
                continue
            self.silent.discard(name)
            for pod in self.pods():
                if pod["spec"].get("nodeName") == name and not pod["metadata"].get("deletionTimestamp"):
                    self._ready(pod, True, "Running")
        if op["action"] == "start":
            # Heartbeats come back soon after the controller's look: what can happen before the next one does.
            self._advance(LOOK - self.plane.now % LOOK + 0.01)
            for name in map(self._fill, op["names"]):
                self.beating[name] = 0.0

    def _annotate(self, name: str, text: str | None) -> None:
        self.client.patch("nodes", Key("", name), {"metadata": {"annotations": {SILENT_SINCE: text}}})

    def _beat(self) -> None:
        """Post the conditions of nodes that send heartbeats, where they are others."""
        for name, since in self.beating.items():
            if self.plane.now < since + BEAT:
                continue
            node = self.client.get("nodes", "", name)
            known = {found["type"]: found for found in node["status"].get("conditions") or ()}
            if any(known.get(kind, {}).get("reason") != reason for kind, _, reason in POSTED):
                posted = [
                    {
                        "type": kind,
                        "status": status,
                        "reason": reason,
                        "message": reason,
                        "lastHeartbeatTime": rfc3339(self.plane.now),
                        "lastTransitionTime": known.get(kind, {}).get("lastTransitionTime"),
                    }
                    for kind, status, reason in POSTED
                ]
                status = {**node["status"], "conditions": posted}
                self.client.update("nodes", {**node, "status": status}, subresource="status")
            if SILENT_SINCE in (node["metadata"].get("annotations") or {}):
                self._annotate(name, None)

    def _has_node_status(self, condition: str) -> bool:
        """Say whether the nodes that send heartbeats are ready, or those that stopped are not."""
        names = self.beating if condition == "nodeReady" else self.silent
        for name in names:
            node = self.client.get("nodes", "", name)
            ready = next(c["status"] for c in node["status"]["conditions"] if c["type"] == "Ready")
            has_taint = any(t["key"] == "node.kubernetes.io/unreachable" for t in node["spec"].get("taints") or ())
            if (ready == "True" and not has_taint) != (condition == "nodeReady"):
                return False
            if condition == "nodeReady" and len(node["status"]["conditions"]) < len(POSTED):
                return False
        return True
