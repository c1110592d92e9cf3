"""Posts that find no room in the sample of their minute are counted."""

from datetime import UTC, datetime
from random import Random

from search.events.minutes import to_number
from search.events.open_minutes import MAX_POSTS_OF_AUTHOR, OpenMinutes
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


def test_a_post_that_is_not_read_for_want_of_room_would_not_have_been_taken() -> None:
    number, chance = to_number(NOON), Random(5)
    posts = [
        PostMentions(post_id=f"p{one}", author=chance.choice([None, chance.getrandbits(48)]), minute=NOON)
        for one in range(5 * MAX_POSTS_A_MINUTE)
    ]
    every, some = OpenMinutes(), OpenMinutes()
    read = 0
    for post in posts:
        every.add(post, number, None)
        if some.has_room(number, post.author, post.post_id):
            read += 1
            some.add(post, number, None)
    assert every.take(number) == some.take(number)
    assert 2 * MAX_POSTS_A_MINUTE < read < 4 * MAX_POSTS_A_MINUTE


def test_one_author_fills_no_minute() -> None:
    """Whoever has the smallest number would have the whole sample, and hide what all others write about."""
    number = to_number(NOON)
    loud = [PostMentions(post_id=f"loud{one:05}", author=0, minute=NOON) for one in range(3 * MAX_POSTS_A_MINUTE)]
    others = [PostMentions(post_id=f"other{author}", author=author, minute=NOON) for author in range(1, 101)]
    found = []
    for seed in range(3):
        minutes, posts = OpenMinutes(), [*loud, *others]
        Random(seed).shuffle(posts)
        for post in posts:
            minutes.add(post, number, None)
        again = OpenMinutes.of(minutes.state())
        again.add(loud[0], number, None)
        again.add(loud[-1], number, None)
        found.append([post.post_id for post in minutes.take(number)])
        assert [post.post_id for post in again.take(number)] == found[-1]
        assert minutes.passed_over == len(loud) - MAX_POSTS_OF_AUTHOR
    assert found[0] == found[1] == found[2] == sorted(post.post_id for post in [*loud[:MAX_POSTS_OF_AUTHOR], *others])
