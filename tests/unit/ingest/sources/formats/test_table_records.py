"""Records of a table: where each begins and ends, however the bytes come, and what a stray quote costs."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.sources.formats.lines import Line
from ingest.sources.formats.records import IN_TABLE, MAX_QUOTED_BYTES, RecordSplitter

TABLE = b'id,text\n1,plain\n2,"two\nlines, and ""quotes"""\n3, "after a space\r\n"\r\n4,5" pipe\n5,""\n'
RECORDS = [
    b"id,text\n",
    b"1,plain\n",
    b'2,"two\nlines, and ""quotes"""\n',
    b'3, "after a space\r\n"\r\n',
    b'4,5" pipe\n',
    b'5,""\n',
]


def split(data: bytes, size: int | None = None, **options: Any) -> list[Line]:
    splitter = RecordSplitter(b",", **options)
    size = size or max(1, len(data))
    found = [line for at in range(0, len(data), size) for line in splitter.feed(data[at : at + size])]
    return found + splitter.finish()


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, None])
def test_records_do_not_depend_on_how_the_bytes_were_cut(size: int | None) -> None:
    found = split(TABLE, size)
    assert [line.body for line in found] == RECORDS
    assert found == split(TABLE)
    assert {line.context for line in found} == {IN_TABLE}


def test_reading_goes_on_after_any_record() -> None:
    whole = split(TABLE)
    for done, line in enumerate(whole, 1):
        assert split(TABLE[line.end :], offset=line.end, number=done, before=TABLE[: line.end]) == whole[done:]


def test_a_record_that_is_cut_off_says_so() -> None:
    *_, last = split(b"id,text\n1,half")
    assert (last.body, last.unfinished) == (b"1,half", True)
    *_, open_quote = split(b'id,text\n1,"half')
    assert (open_quote.body, open_quote.unfinished) == (b'1,"half', True)
    assert not split(TABLE)[-1].unfinished


def test_a_quote_that_never_closes_costs_one_record() -> None:
    rows = [b"%d,row %d\n" % (number, number) for number in range(40_000)]
    data = b'0,"never closed\n' + b"".join(rows)
    assert len(data) > 2 * MAX_QUOTED_BYTES
    found = split(data, 4096)
    assert [line.body for line in found] == [b'0,"never closed\n', *rows]
    assert found[-1].end == len(data)


def test_a_quote_that_is_open_at_the_end_costs_one_record() -> None:
    found = split(b'1,"open\n2,b\n3,c\n')
    assert [line.body for line in found] == [b'1,"open\n', b"2,b\n", b"3,c\n"]


def test_a_line_over_the_limit_is_its_beginning_and_the_next_is_read() -> None:
    long = b"1," + b"x" * 300_000 + b"\n"
    found = split(b'0,"open\n' + long + b"2,b\n", 10_000, max_bytes=100_000)
    assert [line.number for line in found] == [1, 2, 3]
    assert found[1].sha256 is not None
    assert found[1].size == len(long)
    assert found[2].body == b"2,b\n"
    assert found == split(b'0,"open\n' + long + b"2,b\n", 777, max_bytes=100_000)


@given(st.text(alphabet='", a\n\r', max_size=60).map(str.encode), st.integers(1, 9))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_no_byte_is_lost_and_no_cut_matters(data: bytes, size: int) -> None:
    found = split(data)
    assert split(data, size) == found
    assert b"".join(line.body for line in found) == data
    assert [line.end for line in found][-1:] == ([len(data)] if data else [])
