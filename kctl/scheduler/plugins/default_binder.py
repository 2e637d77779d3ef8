"""DefaultBinder: bind through the API server's binding subresource.

Binding is done by the scheduler's loop, for many pods at once (``Client.bind_many``); the plugin names
the extension point and builds what is bound.
"""

from __future__ import annotations

from kctl.api.objects import Key
from kctl.scheduler.podinfo import PodInfo


class DefaultBinder:
    """Says what to bind."""

    name = "DefaultBinder"

    def binding(self, pod: PodInfo, node: str) -> tuple[Key, str, str]:
        """Return the binding of one pod: its key and uid, and the node."""
        return (pod.key, pod.uid, node)
