"""What every namespace gets: ServiceAccount and root certificate."""

from __future__ import annotations

import pytest

from kctl.api.objects import Key


@pytest.mark.parametrize(("resource", "name"), [("serviceaccounts", "default"), ("configmaps", "kube-root-ca.crt")])
def test_every_namespace_has_it_and_gets_it_back(world, resource, name):
    world.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
    world.settle()
    assert name in world.names(resource, "shop")
    world.client.delete(resource, Key("shop", name))
    world.settle()
    assert name in world.names(resource, "shop")


def test_a_changed_root_certificate_is_restored(world):
    key = Key("default", "kube-root-ca.crt")
    world.client.patch("configmaps", key, {"data": {"ca.crt": "forged"}})
    world.settle()
    assert "forged" not in world.get("configmaps", key.name)["data"]["ca.crt"]


def test_a_terminating_namespace_gets_nothing(world):
    meta = {"name": "shop", "finalizers": ["example.com/hold"]}
    world.create({"apiVersion": "v1", "kind": "Namespace", "metadata": meta})
    world.settle()
    world.client.delete("namespaces", Key("", "shop"))
    world.pass_time(6)
    assert world.names("serviceaccounts", "shop") == []
