"""The photos of posts: fetched from public addresses only, decoded in a process that can do nothing else.

::

    photos.py    a source whose posts have their photos; order and cursors as before
      └ album.py      a URL ─▶ a picture, or the reason why not; each fetched and decoded once
          ├ fetch.py      one photo's bytes: redirects, limits, what an answer means
          │   ├ connections.py   connections, kept open between photos
          │   │   └ pinned.py    resolves once, checks every address, connects to what it checked
          │   │       └ address.py   which addresses are public
          │   └ hosts.py      whose turn it is, and who asked to be left alone
          ├ sniff.py      what the bytes are, whatever they are called
          ├ fair_turns.py  whose picture is next, by what those before have taken
          └ decode.py     bytes ─▶ size and thumbnail, by decode_process.py in a sandbox (ingest/sandbox/)

`tagstream/media_reasons.py` has the closed list of reasons. Keeps invariant 10.
"""
