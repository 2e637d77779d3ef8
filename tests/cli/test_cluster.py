"""What makes and moves a cluster: init, converge, advance, delete."""

from __future__ import annotations

import stat
from typing import Any

import pytest


class TestInit:
    def test_says_what_it_made(self, kctl: Any) -> None:
        assert kctl("init").out == "created a cluster of 3 nodes in .kctl\n"
        assert [node["metadata"]["name"] for node in kctl.get("nodes")["items"]] == ["node-1", "node-2", "node-3"]
        kctl("converge")
        assert len(kctl.get("nodes")["items"]) == 3

    def test_options_become_a_manifest_to_commit(self, kctl: Any) -> None:
        ran = kctl("init", "--nodes", "2", "--node-type", "8cpu,32Gi", "-o", "json")
        assert ran.err == "wrote kctl.yaml\n"
        assert ran.json()["spec"]["nodeGroups"][0]["count"] == 2
        assert "type: 8cpu,32Gi\n" in (kctl.folder / "kctl.yaml").read_text(encoding="utf-8")

    def test_elsewhere(self, kctl: Any) -> None:
        assert kctl("init", "--state", "there").out == "created a cluster of 3 nodes in there\n"
        kctl("--state", "there", "get", "nodes")

    def test_twice_is_refused(self, kctl: Any) -> None:
        kctl("init")
        assert kctl("init", code=4).err.startswith("error: .kctl holds a cluster already\nhint: ")

    @pytest.mark.parametrize("args", [["--nodes", "-1"], ["--node-type", "big"], ["--kubernetes", "1.2"]])
    def test_what_cannot_be_is_a_usage_error(self, kctl: Any, args: list[str]) -> None:
        assert kctl("init", *args, code=2).err.startswith("error: ")
        assert not (kctl.folder / ".kctl").exists()

    def test_nobody_else_may_read_the_state(self, shop: Any) -> None:
        shop("converge", "--full")
        state = shop.folder / ".kctl"
        modes = {path: stat.S_IMODE(path.stat().st_mode) for path in [state, *state.rglob("*")]}
        assert {path.name: oct(mode) for path, mode in modes.items() if path.is_dir() and mode != 0o700} == {}
        assert {path.name: oct(mode) for path, mode in modes.items() if path.is_file() and mode != 0o600} == {}


class TestTime:
    def test_converging_twice_changes_nothing(self, shop: Any) -> None:
        assert shop("converge").out == shop("converge").out
        assert shop("converge").out.startswith("Converged after 0 s (virtual), revision ")

    def test_time_passes_as_asked(self, shop: Any) -> None:
        before = shop.get("cm", "settings", "-n", "shop")
        assert shop("advance", "1h30m", "-o", "json").json()["virtualSeconds"] == 5400
        assert shop.get("cm", "settings", "-n", "shop") == before
        assert shop("get", "cm", "settings", "-n", "shop", "--no-headers").out.split()[-1] == "90m"

    @pytest.mark.parametrize("text", ["soon", "-5m", ""])
    def test_what_is_no_duration_is_a_usage_error(self, shop: Any, text: str) -> None:
        shop("advance", "--", text, code=2)


class TestDelete:
    def test_by_name(self, shop: Any) -> None:
        ran = shop("delete", "deploy", "web", "-n", "shop")
        assert ran.out == 'deployment.apps "web" deleted from shop namespace\n'
        assert shop("get", "all", "-n", "shop", "-o", "name").out == "service/web\n"

    def test_by_file(self, shop: Any) -> None:
        assert 'namespace "shop" deleted\n' in shop("delete", "-f", "shop.yaml").out
        assert "namespace/shop" not in shop("get", "ns", "-o", "name").out

    def test_from_standard_input(self, shop: Any) -> None:
        text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, namespace: shop}\n"
        assert shop("delete", "-f", "-", "-o", "name", stdin=text).out == "configmap/settings\n"

    def test_by_label(self, shop: Any) -> None:
        shop("delete", "cm", "-l", "tier=config", "-n", "shop")
        assert "configmap/settings" not in shop("get", "cm", "-n", "shop", "-o", "name").out

    def test_all_of_a_kind(self, shop: Any) -> None:
        assert len(shop("delete", "pods", "--all", "-n", "shop", "-o", "name").out.splitlines()) == 2
        assert len(shop.get("pods", "-n", "shop")["items"]) == 2  # new ones

    def test_without_name_label_or_all_is_a_usage_error(self, shop: Any) -> None:
        assert "no name was specified" in shop("delete", "pods", code=2).err
        assert "name what to delete" in shop("delete", code=2).err

    def test_orphans_stay(self, shop: Any) -> None:
        shop("delete", "deploy/web", "-n", "shop", "--cascade", "orphan")
        names = shop("get", "rs,pods", "-n", "shop", "-o", "name").out.splitlines()
        assert [name.partition("/")[0] for name in names] == ["replicaset.apps", "pod", "pod"]
        assert "ownerReferences" not in shop.get("rs", "-n", "shop")["items"][0]["metadata"]

    @pytest.mark.parametrize(("how", "words"), [("client", "dry run"), ("server", "server dry run")])
    def test_a_dry_run_deletes_nothing(self, shop: Any, how: str, words: str) -> None:
        out = shop("delete", "deploy/web", "-n", "shop", f"--dry-run={how}").out
        assert out == f'deployment.apps "web" deleted from shop namespace ({words})\n'
        shop.get("deploy", "web", "-n", "shop")

    def test_not_waiting_leaves_pods_that_end(self, shop: Any) -> None:
        name = shop("get", "pods", "-n", "shop", "-o", "name").out.splitlines()[0]
        shop("delete", name, "-n", "shop", "--no-wait")
        assert "deletionTimestamp" in shop.get(name, "-n", "shop")["metadata"]
        shop("converge")
        shop("get", name, "-n", "shop", code=1)

    def test_what_is_not_there(self, shop: Any) -> None:
        assert shop("delete", "cm", "no", code=1).err == 'Error from server (NotFound): configmaps "no" not found\n'
        assert shop("delete", "cm", "no", "--ignore-not-found").err == ""
