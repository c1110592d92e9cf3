"""What no name holds, whatever the network says: here it says of every word that a name goes on.

Only words in small letters are in no name, so that a name reaches as far as the rules let it.
"""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagstream.posts import Post
from tagstream.text.hashtags import hashtags_of
from workers.tagger.borders import within_borders, words_outside_names
from workers.tagger.crf_decoder import TAGS, Decoder
from workers.tagger.encoding import Encoder
from workers.tagger.model_tagger import ModelTagger
from workers.tagger.words import by_lines, split_words

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "#", "@", "user", "http"]
SMALL_LETTERS = 1 + 8


def greedy(batch):
    """Emissions of a network that would have every word continue a name but those in small letters."""
    emissions = np.zeros((*batch.pieces.shape, len(TAGS)), np.float32)
    emissions[..., TAGS.index("B-PER")] = 10
    emissions[..., TAGS.index("I-PER")] = 40
    emissions[batch.features[..., 0] == SMALL_LETTERS, 0] = 100
    return emissions


@pytest.fixture(scope="module")
def tagger():
    return ModelTagger(
        model="test@1",
        generation=1,
        encoder=Encoder(VOCABULARY),
        network=greedy,
        decoder=Decoder(np.zeros((9, 9)), np.zeros(9), np.zeros(9)),
        segment=lambda hashtag: (hashtag,),
        languages=frozenset({"en", "und"}),
    )


def names(tagger, text):
    post = Post(
        id="test:1", source="test", created_at=datetime(2020, 1, 1, tzinfo=UTC), text=text, hashtags=hashtags_of(text)
    )
    (answer,) = tagger.tag(tagger.prepare([post]))
    assert all(text[entity.start : entity.end] == entity.text for entity in answer.entities)
    return [entity.text for entity in answer.entities]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # polls
        ("vote! A) Angela Merkel B) Olaf Scholz", ["Angela Merkel", "Olaf Scholz"]),
        ("vote\nA) Chelsea\nB) Arsenal\nC) Draw", ["Chelsea", "Arsenal", "Draw"]),
        ("vote (a) Messi (b) Ronaldo", ["Messi", "Ronaldo"]),
        ("vote\nA. Paris\nB. Rome", ["Paris", "Rome"]),
        ("vote A: Messi B: Ronaldo", ["Messi", "Ronaldo"]),
        ("vote 1️⃣ Paris 2️⃣ London", ["Paris", "London"]),
        ("🅰️ Texas 🅱️ Ohio", ["Texas", "Ohio"]),
        ("[ ] Starmer [x] Sunak [X] Davey", ["Starmer", "Sunak", "Davey"]),
        ("⚪ Drake ⚪ Jay Z", ["Drake", "Jay Z"]),
        ("Paris ▓▓▓░ 60 % London", ["Paris", "60 % London"]),
        # lists
        ("1. Oslo 2. Rome 3. New York", ["Oslo", "Rome", "New York"]),
        ("1) Adele 2) Rihanna", ["Adele", "Rihanna"]),
        ("1)Adele 2)Rihanna", ["Adele", "Rihanna"]),
        ("1- Messi 2- Ronaldo", ["Messi", "Ronaldo"]),
        ("9. Oslo\n10. Rome", ["Oslo", "Rome"]),
        ("1/ Oslo\n2/ Rome", ["Oslo", "Rome"]),
        ("i. Drake\nii. Adele\niii. Muse", ["Drake", "Adele", "Muse"]),
        ("① Oslo ② Rome ❸ Paris", ["Oslo", "Rome", "Paris"]),
        ("• Oslo • Rome", ["Oslo", "Rome"]),
        ("Coldplay · Radiohead ∙ Muse", ["Coldplay", "Radiohead", "Muse"]),
        ("Guests:\n- Ada\n- Bob\n* Eve\n– Zoe", ["Guests", "Ada", "Bob", "Eve", "Zoe"]),
        # no lists
        ("A. Merkel", ["A. Merkel"]),
        ("J. K. Rowling", ["J. K. Rowling"]),
        ("George W. Bush", ["George W. Bush"]),
        ("A. Smith and B. Jones", ["A. Smith", "B. Jones"]),
        ("1. FC Köln", ["1. FC Köln"]),
        ("Serie A) Milan", ["Serie A) Milan"]),
        ("X-Men 2: Apocalypse", ["X-Men 2: Apocalypse"]),
        ("Col·Lecció", ["Col·Lecció"]),
        ("Vitamin C) Vitamin A)", ["Vitamin C) Vitamin A"]),
        # tables
        ("| Arsenal | 30 |\n| Chelsea | 28 |", ["Arsenal", "30", "Chelsea", "28"]),
        ("Oslo\tRome\nParis\tNice", ["Oslo", "Rome", "Paris", "Nice"]),
        ("Oslo ‖ Rome ┃ Nice", ["Oslo", "Rome", "Nice"]),
        # reposts and quotes
        ("Nepal RT @cnn: Kathmandu", ["Nepal", "Kathmandu"]),
        ("RT @ada@example.social: Oslo", ["Oslo"]),
        ("Watch RT America", ["Watch RT America"]),
        ("> Obama\n> Clinton\nBush", ["Obama", "Clinton", "Bush"]),
        ("&gt; Obama &gt; Clinton", ["Obama", "Clinton"]),
        ("“Paris” “London”", ["Paris", "London"]),
        ('"Paris" "London"', ["Paris", "London"]),
        ("Dwayne “The Rock” Johnson", ["Dwayne “The Rock” Johnson"]),
        ("«Paris» «London»", ["Paris", "London"]),
        ("Oslo… Rome... Paris", ["Oslo", "Rome", "Paris"]),
        ("Oslo\n---\nRome", ["Oslo", "Rome"]),
        # pictures and addresses
        ("🗼Paris❤️London🎡", ["Paris", "London"]),
        ("🇫🇷Paris🇬🇧London", ["Paris", "London"]),
        ("Paris :flag_gb: London", ["Paris", "London"]),
        ("Paris →London", ["Paris", "London"]),
        ("Oslo http://t.co/x Rome t.co/y Nice a@example.org Bonn @x Kiel", ["Oslo", "Rome", "Nice", "Bonn", "Kiel"]),
        # possessives and what names do hold
        ("Obama's Obama’s Obama´s", ["Obama's Obama’s Obama"]),
        ("the Obama&#39;s", ["Obama"]),
        ("Barnes &amp; Noble", ["Barnes &amp; Noble"]),
        ("AC/DC", ["AC/DC"]),
        ("Tesla™ Model 3", ["Tesla™ Model 3"]),
        ("Spider‑Man: No Way Home!", ["Spider‑Man: No Way Home"]),
    ],
)  # fmt: skip
def test_a_name_ends_at_its_border(tagger, text, expected):
    assert names(tagger, text) == expected


@given(st.text(alphabet='aAB12iI().:-/[]x"“·RT@# \n\t', max_size=60))
def test_any_text_has_an_answer(text):
    words, _ = by_lines(text, split_words(text))
    outside = words_outside_names(text, words)
    assert all(0 <= index < len(words) for index in outside)


def test_an_annotated_name_ends_before_a_possessive_and_the_signs_around_it():
    text = "~Brian Cox's.."
    words = split_words(text)
    outside = words_outside_names(text, words)
    name = within_borders(range(len(words)), words, outside)
    assert [words[index].surface for index in name] == ["Brian", "Cox"]


def test_a_name_of_signs_alone_keeps_one():
    words = split_words("'s 's")
    assert len(within_borders([0, 1], words, ())) == 1
