"""Markup token by token: of what is well-formed exactly what a parser of XML reads."""

from xml.parsers import expat

from hypothesis import given
from hypothesis import strategies as st

from ingest.sources.rss.markup import MAX_DEPTH, ElementEnd, MarkupElement, cleaned, tokens

_name = st.sampled_from(["a", "b", "dc:creator", "media:content", "Item", "x-1"])
_text = st.text(alphabet="ab <>&\"'é\n😀]", max_size=8)
_DECLARED = "xmlns:dc='http://purl.org/dc/elements/1.1/' xmlns:media='http://search.yahoo.com/mrss/'"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&#60;").replace(">", "&gt;")


_attributes = st.dictionaries(st.sampled_from(["p", "xml:lang", "rdf-x"]), _text, max_size=2).map(
    lambda values: "".join(
        f' {name} = "{_escaped(value).replace(chr(34), "&quot;")}"' for name, value in values.items()
    )
)
_leaves = st.one_of(
    _text.map(_escaped),
    _text.map(lambda text: f"<![CDATA[{text.replace(']]>', '')}]]>"),
    _text.map(lambda text: f"<!--{text.replace('-', '')}-->"),
    st.just("<?php x ?>"),
    st.tuples(_name, _attributes).map(lambda both: f"<{both[0]}{both[1]} />"),
)
_trees = st.recursive(
    _leaves,
    lambda inner: st.tuples(_name, _attributes, st.lists(inner, max_size=4)).map(
        lambda three: f"<{three[0]}{three[1]}>{''.join(three[2])}</{three[0]}\n>"
    ),
    max_leaves=20,
)


def by_a_parser(document: str) -> list[object]:
    found: list[object] = []
    parser = expat.ParserCreate()
    parser.StartElementHandler = lambda name, attributes: found.append((name.lower(), dict(attributes)))
    parser.EndElementHandler = lambda _: found.append("end")
    parser.CharacterDataHandler = lambda text: found.append(("text", text))
    parser.Parse(document.encode(), True)
    return joined(found)


def by_tokens(document: str) -> list[object]:
    found: list[object] = []
    for token in tokens(cleaned(document)):
        if isinstance(token, MarkupElement):
            found.append((token.written, token.attributes))
        else:
            found.append("end" if isinstance(token, ElementEnd) else ("text", token))
    return joined(found)


def joined(found: list[object]) -> list[object]:
    """Pieces of text next to each other as one."""
    kept: list[object] = []
    for one in found:
        if isinstance(one, tuple) and one[0] == "text" and isinstance(one[1], str):
            if kept and isinstance(kept[-1], list):
                kept[-1].append(one[1])
            else:
                kept.append([one[1]])
        else:
            kept.append(one)
    return ["".join(one) if isinstance(one, list) else one for one in kept if one != [""]]


@given(st.lists(_trees, max_size=4), st.sampled_from(["", "<!DOCTYPE r [<!ENTITY oslo 'x]>y'><!-- ' -->]>"]))
def test_what_is_well_formed_is_read_as_a_parser_reads_it(trees: list[str], doctype: str) -> None:
    entity = "&oslo;" if doctype else ""
    document = f"<?xml version='1.0'?>{doctype}<r {_DECLARED}>{entity}{''.join(trees)}</r>"
    assert by_tokens(document) == by_a_parser(document)


def names(document: str) -> list[str]:
    return [token.written for token in tokens(document) if isinstance(token, MarkupElement)]


def test_an_end_closes_the_nearest_element_of_its_name_and_what_is_in_it() -> None:
    found = [type(token).__name__ for token in tokens("<a><b><c></b></wrong>x</a>")]
    assert found == ["MarkupElement", "MarkupElement", "MarkupElement", "ElementEnd", "ElementEnd", "str", "ElementEnd"]


def test_what_is_no_markup_is_text() -> None:
    assert "".join(token for token in tokens("1 < 2 <3 <<a>&</ b") if isinstance(token, str)) == "1 < 2 <3 <&</ b"
    assert names("<a b='x<y'>z</a>") == ["a", "y"]


def test_depth_and_attributes_are_bounded() -> None:
    assert len(names("<a>" * 1000)) == 1000
    depth = deepest = 0
    for token in tokens("<a>" * 1000):
        depth += 1 if isinstance(token, MarkupElement) else -1
        deepest = max(deepest, depth)
    assert deepest == MAX_DEPTH + 1
    (element,) = [
        one for one in tokens(f"<a {' '.join(f'a{n}=1' for n in range(500))}/>") if isinstance(one, MarkupElement)
    ]
    assert len(element.attributes) == 100
