"""HTML as people read it: breaks, hidden parts, links with their places, and input that wants to break us."""

import sys
import time
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.sources.formats.html_text import MAX_TAG_LENGTH, HtmlImage, HtmlLink, html_to_text


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("plain", "plain"),
        ("<p>one</p><p>two</p>", "one\n\ntwo"),
        ("<p>one<br>two<br/>three<br />four</p>", "one\ntwo\nthree\nfour"),
        ("a<br><br><br><br>b", "a\n\nb"),
        ("<p>a</p>\n\n  <p>b</p>\n", "a\n\nb"),
        ("  a \n\t b  ", "a b"),
        ("<b>a</b> <i>b</i>c", "a bc"),
        ("<ul><li>a</li><li>b</li></ul>c", "a\nb\n\nc"),
        ("<div>a</div><div>b</div>", "a\nb"),
        ("<pre>a\n  b</pre>c", "a\n  b\n\nc"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
        ("a&amp;b &lt;c&gt; &eacute;&#8211;&#x1F600;", "a&b <c> é–😀"),
        ("a\u00a0b", "a\u00a0b"),
        ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
        ("I <3 you", "I <3 you"),
        ("x <- y", "x <- y"),
        ("a<!-- <p>no</p> -->b", "ab"),
        ("a<!-- never closed <b>b</b>", "a<!-- never closed b"),
        ("<!DOCTYPE html><?xml version='1.0'?>a", "a"),
        ("a<script>alert('<p>b</p>')</script>c", "ac"),
        ("a<SCRIPT>if (x < '</scriptx>') {}</SCRIPT >c", "ac"),
        ("a<style>p { color: red }</style><template>no</template>b", "ab"),
        ("a<script>never closed", "a"),
        ("<a title='x > y' href='z'>b</a>", "b"),
        ("<b>bold<i>both</b>still</i>", "boldbothstill"),
        ("</p></p>a</div>", "a"),
        ("<p>a<p>b", "a\n\nb"),
        ("a<", "a<"),
        ("a</", "a</"),
        ("a<b", "a<b"),
        ("a<b href='x", "a<b href='x"),
        ("a\0b", "a\ufffdb"),
        ("a\ud800b", "a\ufffdb"),
        ("a&#0;&#xD800;&#x110000;b", "a\ufffd\ufffd\ufffdb"),
        ("\u202eright to left\u202c", "\u202eright to left\u202c"),
        ("<span class='invisible'>hidden</span>seen", "seen"),
        ("<img class='custom-emoji' alt=':blob:'> hi", ":blob: hi"),
        ("", ""),
        ("<p></p>", ""),
    ],
)
def test_the_text_is_what_people_read(source: str, text: str) -> None:
    assert html_to_text(source).text == text


def test_links_know_their_places() -> None:
    found = html_to_text(
        '<p>🎉 <a href="https://m.example/tags/Cats" class="mention hashtag" rel="tag nofollow">#<span>Cats</span></a>'
        ' by\n<a href="https://m.example/@bob" class="u-url mention">@<span>bob</span></a></p>'
    )
    assert found.text == "🎉 #Cats by @bob"
    assert found.links == (
        HtmlLink(2, 7, "https://m.example/tags/Cats", ("mention", "hashtag"), ("tag", "nofollow")),
        HtmlLink(11, 15, "https://m.example/@bob", ("u-url", "mention"), ()),
    )


def test_a_shortened_address_is_read_whole() -> None:
    found = html_to_text(
        'see <a href="https://example.org/a/long/path"><span class="invisible">https://</span>'
        '<span class="ellipsis">example.org/a/lo</span><span class="invisible">ng/path</span></a>.'
    )
    assert found.text == "see https://example.org/a/long/path."
    assert found.text[found.links[0].start : found.links[0].end] == found.links[0].href


def test_space_before_a_link_is_not_part_of_it() -> None:
    found = html_to_text("<p>a</p><p> <a href='x'> b </a> c</p>")
    assert found.text == "a\n\nb c"
    assert [(link.start, link.end) for link in found.links] == [(3, 4)]


@pytest.mark.parametrize("source", ["<a href=x>b", "<a href=x><a href=y>b</a>", "<p><a href=x>b</p>c"])
def test_links_that_are_not_closed_lie_within_the_text(source: str) -> None:
    found = html_to_text(source)
    assert found.links
    assert all(0 <= link.start <= link.end <= len(found.text) for link in found.links)


def test_a_link_without_text_is_none() -> None:
    assert html_to_text("<a href='x'></a><a href='y'><img src='z'></a>b").links == ()


def test_pictures_keep_their_descriptions() -> None:
    found = html_to_text("<img src=' a.png ' alt='A  dog\non a beach'><img src=b.png><img><img alt='only words'>")
    assert found.pictures == (
        HtmlImage("a.png", "A dog on a beach"),
        HtmlImage("b.png", ""),
        HtmlImage("", "only words"),
    )
    assert found.text == ""


def test_a_class_can_be_left_out_with_all_in_it() -> None:
    source = "<p class='quote-inline'>RE: <a href='x'>x</a><img src='y'></p><p>mine</p>"
    found = html_to_text(source, left_out=frozenset({"quote-inline"}))
    assert (found.text, found.pictures) == ("mine", ())


def test_a_tag_over_the_limit_says_nothing() -> None:
    found = html_to_text(f"a<img src='data:{'x' * MAX_TAG_LENGTH}'>b<p {'x' * MAX_TAG_LENGTH}>c</p>")
    assert (found.text, found.pictures) == ("abc", ())
    assert html_to_text(f"a<p {'x' * (MAX_TAG_LENGTH - 10)}>b").text == "a\n\nb"


_PIECES = [
    "<",
    ">",
    "</",
    "<a ",
    "<a href='",
    '"',
    "'",
    "<!--",
    "-->",
    "<![CDATA[",
    "<?",
    "&",
    "&#",
    ";",
    "<p>",
    "</p>",
]
_PIECES += [
    "<script>",
    "</script",
    "<pre>",
    "</pre>",
    "<br>",
    " ",
    "\n",
    "x",
    "\0",
    "\ud800",
    "é",
    "<span class=invisible>",
]


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(_PIECES) | st.text(max_size=5), max_size=40))
def test_nothing_raises_and_no_offset_lies_outside(pieces: list[str]) -> None:
    found = html_to_text("".join(pieces))
    found.text.encode()
    assert "\0" not in found.text
    assert all(0 <= link.start <= link.end <= len(found.text) for link in found.links)


_ENDLESS = ["<", "<!", "<!--", "<!-- a --", "</", "</a ", "<a ", '<a b="', "<a b='x", '<a b="c"d="', "&", "&#", "&amp"]
_ENDLESS += ["<![CDATA[", "<?", "<script>", "<script></scrip", "<style><!--", "<a/", "<a =", "<b></i>", "<a href=x>"]
_ENDLESS += [
    "<pre>",
    "<p>x",
    "<a b=c ",
    "<img alt=x>",
    "<!--->",
    f"<a b={'x' * 8000}>",
    "<a " + "b" * 9000,
    "&#1" + "1" * 5000,
]


@pytest.mark.parametrize("piece", _ENDLESS)
def test_hostile_repetition_takes_linear_time(piece: str) -> None:
    def calls(length: int) -> int:
        """Lines of Python that run: unlike time, the same on every machine."""
        counted = 0

        def count(*_: object) -> object:
            nonlocal counted
            counted += 1
            return count

        source = (piece * (length // len(piece) + 1))[:length]
        before = sys.gettrace()
        sys.settrace(count)
        try:
            html_to_text(source)
        finally:
            sys.settrace(before)
        return counted

    short, long = calls(5_000), calls(10_000)
    assert long <= 2.3 * short + 500
    began = time.process_time()
    html_to_text((piece * (100_000 // len(piece) + 1))[:100_000])
    assert time.process_time() - began < 20


def test_depth_is_no_danger() -> None:
    assert html_to_text("<div>" * 100_000 + "x" + "</div>" * 100_000).text == "x"
    assert html_to_text("<b>" * 100_000 + "x" + "</i>" * 100_000).text == "x"
    found = html_to_text("<a href=x>" * 20_000 + "y")
    assert (found.text, len(found.links)) == ("y", 20_000)


@pytest.mark.parametrize(("before", "after"), list(product(["", " ", "<br>", "<p>"], ["", " ", "<br>", "</p>"])))
def test_the_text_never_begins_or_ends_with_space(before: str, after: str) -> None:
    assert html_to_text(f"{before}x{after}").text == "x"
