"""The same calls give the same answers on SQLite as on the model, whatever their order."""

from __future__ import annotations

import tempfile

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from kctl.store.api import Write
from kctl.store.errors import StoreError
from kctl.store.memory import MemoryStore
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

    def both(self, call):
        """Return what both stores answer, or the same error of both."""
        answers = []
        for store in (self.model, self.real):
            try:
                answers.append(call(store))
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


TestSameAsTheModel = SameAsTheModel.TestCase
TestSameAsTheModel.settings = settings(
    max_examples=15, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)
