"""Plain texts are tagged as posts of a feed are."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tagstream.errors import BadSettings
from tagstream.posts import MAX_TEXT_LENGTH
from tagstream.settings import REPOSITORY, Settings
from workers.models.repository import open_version
from workers.open_models import open_text_tagger
from workers.tagger.stub import StubTagger
from workers.tagger.texts import TextTagger


@pytest.fixture(scope="module")
def tagger():
    """The shipped tagger, set to a language that no text here names."""
    return open_text_tagger(Settings(inference_threads=1, languages=frozenset({"de"})))


def found(post):
    return [(one.text, one.type, post.text[one.start : one.end], one.in_hashtag) for one in post.entities]


def test_the_shipped_tagger_finds_names_in_text_and_hashtags(tagger):
    (post,) = tagger.tag(["Angela Merkel lands in #Paris with #NewYorkCity"])
    assert found(post) == [
        ("Angela Merkel", "PER", "Angela Merkel", False),
        ("Paris", "LOC", "Paris", True),
        ("NewYorkCity", "LOC", "NewYorkCity", True),
    ]
    assert all(0 < one.score <= 1 for one in post.entities)
    assert [one.words for one in post.hashtags] == [("Paris",), ("New", "York", "City")]
    shipped = open_version(REPOSITORY / "triton_models").version
    assert tagger.model == post.model == f"mner@{shipped}+image_encoder@1"


def test_texts_of_any_length_come_back_in_order_and_alone_as_together(tagger):
    texts = ["Berlin " * 200, "", "Angela Merkel in Paris", "nothing here", "Berlin"]
    together = tagger.tag(texts)
    assert [post.text for post in together] == texts
    assert together == [tagger.tag([text])[0] for text in texts]
    assert tagger.tag([]) == []


def test_a_lone_surrogate_keeps_the_offsets():
    (post,) = TextTagger(StubTagger()).tag(["\ud800 Berlin"])
    assert found(post) == [("Berlin", "LOC", "Berlin", False)]
    assert post.entities[0].start == 2


def test_a_text_that_no_post_could_hold_is_refused(tagger):
    with pytest.raises(BadSettings, match="text cannot be that of a post"):
        tagger.tag(["a" * (MAX_TEXT_LENGTH + 1)])


def test_threads_may_call_at_once(tagger):
    texts = [f"Angela Merkel in Paris with #NewYorkCity{number}" for number in range(40)]
    alone = [tagger.tag([text])[0] for text in texts]
    with ThreadPoolExecutor(8) as threads:
        assert [posts[0] for posts in threads.map(lambda text: tagger.tag([text]), texts)] == alone
