"""The forms of documents: each is told by its own fields, and read as the post that it is."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ingest.sources.jsonl.dialects import DIALECTS, dialect_of
from ingest.sources.jsonl.document import read_line
from ingest.sources.jsonl.reading import DocumentEvents, PassedOverDocument
from ingest.sources.jsonl.source import JsonlSource
from tagstream.posts import DeadLetter, Deletion, Event, Post

ID = "1786000000000000002"
AT = datetime(2024, 5, 2, 10, 0, tzinfo=UTC)
# The moment at which X made that id.
MADE = "2024-05-02T11:49:16.000Z"
DID = "did:plc:ewvi7nxzyoun6zhxrhs64oiz"
URI = f"at://{DID}/app.bsky.feed.post/3kriqpejn6222"

CLASSIC = {
    "created_at": "Thu May 02 10:00:00 +0000 2024",
    "id": int(ID),
    "id_str": ID,
    "text": "Water in Porto #Porto",
    "user": {"id": 77, "id_str": "77", "screen_name": "ann_lee"},
    "entities": {"hashtags": [{"text": "Porto", "indices": [15, 21]}]},
    "source": '<a href="http://example.com">a client</a>',
}
FLAT = {
    "id": ID,
    "text": "Water in Porto #Porto",
    "author_id": "77",
    "created_at": "2024-05-02T10:00:00.000Z",
    "edit_history_tweet_ids": [ID],
    "author": {"id": "77", "username": "ann_lee"},
    "source": "Some Client",
}
RECORD = {"$type": "app.bsky.feed.post", "text": "Water in Porto #Porto", "createdAt": "2024-05-02T10:00:00.000Z"}
VIEW = {
    "uri": URI,
    "cid": "bafyreib",
    "author": {"did": DID, "handle": "ann.example.org"},
    "record": RECORD,
    "indexedAt": "2024-05-02T10:00:01.000Z",
}
STATUS = {
    "id": "112233",
    "created_at": "2024-05-02T10:00:00.000Z",
    "visibility": "public",
    "content": '<p>Water in Porto <a href="https://social.example/tags/porto" class="hashtag">#Porto</a></p>',
    "spoiler_text": "",
    "uri": "https://social.example/users/ann/statuses/112233",
    "url": "https://social.example/@ann/112233",
    "account": {"id": "9", "acct": "ann"},
    "media_attachments": [],
    "in_reply_to_id": "112200",
}
EXPORTED = {
    "tweet": {
        "id_str": ID,
        "id": ID,
        "full_text": "Water in Porto #Porto",
        "created_at": "Thu May 02 10:00:00 +0000 2024",
        "entities": {"hashtags": [{"text": "Porto", "indices": ["15", "21"]}]},
        "extended_entities": {
            "media": [
                {
                    "type": "photo",
                    "media_url_https": "https://pbs.example/1.jpg",
                    "sizes": {"large": {"w": "1200", "h": "800"}},
                }
            ]
        },
        "edit_info": {"initial": {"editTweetIds": [ID], "editableUntil": "2024-05-02T11:00:00.000Z"}},
        "favorite_count": "3",
        "truncated": False,
        "source": "a client",
    }
}
ACTIVITY = {
    "objectType": "activity",
    "verb": "post",
    "id": f"tag:search.twitter.com,2005:{ID}",
    "postedTime": "2024-05-02T10:00:00.000Z",
    "body": "Water in Porto #Porto",
    "actor": {"objectType": "person", "id": "id:twitter.com:77", "preferredUsername": "ann_lee"},
    "twitter_entities": {"hashtags": [{"text": "Porto", "indices": [15, 21]}]},
    "twitter_lang": "en",
    "inReplyTo": {"link": "http://twitter.com/bob/statuses/5"},
}
MONGO = {
    "_id": {"$oid": "6633672c0000000000000000"},
    "id": {"$numberLong": ID},
    "created_at": {"$date": "2024-05-02T10:00:00Z"},
    "text": "Water in Porto #Porto",
    "user": {"id": {"$numberLong": "77"}, "screen_name": "ann_lee"},
    "retweet_count": {"$numberInt": "3"},
}
PAGE_POST = {
    "_type": "snscrape.modules.twitter.Tweet",
    "url": f"https://twitter.com/ann_lee/status/{ID}",
    "date": "2024-05-02T10:00:00+00:00",
    "rawContent": "Water in Porto #Porto",
    "id": int(ID),
    "user": {"username": "ann_lee", "id": 77},
    "hashtags": ["Porto"],
    "media": [{"previewUrl": "https://pbs.example/1.jpg", "altText": "Smoke"}],
    "inReplyToTweetId": None,
}
ROW = {
    "id": int(ID),
    "conversation_id": ID,
    "created_at": "2024-05-02 10:00:00 UTC",
    "user_id": 77,
    "username": "ann_lee",
    "tweet": "Water in Porto #Porto",
    "language": "en",
    "photos": ["https://pbs.example/1.jpg"],
    "hashtags": ["porto"],
}
FRAME = {
    "did": DID,
    "time_us": 1_714_644_001_000_000,
    "kind": "commit",
    "commit": {
        "rev": "3kriqpejn6222",
        "operation": "create",
        "collection": "app.bsky.feed.post",
        "rkey": "3kriqpejn6222",
        "record": RECORD,
    },
}

# Of every form its name, an example, and the id of the post in it.
EXAMPLES: list[tuple[str, dict[str, Any], str]] = [
    ("a post of X's API 1.1", CLASSIC, f"x:{ID}"),
    ("a post of X's API 1.1", {**CLASSIC, "created_at": "2024-05-02T10:00:00.000Z"}, f"x:{ID}"),
    ("a post of X's API 1.1", {**CLASSIC, "created_at": 1714644000000, "id_str": None}, f"x:{ID}"),
    ("a post of X's API 1.1", EXPORTED["tweet"], f"x:{ID}"),
    ("a page of posts of X's API 1.1, or of Mastodon", {"statuses": [CLASSIC], "search_metadata": {}}, f"x:{ID}"),
    ("a page of posts of X's API 1.1, or of Mastodon", {"statuses": [STATUS]}, "mastodon:social.example:112233"),
    ("a post of X's API v2", {"data": FLAT, "includes": {"users": [FLAT["author"]]}}, f"x:{ID}"),
    ("a post of X's API v2", {"data": {"id": ID, "text": "Water", "created_at": MADE}}, f"x:{ID}"),
    ("a page of posts of X's API v2", {"data": [FLAT], "meta": {"result_count": 1}}, f"x:{ID}"),
    ("a page of posts of X's API v2", {"data": [FLAT]}, f"x:{ID}"),
    ("a post of X's API v2 on a line of its own", FLAT, f"x:{ID}"),
    (
        "a post of X's API v2 on a line of its own",
        {"id": ID, "text": "Water", "created_at": MADE, "author_id": "77"},
        f"x:{ID}",
    ),
    (
        "a post of X's API v2 on a line of its own",
        {"id": ID, "text": "Water", "created_at": MADE, "source": "Some Client", "author": {"username": "ann"}},
        f"x:{ID}",
    ),
    ("a post of X as an activity", ACTIVITY, f"x:{ID}"),
    ("a post of X as snscrape writes it", PAGE_POST, f"x:{ID}"),
    ("a post of X as twint writes it", ROW, f"x:{ID}"),
    ("a post of X in a data set", {"tweet_id": ID, "tweet_text": "Water in Porto", "class_label": "other"}, f"x:{ID}"),
    ("a page of posts of Bluesky", {"feed": [{"post": VIEW}], "cursor": "1"}, f"bluesky:{DID}/3kriqpejn6222"),
    (
        "a page of posts that were searched for on Bluesky",
        {"posts": [VIEW], "hitsTotal": 1},
        f"bluesky:{DID}/3kriqpejn6222",
    ),
    (
        "a page of records of Bluesky",
        {"records": [{"uri": URI, "cid": "b", "value": RECORD}]},
        f"bluesky:{DID}/3kriqpejn6222",
    ),
    ("an entry of a timeline of Bluesky", {"post": VIEW, "reason": {"by": {}}}, f"bluesky:{DID}/3kriqpejn6222"),
    ("a post of Bluesky", VIEW, f"bluesky:{DID}/3kriqpejn6222"),
    ("a record of Bluesky", {"uri": URI, "cid": "b", "value": RECORD}, f"bluesky:{DID}/3kriqpejn6222"),
    ("an event of Bluesky's Jetstream", FRAME, f"bluesky:{DID}/3kriqpejn6222"),
    ("a status of Mastodon", STATUS, "mastodon:social.example:112233"),
]


def read(document: object) -> DocumentEvents:
    return read_line(json.dumps(document).encode(), origin="a:1", position=1)


def only(document: object) -> Event:
    (event,) = read(document).events
    return event


@pytest.mark.parametrize(("name", "document", "identifier"), EXAMPLES, ids=[one[0] for one in EXAMPLES])
def test_every_form_is_told_by_its_fields_and_read(name: str, document: dict[str, Any], identifier: str) -> None:
    dialect = dialect_of(document)
    assert dialect is not None
    assert dialect.name == name
    event = only(document)
    assert isinstance(event, Post), event
    assert event.id == identifier
    assert event.text.startswith("Water")


def test_every_form_that_holds_posts_has_an_example() -> None:
    silent = {"a notice of X's streams", "a deletion of X's API 1.1", "an event of X's compliance streams"}
    silent |= {"an answer of X without posts", "an answer of X with errors alone", "a page of users of X"}
    assert {one.name for one in DIALECTS} - silent == {name for name, _, _ in EXAMPLES}


@pytest.mark.parametrize(
    "document", [CLASSIC, FLAT, EXPORTED, ACTIVITY, MONGO, PAGE_POST, ROW, {"_source": CLASSIC, "_id": "x"}]
)
def test_all_forms_of_a_post_of_x_are_one_post(document: dict[str, Any]) -> None:
    event = only(document)
    assert isinstance(event, Post)
    assert (event.id, event.source, event.created_at, event.text) == (f"x:{ID}", "x", AT, "Water in Porto #Porto")
    assert [(one.text, one.start, one.end) for one in event.hashtags] == [("Porto", 15, 21)]
    if document is not EXPORTED:
        assert event.author is not None
        assert (event.author.id, event.author.handle) == ("77", "ann_lee")


@pytest.mark.parametrize("document", [VIEW, {"post": VIEW}, {"uri": URI, "value": RECORD}, FRAME])
def test_all_forms_of_a_post_of_bluesky_are_one_post(document: dict[str, Any]) -> None:
    event = only(document)
    assert isinstance(event, Post)
    assert event.author is not None
    assert (event.id, event.author.id, event.created_at) == (f"bluesky:{DID}/3kriqpejn6222", DID, AT)
    assert event.url == f"https://bsky.app/profile/{DID}/post/3kriqpejn6222"
    assert [one.text for one in event.hashtags] == ["Porto"]


def test_what_belongs_to_a_flattened_post_stands_within_it() -> None:
    whole = "Flooding in Porto tonight, trains are cancelled and Maria Costa asks all to stay at home"
    document = {
        **FLAT,
        "text": f"RT @bob_x: {whole[:60]}…",
        "attachments": {"media_keys": ["3_1"], "media": [{"media_key": "3_1", "type": "photo", "url": "https://a/1"}]},
        "referenced_tweets": [
            {
                "type": "retweeted",
                "id": "1785999999999999999",
                "text": whole,
                "author": {"id": "5", "username": "bob_x"},
                "attachments": {
                    "media": [{"media_key": "3_2", "type": "photo", "url": "https://a/2", "alt_text": "Water"}]
                },
            },
            {"type": "replied_to", "id": "1785999999999999990"},
        ],
    }
    event = only(document)
    assert isinstance(event, Post)
    assert event.text == f"RT @bob_x: {whole}"
    assert [one.alt for one in event.media] == ["Water"]
    assert event.reply_to == "x:1785999999999999990"
    assert only({"delete": {"status": {"id_str": ID}}}) == Deletion(id=event.id, source="x", position=int(ID))


def test_a_repeated_activity_is_whole() -> None:
    original = {**ACTIVITY, "id": "tag:search.twitter.com,2005:5", "long_object": {"body": "All of it, at length"}}
    event = only({**ACTIVITY, "verb": "share", "body": "RT @bob: All of…", "object": original, "inReplyTo": None})
    assert isinstance(event, Post)
    assert event.text == "RT @bob: All of it, at length"


def test_statuses_of_other_servers_have_the_ids_of_their_own() -> None:
    account = {"id": "55", "acct": "bea@far.example"}
    remote = {**STATUS, "uri": "https://far.example/users/bea/statuses/77", "account": account}
    event = only(remote)
    assert isinstance(event, Post)
    assert (event.id, event.reply_to) == ("mastodon:far.example:77", None)
    named = only({**remote, "source": "mastodon:social.example"})
    assert isinstance(named, Post)
    assert (named.id, named.reply_to) == ("mastodon:social.example:112233", "mastodon:social.example:112200")


NOTICES: list[tuple[object, PassedOverDocument]] = [
    ({"limit": {"track": 1200, "timestamp_ms": "1714644000000"}}, PassedOverDocument.LIMIT),
    ({"scrub_geo": {"user_id": 14, "up_to_status_id": 23}}, PassedOverDocument.SCRUB_GEO),
    ({"status_withheld": {"id": 1, "withheld_in_countries": ["DE"]}}, PassedOverDocument.STATUS_WITHHELD),
    ({"user_withheld": {"id": 2}}, PassedOverDocument.USER_WITHHELD),
    ({"disconnect": {"code": 4}}, PassedOverDocument.DISCONNECT),
    ({"warning": {"code": "FALLING_BEHIND"}, "timestamp_ms": "1"}, PassedOverDocument.WARNING),
    ({"friends": [1]}, PassedOverDocument.FRIENDS),
    (
        {"event": "favorite", "source": {}, "target": {}, "created_at": "x", "target_object": {}},
        PassedOverDocument.USER_EVENT,
    ),
    ({"info": {"message": "Replay Request Completed", "activity_count": 5}}, PassedOverDocument.INFO),
    ({"meta": {"result_count": 0}}, PassedOverDocument.EMPTY_PAGE),
    ({"data": [], "meta": {"result_count": 0}}, PassedOverDocument.EMPTY_PAGE),
    ({"statuses": [], "search_metadata": {}}, PassedOverDocument.EMPTY_PAGE),
    ({"feed": [], "cursor": "x"}, PassedOverDocument.EMPTY_PAGE),
    ({"data": [{"id": "9", "username": "ann", "name": "Ann"}], "meta": {"result_count": 1}}, PassedOverDocument.USERS),
    ({"data": {"id": "9", "username": "ann", "name": "Ann"}}, PassedOverDocument.USERS),
    ({"users": [{"id": 9, "screen_name": "ann"}], "next_cursor": 0}, PassedOverDocument.USERS),
    ([], PassedOverDocument.NOTHING),
    (None, PassedOverDocument.NOTHING),
    ({"errors": [{"title": "Not Found Error"}]}, PassedOverDocument.ERRORS),
    (
        {"title": "ConnectionException", "detail": "x", "type": "https://api.example/problems/x"},
        PassedOverDocument.ERRORS,
    ),
    ({"data": {"scrub_geo": {"event_at": "2024-05-02T10:00:00Z"}}}, PassedOverDocument.COMPLIANCE),
    ({**STATUS, "reblog": STATUS}, PassedOverDocument.REBLOG),
    ({**STATUS, "visibility": "unlisted"}, PassedOverDocument.NOT_PUBLIC),
    ({"uri": URI.replace("post", "like"), "value": {"$type": "app.bsky.feed.like"}}, PassedOverDocument.OTHER_RECORD),
]


@pytest.mark.parametrize(("document", "name"), NOTICES, ids=lambda value: str(value)[:30])
def test_what_is_right_and_no_post_is_counted_by_name(document: object, name: PassedOverDocument) -> None:
    assert read(document) == DocumentEvents(passed_over=(name,))


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({**FLAT, "id": 1.786e18}, "read as a post of X's API v2 on a line of its own: id is 1.786e+18"),
        ({**FLAT, "author_id": "ann"}, 'author_id is "ann"'),
        ({**FLAT, "created_at": "soon"}, 'created_at is "soon"'),
        ({**CLASSIC, "text": None}, "read as a post of X's API 1.1: the text is null"),
        ({"data": {"id": ID, "text": 5}}, "nearest to a post of X's API v2, but data.text is 5, it should be a string"),
        (
            {"data": {"id": "abc", "text": "Water"}},
            'nearest to a post of X\'s API v2, but data.id is "abc", it should be the digits of an id of X',
        ),
        ({"id": ID, "text": "Water"}, "created_at is missing"),
        (
            {"tweet_id": ID, "tweet_text": None},
            "nearest to a post of X in a data set, but tweet_text or text is missing",
        ),
        ({**VIEW, "record": "x"}, 'nearest to a post of Bluesky, but record is "x", it should be an object'),
        ({**STATUS, "content": 5}, "read as a status of Mastodon: content is 5"),
        (
            {"id": ID, "text": "Water", "created_at": "soon", "user": {"id": 9, "screen_name": "ann"}},
            'read as a post of X\'s API 1.1: created_at is "soon"',
        ),
    ],
)
def test_a_refusal_says_which_field_of_which_type_stands_in_the_way(document: dict[str, Any], said: str) -> None:
    letter = only(document)
    assert isinstance(letter, DeadLetter), letter
    assert said in letter.message
    assert len(letter.message) < 500


@pytest.mark.parametrize(
    "document",
    [
        {"id": 7, "text": "Oslo", "created_at": 1714644000, "user": "bob", "entities": {"x": 1}, "lang": "en"},
        {"id": ID, "text": "Oslo", "created_at": MADE, "source": "x", "author": {"id": "77", "handle": "ann"}},
        {"id": "7", "text": "Oslo", "created_at": MADE, "author_id": "77", "conversation_id": "5"},
        {"id": "a", "text": "Oslo", "created_at": MADE, "content": "<p>", "uri": "https://a.example/1"},
        {"id": "a", "text": "Oslo", "created_at": MADE, "posts": [1], "data": {"id": "1"}, "errors": [{}]},
    ],
)
def test_lines_of_our_own_keep_their_fields_of_other_names(document: dict[str, Any]) -> None:
    event = only(document)
    assert isinstance(event, Post)
    assert event.id == f"{document.get('source', 'jsonl')}:{document['id']}"


async def read_file(path: Path, cursor: str | None = None) -> list[tuple[str, str]]:
    source = JsonlSource(str(path))
    await source.open(cursor)
    found = []
    while batch := await source.next_batch(2):
        found += [(getattr(one.event, "id", type(one.event).__name__), one.cursor) for one in batch]
    await source.close()
    return found


def own(number: int) -> dict[str, Any]:
    return {"id": number, "text": 'brackets } ] and "quotes"', "created_at": 1714644000 + number}


def exported(number: int) -> dict[str, Any]:
    return {"tweet": {**EXPORTED["tweet"], "id_str": str(number), "edit_info": None}}


FILES = {
    "array": json.dumps([own(number) for number in range(5)]),
    "indented_array": json.dumps([own(number) for number in range(5)], indent=2),
    "indented_objects": "\n".join(json.dumps(own(number), indent=2) for number in range(5)),
    "export": "window.YTD.tweets.part0 = " + json.dumps([exported(number) for number in range(5)], indent=2),
    "older_export": "Grailbird.data.tweets_2013_05 = \n "
    + json.dumps([{**CLASSIC, "id_str": str(number)} for number in range(5)]),
}


@pytest.mark.parametrize("name", FILES)
async def test_files_that_are_not_made_of_lines_are_read_and_resumed_exactly(tmp_path: Path, name: str) -> None:
    path = tmp_path / "feed.json"
    path.write_text(FILES[name])
    whole = await read_file(path)
    source = "x" if "export" in name else "jsonl"
    assert [identifier for identifier, _ in whole] == [f"{source}:{number}" for number in range(5)]
    for done, (_, cursor) in enumerate(whole, 1):
        assert await read_file(path, cursor) == whole[done:]


async def test_an_array_that_is_being_written_is_read_on(tmp_path: Path) -> None:
    path = tmp_path / "feed.json"
    text = json.dumps([own(number) for number in range(4)], indent=2)
    path.write_text(text[: text.index('"id": 2') + 3])
    first = await read_file(path)
    assert [identifier for identifier, _ in first] == ["jsonl:0", "jsonl:1", "DeadLetter"]
    assert await read_file(path, first[-1][1]) == []
    path.write_text(text)
    source = JsonlSource(str(path))
    await source.open(first[-1][1])
    again, *_ = await source.next_batch(9)
    await source.close()
    assert isinstance(again.event, Post)
    assert (again.event.id, again.supersedes) == ("jsonl:2", f"{path}:3")


async def test_a_line_over_the_bound_is_a_letter_and_one_below_it_is_read(tmp_path: Path) -> None:
    posts = [{**FLAT, "id": str(int(ID) + n), "edit_history_tweet_ids": None, "text": "x" * 2000} for n in range(700)]
    page = json.dumps({"data": posts, "meta": {"result_count": 700}})
    assert len(page) > 1_500_000
    path = tmp_path / "pages.jsonl"
    path.write_text(f"{page}\n{json.dumps(FLAT)}\n")

    async def count(limit: int) -> list[str]:
        source = JsonlSource(str(path), limit)
        await source.open(None)
        found: list[str] = []
        while batch := await source.next_batch(500):
            found += [type(one.event).__name__ for one in batch]
        await source.close()
        return found

    assert await count(4 * 1024 * 1024) == ["Post"] * 701
    assert await count(1024 * 1024) == ["DeadLetter", "Post"]


@pytest.mark.parametrize(
    ("document", "titles"),
    [
        ({**CLASSIC, "entities": {"urls": [{"url": "https://t.co/1", "expanded_url": "https://a.example/1"}]}}, [""]),
        ({**FLAT, "entities": {"urls": [{"expanded_url": "https://a.example/1", "title": "Rain"}] * 2}}, ["Rain"]),
        ({**FLAT, "entities": {"urls": [{"expanded_url": "https://a.example/1", "media_key": "3_1"}]}}, []),
        ({**FLAT, "entities": {"urls": [{"expanded_url": 5}, {"expanded_url": "javascript:1"}, {}]}}, []),
        ({**STATUS, "card": {"url": "https://a.example/1", "title": "Rain", "description": "x" * 20_000}}, ["Rain"]),
        ({**STATUS, "card": {"url": "https://a.example/" + "x" * 5_000, "title": "Rain"}}, []),
        ({**STATUS, "card": "x"}, []),
    ],
)
def test_the_links_that_a_network_names_are_kept(document: dict[str, Any], titles: list[str]) -> None:
    event = only(document)
    assert isinstance(event, Post), event
    assert [one.title for one in event.links] == titles
    assert all(one.url == "https://a.example/1" for one in event.links)
