"""Tables of posts: which column holds what, and a record as a post."""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from ingest.sources.formats.json_fields import MalformedLine
from ingest.sources.jsonl.table import Table, table_of, table_options
from ingest.sources.open import open_source
from tagstream.errors import BadSettings, UnreadableInput
from tagstream.posts import DeadLetter, Event, Post

OWN = "id;Text;Created At;user;lang\n7;Rain in Porto;2024-05-02T10:00:00Z;ann;en\n"
OF_X = "tweet id, tweet, label\n'325208201740029952',\"Rain, in Porto\",on-topic\n"


def table(header: bytes) -> Table:
    found = table_of(header)
    assert found is not None
    return found


def read(spec: str, cursor: str | None = None, limit: int = 1000) -> tuple[list[Event], str | None]:
    async def work() -> tuple[list[Event], str | None]:
        source = open_source(spec)
        await source.open(cursor)
        received: Sequence = await source.next_batch(limit)
        events, last = [], cursor
        while received:
            events += [item.event for item in received]
            last = received[-1].cursor
            if len(events) >= limit:
                break
            received = await source.next_batch(limit)
        await source.close()
        return events, last

    return asyncio.run(work())


def written(folder: Path, content: str | bytes, name: str = "posts.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    ("header", "fields"),
    [
        (b"tweet_id,text,created_at,user_id", {"id": 0, "text": 1, "created_at": 2, "author_id": 3}),
        (b"Tweet ID\tTweet Text", {"id": 0, "text": 1}),
        (b'\xef\xbb\xbf"Date";"Content";"Username"', {"created_at": 0, "text": 1, "author_handle": 2}),
        (b"id|text|full_text|date", {"id": 0, "text": 2, "created_at": 3}),
    ],
)
def test_columns_are_known_by_their_names(header: bytes, fields: dict[str, int]) -> None:
    assert table(header).fields == fields


@pytest.mark.parametrize("header", [b"a,b,c", b"\x81,text", b"", b'"text'])
def test_a_line_without_a_text_column_is_no_header(header: bytes) -> None:
    assert table_of(header) is None


def test_a_record_is_a_post_of_ours(tmp_path: Path) -> None:
    [post], _ = read(f"csv:{written(tmp_path, OWN)}")
    assert isinstance(post, Post)
    assert (post.id, post.text, post.lang) == ("csv:7", "Rain in Porto", "en")
    assert post.author is not None
    assert post.author.id == "ann"


def test_ids_of_x_say_their_own_date(tmp_path: Path) -> None:
    [post], _ = read(f"jsonl:{written(tmp_path, OF_X)}")
    assert isinstance(post, Post)
    assert (post.id, post.text) == ("x:325208201740029952", "Rain, in Porto")
    assert post.created_at.isoformat() == "2013-04-19T11:24:12.028000+00:00"


@pytest.mark.parametrize(
    ("header", "values", "expected"),
    [
        ("date,time", "2024-03-13,10:30:00", "2024-03-13T10:30:00"),
        ("time,date", "10:30:00+02:00,2024-03-13", "2024-03-13T08:30:00"),
        ("date,time", "13/03/2024,10:30 PM", "2024-03-13T22:30:00"),
        ("Date,Time", "20240313,9:05", "2024-03-13T09:05:00"),
        ("date,time", "13 Mar 2024,9:05", "2024-03-13T09:05:00"),
        ("date,hour", "2024-03-13,9", "2024-03-13T09:00:00"),
        ("date,time", "2024-03-13,9", "2024-03-13T00:00:00"),
        ("date,time", "2024-03-13,", "2024-03-13T00:00:00"),
        ("date,time", "2024-03-13,later", "2024-03-13T00:00:00"),
        ("created_at,time", "2024-03-13T10:00:00Z,11:30", "2024-03-13T10:00:00"),
        ("created_at,time", "1710324000,11:30", "2024-03-13T10:00:00"),
        ("time,lang", "2024-03-13T10:00:00Z,en", "2024-03-13T10:00:00"),
    ],
)
def test_a_date_and_a_time_of_day_in_two_columns_are_joined(
    tmp_path: Path, header: str, values: str, expected: str
) -> None:
    path = written(tmp_path, f"id,text,{header}\n2,Macron in Paris,{values}\n")
    [post], _ = read(f"csv:{path}")
    assert isinstance(post, Post)
    assert post.created_at.isoformat() == f"{expected}+00:00"


def test_columns_may_be_named(tmp_path: Path) -> None:
    path = written(tmp_path, "was gesagt wurde,wann\nRegen in Porto,2024-05-02\n")
    [post], _ = read(f"csv:{path}?text=was%20gesagt%20wurde&created_at=wann")
    assert isinstance(post, Post)
    assert post.text == "Regen in Porto"
    assert post.id.startswith("csv:row-")
    assert read(f"csv:{path}?text=was gesagt wurde&created_at=wann")[0] == [post]


def test_reading_goes_on_where_it_stopped_and_with_what_came_since(tmp_path: Path) -> None:
    rows = [f"{number};row {number};2024-05-02T10:00:00Z;ann;en\n" for number in range(20)]
    path = written(tmp_path, OWN.splitlines(keepends=True)[0] + "".join(rows))
    first, cursor = read(f"csv:{path}", limit=5)
    path.write_bytes(path.read_bytes() + b"20;half")
    second, cursor = read(f"csv:{path}", cursor)
    assert isinstance(second[-1], DeadLetter)
    path.write_bytes(path.read_bytes() + b" a row;2024-05-02T10:00:00Z;ann;en\n")
    third, _ = read(f"csv:{path}", cursor)
    texts = [event.text for event in (*first, *second, *third) if isinstance(event, Post)]
    assert texts == [*(f"row {number}" for number in range(20)), "half a row"]


def test_a_record_that_cannot_be_read_is_kept_with_its_bytes(tmp_path: Path) -> None:
    rows = ["8;too;few\n", "9;Rain;not a time;ann;en\n", "10;Sun;2024-05-02;bea;en\n"]
    events, _ = read(f"csv:{written(tmp_path, OWN + ''.join(rows))}")
    letters = [event for event in events if isinstance(event, DeadLetter)]
    assert [(letter.cause, letter.body) for letter in letters] == [
        ("invalid_csv", rows[0].encode()),
        ("bad_created_at", rows[1].encode()),
    ]
    assert "3 values" in letters[0].message
    assert letters[0].origin.endswith("posts.csv:3")
    assert len(events) == 4


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a,b,c\n1,2,3\n", "csv:PATH?text=COLUMN"),
        ("text,id\nRain,7\n", "csv:PATH?created_at=COLUMN"),
        (OWN.encode("utf-16"), "UTF-16"),
    ],
)
def test_a_table_of_which_no_post_can_be_read_is_refused_at_once(
    tmp_path: Path, content: str | bytes, said: str
) -> None:
    path = written(tmp_path, content)
    for scheme in ("csv", "jsonl"):
        with pytest.raises(UnreadableInput, match="UTF-16" if said == "UTF-16" else said.replace("?", r"\?")):
            read(f"{scheme}:{path}")


def test_options_that_no_table_has_are_refused(tmp_path: Path) -> None:
    assert table_options("a?text=b&delimiter=tab")[1].delimiter == "\t"
    for options in ("colour=red", "delimiter=both"):
        with pytest.raises(BadSettings, match="delimiter"):
            table_options(f"a?{options}")
    with pytest.raises(BadSettings, match="no column 'nowhere'"):
        read(f"csv:{written(tmp_path, OWN)}?text=nowhere")


def test_a_table_may_come_in_pieces_through_a_pipe() -> None:
    async def work() -> list[Event]:
        reading, writing = os.pipe()
        source = open_source(f"csv:/dev/fd/{reading}")
        events: list[Event] = []
        for piece in (b"id;Te", b"xt;date\n7;Rain", b" in Porto;2024-05-02\n"):
            os.write(writing, piece)
            await asyncio.sleep(0.01)
            if not events and piece.startswith(b"id"):
                await source.open(None)
        os.close(writing)
        while received := await source.next_batch(10):
            events += [item.event for item in received]
        await source.close()
        os.close(reading)
        return events

    [post] = asyncio.run(work())
    assert isinstance(post, Post)
    assert post.text == "Rain in Porto"


def test_a_record_of_other_bytes_is_refused() -> None:
    with pytest.raises(MalformedLine, match="UTF-8"):
        table(b"id,text,date").record_fields(b"1,\xff,2024-05-02\n")


def posts_of(path: Path) -> list[Post]:
    return [event for event in read(f"jsonl:{path}")[0] if isinstance(event, Post)]


@pytest.mark.parametrize(
    "content",
    [
        OWN.replace("Rain", "Köln – 5 €").encode("cp1252"),
        "sep=;\r\n" + OWN.replace("Rain", "Köln – 5 €").replace("\n", "\r\n"),
        b"\xef\xbb\xbf" + b"sep=;\r\n" + OWN.replace("Rain", "Köln – 5 €").encode(),
    ],
    ids=["text of Windows", "line of a spreadsheet", "that line after a mark"],
)
def test_what_spreadsheets_write_is_read(tmp_path: Path, content: str | bytes) -> None:
    path = written(tmp_path, content)
    (post,) = posts_of(path)
    assert post.text == "Köln – 5 € in Porto"
    _, cursor = read(f"jsonl:{path}")
    with path.open("ab") as file:
        file.write(b"8;more;2024-05-02T11:00:00Z;ann;en\n")
    events, _ = read(f"jsonl:{path}", cursor)
    assert [event.text for event in events if isinstance(event, Post)] == ["more"]


def test_a_table_of_utf_8_with_one_damaged_record_stays_one(tmp_path: Path) -> None:
    rows = b"8;K\xc3\xb6ln;2024-05-02;ann;en\n" + b"9;K\xf6ln;2024-05-02;ann;en\n"
    events, _ = read(f"csv:{written(tmp_path, OWN.encode() + rows)}")
    assert [event.cause if isinstance(event, DeadLetter) else event.text for event in events[1:]] == [
        "Köln",
        "invalid_utf8",
    ]


def test_the_address_of_a_photo_is_a_photo_and_a_path_is_none(tmp_path: Path) -> None:
    labels = "informative\t1.0\tNaN"
    head = "tweet_id\timage_id\ttext_info\ttext_info_conf\timage_damage\ttweet_text\timage_url\timage_path\n"
    row = f"917791044158185473\t917791044158185473_0\t{labels}\tWildfires\thttp://pbs.example/a.jpg\tdata_image/a.jpg\n"
    (post,) = posts_of(written(tmp_path, head + row, "crisismmd.tsv"))
    assert (post.id, post.text, [one.url for one in post.media]) == (
        "x:917791044158185473",
        "Wildfires",
        ["http://pbs.example/a.jpg"],
    )
    (post,) = posts_of(written(tmp_path, "tweet_id,tweet_text,image\n917791044158185473,Fire,data_image/a.jpg\n"))
    assert post.media == ()
    (post,) = posts_of(written(tmp_path, "id,text,date,photo\n1,Fire,2024-05-02,https://x.example/a.jpg\n"))
    assert [one.url for one in post.media] == ["https://x.example/a.jpg"]


def test_a_table_of_twarc_is_of_x_with_its_photos(tmp_path: Path) -> None:
    head = "id,conversation_id,author_id,created_at,text,lang,author.username,attachments.media\n"
    media = '"[{""media_key"": ""3_1"", ""type"": ""photo"", ""url"": ""https://pbs.example/b.jpg""}]"'
    row = f'1212092628029698048,1212092628029698048,77,2019-12-31T19:26:16.000Z,"Hi, Berlin\nyou",en,ann,{media}\n'
    (post,) = posts_of(written(tmp_path, head + row))
    assert (post.id, post.text, post.author and post.author.handle) == (
        "x:1212092628029698048",
        "Hi, Berlin\nyou",
        "ann",
    )
    assert [one.url for one in post.media] == ["https://pbs.example/b.jpg"]


def test_a_table_of_crisislex_t26_is_read(tmp_path: Path) -> None:
    head = "Tweet ID, Tweet Text, Information Source, Information Type, Informativeness\n"
    (post,) = posts_of(
        written(tmp_path, head + '"211040709124440064","Fire, #Colorado",Eyewitness,Other,Related and informative\n')
    )
    assert (post.id, post.text, post.created_at.year) == ("x:211040709124440064", "Fire, #Colorado", 2012)
