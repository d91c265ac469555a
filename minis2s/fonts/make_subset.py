"""Cut the font of the figures out of Noto Sans CJK: python make_subset.py COLLECTION OUT TEXT..."""

import sys
import unicodedata
from pathlib import Path

FAMILY = "minis2s Sans SC"  # the OFL wants a modified font to leave its origin's reserved names alone
DROPPED = ["BASE", "GDEF", "GPOS", "GSUB", "VORG", "vhea", "vmtx"]  # layout features, vertical metrics


def decoded(encoding: str, leads: range, trails: list[int], last: int) -> set[str]:
    """The characters of a two-byte encoding from the first lead byte up to the code `last`."""
    codes = [bytes([lead, trail]) for lead in leads for trail in trails]
    return set(b"".join(code for code in codes if code <= last.to_bytes(2)).decode(encoding, "ignore"))


def chinese() -> set[str]:
    """GB 2312 level 1 (3755 characters), and their Traditional forms as far as Big5 level 1 has them."""
    from opencc import OpenCC

    simplified = decoded("gb2312", range(0xB0, 0xD8), [*range(0xA1, 0xFF)], last=0xD7F9)
    big5 = decoded("big5", range(0xA4, 0xC7), [*range(0x40, 0x7F), *range(0xA1, 0xFF)], last=0xC67E)
    to_simplified = OpenCC("t2s").convert
    return simplified | {char for char in big5 if to_simplified(char) in simplified}


def characters(texts: list[str]) -> set[str]:
    """All that the subset holds: Chinese, Latin, punctuation, every wide character of the texts."""
    latin = {chr(code) for code in (*range(0x20, 0x7F), *range(0xC0, 0x100))}  # ASCII; À to ÿ
    full_width = {chr(ord(char) + 0xFEE0) for char in latin if "!" <= char <= "~"} | {"￥"}
    # Quotes, dashes and dots that Chinese shares with English are full-width here: the other font has them.
    punctuation = {chr(code) for code in range(0x3000, 0x3020)}
    wide = {char for char in "".join(texts) if unicodedata.east_asian_width(char) in "WF"}
    return chinese() | latin | full_width | punctuation | wide


def face(collection: str, family: str = "Noto Sans CJK SC"):
    """The face of that family in an OpenType collection."""
    from fontTools.ttLib import TTCollection

    for font in TTCollection(collection).fonts:
        if font["name"].getDebugName(1) == family:
            return font
    raise ValueError(f"{collection} has no face of the family {family!r}")


def cut(font, chars: set[str]) -> None:
    """Keep the glyphs of chars, without hints; write again as subroutines what is then shared by outlines."""
    import cffsubr
    from fontTools.subset import Options, Subsetter

    missing = sorted(char for char in chars if ord(char) not in font.getBestCmap())
    if missing:
        raise ValueError(f"the font has no glyph for {' '.join(missing)}")
    options = Options(hinting=False, layout_features=[], notdef_outline=True, name_IDs=["*"])
    options.drop_tables += DROPPED
    subsetter = Subsetter(options)
    subsetter.populate(text="".join(chars))
    subsetter.subset(font)
    cffsubr.subroutinize(font, cff_version=1, keep_glyph_names=False)


def rename(font) -> None:
    """Give the modified font a name of its own; keep the copyright and the licence; say what was done."""
    name = font["name"]
    origin = f"{name.getDebugName(4)}, {name.getDebugName(5).split(';')[0]}"
    postscript = FAMILY.replace(" ", "")
    names = {number: name.getDebugName(number) for number in (0, 13, 14)}  # copyright, licence, its address
    names |= {1: FAMILY, 2: "Regular", 3: f"{FAMILY}, from {origin}", 4: FAMILY, 6: postscript,
              10: f"A subset of {origin}, without hints, under another name."}
    name.names = []
    for number, text in sorted(names.items()):
        name.setName(text, number, 3, 1, 0x409)  # Windows, Unicode, English
    cff = font["CFF "].cff
    cff.fontNames = [postscript]
    cff.topDictIndex[0].FullName = cff.topDictIndex[0].FamilyName = FAMILY


def main(collection: str, out: str, *texts: str) -> None:
    font = face(collection)
    font.recalcTimestamp = False  # the same input makes the same file
    cut(font, characters([Path(text).read_text(encoding="utf-8-sig") for text in texts]))
    rename(font)
    font.save(out)
    print(f"{out}: {len(font.getBestCmap())} characters, {Path(out).stat().st_size:,} bytes")


if __name__ == "__main__":
    main(*sys.argv[1:])
