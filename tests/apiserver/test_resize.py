"""pods/resize: more or less of what a pod has, but no pod of another class."""

from __future__ import annotations

import json

import pytest

from kctl.api.objects import Obj
from kctl.apiserver.server import APIServer
from kctl.client.local import LocalClient

CHANGED = "Pod QOS Class may not change as a result of resizing"
SMALL, LARGE = {"cpu": "100m", "memory": "64Mi"}, {"cpu": "200m", "memory": "128Mi"}


@pytest.mark.parametrize(
    ("before", "after", "quality"),
    [
        ({"requests": SMALL}, {"requests": LARGE}, ""),
        ({"requests": SMALL, "limits": SMALL}, {"requests": LARGE, "limits": LARGE}, ""),
        ({}, {"requests": SMALL}, "BestEffort"),
        ({"requests": SMALL}, {"requests": SMALL, "limits": SMALL}, "Burstable"),
        ({"requests": SMALL, "limits": SMALL}, {"requests": SMALL, "limits": LARGE}, "Guaranteed"),
    ],
)
def test_a_resize_leaves_the_pod_its_class(
    server: APIServer, client: LocalClient, before: Obj, after: Obj, quality: str
) -> None:
    spec = {"containers": [{"name": "c", "image": "i", "resources": before}]}
    meta = {"name": "p", "namespace": "default"}
    client.create("pods", {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec})
    patch = {"spec": {"containers": [{"name": "c", "resources": after}]}}
    path = "/api/v1/namespaces/default/pods/p/resize"
    answer = server.http("PATCH", path, json.dumps(patch), "application/strategic-merge-patch+json")
    body = json.loads(answer.body)
    if quality:
        assert answer.status == 422
        assert body["message"] == f'Pod "p" is invalid: spec: Invalid value: "{quality}": {CHANGED}'
        return
    assert (answer.status, body["metadata"]["generation"]) == (200, 2)
    assert body["spec"]["containers"][0]["resources"]["requests"] == after["requests"]
