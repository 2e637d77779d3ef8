from __future__ import annotations

import json
from pathlib import Path

import pytest

from kctl.api.errors import KctlError, Refused
from kctl.plane import state, stores
from kctl.plane.stores import Placement


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return state.create(tmp_path / ".kctl")


def test_one_replica_lies_in_the_state_folder_and_is_written_down_nowhere(folder: Path) -> None:
    assert stores.placement(folder) is None
    assert not state.is_cluster(folder)
    stores.open_store(folder).close()
    assert state.is_cluster(folder)
    assert stores.placement(folder) == Placement((folder / "store",))
    assert not (folder / state.REPLICAS).exists()


def test_a_list_names_directories_inside_as_they_lie_there_and_others_whole(folder: Path, tmp_path: Path) -> None:
    place = stores.choose(folder, [folder / "store-1", tmp_path / "a", folder / "x" / "b"])
    assert place.directories == (folder / "store-1", tmp_path / "a", folder / "x" / "b")
    document = json.loads((folder / state.REPLICAS).read_text())
    assert document["directories"] == ["store-1", str(tmp_path / "a"), "x/b"]
    assert state.is_cluster(folder)
    moved = folder.rename(tmp_path / "moved")
    found = stores.placement(moved)
    assert found is not None
    assert found.directories == (moved / "store-1", tmp_path / "a", moved / "x" / "b")


def test_of_two_who_choose_both_get_what_the_first_one_chose(folder: Path, tmp_path: Path) -> None:
    first = stores.choose(folder, [tmp_path / "a"])
    assert stores.choose(folder, [tmp_path / "b"]) == first
    assert sorted(path.name for path in folder.iterdir()) == [".gitignore", state.REPLICAS]


def test_a_directory_that_holds_a_log_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "log.db").touch()
    with pytest.raises(Refused, match="holds a log already"):
        stores.choose(folder, [tmp_path / "a"])


def test_replicas_in_their_usual_places_are_found_without_a_list(folder: Path) -> None:
    for name in ("store-1", "store-3"):
        (folder / name).mkdir()
    assert state.is_cluster(folder)
    found = stores.placement(folder)
    assert found is not None
    assert found.directories == (folder / "store-1", folder / "store-3")
    assert found.cluster  # so that nothing is made in the place of what is missing


@pytest.mark.parametrize("text", ["", "[]", "null", "{}", '{"directories": []}', '{"directories": 3}', "\xff"])
def test_a_damaged_list_is_said(folder: Path, text: str) -> None:
    (folder / state.REPLICAS).write_text(text, encoding="latin-1")
    with pytest.raises(KctlError, match="not a list of replicas, or it is damaged"):
        stores.placement(folder)


def test_a_cluster_whose_replicas_are_gone_is_not_made_anew(folder: Path, tmp_path: Path) -> None:
    stores.choose(folder, [tmp_path / "a"])
    stores.open_store(folder).close()
    (tmp_path / "a").rename(tmp_path / "b")
    with pytest.raises(KctlError):
        stores.open_store(folder)
    assert not (tmp_path / "a").exists() or not list((tmp_path / "a").glob("log.db"))


def test_a_cluster_that_cannot_be_made_leaves_no_list(folder: Path) -> None:
    for name in state.NUMBERED[:3]:
        (folder / name).write_text("a file")
    with pytest.raises(KctlError):
        stores.open_store(folder, replicas=3)
    assert not (folder / state.REPLICAS).exists()
