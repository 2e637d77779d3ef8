"""The converger's lease: whoever converges holds it, and its token fences stale writers.

The Lease ``kube-system/kctl-converger`` counts in ``leaseTransitions`` how often convergence
was taken over; that count is the fencing token. It is written together with the first change
of a run, so that a run that changes nothing writes nothing.
"""

from __future__ import annotations

from kctl.api.clock import rfc3339_micro
from kctl.api.errors import KctlError, StatusError
from kctl.api.objects import Key, dig, evolve
from kctl.client.client import Client

LEASES = "leases.coordination.k8s.io"
KEY = Key("kube-system", "kctl-converger")


class LeaseLost(KctlError):
    """Another process took convergence over."""

    hint = "what it was asked to do is kept; run the command again to wait for the result"


class ConvergerLease:
    """The hold of one process on convergence."""

    def __init__(self, client: Client, holder: str) -> None:
        self._client = client
        self._holder = holder
        self._token: int | None = None

    def _current(self) -> int | None:
        try:
            lease = self._client.get(LEASES, KEY.namespace, KEY.name)
        except StatusError as error:
            if error.reason != "NotFound":
                raise
            return None
        return int(dig(lease, "spec", "leaseTransitions", default=0))

    def take(self, now: float) -> int:
        """Write the lease as ours if it is not yet, and return the fencing token."""
        if self._token is not None:
            self.check()
            return self._token
        spec = {"holderIdentity": self._holder, "acquireTime": rfc3339_micro(now), "leaseDurationSeconds": 3600}
        current = self._current()
        if current is None:
            self._token = 0
            meta = {"name": KEY.name, "namespace": KEY.namespace}
            lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": meta}
            self._client.create(LEASES, evolve(lease, {"spec": {**spec, "leaseTransitions": 0}}))
        else:
            self._token = current + 1
            self._client.patch(LEASES, KEY, {"spec": {**spec, "leaseTransitions": self._token}})
        return self._token

    def check(self) -> None:
        """Raise LeaseLost when the token in the store is no longer ours."""
        if self._token is not None and self._current() != self._token:
            raise LeaseLost("another process has taken over convergence of this cluster")

    def forget(self) -> None:
        """Give up the token: uncommitted writes were dropped, the lease's with them."""
        self._token = None
