"""Posts that find no room in the sample of their minute are counted."""

from datetime import UTC, datetime

from search.events.minutes import to_number
from search.events.open_minutes import OpenMinutes
from search.events.window import MAX_POSTS_A_MINUTE
from tagstream.detections import PostMentions

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_every_post_is_taken_or_counted_as_passed_over() -> None:
    minutes, number = OpenMinutes(), to_number(NOON)
    posts = 3 * MAX_POSTS_A_MINUTE
    for author in range(posts):
        minutes.add(PostMentions(post_id=f"p{author}", author=author, minute=NOON), number, None)
    assert len(minutes.take(number)) == MAX_POSTS_A_MINUTE
    assert minutes.passed_over == posts - MAX_POSTS_A_MINUTE
