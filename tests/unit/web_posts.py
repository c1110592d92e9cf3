"""What a hostile post and a photo of the tests of the page hold."""

HOSTILE = '<script>alert(1)</script>" onload="x" &amp; \u202egnp.exe\x1b[31m {{ 7*7 }} </p>'
SHA256 = "0" * 64
JPEG = b"\xff\xd8\xff\xe0 a picture \xff\xd9"
