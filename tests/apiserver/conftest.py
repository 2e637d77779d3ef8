from __future__ import annotations

import pytest

from kctl.api.clock import FixedClock
from kctl.apiserver.server import APIServer
from kctl.client.local import LocalClient
from kctl.store.memory import MemoryStore

ACCOUNT = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": "default"}}


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def server(clock: FixedClock) -> APIServer:
    made = APIServer(MemoryStore(), clock=clock, frozen=True)
    LocalClient(made).create("serviceaccounts", ACCOUNT)
    return made


@pytest.fixture
def client(server: APIServer) -> LocalClient:
    return LocalClient(server, field_manager="tests")
