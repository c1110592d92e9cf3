"""One name has one key, however it is typed, wherever it stands, and whoever asks."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.elastic.upgrade import renewed_document
from search.query import Named, parse
from search.registry import RegistryRecord
from tagstream.posts import Entity, SegmentedHashtag, TaggedPost
from tagstream.text.entity_keys import NameKeys, fold_key, with_current_keys

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

SPELLINGS = [
    ("at&t", "AT&T", "AT&amp;T", "AT&#38;T", "at＆t"),
    ("o'neal", "O'Neal", "O’Neal", "O‘Neal", "OʼNeal", "O´Neal", "O′Neal", "O`Neal", "O＇Neal", "O&#39;Neal"),
    ("coca-cola", "Coca-Cola", "Coca\u2010Cola", "Coca\u2011Cola", "Coca–Cola", "Coca−Cola", "Coca－Cola", "COCA-COLA"),
    ("istanbul", "İstanbul", "Istanbul", "ISTANBUL", "ıstanbul", "i\u0307stanbul", "I\u0307stanbul"),
    ("paris", "Paris", "Paris\ufe0f", "\u200bParis", "Pa\u00adris", "Pa\u200bris", "P\u200daris", "\u202aParis\u202c"),
    ("paris", "\ufeffParis", "Par\u2060is", "Paris\u200e", "Paris\u3164", "Ｐａｒｉｓ", "𝐏𝐚𝐫𝐢𝐬", "#Paris", "＃Paris"),
    ("us", "US", "U.S.", "U.S", "U. S.", "u.s.", "U\u200b.S."),
    ("jk rowling", "J.K. Rowling", "J. K. Rowling", "JK Rowling", "J.K.Rowling"),
    ("george w bush", "George W. Bush", "George W Bush"),
    ("st louis", "St. Louis", "St Louis", "St.Louis", "ST. LOUIS"),
    ("merkel", "Merkel", "Merkel's", "Merkel’s", "“Merkel”", "«Merkel»", "Merkel.", "(Merkel)", "Merkel'"),
    ("new york", "New York", "New\u00a0York", "New\u2009York", "New\u202fYork", "New_York", " New \n York "),
    ("strasse des 17", "Straße des 17.", "STRASSE DES 17", "STRAẞE  des 17."),
    ("αθηνα", "Αθήνα", "ΑΘΗΝΑ", "Ἀθήνα"),
    ("οδοσ", "Οδός", "ΟΔΟΣ"),
    ("محمد", "محمد", "مـحـمـد", "مُحَمَّد"),
    ("é", "é", "e\u0301", "É"),
    ("yahoo", "Yahoo!", "Yahoo"),
    ("washington dc", "Washington, D.C.", "Washington DC", "Washington D.C"),
    ("l'oréal", "L'Oréal", "L’Oréal"),
    ("us-china", "U.S.-China", "US–China"),
    ("levi's stadium", "Levi's Stadium", "Levi’s Stadium"),
    ("fifa", "ＦＩＦＡ", "Fifa", "F.I.F.A."),
    ("booking.com", "Booking.com", "booking.com"),
    ("c++", "C++", "c++", "“C++”", "C++'s", "C＋＋", "(C++)", "C++.", "#C++"),
    ("c#", "C#", "c#", "C＃", "C﹟", "“C#”", "C#'s", "C#,", "#C#", "C&#35;"),
    (".net", ".NET", ".Net", "“.NET”", "(.NET)", ".NET's", "．ＮＥＴ"),
    ("notepad++", "Notepad++", "notepad++"),
    ("moody", "Moody's", "Moody’s", "Moody"),
    ("paris", "#Paris", "##Paris", "“#Paris”", "...Paris", "…Paris", "+Paris", "- Paris"),
    ("angela merkel", "Angela #Merkel", "Angela#Merkel", "#Angela #Merkel"),
]


@pytest.mark.parametrize("spellings", SPELLINGS)
def test_one_name_is_one_key(spellings: tuple[str, ...]) -> None:
    key, *written = spellings
    assert {fold_key(one) for one in written} == {key}


def test_other_names_stay_others() -> None:
    names = ["C", "C+", "C++", "C#", "F", "F#", "net", ".NET", "ASP.NET", "Disney", "Disney+", "Canal", "Canal+"]
    names += ["Zürich", "Zurich", "Angela Merkel", "AngelaMerkel", "O'Neal", "ONeal", "Orel", "Orël", "C-D", "C D"]
    assert len({fold_key(name) for name in names}) == len(names)


@given(st.text())
def test_a_key_is_its_own_key(text: str) -> None:
    key = fold_key(text)
    assert fold_key(key) == key or "'" in key or "." in key or "&" in key
    assert key == " ".join(key.split())


@pytest.mark.parametrize("spellings", SPELLINGS)
def test_a_query_folds_as_counting_does(spellings: tuple[str, ...]) -> None:
    key, *written = spellings
    for one in written:
        if not set(one) & set("“”«»"):  # which a query reads as its own
            assert parse(f'person:"{one}"').clauses == (Named(key, "PER"),)


def hashtag(text: str, start: int, *words: str) -> SegmentedHashtag:
    return SegmentedHashtag(text=text, start=start, end=start + 1 + len(text), words=words)


def test_a_name_in_a_hashtag_has_the_key_of_its_words() -> None:
    text = "Angela #Merkel in #HongKong, #New_York and Hong Kong"
    hashtags = [
        hashtag("New_York", 29, "New", "_", "York"),
        hashtag("HongKong", 18, "Hong", "Kong"),
        hashtag("Merkel", 7, "Merkel"),
        SegmentedHashtag(text="elsewhere", words=("else", "where")),
    ]
    keys = NameKeys(text, hashtags)
    assert keys.key(0, 14) == "angela merkel"
    assert keys.key(19, 27) == keys.key(43, 52) == "hong kong"
    assert keys.key(30, 38) == "new york"


@pytest.mark.parametrize(
    ("name", "key"),
    [("Paris", "paris"), ("NewYork", "new york"), ("New_York", "new york"), ("PrayForParis", "pray for paris")],
)
def test_a_part_of_a_hashtag_has_the_key_of_its_words(name: str, key: str) -> None:
    text = "so #PrayForParis #NewYorkNews #New_YorkCity"
    words = {"PrayForParis": "Pray For Paris", "NewYorkNews": "New York News", "New_YorkCity": "New _ York City"}
    hashtags = [
        SegmentedHashtag(
            text=tag, start=text.index(tag) - 1, end=text.index(tag) + len(tag), words=tuple(split.split())
        )
        for tag, split in words.items()
    ]
    start = text.index(name)
    assert NameKeys(text, hashtags).key(start, start + len(name)) == key


def test_a_name_from_one_hashtag_into_the_next_reads_both() -> None:
    hashtags = [
        SegmentedHashtag(text="GoJustin", start=0, end=9, words=("Go", "Justin")),
        SegmentedHashtag(text="Bieber", start=10, end=17, words=("Bieber",)),
    ]
    assert NameKeys("#GoJustin #Bieber", hashtags).key(3, 17) == "justin bieber"


def old_post() -> TaggedPost:
    text = "AT&amp;T in #HongKong"
    entities = (
        Entity(text="AT&amp;T", type="ORG", start=0, end=8, score=0.9, key="at&amp;t"),
        Entity(text="HongKong", type="LOC", start=13, end=21, score=0.9, in_hashtag=True, key="hongkong"),
    )
    return TaggedPost(
        id="jsonl:1",
        source="jsonl",
        created_at=NOON,
        text=text,
        hashtags=(hashtag("HongKong", 12, "Hong", "Kong"),),
        entities=entities,
        model="m@1",
        generation=1,
    )


def test_stored_keys_are_brought_up_to_date() -> None:
    renewed = with_current_keys(old_post())
    assert [entity.key for entity in renewed.entities] == ["at&t", "hong kong"]
    assert with_current_keys(renewed) is renewed


def test_an_older_document_of_elasticsearch_gets_the_keys_of_today() -> None:
    record = RegistryRecord(
        "jsonl:1", number=1 << 20, version=1, position=0, observed_at=1, deleted=0, deleted_position=0, visible=True
    )
    document = renewed_document(old_post().model_dump_json(), record)
    assert document["mentions"] == ["ORG:at&t", "LOC:hong kong"]
    assert [one["key"] for one in json.loads(document["document"])["entities"]] == ["at&t", "hong kong"]
    assert document["place_key"] == ["hong kong"]


def test_keys_are_bounded() -> None:
    assert len(fold_key("\ufdfa" * 20_000)) <= 100_000
    assert fold_key("a\u0301\u0327" + "\u0301\u0327" * 40_000) == fold_key("a\u0301\u0327" + "\u0301\u0327" * 20)
    assert fold_key("a" + "'" * 50_000) == "a"
    for signs in ("#" * 50_000, "#+" * 25_000, ".#" * 25_000, "." * 50_000):  # a quadratic answer takes minutes
        assert fold_key(f"a{signs}é").startswith("a")
        assert fold_key(f"{signs}é").endswith("é")
