"""Writes the two tables of this folder from Python itself: `python make_tables.py` (CPython 3.11)."""

import html.entities
from pathlib import Path

HERE = Path(__file__).resolve().parent

# Windows code pages leave a few bytes unassigned; like a browser, read those as Latin-1.
CODE_PAGES = {
    "windows-1252": True,
    "windows-1251": True,
    "windows-1250": True,
    "windows-1253": True,
    "windows-1254": True,
    "windows-1257": True,
    "iso-8859-2": False,
    "macroman": False,
    "cp437": False,
}


def hexadecimal(text):
    return " ".join(f"{ord(c):x}" for c in text)


def upper_half(encoding, sloppy):
    out = ""
    for byte in range(0x80, 0x100):
        char = bytes([byte]).decode(encoding, errors="replace" if sloppy else "strict")
        out += chr(byte) if char == "\ufffd" else char
    assert len(set(out)) == 128
    assert bytes(range(0x80)).decode(encoding) == bytes(range(0x80)).decode("ascii")
    return out


entities = sorted(html.entities.html5.items())
(HERE / "html5_entities.txt").write_text("".join(f"{n} {hexadecimal(v)}\n" for n, v in entities))
(HERE / "code_pages.txt").write_text(
    "".join(f"{name} {hexadecimal(upper_half(name, sloppy))}\n" for name, sloppy in CODE_PAGES.items())
)
