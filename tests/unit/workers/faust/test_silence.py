"""Partitions in which nothing comes: when the others speak for them, and when the feed is over."""

from mention_feeds import MINUTE, START

from search.detection.mention_feed import closing
from workers.faust.liveness import PartitionLag
from workers.faust.silence import END_SECONDS, LOOKS, SilenceWatch

READ, BEHIND = PartitionLag(5, 0, 5), PartitionLag(4, 0, 5)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def lags(*, posts: PartitionLag = READ, tagged: PartitionLag = READ) -> dict[tuple[str, int], PartitionLag]:
    """Of two partitions; those given are the second one's."""
    return {("posts", 0): BEHIND, ("posts.tagged", 0): READ, ("posts", 1): posts, ("posts.tagged", 1): tagged}


def test_a_partition_that_was_read_to_its_end_again_and_again_has_come_as_far_as_the_others_had() -> None:
    watch = SilenceWatch("posts", "posts.tagged", Clock())
    for passed in range(LOOKS - 1):
        assert watch.look([START + passed * MINUTE, None], lags()) == {}
    assert watch.look([START + 9 * MINUTE, None], lags()) == {1: START}


def test_one_that_has_work_on_either_topic_is_waited_for() -> None:
    watch = SilenceWatch("posts", "posts.tagged", Clock())
    for _ in range(LOOKS * 3):
        assert watch.look([START, None], lags(posts=BEHIND)) == {}
        assert watch.look([START, None], lags(tagged=BEHIND)) == {}


def test_one_that_is_as_far_as_the_others_needs_nobody() -> None:
    watch = SilenceWatch("posts", "posts.tagged", Clock())
    assert all(watch.look([START, START], lags()) == {} for _ in range(LOOKS * 2))


def test_after_a_while_without_a_record_the_feed_is_over_once() -> None:
    clock = Clock()
    watch = SilenceWatch("posts", "posts.tagged", clock)
    read = dict.fromkeys(lags(), READ)
    assert watch.look([START, START], read) == {}
    clock.now = END_SECONDS
    assert watch.look([START, START], read) == {0: closing(START), 1: closing(START)}
    clock.now = 3 * END_SECONDS
    assert watch.look([closing(START)] * 2, read) == {}
    more = read | {("posts", 0): PartitionLag(6, 0, 6)}
    assert watch.look([closing(START)] * 2, more) == {}
