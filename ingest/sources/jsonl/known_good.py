"""Documents of the commonest forms, known to be good: if these fail, the defect is ours (`error_isolation.py`)."""

KNOWN_GOOD = (
    b'{"id": 7, "text": "Rain in #Porto", "created_at": "2024-05-01T12:00:00Z", "author": "ann"}',
    b'{"id_str": "1786000000000000000", "created_at": "Thu May 02 11:37:04 +0000 2024", "full_text": "Rain in #Porto", '
    b'"user": {"id_str": "7", "screen_name": "ann"}, "entities": {"hashtags": [], "urls": []}, "retweet_count": 0}',
    b'{"data": {"id": "1786000000000000000", "text": "Rain in #Porto", "author_id": "7", '
    b'"created_at": "2024-05-02T11:37:04.000Z"}, "includes": {"users": [{"id": "7", "username": "ann"}]}}',
    b'{"uri": "at://did:plc:aaaaaaaaaaaaaaaaaaaaaaaa/app.bsky.feed.post/3l3qo2vuowo2b", "author": {"did": '
    b'"did:plc:aaaaaaaaaaaaaaaaaaaaaaaa", "handle": "ann.example"}, "indexedAt": "2024-09-09T19:46:02.102Z", '
    b'"record": {"$type": "app.bsky.feed.post", "text": "Rain in #Porto", "createdAt": "2024-09-09T19:45:59.102Z"}}',
    b'{"id": "112039999999999999", "created_at": "2024-03-04T10:00:00.123Z", "visibility": "public", "content": '
    b'"<p>Rain in #Porto</p>", "account": {"id": "7", "acct": "ann"}, "uri": '
    b'"https://social.example/users/ann/statuses/112039999999999999", "media_attachments": []}',
)
