"""Undoes disguises of words: letters of other scripts that look Latin, and invisible characters between letters.

Only words that mix Latin letters with look-alikes are changed, since nobody writes those by chance: a word that is all
Cyrillic or all Greek stays as it is. Which characters look alike is a selection of the confusables of Unicode Technical
Standard 39 (https://www.unicode.org/reports/tr39/).
"""

import re
import unicodedata

_GROUPS = {
    "a": "а\u0251α\uff41",
    "b": "Ьƅ\uff42",
    "c": "с\u03f2\u1d04\u217d\uff43",
    "d": "\u0501\u217e\uff44",
    "e": "е\u212e\uff45",
    "f": "\u0584\uff46",
    "g": "\u0261\u0581\uff47",
    "h": "\u04bb\u0570\uff48",
    "i": "і\u0456\u2170ι\u0131\uff49",
    "j": "ј\u03f3\uff4a",
    "k": "к\uff4b",
    "l": "\u217c\u04cf\u01c0\uff4c",
    "m": "\u217f\uff4d",
    "n": "\u0578\uff4e",
    "o": "о\u03bf\u0585\u1d0f\u03c3\uff4f",
    "p": "р\u03c1\uff50",
    "q": "\u051b\uff51",
    "r": "г\u1d26\uff52",
    "s": "ѕ\ua731\uff53",
    "t": "\u03c4\uff54",
    "u": "\u03c5\u057d\u1d1c\uff55",
    "v": "\u03bd\u2174\u0475\u1d20\uff56",
    "w": "\u051d\u0461\u1d21\uff57",
    "x": "х\u2179\uff58",
    "y": "у\u04af\u03b3\uff59",
    "z": "\u1d22\uff5a",
    "A": "АΑ\uff21",
    "B": "ВΒ\uff22",
    "C": "СϹ\u216d\uff23",
    "D": "\u216e\uff24",
    "E": "ЕΕ\uff25",
    "F": "\u03dc\uff26",
    "G": "\u050c\uff27",
    "H": "НΗ\uff28",
    "I": "ІΙ\u2160\u04c0\uff29",
    "J": "Ј\u037f\uff2a",
    "K": "КΚ\u212a\uff2b",
    "L": "\u216c\uff2c",
    "M": "МΜ\u216f\uff2d",
    "N": "Ν\uff2e",
    "O": "ОΟ\uff2f",
    "P": "РΡ\uff30",
    "Q": "\u051a\uff31",
    "R": "\uff32",
    "S": "Ѕ\u054f\uff33",
    "T": "ТΤ\uff34",
    "U": "\u054d\uff35",
    "V": "\u0474\u2164\uff36",
    "W": "\u051c\uff37",
    "X": "ХΧ\u2169\uff38",
    "Y": "\u04aeΥ\uff39",
    "Z": "Ζ\uff3a",
}
LATIN = {other: letter for letter, others in _GROUPS.items() for other in others}
"""Character that looks like a Latin letter → that letter."""
_INVISIBLE = "\u00ad\u034f\u180e\u200b-\u200d\u2060-\u2064\ufe00-\ufe0f\ufeff"
_LETTER = "A-Za-z\u00c0-\u024f\u0370-\u03ff\u0400-\u052f"
_HIDDEN = re.compile(f"(?<=[{_LETTER}0-9@.+])[{_INVISIBLE}]+(?=[{_LETTER}0-9@.+])")
_SIGN = re.compile(f"[{_INVISIBLE}]")
_DISGUISED = re.compile("[" + "".join(map(re.escape, LATIN)) + "]")
_WORD = re.compile(r"[^\W\d_]+")
_PLAIN = re.compile("[A-Za-z]")


def undisguise(text: str) -> str:
    """Returns a text without invisible characters inside words, and with Latin letters in words that are Latin in part.

    Invisible characters that a script or an emoji needs stay: only those between Latin, Greek and Cyrillic letters and
    the characters of numbers and addresses are removed.

    >>> undisguise("a gr\\u0435\\u0430t s\\u200bong, \\u043f\\u0435\\u0441\\u043d\\u044f")
    'a great song, песня'
    """
    if text.isascii():
        return text
    if _SIGN.search(text):
        text = _HIDDEN.sub("", text)
    return _WORD.sub(_in_latin, text) if _DISGUISED.search(text) else text


def _in_latin(match: re.Match[str]) -> str:
    word = match[0]
    if word.isascii() or not _PLAIN.search(word) or not _DISGUISED.search(word):
        return word
    if any(letter not in LATIN and not unicodedata.name(letter, "").startswith("LATIN") for letter in word):
        return word  # letters that look like none: a word of two scripts, such as the name of a unit
    return "".join(LATIN.get(letter, letter) for letter in word)
