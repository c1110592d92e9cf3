"""BIO files: what is read, what is refused, and both ways of counting."""

from pathlib import Path

import pytest

from tagstream.errors import UnreadableInput
from workers.tagger.conll import gold_spans, read_conll

SAMPLE = """IMGID:7
Angela\tB-PER
Merkel\tI-PER
visits\tO
Paris\tI-LOC

-DOCSTART- -X- -X- O

Acme - - B-corporation
Phone - - I-product
"""


@pytest.fixture
def sample(tmp_path) -> Path:
    path = tmp_path / "sample.bio"
    path.write_text(SAMPLE, encoding="utf-8")
    return path


def test_posts_tokens_and_offsets(sample):
    first, second = read_conll(sample)
    assert first.text == "Angela Merkel visits Paris"
    assert first.image == "7"
    assert [first.text[start:end] for start, end, _ in first.tokens] == ["Angela", "Merkel", "visits", "Paris"]
    assert second.text == "Acme Phone"
    assert second.image is None


def test_strict_and_lenient_counting(sample):
    first, second = read_conll(sample)
    assert gold_spans(first, lenient=False) == {(0, 2, "PER")}
    assert gold_spans(first, lenient=True) == {(0, 2, "PER"), (3, 4, "LOC")}
    assert gold_spans(second, lenient=False) == {(0, 1, "ORG")}
    assert gold_spans(second, lenient=True) == {(0, 1, "ORG"), (1, 2, "MISC")}


@pytest.mark.parametrize("content", ["word\n", "word\tX-PER\n", "word\tB-\n", "word\tB-ALIEN\n", "a\tO\nb\tPER\n"])
def test_a_line_that_is_not_a_token_and_a_tag_is_named(tmp_path, content):
    path = tmp_path / "bad.bio"
    path.write_text(content)
    with pytest.raises(UnreadableInput, match=rf"bad\.bio:{content.count(chr(10))}: "):
        read_conll(path)


def test_unreadable_files(tmp_path):
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for name in ("binary", "missing"):
        with pytest.raises(UnreadableInput, match=name):
            read_conll(tmp_path / name)


def test_windows_line_ends_and_no_final_newline(tmp_path):
    path = tmp_path / "windows.bio"
    path.write_bytes(b"Paris B-geo-loc\r\n\r\nRome B-LOC")
    assert [gold_spans(post, lenient=False) for post in read_conll(path)] == [{(0, 1, "LOC")}, {(0, 1, "LOC")}]


def test_a_byte_order_mark_is_no_token(tmp_path):
    path = tmp_path / "marked.bio"
    path.write_bytes(b"\xef\xbb\xbfIMGID:3\nParis\tB-LOC\n")
    (post,) = read_conll(path)
    assert (post.image, post.text) == ("3", "Paris")


def test_a_file_without_empty_lines_is_refused_where_it_grows_too_long(tmp_path):
    path = tmp_path / "giant.bio"
    path.write_text("word\tO\n" * 30_000)
    with pytest.raises(UnreadableInput, match=r"giant\.bio:20001: .* 100,000 characters"):
        read_conll(path)


def test_trailing_tabs_comments_and_lower_case_prefixes(tmp_path):
    path = tmp_path / "odd.bio"
    path.write_text(
        "# newdoc\n# sent_id = 5\n# text = what is O\nParis\tb-loc\t\nParis\ti-LOC \t\nis\to\n\n"
        "# B-MISC\n#Oslo\tB-geo-loc\n# \tO\n#\tO\n"
    )
    first, second = read_conll(path)
    assert (first.text, gold_spans(first, lenient=False)) == ("Paris Paris is", {(0, 2, "LOC")})
    assert second.text == "# #Oslo # #"
    assert gold_spans(second, lenient=False) == {(0, 1, "MISC"), (1, 2, "LOC")}


@pytest.mark.parametrize("content", ["#word\n", "#\n", "a\tO\n#word more\n"])
def test_a_hashtag_without_a_tag_is_no_comment(tmp_path, content):
    path = tmp_path / "bad.bio"
    path.write_text(content)
    with pytest.raises(UnreadableInput, match=rf"bad\.bio:{content.count(chr(10))}: "):
        read_conll(path)
