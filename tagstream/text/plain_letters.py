"""The plain letters behind styled ones: 𝗡𝗲𝘄 𝗬𝗼𝗿𝗸, Ⓟⓐⓡⓘⓢ, 🅿🅰🆁🅸🆂, Ｐａｒｉｓ, ᴘᴀʀɪꜱ and ᴾᵃʳⁱˢ.

Apps offer them as fonts, and people write names in them. A styled letter is one code point and so is its plain letter:
offsets stay. Letters that only look alike (Cyrillic, Greek) are
left to `look_alikes.py`, and turned ones stay.
"""

import string
import unicodedata

import regex

_STYLED_BLOCKS = (
    (0x02B0, 0x02E4),  # modifier letters, which serve as superscripts
    (0x1D2C, 0x1DA0),
    (0x2070, 0x209C),  # superscripts and subscripts
    (0x2100, 0x2149),  # letter-like symbols
    (0x249C, 0x24E9),  # in parentheses and circles
    (0x2C7C, 0x2C7D),
    (0xFF10, 0xFF5A),  # full width
    (0x1D400, 0x1D7FF),  # mathematical
    (0x1F110, 0x1F149),  # in parentheses, circles and squares
)
_FORM = regex.compile(r"<(?:font|super|sub|circle|square|wide|compat)>")
SMALL_CAPITALS = dict(zip("ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘꞯʀꜱᴛᴜᴠᴡʏᴢ", "abcdefghijklmnopqrstuvwyz", strict=True))
_DARK_CIRCLES, _DARK_SQUARES = 0x1F150, 0x1F170
# There is no old small capital for F and Q: fonts take the letters of other alphabets that look like them.
_STAND_INS = str.maketrans("ғǫ", "fq")
_SMALL_CAPITAL = regex.compile(f"[{''.join(SMALL_CAPITALS)}]")


def _table() -> dict[int, str]:
    table = {ord(styled): plain for styled, plain in SMALL_CAPITALS.items()}
    for start in (_DARK_CIRCLES, _DARK_SQUARES):
        table |= {start + index: letter for index, letter in enumerate(string.ascii_uppercase)}
    for first, last in _STYLED_BLOCKS:
        for code in range(first, last + 1):
            if _FORM.match(unicodedata.decomposition(chr(code))):
                plain = unicodedata.normalize("NFKC", chr(code)).strip("()")
                if len(plain) == 1 and plain.isalnum():
                    table[code] = plain
    return table


PLAIN_LETTERS = _table()
# Letters in circles, squares and parentheses are symbols to Unicode: alone they are signs (Ⓜ, 🅿), in a row a word.
ENCLOSED_LETTER = r"[\u249c-\u24e9\U0001f110-\U0001f129\U0001f130-\U0001f149\U0001f150-\U0001f169\U0001f170-\U0001f189]"
# Lines through, under and over letters.
STROKES = r"[\u0305\u0332\u0333\u0335-\u0338]"


def plain_letters(text: str) -> str:
    """Returns the text, of the same length, with its styled letters and digits as plain ones."""
    if text.isascii():
        return text
    if _SMALL_CAPITAL.search(text):
        text = text.translate(_STAND_INS)
    return text.translate(PLAIN_LETTERS)
