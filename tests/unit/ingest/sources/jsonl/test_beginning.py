"""How the content of a file begins, and what it is therefore read as."""

import pytest

from ingest.sources.jsonl.beginning import Form, beginning_of

POST = b'{"id": "1", "text": "a", "created_at": "2024-05-02T10:00:00Z"}'


@pytest.mark.parametrize(
    ("content", "form"),
    [
        (POST + b"\n" + POST, Form.LINES),
        (b"[" + POST + b"]", Form.DOCUMENTS),
        (b"[\n  " + POST, Form.DOCUMENTS),
        (b'{\n  "id": "1"', Form.DOCUMENTS),
        (b"window.YTD.tweets.part0 = [ {", Form.DOCUMENTS),
        # As one array it would be one document that cannot be read, and the posts behind it would be lost with it.
        (b"[" * 5000 + b"\n" + POST, Form.LINES),
        (b"[[1, 2]]\n" + POST, Form.LINES),
    ],
)
def test_lines_and_documents_are_told_apart(content: bytes, form: Form) -> None:
    assert beginning_of(content, "feed").form is form
