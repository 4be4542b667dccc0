#!/usr/bin/env python3
"""Writes src/Uniscale.Data/Tokens/ByteLevel/canonical.txt: canonical decompositions and combining classes of Unicode.

    scripts/canonical-table.py > src/Uniscale.Data/Tokens/ByteLevel/canonical.txt
"""
import unicodedata as u

print(f"# Unicode {u.unidata_version}: character = its canonical decomposition (! is never composed again); first-last: combining class")
for c in range(0x110000):
    mapping = u.decomposition(chr(c))
    if not mapping or mapping.startswith("<"):
        continue
    parts = [int(part, 16) for part in mapping.split()]
    composed = len(parts) == 2 and u.normalize("NFC", "".join(map(chr, parts))) == chr(c)
    print(f"{c:X} = {' '.join(f'{part:X}' for part in parts)}{'' if composed else ' !'}")
first, held = 0, 0
for c in range(0x110001):
    combining = u.combining(chr(c)) if c < 0x110000 else 0
    if combining != held:
        if held:
            print(f"{first:X}-{c - 1:X}: {held}")
        first, held = c, combining
