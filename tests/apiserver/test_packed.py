"""Objects held as values: made anew when asked for, unless everybody asks."""

from __future__ import annotations

import json

import pytest

from kctl.api.clock import FixedClock
from kctl.api.objects import Key, Obj
from kctl.apiserver.encoding import Codec
from kctl.apiserver.packed import PackedObjects
from kctl.apiserver.server import APIServer
from kctl.client.local import LocalClient
from kctl.store.memory import MemoryStore


class Counting:
    """Decodes, and counts how often."""

    def __init__(self) -> None:
        self.times = 0

    def decode(self, value: bytes) -> Obj:
        self.times += 1
        return dict(json.loads(value))


@pytest.fixture
def counting() -> Counting:
    return Counting()


@pytest.fixture
def packed(counting: Counting) -> PackedObjects:
    made = PackedObjects(counting.decode)
    for n in range(5):
        made.pack(Key("ns", f"e-{n}"), json.dumps({"n": n}).encode())
    return made


def test_objects_come_back_by_key_and_in_listings(packed: PackedObjects) -> None:
    assert packed[Key("ns", "e-3")] == packed.get(Key("ns", "e-3")) == {"n": 3}
    assert [obj["n"] for obj in packed.values()] == [0, 1, 2, 3, 4]
    assert packed.get(Key("ns", "x")) is None
    assert Key("ns", "x") not in packed
    with pytest.raises(KeyError):
        packed[Key("ns", "x")]
    assert packed.pop(Key("ns", "e-3")) == {"n": 3}
    assert len(packed) == 4


def test_a_listing_that_is_asked_for_again_is_made_once_more_and_then_held(
    packed: PackedObjects, counting: Counting
) -> None:
    for _ in range(5):
        assert len(list(packed.values())) == 5
    assert counting.times == 10


@pytest.mark.parametrize(("remembered", "made"), [(5, 5), (4, 25)])
def test_of_what_is_asked_for_by_key_only_so_much_is_kept(
    packed: PackedObjects, counting: Counting, monkeypatch: pytest.MonkeyPatch, remembered: int, made: int
) -> None:
    monkeypatch.setattr("kctl.apiserver.packed.READ", remembered)
    for _ in range(5):
        for key in packed:
            packed.get(key)
    assert counting.times == made


def test_what_was_packed_anew_is_made_anew(packed: PackedObjects) -> None:
    key = Key("ns", "e-3")
    assert packed.get(key) == {"n": 3}
    packed.pack(key, b'{"n":7}')
    assert packed.get(key) == {"n": 7}


def test_an_object_that_is_put_is_held_until_it_is_packed(packed: PackedObjects, counting: Counting) -> None:
    key = Key("ns", "e-9")
    packed[key] = made = {"n": 9}
    assert packed[key] is made
    assert packed.get(key) is made
    packed.pack(key, b'{"n":9}')
    assert packed[key] == made
    assert counting.times == 1


@pytest.mark.parametrize(
    ("selector", "found", "read"),
    [
        ("type=Warning", 4, 4),
        ("type!=Warning", 36, 40),
        ("type=Warning,reason=Odd", 2, 2),
        ("involvedObject.name=pod-7", 1, 1),
        ("reason=Nothing", 0, 0),
        ("source=", 40, 40),
    ],
)
def test_a_list_by_field_reads_only_the_events_that_have_the_words(
    monkeypatch: pytest.MonkeyPatch, selector: str, found: int, read: int
) -> None:
    server = APIServer(MemoryStore(), clock=FixedClock())
    client = LocalClient(server)
    for n in range(40):
        body = {"apiVersion": "v1", "kind": "Event", "metadata": {"name": f"e-{n:04}", "namespace": "default"}}
        about = {"kind": "Pod", "namespace": "default", "name": f"pod-{n}"}
        type_, reason = "Warning" if n % 10 == 0 else "Normal", "Odd" if n % 4 == 0 else "Even"
        client.create("events", {**body, "involvedObject": about, "reason": reason, "type": type_})
    server.commit()
    times = 0
    decode = Codec.decode

    def counting(self: Codec, value: bytes) -> Obj:
        nonlocal times
        times += 1
        return decode(self, value)

    monkeypatch.setattr(Codec, "decode", counting)
    assert len(client.list("events", field_selector=selector).items) == found
    assert times == read
