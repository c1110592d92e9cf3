"""The event stream of the HTML standard, in pieces of every size, and without an end."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.sources.formats.server_sent_events import EventTooLong, ServerSentEvent, ServerSentEventReader


def read(stream: bytes, *cuts: int) -> list[ServerSentEvent]:
    reader = ServerSentEventReader()
    places = [0, *sorted(cuts), len(stream)]
    return [event for start, end in pairwise(places) for event in reader.feed(stream[start:end])]


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"event: update\ndata: {}\n\n", [("update", b"{}")]),
        (b"data: one\n\ndata:two\n\n", [("message", b"one"), ("message", b"two")]),
        (b"data: a\ndata: b\ndata:\n\n", [("message", b"a\nb\n")]),
        (b"data\n\n", [("message", b"")]),
        (b"data:  two spaces\n\n", [("message", b" two spaces")]),
        (b":)\n:thump\nevent: delete\ndata: 7\n\n:thump\n", [("delete", b"7")]),
        (b"event: nothing\n\ndata: x\n\n", [("message", b"x")]),
        (b"id: 7\nretry: 3\nother: x\ndata: y\n\n", [("message", b"y")]),
        (b"\xef\xbb\xbfdata: x\n\n\xef\xbb\xbfdata: y\n\n", [("message", b"x")]),
        (b"data: x\r\n\r\ndata: y\r\rdata: z\n\n", [("message", b"x"), ("message", b"y"), ("message", b"z")]),
        ("data: a\u2028b\u0085c\x0bd\n\n".encode(), [("message", "a\u2028b\u0085c\x0bd".encode())]),
        (b"data: a:b: c\n\n", [("message", b"a:b: c")]),
        (b"event: \xff\xfe\ndata: x\n\n", [("\ufffd\ufffd", b"x")]),
        (b"\n\n\r\n\r\r", []),
        (b"data: never ended\n", []),
        (b"", []),
    ],
)
def test_events_are_read(stream: bytes, events: list[tuple[str, bytes]]) -> None:
    assert [(event.name, event.data) for event in read(stream)] == events


@given(
    st.lists(
        st.sampled_from([b"data: x", b"data", b"event: e", b":c", b"", b"\r\n", b"\n", b"\r", b"\n\n", b"\xe2\x80\xa8"])
    ),
    st.lists(st.integers(0, 60)),
)
def test_the_cuts_do_not_matter(parts: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(parts)
    whole = read(stream)
    assert read(stream, *(min(cut, len(stream)) for cut in cuts)) == whole
    assert read(stream, *range(len(stream))) == whole


@pytest.mark.parametrize("endless", [b"x", b"data: ", b":comment", b"data: x\n", b"data\n", b"event: y"])
@pytest.mark.parametrize("piece", [1, 7, 1000])
def test_an_event_without_end_is_refused(endless: bytes, piece: int) -> None:
    reader = ServerSentEventReader(max_event_bytes=500)
    stream = b"data: before\n\n" + endless * 2000
    before: list[ServerSentEvent] = []
    with pytest.raises(EventTooLong) as refused:  # noqa: PT012
        for start in range(0, len(stream), piece):
            before += reader.feed(stream[start : start + piece])
    before += refused.value.before
    assert before == [ServerSentEvent("message", b"before")]
    assert 0 < len(refused.value.beginning) <= 500
    assert start <= 14 + len(endless) * 600 + piece


def test_the_beginning_of_a_refused_event_does_not_depend_on_the_cuts() -> None:
    beginnings = set()
    for piece in (1, 33, 4096):
        reader = ServerSentEventReader(max_event_bytes=300)
        stream = b"data: " + b"0123456789" * 100
        try:
            for start in range(0, len(stream), piece):
                reader.feed(stream[start : start + piece])
        except EventTooLong as error:
            beginnings.add(error.beginning)
    assert beginnings == {(b"data: " + b"0123456789" * 100)[:300]}


def test_a_large_event_within_the_limit_is_read_whole() -> None:
    data = b"x" * 900_000
    assert read(b"data: " + data + b"\n\n", *range(0, 900_000, 65_536)) == [ServerSentEvent("message", data)]
