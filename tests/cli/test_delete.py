"""``kctl delete``: what it says has happened."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.store.errors import DiskFull, HeadMoved
from kctl.store.sqlite import SqliteStore


def test_nothing_is_called_deleted_that_could_not_be_made_durable(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: Any, **more: Any) -> Any:
        raise DiskFull("no space is left")

    with monkeypatch.context() as patched:
        patched.setattr(SqliteStore, "commit", full)
        said = shop("delete", "configmap", "settings", "-n", "shop", code=1)
    assert said.out == ""
    assert "no space is left" in said.err
    assert shop("get", "configmap", "settings", "-n", "shop").out


def test_a_delete_that_loses_a_race_is_done_again(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    commit, lost = SqliteStore.commit, []

    def lose_once(store: SqliteStore, *args: Any, **more: Any) -> Any:
        if not lost:
            lost.append(1)
            raise HeadMoved(store.head())
        return commit(store, *args, **more)

    monkeypatch.setattr(SqliteStore, "commit", lose_once)
    said = shop("delete", "configmap", "settings", "-n", "shop")
    assert said.out == 'configmap "settings" deleted from shop namespace\n'
    assert lost
    shop("get", "configmap", "settings", "-n", "shop", code=1)


def test_what_a_finalizer_holds_is_not_called_gone(shop: Any) -> None:
    held = """{"metadata": {"finalizers": ["example.com/hold"]}}"""
    shop("patch", "configmap", "settings", "-n", "shop", "--type", "merge", "-p", held)
    assert shop("delete", "configmap", "settings", "-n", "shop", "--dry-run=server").err == ""
    said = shop("delete", "configmap", "settings", "-n", "shop", code=3)
    assert said.err == "configmap/settings is marked as deleted and still there, held by example.com/hold\n"
    assert shop("delete", "configmap", "settings", "-n", "shop", "--no-wait").err == ""


def test_after_its_timeout_a_pod_that_is_slow_to_end_is_still_there(shop: Any) -> None:
    name = shop("get", "pods", "-n", "shop", "-o", "name").out.split()[0]
    slow = """{"metadata": {"annotations": {"sim.kctl.dev/stop": "25s"}}}"""
    shop("patch", name, "-n", "shop", "--type", "merge", "-p", slow)
    said = shop("delete", name, "-n", "shop", "--timeout=5s", code=3)
    assert "marked as deleted and still there" in said.err
    shop("delete", name, "-n", "shop", "--timeout=1m")
    shop("get", name, "-n", "shop", code=1)
