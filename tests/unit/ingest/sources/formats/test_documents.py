"""Documents of a file that is not made of lines: where each begins and ends, however the bytes come."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.sources.formats.documents import BETWEEN_VALUES, IN_ARRAY, DocumentSplitter
from ingest.sources.formats.lines import MAX_LINE_BYTES, Line

POSTS = [{"id": number, "text": 'a "quoted" } ] \\ text, [', "deep": {"list": [[], {}, [{}]]}} for number in range(7)]


def split(data: bytes, size: int | None = None, **options: Any) -> list[Line]:
    splitter = DocumentSplitter(**options)
    size = size or max(1, len(data))
    found = [line for at in range(0, len(data), size) for line in splitter.feed(data[at : at + size])]
    return found + splitter.finish()


FILES = [
    json.dumps(POSTS).encode(),
    json.dumps(POSTS, indent=2).encode(),
    b"\n".join(json.dumps(post, indent="\t").encode() for post in POSTS),
    json.dumps(POSTS[:3]).encode() + b";\n" + json.dumps(POSTS[3:], indent=1).encode() + b"\n",
]


@pytest.mark.parametrize("data", FILES, ids=["array", "indented", "concatenated", "two_arrays"])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, None])
def test_documents_do_not_depend_on_how_the_bytes_were_cut(data: bytes, size: int | None) -> None:
    found = split(data, size)
    assert [json.loads(line.body) for line in found] == POSTS
    assert found == split(data)
    assert not any(line.unfinished for line in found)


@pytest.mark.parametrize("data", FILES, ids=["array", "indented", "concatenated", "two_arrays"])
def test_reading_goes_on_after_any_document(data: bytes) -> None:
    whole = split(data)
    for done, line in enumerate(whole, 1):
        rest = split(data[line.end :], offset=line.end, number=done, before=data[: line.end], context=line.context)
        assert rest == whole[done:]


def test_what_stands_between_documents_is_one_that_cannot_be_read() -> None:
    assert [line.body for line in split(b'[1, "a]", {"b": 1}, null] } true [2]')] == [
        *(b'1, "a]", ', b'{"b": 1}', b"null", b"} true ", b"2"),
    ]


def test_a_document_that_is_cut_off_says_so() -> None:
    *_, last = split(b'[{"a": 1}, {"b": "x')
    assert (last.unfinished, last.body, last.context) == (True, b'{"b": "x', IN_ARRAY)
    assert split(b"[{}]")[-1].context == IN_ARRAY
    assert split(b"{}")[-1].context == BETWEEN_VALUES


def test_one_that_is_too_long_is_its_beginning_and_the_next_is_read() -> None:
    long = b'{"text": "' + b"x" * (2 * MAX_LINE_BYTES) + b'"}'
    first, second = split(b"[" + long + b', {"id": 1}]', 1000)
    assert first.sha256 is not None
    assert (first.size, len(first.body)) == (len(long), 64 * 1024)
    assert second.body == b'{"id": 1}'


@given(st.binary(max_size=60) | st.text(alphabet='[]{}",\\ a1', max_size=60).map(str.encode), st.integers(1, 9))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_no_byte_is_lost_and_no_cut_matters(data: bytes, size: int) -> None:
    found = split(data)
    assert split(data, size) == found
    kept = b"".join(line.body for line in found)
    assert sorted(kept.translate(None, b"[] \t\r\n,;")) == sorted(data.translate(None, b"[] \t\r\n,;"))
