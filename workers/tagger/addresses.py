"""Patterns (verbose regular expressions) of the addresses in a post: links, e-mail addresses and @-mentions.

Three forms without a scheme are addresses: an e-mail address; a host with a known ending and a path (`bbc.co.uk/news`);
a host alone that is written in one case and whose ending is no everyday word (`example.com`, `EXAMPLE.ORG`), or that
has three parts (`shop.example.it`). So `Booking.com`, `U.S.A`, `end.Next` and `do.it` are words. The list of endings is
short on purpose: it tells addresses from sentences, and holds the endings that people write.
"""

# Endings that do not arise where two sentences are joined without a space, and endings that might.
_SURE_ENDINGS = """
    com org net edu gov mil info biz io ai tv eu app dev xyz social co uk de fr es nl pl ru jp cn br au ca ch se dk fi
    cz gr hu ro ua ie nz za kr tr mx ar cl il pt sk si hr rs bg lt lv ee ir pk lk ng ke tw hk sg th vn ph ae sa eg ma
    рф укр
"""
_WORDLIKE_ENDINGS = """
    int name me us it in is at be so no my as la ly gl st gg fm cc ms sh id link news blog site club live
    media today world shop store tech online cloud wiki page space fun life art top pro pub one zone blue land museum
    travel jobs watch video network center lol games moe website email chat ac af ag al am aq az ba bo by cd ci cm cr cu
    cy do dz ec et gd ge gh gt gy hn im iq jm kh kw kz lb lc li lu md mk mn mt mu mv mx mz na ni np nu pa pe pr ps pw py
    qa re rw sc sd sn sv sx sy tc tf tg tj tk tl tm tn to tt tz ug uy uz vc ve vg ws zm zw
"""
_SURE = "|".join(_SURE_ENDINGS.split())
_CAPITAL_ENDINGS = "COM|ORG|GOV|EDU|CO\\.UK"  # ASP.NET is a name
_KNOWN = "|".join((_SURE_ENDINGS + _WORDLIKE_ENDINGS).split())

_PATH = r"""[^\s\p{C}]* [^\s\p{C}.,;:!?"'”’)\]}…]"""
_LABEL = r"[\p{L}\p{Nd}\-]{1,63}+"
_SMALL_LABEL = r"[\p{Ll}\p{Nd}\-]{1,63}+"
_PORT = r"(?: : \d{2,5} )?"

URL = rf"(?<!\w) (?: [HhFfAa](?i:ttps?|tp|t)://{_PATH} | [Ww][Ww][Ww]\.[^\s\p{{C}}]*[\w/] )"

EMAIL = r"(?<![\w.+\-@]) [\w.+\-]{1,64}+ @ (?: [\w\-]{1,63}+ \. ){1,6} [A-Za-z]{2,24} (?! \w | \.\w )"

HOST = rf"""
    (?<![\w.@＠\-\#＃&]) (?= {_LABEL} \. [\p{{L}}\p{{Nd}}] ) (?:
        (?: {_LABEL} \. ){{1,6}} (?i:{_KNOWN}) {_PORT} / (?: {_PATH} )?
      | (?:
            (?: {_SMALL_LABEL} \. ){{1,6}} (?:{_SURE})
          | (?: {_SMALL_LABEL} \. ){{2,6}} (?:{_KNOWN})
          | (?: [A-Z0-9\-]{{1,63}}+ \. ){{1,6}} (?:{_CAPITAL_ENDINGS})
        ) {_PORT} (?! [\w@\-] | \.\w )
    )
"""

# `@name`, `@name@host` or, on Bluesky, `@host`.
MENTION = r"""
    (?<![\w@＠]) [@＠] (?:
        (?: [A-Za-z0-9\-]{1,63}+ \. ){1,6} [a-z]{2,24} (?! [\w\-] | \.\w )
      | [A-Za-z0-9_]{1,64} (?: @ [A-Za-z0-9.\-]{1,128} [A-Za-z0-9] )?
    )
"""
