"""Photos of posts: fetched from public addresses only, and decoded in a process that can do nothing else.

::

    sources/wrappers/with_photos.py    a source whose posts have their photos; order and cursors as before
      └ image_fetcher.py    a URL ─▶ an image, or the reason why not; each fetched and decoded once (cache.py)
          ├ download.py         one photo's bytes: redirects, limits, what an answer means
          │   ├ connection_pool.py    connections, kept open between photos
          │   │   └ pinned.py         resolves once, checks every address, connects to what it checked
          │   │       └ address.py    which addresses are public
          │   ├ host_limiter.py       how many photos at a time, and hosts that cool down
          │   └ sniff.py              the format of the bytes, whatever they are called
          └ decode.py           bytes ─▶ size and thumbnail, by decode_process.py in a sandbox (ingest/sandbox/)
              ├ fair_share.py         whose image is next, by the time that earlier ones took
              └ pieces.py             files of absurdly many pieces are refused unread

`tagstream/media_reasons.py` has the closed list of reasons. Keeps invariant 10.
"""
