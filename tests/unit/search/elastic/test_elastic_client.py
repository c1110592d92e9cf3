"""What the answers and errors of Elasticsearch mean to us, without a server."""

import inspect
import json
from typing import Any

import elastic_transport
import elasticsearch
import pytest
from elastic_transport import ApiResponseMeta, HttpHeaders, NodeConfig

from search.elastic.address import Address, Names, parse_address
from search.elastic.bulk import MAX_BULK_ACTIONS, MAX_BULK_BYTES, Action, ActionOutcome, _chunks, outcome
from search.elastic.client import ERRORS, RetryBudget, translate
from search.elastic.schema import POST_FIELDS, mapping, missing_fields
from search.open import open_index
from tagstream.errors import BadSettings, CorruptState, Fatal, IndexUnavailable, RejectedDocument, TagstreamError


def api_error(kind: type[elasticsearch.ApiError], status: int, type: str = "some_exception") -> elasticsearch.ApiError:
    node = NodeConfig("http", "127.0.0.1", 9200)
    meta = ApiResponseMeta(status, "1.1", HttpHeaders(), 0.1, node)
    return kind("message", meta, {"error": {"type": type, "reason": "because"}})


def test_every_error_of_the_client_has_a_meaning() -> None:
    known = {
        one
        for module in (elastic_transport, elasticsearch, elasticsearch.exceptions)
        for _, one in inspect.getmembers(module, inspect.isclass)
        if issubclass(one, Exception) and not issubclass(one, Warning)
    }
    assert known == set(ERRORS)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (elastic_transport.ConnectionError("refused"), IndexUnavailable),
        (elastic_transport.ConnectionTimeout("10 s"), IndexUnavailable),
        (elastic_transport.TlsError("handshake"), IndexUnavailable),
        (elastic_transport.SerializationError("half an answer"), IndexUnavailable),
        (api_error(elasticsearch.ApiError, 429), IndexUnavailable),
        (api_error(elasticsearch.ApiError, 503), IndexUnavailable),
        (api_error(elasticsearch.ApiError, 500), IndexUnavailable),
        (api_error(elasticsearch.ApiError, 413), RejectedDocument),
        (api_error(elasticsearch.ApiError, 405), Fatal),
        (api_error(elasticsearch.BadRequestError, 400), Fatal),
        (api_error(elasticsearch.NotFoundError, 404, "index_not_found_exception"), CorruptState),
        (api_error(elasticsearch.NotFoundError, 404, "search_context_missing_exception"), IndexUnavailable),
        (api_error(elasticsearch.AuthenticationException, 401), BadSettings),
        (api_error(elasticsearch.AuthorizationException, 403), BadSettings),
        (api_error(elasticsearch.AuthorizationException, 403, "cluster_block_exception"), IndexUnavailable),
        (api_error(elasticsearch.UnsupportedProductError, 200), BadSettings),
    ],
)
def test_what_an_error_means(error: Exception, expected: type[TagstreamError]) -> None:
    ours = translate(error, "http://127.0.0.1:9200/x")
    assert type(ours) is expected
    assert "http://127.0.0.1:9200/x" in str(ours)


def test_a_mistake_of_this_program_stays_one() -> None:
    assert translate(KeyError("x"), "there") is None


@pytest.mark.parametrize(
    ("kind", "status", "error", "expected"),
    [
        ("index", 200, None, ActionOutcome.DONE),
        ("create", 201, None, ActionOutcome.DONE),
        ("delete", 200, None, ActionOutcome.DONE),
        ("delete", 404, None, ActionOutcome.DONE),
        ("index", 409, "version_conflict_engine_exception", ActionOutcome.CONFLICT),
        ("delete", 409, "version_conflict_engine_exception", ActionOutcome.CONFLICT),
        ("index", 429, "es_rejected_execution_exception", ActionOutcome.RETRY),
        ("index", 429, "cluster_block_exception", ActionOutcome.RETRY),
        ("index", 403, "cluster_block_exception", ActionOutcome.RETRY),
        ("index", 503, "unavailable_shards_exception", ActionOutcome.RETRY),
        ("index", 500, "anything", ActionOutcome.RETRY),
        ("index", 400, "strict_dynamic_mapping_exception", ActionOutcome.FATAL),
        ("index", 404, "index_not_found_exception", ActionOutcome.FATAL),
        ("delete", 404, "index_not_found_exception", ActionOutcome.FATAL),
        ("index", 403, "security_exception", ActionOutcome.FATAL),
        ("index", 400, "document_parsing_exception", ActionOutcome.REJECTED),
        ("index", 400, "illegal_argument_exception", ActionOutcome.REJECTED),
        ("index", 413, "too_large", ActionOutcome.REJECTED),
    ],
)
def test_what_an_answer_to_an_action_means(kind: str, status: int, error: str | None, expected: ActionOutcome) -> None:
    answer: dict[str, Any] = {"_index": "x", "_id": "y", "status": status}
    if error is not None:
        answer["error"] = {"type": error, "reason": "because"}
    assert outcome({kind: answer}) is expected


def test_a_strict_refusal_inside_another_error_is_ours() -> None:
    error = {"type": "document_parsing_exception", "caused_by": {"type": "strict_dynamic_mapping_exception"}}
    assert outcome({"index": {"status": 400, "error": error}}) is ActionOutcome.FATAL


def test_the_lines_of_an_action() -> None:
    first, source = Action("index", "i", "p:1", b'{"a":1}', version=3).lines().split(b"\n")
    assert json.loads(first) == {"index": {"_index": "i", "_id": "p:1", "version": 3, "version_type": "external_gte"}}
    assert source == b'{"a":1}'
    first, _ = Action("index", "i", "p:1", b"{}", seen=(7, 1)).lines().split(b"\n")
    assert json.loads(first) == {"index": {"_index": "i", "_id": "p:1", "if_seq_no": 7, "if_primary_term": 1}}
    assert b"\n" not in Action("delete", "i", "p:1", version=3).lines()


def test_requests_are_bounded_and_lose_no_action() -> None:
    actions = [Action("index", "i", str(one), b"x" * (one * 997 % 40_000)) for one in range(3 * MAX_BULK_ACTIONS)]
    chunks = list(_chunks(actions))
    assert [one for chunk in chunks for one in chunk] == actions
    for chunk in chunks:
        assert len(chunk) == 1 or sum(len(one.source) for one in chunk) <= MAX_BULK_BYTES
        assert len(chunk) <= MAX_BULK_ACTIONS
    huge = Action("index", "i", "huge", b"x" * (2 * MAX_BULK_BYTES))
    assert list(_chunks([huge, huge])) == [[huge], [huge]]
    assert list(_chunks([])) == []


def test_retries_are_paid_for_by_successes() -> None:
    budget = RetryBudget(capacity=2, refill=0.5)
    assert [budget.take() for _ in range(4)] == [True, True, False, False]
    budget.succeed()
    assert not budget.take()
    budget.succeed()
    assert [budget.take(), budget.take()] == [True, False]
    for _ in range(100):
        budget.succeed()
    assert [budget.take() for _ in range(3)] == [True, True, False]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:9300/newsroom", Address("http://127.0.0.1:9300", Names("newsroom"))),
        ("http://search.example", Address("http://search.example:9200", Names("tagstream"))),
        ("https://bob:p%40ss@h:1/", Address("https://h:1", Names("tagstream"), "bob", "p@ss")),
        ("http://[::1]:9200/x_1", Address("http://[::1]:9200", Names("x_1"))),
    ],
)
def test_where_an_index_lies(url: str, expected: Address) -> None:
    assert parse_address(url) == expected


@pytest.mark.parametrize(
    "url",
    ["", "localhost:9200", "ftp://h/x", "http://h/A", "http://h/a/b", "http://h/a-b", "http://h:x", "http://h/?q"],
)
async def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(BadSettings, match=r"elasticsearch|small letters"):
        await open_index(f"elasticsearch:{url}")


def test_credentials_never_show() -> None:
    address = parse_address("http://bob:secret@h:1/x")
    assert "secret" not in f"{address} {address!r}"
    with pytest.raises(BadSettings) as caught:
        parse_address("http://bob:secret@h:1/a/b")
    assert "secret" not in str(caught.value)


def test_what_a_mapping_lacks() -> None:
    wanted = mapping({"a": {"type": "long"}, "b": {"type": "nested", "properties": {"c": {"type": "keyword"}}}})
    assert list(missing_fields(wanted, wanted)) == []
    older = mapping({"a": {"type": "keyword"}, "b": {"type": "nested", "properties": {}}})
    assert list(missing_fields(older, wanted)) == ["a", "b.c"]


def test_every_mapping_is_strict() -> None:
    assert mapping(POST_FIELDS)["dynamic"] == "strict"


@pytest.mark.parametrize(
    "url",
    [
        "https://user:secret@h/X Y",
        "//user:secret@h/x",
        "user:secret@h/x",
        "http://user:secret@h:port/x",
        "http://user:secret@[::1/x",
        "http://user:sec/ret@h/x",
        "http://us#er:secret@h/x",
        "http://user:se@cret@h/x y",
        "http://user:secret@h\\x",
        "ftp://user:secret@h/x",
        "http://127.0.0.1:9/x?api_key=secret",
        "http://127.0.0.1:9/x#secret",
    ],
)
def test_no_address_however_wrong_shows_its_password(url: str) -> None:
    with pytest.raises(BadSettings) as caught:
        parse_address(url)
    shown = f"{caught.value!r} {caught.value.__cause__!r}"
    assert not any(part in shown for part in ("secret", "sec/ret", "cret", "'sec"))


@pytest.mark.parametrize(
    "spec", ["elastic:https://user:secret@h", "secret@h", "sqlite:https://user:secret@h/x", "https://user:secret@h/x"]
)
async def test_no_index_of_no_kind_shows_it_either(spec: str) -> None:
    with pytest.raises(BadSettings) as caught:
        await open_index(spec)
    assert "secret" not in str(caught.value)
