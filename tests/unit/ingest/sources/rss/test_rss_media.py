"""What an entry shows: Media RSS in all its forms, enclosures, pictures in its text."""

import pytest

from ingest.sources.rss.document import Attachment, FeedEntry
from ingest.sources.rss.media import kind_of, side
from ingest.sources.rss.reader import read_feed

BEGIN = "<rss version='2.0' xmlns:media='http://search.yahoo.com/mrss/'><channel><item><title>T</title>"


def entry(inside: str) -> FeedEntry:
    (read,) = read_feed(f"{BEGIN}{inside}</item></channel></rss>".encode(), "").entries
    return read


def urls(inside: str) -> list[tuple[str, str]]:
    return [(one.url, one.alt) for one in entry(inside).attachments]


def test_a_thumbnail_is_a_picture() -> None:
    (shown,) = entry("<media:thumbnail width='240' height='135' url='https://news.example/1.jpg'/>").attachments
    assert shown == Attachment("https://news.example/1.jpg", medium="image", width="240", height="135")
    assert kind_of(shown) == "photo"
    sizes = "<media:thumbnail url='s.jpg' width='90'/><media:thumbnail url='l.jpg' width='900'/>"
    assert urls(sizes) == [("l.jpg", "")]


def test_a_thumbnail_of_a_picture_is_not_another_one() -> None:
    content = "<media:content url='a.jpg' medium='image'><media:thumbnail url='small.jpg'/></media:content>"
    assert urls(content) == urls(content + "<media:thumbnail url='small.jpg'/>") == [("a.jpg", "")]


def test_a_film_shows_its_thumbnail() -> None:
    group = "<media:group><media:content url='a.mp4' type='video/mp4'/><media:thumbnail url='a.jpg'/></media:group>"
    assert urls(group) == [("a.mp4", ""), ("a.jpg", "")]


def test_a_group_is_one_picture_the_largest() -> None:
    sizes = "".join(f"<media:content url='{width}.jpg' medium='image' width='{width}'/>" for width in (90, 900, 300))
    said = "<media:description>A flooded\n road</media:description>"
    assert urls(f"<media:group>{sizes}{said}</media:group>") == [("900.jpg", "A flooded road")]


def test_several_sizes_at_one_address_are_one_picture_and_several_pictures_are_several() -> None:
    sizes = "".join(f"<media:content url='/a.jpg?w={width}' width='{width}' medium='image'/>" for width in (90, 900))
    assert urls(sizes) == [("/a.jpg?w=900", "")]
    several = "".join(f"<media:content url='/image?id={number}' medium='image'/>" for number in range(3))
    assert len(urls(several)) == 3


def test_a_description_of_all_pictures_is_that_of_each() -> None:
    contents = "<media:content url='a.jpg'/><media:content url='b.jpg'><media:title>B</media:title></media:content>"
    assert urls(contents + "<media:description>Both</media:description>") == [("a.jpg", "Both"), ("b.jpg", "Both")]


@pytest.mark.parametrize("name", ["description", "text"])
def test_what_is_said_of_an_entry_is_its_text_where_it_has_no_other(name: str) -> None:
    said = f"<media:{name} type='html'>Anna Berg in &lt;b&gt;Porto&lt;/b&gt;</media:{name}>"
    assert entry(said).text == "Anna Berg in Porto"
    assert entry(f"<media:group>{said}</media:group>").text == "Anna Berg in Porto"
    assert entry(f"<description>Words</description>{said}").text == "Words"
    film = entry(f"<media:content url='a.mp4'>{said}</media:content>")
    assert film.text == ("" if name == "description" else "Anna Berg in Porto")
    assert film.attachments[0].alt == ("Anna Berg in Porto" if name == "description" else "")


def test_a_title_of_the_media_is_that_of_an_entry_without_one() -> None:
    body = BEGIN.replace("<title>T</title>", "") + "<media:title>Rain</media:title></item></channel></rss>"
    assert read_feed(body.encode(), "").entries[0].title == "Rain"


@pytest.mark.parametrize(
    ("enclosure", "kind"),
    [
        ("url='a.jpg' type='image/jpeg'", "photo"),
        ("url='a.JPG?x=1'", "photo"),
        ("url='a.jpg' type='application/octet-stream'", "photo"),
        ("url='a' type='video/mp4'", "video"),
        ("url='a.mp3' type='audio/mpeg'", None),
        ("url='a.pdf'", None),
    ],
)
def test_enclosures(enclosure: str, kind: str | None) -> None:
    assert [kind_of(one) for one in entry(f"<enclosure {enclosure}/>").attachments] == [kind]


@pytest.mark.parametrize(
    ("said", "pixels"),
    [
        ("640", 640),
        ("640px", 640),
        (" 640.0 ", 640),
        *((said, None) for said in ("", "0", "-5", "100%", "auto", "1e3", "٣", str(2**64), "9" * 5000, "100001")),
    ],
)
def test_sides(said: str, pixels: int | None) -> None:
    assert side(said) == pixels
