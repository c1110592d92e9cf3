"""A batch of changes played on what an index holds, without an index."""

from datetime import UTC, datetime

from search.batch import Account, PlayedBatch, StoredPost
from search.index import Change, Indexable, Remembered, Thumbnail, WriteReport
from search.registry import NO_STATUS, AccountVisibility, RegistryRecord
from search.terms import author_key
from tagstream.dead_letter import dead_letter
from tagstream.posts import Author, DeadLetter, Deletion, Erasure, TaggedPost

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Nothing:
    """The state of an index that holds what a test puts in, and counts what it is asked."""

    def __init__(self, *records: RegistryRecord, author: str = "x") -> None:
        self.records = {record.id: record for record in records}
        self.author = author_key("jsonl", author)
        self.lost: set[str] = set()
        self.asked: list[str] = []

    def post(self, post_id: str) -> StoredPost | None:
        self.asked.append(post_id)
        record = self.records.get(post_id)
        return None if record is None else StoredPost(record, self.author)

    def posts_of(self, author: int) -> list[str]:
        return sorted(self.records) if author == self.author else []

    def erased_up_to(self, account: Account) -> int | None:  # noqa: ARG002
        return None

    def visibility(self, account: Account) -> AccountVisibility:  # noqa: ARG002
        return NO_STATUS

    def new_number(self, created_at: datetime, observed_at: datetime) -> int:  # noqa: ARG002
        return 7 + len(self.records)

    def number_again(self, number: int) -> int:
        return number

    def lacks_document(self, post_id: str) -> bool:
        return post_id in self.lost


def stored(name: str, position: int = 0) -> RegistryRecord:
    return RegistryRecord(f"jsonl:{name}", number=5, version=1, position=position, visible=True)


def post(name: str, position: int = 0, *brought: Thumbnail, author: str = "x", revision: int = 0) -> Indexable:
    tagged = TaggedPost(
        id=f"jsonl:{name}",
        source="jsonl",
        author=Author(id=author),
        created_at=NOON,
        revision=revision,
        text=f"{name} {revision}",
        model="stub@1",
        generation=1,
    )
    return Indexable(tagged, NOON, position, brought)


def letter(origin: str, **about: object) -> DeadLetter:
    return dead_letter(origin=origin, source="jsonl", cause="c", message="m", body=b"", **about)  # type: ignore[arg-type]


def played(state: Nothing, *changes: Change | Remembered) -> PlayedBatch:
    batch = PlayedBatch(state)
    batch.play(changes)
    return batch


def texts(batch: PlayedBatch) -> list[str]:
    return [touched.post.text for touched in batch.touched.values() if touched.post is not None]


def test_several_changes_to_one_post_cost_one_effect() -> None:
    batch = played(Nothing(), post("a"), post("a", revision=2), post("a", revision=1), post("a", revision=2))
    assert texts(batch) == ["a 2"]
    assert batch.report == WriteReport(stored=2, stale=1, duplicate=1)
    assert batch.report.new_revisions == {("jsonl:a", 0), ("jsonl:a", 2)}


def test_what_the_index_holds_is_left_as_it_is() -> None:
    state = Nothing(stored("a"))
    batch = played(state, Deletion(id="jsonl:a", source="jsonl"))
    assert state.records["jsonl:a"].visible
    touched = batch.touched["jsonl:a"]
    assert touched.before == state.records["jsonl:a"]
    assert not touched.record.visible


def test_a_deletion_takes_back_what_came_before_it_and_refuses_what_comes_after() -> None:
    batch = played(Nothing(), post("a"), Deletion(id="jsonl:a", source="jsonl"), post("a", revision=5))
    assert texts(batch) == []
    assert batch.report == WriteReport(stored=1, tombstones=1, deleted=1)


def test_an_erasure_reaches_the_stored_posts_of_the_author_and_those_of_the_batch() -> None:
    erasure = Erasure(source="jsonl", author="x", position=5)
    state = Nothing(stored("old", position=3), stored("new", position=9))
    batch = played(state, post("a", 4), post("b", 4, author="y"), erasure, post("c", 5), post("d", 6))
    assert {name for name, touched in batch.touched.items() if not touched.record.visible} == {
        "jsonl:old",
        "jsonl:a",
        "jsonl:c",
    }
    assert texts(batch) == ["b 0", "d 0"]
    assert batch.erasures == {Account("jsonl", "x"): 5}


def test_an_erasure_of_an_earlier_position_does_not_shorten_one() -> None:
    erasures = [Erasure(source="jsonl", author="x", position=position) for position in (5, 3)]
    batch = played(Nothing(), *erasures, post("a", 4))
    assert batch.erasures == {Account("jsonl", "x"): 5}
    assert batch.report == WriteReport(tombstones=2, deleted=1)


def test_deletions_and_erasures_reach_the_dead_letters_of_the_batch() -> None:
    of_post, of_author = letter("1", post_id="jsonl:a"), letter("2", author="x", position=4)
    deletion, erasure = Deletion(id="jsonl:a", source="jsonl"), Erasure(source="jsonl", author="x", position=4)
    other = letter("3", post_id="jsonl:b", author="x", position=5)
    batch = played(Nothing(), of_post, of_author, other, deletion, erasure, of_post, of_author)
    assert list(batch.letters) == ["3"]
    assert batch.report == WriteReport(dead=3, tombstones=2, deleted=2)


def test_a_dead_letter_touches_no_record() -> None:
    batch = played(Nothing(stored("a")), letter("1", post_id="jsonl:a"))
    assert (batch.touched, list(batch.letters)) == ({}, ["1"])


def test_a_visible_record_without_its_document_is_written_again_once() -> None:
    state = Nothing(stored("a"))
    state.lost = {"jsonl:a"}
    batch = played(state, post("a"), post("a"))
    assert texts(batch) == ["a 0"]
    assert batch.report == WriteReport(stored=1, duplicate=1)


def test_of_one_photo_the_first_thumbnail_stays() -> None:
    first, second = Thumbnail("a" * 64, b"first"), Thumbnail("a" * 64, b"second")
    batch = played(Nothing(), post("a", 0, first), post("a", 0, second))
    assert batch.touched["jsonl:a"].brought == {"a" * 64: b"first"}


def test_what_a_backup_brings_keeps_its_number_and_counts_no_mention() -> None:
    record = RegistryRecord("jsonl:a", number=99, version=1, observed_at=3, visible=True)
    gone = RegistryRecord("jsonl:b", deleted=2**63 - 1, deleted_position=4)
    batch = played(Nothing(), Remembered(record, post("a").post), Remembered(gone), post("b"))
    assert (batch.touched["jsonl:a"].record.number, batch.touched["jsonl:a"].record.observed_at) == (99, 3)
    assert batch.report == WriteReport(stored=1, tombstones=1, deleted=1)
    assert batch.report.new_revisions == frozenset()
    assert batch.deletions == {"jsonl:b"}


def test_each_post_is_read_once() -> None:
    state = Nothing(stored("a"))
    played(state, post("a", revision=1), post("a", revision=2), Erasure(source="jsonl", author="x", position=9))
    assert state.asked == ["jsonl:a"]
