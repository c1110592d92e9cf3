"""The web page and the JSON API of an index: read-only, without a session, nothing from another host.

::

    browser ─▶ guard (host, token, rate, headers) ─┬▶ pages    HTML, readable without scripts
                                                   └▶ api      JSON, OpenAPI at /api/openapi.json
                                                        both ─▶ questions ─▶ EntityIndex
"""
