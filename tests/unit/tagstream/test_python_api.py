"""The Python API: entities with offsets, for one text and for many, however odd, and shown safely in notebooks."""

import dataclasses
import doctest
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from terminal import Terminal

import tagstream
from tagstream import EntityTagger, TaggedText, TextEntity
from tagstream.errors import BadSettings
from tagstream.python_api import LONGEST_PASSAGE, passages_of
from tagstream.settings import REPOSITORY

PAGE = REPOSITORY / "docs/reference/python-api.md"
HOSTILE = "<script>alert(1)</script> & \"quotes\" 'Paris' <b>NASA</b> \u202e\x1b[31m London</div>"


@pytest.fixture(scope="module")
def stub() -> EntityTagger:
    return tagstream.load("stub:")


def test_one_text_gives_its_entities_and_a_list_a_list(stub: EntityTagger) -> None:
    one = stub("Angela Merkel meets NASA #NewYorkCity")
    assert isinstance(one, TaggedText)
    assert [(entity.text, entity.type) for entity in one][:2] == [("Angela Merkel", "PER"), ("NASA", "ORG")]
    assert one[0] == one.entities[0]
    assert len(one) == len(one.entities) >= 2
    for entity in one:
        assert one.text[entity.start : entity.end] == entity.text
        assert 0 <= entity.score <= 1
    many = stub(["Angela Merkel meets NASA #NewYorkCity", "", "Paris"])
    assert many[0] == one
    assert [len(answer) for answer in many[1:]] == [0, 1]
    assert stub([]) == []
    assert stub(("Paris",)) == [stub("Paris")]


def test_entities_are_frozen_and_say_whether_they_stand_in_a_hashtag(stub: EntityTagger) -> None:
    answer = stub("to #Paris and Paris")
    assert [(entity.text, entity.in_hashtag) for entity in answer] == [("Paris", True), ("Paris", False)]
    with pytest.raises(dataclasses.FrozenInstanceError):
        answer[0].text = "x"  # type: ignore[misc]


@pytest.mark.parametrize("text", ["", " \n\t ", "\ud800", "\x00\x1b[2J", "🚀" * 50, "a" * 20_000, "é\u0301" * 9_000])
def test_odd_texts_are_tagged_and_keep_their_length(stub: EntityTagger, text: str) -> None:
    answer = stub(text)
    assert len(answer.text) == len(text)
    assert answer.entities == ()
    answer._repr_html_().encode()


def test_a_text_of_any_length_is_read_to_its_end(stub: EntityTagger) -> None:
    text = "Paris is a city. " * 10_000
    answer = stub(text)
    assert len(answer) == 10_000
    assert all(text[entity.start : entity.end] == "Paris" for entity in answer)
    assert answer[-1].start == text.rindex("Paris")


def test_passages_are_the_text_and_are_cut_where_sentences_end() -> None:
    text = "One sentence. Another one!\nA line\n\nA paragraph. " * 1_000
    passages = passages_of(text)
    assert "".join(passage for _, passage in passages) == text
    for offset, passage in passages:
        assert text[offset : offset + len(passage)] == passage
        assert 0 < len(passage) <= LONGEST_PASSAGE
    assert all(passage.endswith("\n\n") for _, passage in passages[:-1])
    assert passages_of("") == [(0, "")]
    assert [len(passage) for _, passage in passages_of("x" * 20_000)] == [8_000, 8_000, 4_000]
    words = passages_of("word " * 4_000)
    assert all(passage.endswith(" ") for _, passage in words)


@pytest.mark.parametrize("given", [b"Paris", None, 5, {"Paris"}, ["Paris", b"London"], [None]])
def test_what_is_no_text_is_refused(stub: EntityTagger, given: object) -> None:
    with pytest.raises(TypeError, match="text"):
        stub(given)  # type: ignore[call-overload]


def test_html_is_escaped_and_shows_the_whole_text(stub: EntityTagger) -> None:
    html = stub(HOSTILE)._repr_html_()
    assert "<script" not in html
    assert "<b>" not in html
    assert "\u202e" not in html
    assert "\x1b" not in html
    assert html.count("<div") == html.count("</div>") == 1
    assert set(re.findall(r"</?(\w+)", html)) == {"div", "mark", "small"}
    assert re.findall(r'title="(\w+) ', html) == ["LOC", "ORG", "LOC"]


def test_html_of_overlapping_entities_shows_each_character_once() -> None:
    entities = (TextEntity("New York", "LOC", 0, 8, 1.0), TextEntity("York", "LOC", 4, 8, 1.0))
    assert TaggedText("New York!", entities)._repr_html_().count("York") == 1


def test_several_threads_may_call_one_tagger(stub: EntityTagger) -> None:
    texts = [f"Paris {number} #NewYorkCity{number}" for number in range(200)]
    alone = [stub(text) for text in texts]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(stub, texts)) == alone


def test_models_that_are_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="neither a model repository"):
        tagstream.load(tmp_path / "none")


@pytest.mark.parametrize("score", [-0.1, 1.01, float("nan")])
def test_a_least_score_that_is_no_probability_is_refused(score: float) -> None:
    with pytest.raises(BadSettings, match=r"min_score = .*it may be 0 to 1"):
        tagstream.load("stub:", min_score=score)
    assert tagstream.load("stub:", min_score=0.5)("Paris")


def test_importing_tagstream_imports_no_model() -> None:
    program = (
        "import sys, tagstream; assert 'load' in dir(tagstream)\n"
        "print(sorted({'numpy', 'openvino', 'pydantic', 'workers', 'click'} & set(sys.modules)))\n"
        "try: tagstream.nothing\nexcept AttributeError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", "module 'tagstream' has no attribute 'nothing'"]


def test_the_examples_of_the_page_give_what_it_says() -> None:
    examples = doctest.DocTestParser().get_doctest(PAGE.read_text(encoding="utf-8"), {}, PAGE.name, str(PAGE), 0)
    assert len(examples.examples) > 5
    said: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.IGNORE_EXCEPTION_DETAIL)
    assert runner.run(examples, out=said.append).failed == 0, "".join(said)


def test_the_api_answers_as_the_command_does(stub: EntityTagger, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    terminal = Terminal(capsysbinary)
    text = "Angela Merkel meets NASA #NewYorkCity"
    assert terminal("tag", "--json", "--models", "stub:", text) == 0
    (document,) = terminal.documents
    fields = ("text", "type", "start", "end", "score", "in_hashtag")
    assert [{name: entity[name] for name in fields} for entity in document["entities"]] == [
        dataclasses.asdict(entity) for entity in stub(text)
    ]
