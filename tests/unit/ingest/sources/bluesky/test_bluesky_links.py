"""The links of a post of Bluesky: what its facets and its card say of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.sources.bluesky.links import links_of
from tagstream.posts import Link

FACET = "app.bsky.richtext.facet"
EXTERNAL = "app.bsky.embed.external"


def facet(*uris: object, kind: str = "link") -> dict[str, object]:
    features = [{"$type": f"{FACET}#{kind}", "uri": uri} for uri in uris]
    return {"index": {"byteStart": 0, "byteEnd": 5}, "features": features}


def card(uri: object = "https://example.org/a", **more: object) -> dict[str, object]:
    return {"$type": EXTERNAL, "external": {"uri": uri, "title": "Rain in Paris", "description": "All day."} | more}


CARD = Link(url="https://example.org/a", title="Rain in Paris", description="All day.")


@pytest.mark.parametrize(
    ("record", "links"),
    [
        ({}, ()),
        (
            {"facets": [facet("https://example.org/b"), facet("http://example.org/a", "https://example.org/b")]},
            (Link(url="https://example.org/b"), Link(url="http://example.org/a")),
        ),
        ({"embed": card()}, (CARD,)),
        ({"embed": {"$type": "app.bsky.embed.recordWithMedia", "record": {}, "media": card()}}, (CARD,)),
        ({"facets": [facet("https://b.org"), facet(CARD.url)], "embed": card()}, (Link(url="https://b.org"), CARD)),
        ({"facets": [facet("https://b.org")], "embed": card()}, (Link(url="https://b.org"), CARD)),
        ({"facets": [facet("at://did:plc:abc", kind="mention"), facet("mailto:a@b.org"), facet("javascript:1")]}, ()),
        ({"facets": [facet("https://a.org/\nb", "https://a.org/b c", 5, None, "https://" + "a" * 4100)]}, ()),
        ({"embed": card(title=5, description=None)}, (Link(url=CARD.url),)),
        (
            {"embed": card(title="t" * 2000, description="d" * 10**6)},
            (Link(url=CARD.url, title="t" * 1000, description="d" * 10_000),),
        ),
        ({"embed": card(uri="x")}, ()),
        ({"embed": {"$type": EXTERNAL, "external": [1]}}, ()),
        ({"embed": {"$type": "app.bsky.embed.recordWithMedia", "media": "x"}}, ()),
        ({"facets": "x"}, ()),
        ({"facets": [5, {"features": 5}, {"features": [5]}]}, ()),
    ],
)
def test_what_a_record_names(record: dict[str, object], links: tuple[Link, ...]) -> None:
    assert links_of(record) == links


def test_a_card_is_kept_among_too_many_links() -> None:
    facets = [facet(f"https://example.org/{number}") for number in range(1000)]
    links = links_of({"facets": facets, "embed": card()})
    assert len(links) == 16
    assert links[-1] == CARD
    assert links[0].url == "https://example.org/0"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=30) | st.just("https://a.org"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@given(json_values, json_values)
def test_no_record_whatever_raises(facets: object, external: object) -> None:
    links_of({"facets": facets, "embed": {"$type": EXTERNAL, "external": external}})
    links_of({"facets": [{"features": facets}], "embed": external})
