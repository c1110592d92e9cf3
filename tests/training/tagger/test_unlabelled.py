"""The tweets to distil on: each once, and none that is scored anywhere."""

import pytest
from scored_parts import write_scored_parts

from training.scored_texts import ScoredTexts
from training.tagger.unlabelled import unlabelled_texts

SCORED = "Ada\tB-PER\nvisits\tO\nParis\tB-LOC\nonce\tO\n{part}\tO\n\n"


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("TAGSTREAM_DATA", str(tmp_path))
    held_out = write_scored_parts(tmp_path, SCORED)
    tweeteval, lexicon, media = (
        tmp_path / "text" / "tweeteval",
        tmp_path / "events" / "crisislex_t6" / "flood",
        tmp_path / "events" / "crisismmd",
    )  # fmt: skip
    for folder in (tweeteval, lexicon, media):
        folder.mkdir(parents=True)
    (tweeteval / "emoji.txt").write_text(
        "the river is very high today\nThe RIVER is very high, today! @user http\ntoo short\n"
        "ada visits PARIS once... A @user http\n"
        "RT @one: Ada visits Paris once g http:…\n"
    )
    (lexicon / "tweets.csv").write_text(
        'id,tweet,label\n1,"roads, closed near the old bridge",on\n2,ada visits paris once b,off\n'
    )
    (media / "a.csv").write_text(
        "tweet_id,tweet_text\n1,a house burns in the valley\n2,Ada visits Paris once c http://t.co/x\n"
    )
    (media / "b.csv").write_text("id,text\n1,people wait on their roofs now\n")
    return held_out


@pytest.mark.usefixtures("data")
def test_no_tweet_that_is_scored_and_none_twice():
    texts = unlabelled_texts(ScoredTexts.load())
    assert sorted(texts) == [
        "a house burns in the valley",
        "people wait on their roofs now",
        "roads, closed near the old bridge",
        "the river is very high today",
    ]
    assert texts == unlabelled_texts(ScoredTexts.load())
    assert texts != sorted(texts)


def test_every_scored_part_is_looked_at(data, tmp_path):
    (tmp_path / "text" / "tweeteval" / "more.txt").write_text(
        "".join(f"Ada visits Paris once {'abcdefghijklmnop'[number]}\n" for number in range(len(data)))
    )
    assert not [text for text in unlabelled_texts(ScoredTexts.load()) if "Ada" in text]
