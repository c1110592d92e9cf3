"""The tagger around a network that knows three words: offsets, segments, long posts, and what it never tags."""

from datetime import UTC, datetime

import numpy as np
import pytest

from tagstream.posts import Media, Post, stored_version
from tagstream.text.hashtags import hashtags_of
from workers.tagger.crf_decoder import TAGS, Decoder
from workers.tagger.encoding import MAX_TWEET_PIECES, Encoder
from workers.tagger.interface import NO_IMAGE_CONTEXT, ImageContext
from workers.tagger.model_tagger import ModelTagger, reads
from workers.tagger.scoring import Scoring

VOCABULARY = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "#",
    "@",
    "user",
    "http",
    "ada",
    "love",
    "##lace",
    "paris",
    "&",
    "boat",
    "new",
    "york",
]
NAMES = {
    "ada": "B-PER", "love": "I-PER", "paris": "B-LOC", "new": "B-LOC", "york": "I-LOC", "#": "B-ORG", "user": "B-PER",
    "http": "B-MISC",
}  # fmt: skip


class LexiconNetwork:
    """Emissions that name the words of NAMES, and remember what was asked."""

    def __init__(self):
        self.asked = []

    def __call__(self, batch):
        self.asked.append(batch)
        emissions = np.zeros((*batch.pieces.shape, len(TAGS)), np.float32)
        emissions[..., 0] = 5.0
        for word, tag in NAMES.items():
            emissions[batch.pieces == VOCABULARY.index(word), TAGS.index(tag)] = 10.0
        return emissions


@pytest.fixture
def network():
    return LexiconNetwork()


@pytest.fixture
def tagger(network):
    return ModelTagger(
        model="test@1",
        generation=1,
        encoder=Encoder(VOCABULARY),
        network=network,
        decoder=Decoder(np.zeros((9, 9)), np.zeros(9), np.zeros(9)),
        segment=lambda hashtag: (hashtag,),
        languages=frozenset({"en", "und"}),
    )


def post(text, **fields):
    return Post(
        id="test:1", source="test", created_at=datetime(2020, 1, 1, tzinfo=UTC), text=text,
        hashtags=hashtags_of(text), **fields,
    )  # fmt: skip


def tag(tagger, *posts):
    return tagger.tag(tagger.prepare(posts))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Ada Lovelace in Paris", [("Ada Lovelace", "PER", 0), ("Paris", "LOC", 16)]),
        ("👩‍🚀🇫🇷 Ada", [("Ada", "PER", 6)]),
        ("\U0001f600 é e\u0301 \u202ePARIS", [("PARIS", "LOC", 8)]),
        ("مرحبا Paris", [("Paris", "LOC", 6)]),
        ("&amp; Paris&#39;s", [("Paris", "LOC", 6)]),
        ("#Paris!", [("Paris", "LOC", 1)]),
        ("@paris http://paris.example.org paris.example.org ada@paris.org :paris: @ada.example.org", []),
        ("• Ada • Lovelace", [("Ada", "PER", 2)]),
        ("Ada\nLovelace", [("Ada", "PER", 0)]),
        ("Ada!\nLovelace", [("Ada", "PER", 0)]),
        ("Ada Lovelace\n\nParis", [("Ada Lovelace", "PER", 0), ("Paris", "LOC", 14)]),
        ("nothing here", []),
        ("", []),
    ],
)
def test_entities_point_into_the_raw_text(tagger, text, found):
    (answer,) = tag(tagger, post(text))
    assert [(entity.text, entity.type, entity.start) for entity in answer.entities] == found
    for entity in answer.entities:
        assert text[entity.start : entity.end] == entity.text
        assert 0.5 < entity.score <= 1
        assert entity.in_hashtag == (text[entity.start - 1 : entity.start] == "#")


@pytest.mark.parametrize(
    "line_break", ["\n", "\r\n", "\r", "\v", "\f", "\x85", "\u2028", "\u2029", "!\n", "\n- ", "\n• "]
)
def test_a_name_never_crosses_a_line_break_whatever_the_network_says(tagger, line_break):
    """Here it says of every word that it continues a name of a person."""
    tagger.network = lambda batch: np.tile(
        np.eye(9, dtype=np.float32)[TAGS.index("I-PER")] * 50, (*batch.pieces.shape, 1)
    )
    text = f"Ada{line_break}Paris{line_break}Ada"
    (answer,) = tag(tagger, post(text))
    assert all(line_break.strip(" !-•") not in entity.text for entity in answer.entities)
    assert all(0 <= entity.score <= 1 for entity in answer.entities)


SEGMENTED = {
    "NewYork": ("New", "York"),
    "newyork": ("new", "york"),
    "PrayForParis": ("Pray", "For", "Paris"),
    "AdaLovelaceInNewYork": ("Ada", "Lovelace", "In", "New", "York"),
    "New_York": ("New", "_", "York"),
    "boatshow": ("boat", "show"),
}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("in #NewYork", [("NewYork", "LOC", 4, "new york", True)]),
        ("in #newyork", [("newyork", "LOC", 4, "new york", True)]),
        ("in ＃NewYork", [("NewYork", "LOC", 4, "new york", True)]),
        ("#New_York!", [("New_York", "LOC", 1, "new york", True)]),
        ("👩‍🚀 #PrayForParis", [("Paris", "LOC", 12, "paris", True)]),
        (
            "#AdaLovelaceInNewYork",
            [("AdaLovelace", "PER", 1, "ada lovelace", True), ("NewYork", "LOC", 14, "new york", True)],
        ),
        ("Ada #Lovelace", [("Ada", "PER", 0, "ada", False)]),
        ("#boatshow #unheard", []),
        ("# NewYork", [("NewYork", "LOC", 2, "newyork", False)]),
    ],
)
def test_a_name_in_a_hashtag_is_found_and_counted_by_its_words(network, text, found):
    tagger = ModelTagger(
        model="test@1",
        generation=1,
        encoder=Encoder(VOCABULARY),
        network=network,
        decoder=Decoder(np.zeros((9, 9)), np.zeros(9), np.zeros(9)),
        segment=lambda hashtag: SEGMENTED.get(hashtag, (hashtag,)),
        languages=frozenset({"en", "und"}),
    )
    (answer,) = tag(tagger, post(text))
    assert [(one.text, one.type, one.start, one.key, one.in_hashtag) for one in answer.entities] == found
    assert all(text[one.start : one.end] == one.text for one in answer.entities)


def test_a_name_that_scores_less_than_the_least_score_is_not_given(tagger):
    text = "Ada Lovelace in Paris"
    tagger.scoring = Scoring(slope=1.0, offsets={"LOC": -4.0})
    person, place = tag(tagger, post(text))[0].entities
    assert 0 < place.score < person.score < 1
    for least, given in (
        (0.0, ["Ada Lovelace", "Paris"]),
        (place.score, ["Ada Lovelace", "Paris"]),
        (place.score + 1e-4, ["Ada Lovelace"]),
        (person.score, ["Ada Lovelace"]),
        (1.0, []),
    ):
        tagger.scoring = Scoring(slope=1.0, offsets={"LOC": -4.0}, min_score=least)
        assert [entity.text for entity in tag(tagger, post(text))[0].entities] == given


def test_every_field_of_the_post_is_kept_but_the_bytes(tagger):
    before = post("Paris", media=(Media(alt="a boat", thumbnail=b"x"),), position=9)
    (after,) = tag(tagger, before)
    assert after.media == (Media(alt="a boat"),)
    assert type(after).model_validate(after.model_dump()) == after
    assert (after.id, after.created_at, after.text) == (before.id, before.created_at, before.text)
    assert (after.model, after.generation, after.untagged) == ("test@1", 1, None)


def test_labels_follow_the_alt_text_and_stand_on_the_answer(tagger, network):
    image_context = ImageContext(("boat", "Paris"), ())
    prepared = tagger.prepare([post("Ada", media=(Media(alt="Ada"),)), post("Ada")], [image_context, NO_IMAGE_CONTEXT])
    seen, unseen = tagger.tag(prepared)
    assert (seen.image_labels, seen.degraded, unseen.image_labels) == (("boat", "Paris"), (), ())
    row = network.asked[0].pieces[0].tolist()
    assert [VOCABULARY[piece] for piece in row if piece] == ["[CLS]", "ada", "[SEP]", "ada", "boat", "paris", "[SEP]"]


def test_a_degraded_answer_yields_to_a_whole_one_of_the_same_model(tagger):
    (degraded,) = tagger.tag(tagger.prepare([post("Ada in Paris")], [ImageContext((), ("photo",))]))
    (whole,) = tag(tagger, post("Ada in Paris"))
    assert (degraded.degraded, degraded.entities) == (("photo",), whole.entities)
    assert stored_version(0, degraded.generation) < stored_version(0, whole.generation)
    assert degraded.generation % 2 == 0


def test_alt_text_is_the_third_segment(tagger, network):
    tag(tagger, post("Paris", media=(Media(alt="a boat"), Media(), Media(alt="Ada"))))
    (batch,) = network.asked
    third = batch.pieces[batch.segments == 2]
    assert [VOCABULARY[piece] for piece in third] == ["[UNK]", "boat", "ada", "[SEP]"]


@pytest.mark.parametrize("filling", ["京", "love ", "lace's ", "#a ", "a\n"])
def test_a_very_long_post_costs_the_model_no_more_than_its_first_pieces(tagger, network, filling):
    long = post("Ada Lovelace " + (filling * 100_000)[:99_900] + " Paris")
    (answer,) = tag(tagger, long)
    assert sum(batch.pieces.size for batch in network.asked) < 2 * MAX_TWEET_PIECES
    assert answer.entities[0].text.startswith("Ada Lovelace")
    assert "Paris" not in [entity.text for entity in answer.entities]
    assert answer.untagged == "length"
    assert answer.text == long.text


def test_the_last_post_that_is_read_whole_is_read_whole(tagger):
    (answer,) = tag(tagger, post("boat " * (MAX_TWEET_PIECES - 1) + "Paris"))
    assert [entity.text for entity in answer.entities] == ["Paris"]
    assert answer.untagged is None


def test_other_languages_pass_without_the_model(tagger, network):
    (answer,) = tag(tagger, post("Paris #Paris", lang="fr"))
    assert answer.entities == ()
    assert answer.untagged == "language"
    assert [hashtag.words for hashtag in answer.hashtags] == [("Paris",)]
    assert network.asked == []


@pytest.mark.parametrize(
    ("langs", "read"),
    [
        ((), True),
        (("en",), True),
        (("en-GB",), True),
        (("EN_us",), True),
        (("und",), True),
        (("fr",), False),
        (("pt", "en"), True),
        (("pt", "fr-CA"), False),
    ],
)
def test_a_post_is_read_in_any_of_its_languages(tagger, langs, read):
    several = post("Ada", langs=langs)
    assert reads(several, frozenset({"en", "und"})) is read
    (answer,) = tag(tagger, several)
    assert (answer.langs, answer.untagged, bool(answer.entities)) == (langs, None if read else "language", read)


def test_a_ten_thousand_character_post_is_read_to_its_end(tagger):
    text = "boat Ada Lovelace , " * 500
    (answer,) = tag(tagger, post(text))
    assert [entity.start for entity in answer.entities] == [place * 20 + 5 for place in range(500)]
    assert {entity.text for entity in answer.entities} == {"Ada Lovelace"}


def test_an_answer_does_not_depend_on_its_batch(tagger):
    texts = ["Ada", "Paris " * 90, "", "boat " * 20 + "Ada Lovelace", "#Paris @x", "Ada Paris"]
    together = tag(tagger, *(post(text) for text in texts))
    assert together == [tag(tagger, post(text))[0] for text in texts]
