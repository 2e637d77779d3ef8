"""The same calls give the same answers on SQLite as on the model, whatever their order."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from kctl.store.api import Entry, Head, Write
from kctl.store.chain import CONFIG_ENTRY
from kctl.store.errors import StoreError
from kctl.store.memory import MemoryStore
from kctl.store.open import open_store
from kctl.store.sqlite import SqliteStore
from kctl.store.verify import verify

KEYS = [f"/{resource}/{ns}/{name}" for resource in ("pods", "nodes") for ns in ("", "a") for name in ("x", "y", "z")]
writes = st.dictionaries(st.sampled_from(KEYS), st.one_of(st.none(), st.binary(max_size=4)), max_size=4)
near = st.integers(-3, 8)


class SameAsTheModel(RuleBasedStateMachine):
    @initialize()
    def start(self):
        self.folder = tempfile.TemporaryDirectory()
        self.model = MemoryStore(cluster_id="c")
        self.real = self.opened()
        self.requests = []

    def opened(self):
        return SqliteStore.open(self.folder.name, create=True, cluster_id="c")

    def plain(self, answer):
        """Return what of an answer must be the same."""
        return answer

    def both(self, call):
        """Return what both stores answer, or the same error of both."""
        answers = []
        for store in (self.model, self.real):
            try:
                answers.append(self.plain(call(store)))
            except StoreError as error:
                answers.append((type(error), error.message))
        assert answers[0] == answers[1]
        return answers[0]

    @rule(batch=writes, gap=st.integers(0, 2), request=st.binary(max_size=1))
    def commit(self, batch, gap, request):
        head = self.model.head()
        rows = []
        for n, (key, value) in enumerate(sorted(batch.items()), head.revision + 1 + gap):
            old = self.model.get(key)
            rows.append(Write(key, value, n, old.create_revision if old else n))
        last = rows[-1].revision if rows else head.revision
        made = self.both(
            lambda s: s.commit(s.head(), rows, revision=last + gap, now=head.now + gap, cause="é", request_id=request)
        )
        self.requests.append((head, made))

    @rule(n=st.integers(0, 3))
    def commit_on_an_old_head(self, n):
        if n < len(self.requests):
            old = self.requests[-n - 1][0]
            self.both(lambda s: s.commit(old, [], revision=old.revision, now=0.0))

    @rule(back=near)
    def compact(self, back):
        self.both(lambda s: s.compact(max(0, self.model.head().revision - back)))

    @rule(back=near, limit=st.integers(0, 3), prefix=st.sampled_from(["/", "/pods/", "/pods/a/", "/n"]))
    def read_the_past(self, back, limit, prefix):
        at = max(0, self.model.head().revision - back)
        page = self.both(lambda s: s.list(prefix, revision=at, limit=limit))
        if not isinstance(page[0], type) and page.items:
            self.both(lambda s: s.list(prefix, revision=at, after=page.items[-1].key))
        for key in KEYS[:4]:
            self.both(lambda s, key=key: s.get(key, revision=at))
        self.both(lambda s: list(s.changes(at)))

    @rule()
    def reopen(self):
        self.real.close()
        self.real = self.opened()

    @rule()
    def check(self):
        assert verify(self.folder.name) == []

    @invariant()
    def same_present(self):
        if hasattr(self, "real"):
            self.both(lambda s: s.head())
            self.both(lambda s: (s.compacted(), list(s.entries())))
            self.both(lambda s: [s.list(p) for p in ("/", "/pods/", "/nodes/")])

    def teardown(self):
        if hasattr(self, "real"):
            self.real.close()
            assert verify(self.folder.name) == []
            self.folder.cleanup()


class SameOnThreeReplicas(SameAsTheModel):
    """Like one replica, while any one of three is away, comes back, is replaced by an older copy, or rebuilt."""

    @initialize()
    def start(self):
        self.away = self.copied = None
        super().start()

    def plain(self, answer):
        """Take out terms, and the entries that change members: they tell which replicas there were."""
        if isinstance(answer, Head):
            return answer.revision, answer.now
        if isinstance(answer, Entry):
            return answer.first, answer.last, answer.kind, answer.now, answer.cause
        if isinstance(answer, tuple | list) and not hasattr(answer, "_fields"):
            kept = [one for one in answer if not (isinstance(one, Entry) and one.kind == CONFIG_ENTRY)]
            return [self.plain(one) for one in kept]
        return answer

    def commit_on_an_old_head(self, n=0):
        """Heads of the model are none of these replicas'."""

    def folders(self):
        return [Path(self.folder.name) / name for name in "abc"]

    def opened(self):
        return open_store(self.folders(), create=True, cluster_id="c")

    @rule(n=st.integers(0, 2))
    def take_away(self, n):
        if self.away is None:
            self.away = self.folders()[n]
            self.away.rename(self.away.with_suffix(".away"))

    @rule()
    def bring_back(self):
        if self.away is not None:
            self.away.with_suffix(".away").rename(self.away)
            self.away = None

    @rule(n=st.integers(0, 2))
    def copy(self, n):
        if self.copied is None and self.away is None:
            self.real.close()
            self.copied = self.folders()[n]
            shutil.copytree(self.copied, self.copied.with_suffix(".copy"))
            self.real = self.opened()

    @rule()
    def put_the_copy_back(self):
        if self.copied is not None and self.away is None:
            shutil.rmtree(self.copied)
            self.copied.with_suffix(".copy").rename(self.copied)
            self.repair()
            self.copied = None

    @rule()
    def repair(self):
        if self.away is None:
            self.real.repair()
            assert self.real.verify("full") == []

    @rule()
    def check(self):
        found = {problem.place for problem in self.real.verify("full")}
        assert found <= {str(self.away), *(problem.place for problem in self.real.verify() if problem.kind == "behind")}

    def teardown(self):
        if hasattr(self, "real"):
            self.bring_back()
            self.repair()
            self.both(lambda s: [(s.list(p), s.compacted()) for p in ("/", "/pods/")])
            self.real.close()
            self.folder.cleanup()


for machine, examples in ((SameAsTheModel, 15), (SameOnThreeReplicas, 6)):
    machine.TestCase.settings = settings(
        max_examples=examples, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
    )
TestSameAsTheModel = SameAsTheModel.TestCase
TestSameOnThreeReplicas = SameOnThreeReplicas.TestCase
