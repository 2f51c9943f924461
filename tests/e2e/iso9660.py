# SPDX-License-Identifier: BSD-2-Clause
"""A small ISO 9660 image: one directory with a few files in it ([ECMA119] level 1)."""

import struct

BLOCK = 2048
ROOT = 20  # block of the root directory


def both(fmt, value):
    """A number in both byte orders."""
    return struct.pack("<" + fmt, value) + struct.pack(">" + fmt, value)


def record(name, block, length, directory):
    head = both("I", block) + both("I", length) + bytes([126, 1, 1, 0, 0, 0, 0])
    head += bytes([2 if directory else 0, 0, 0]) + both("H", 1) + bytes([len(name)]) + name
    head += b"" if len(name) % 2 else b"\0"
    return bytes([len(head) + 2, 0]) + head


def padded(data):
    return data + bytes(-len(data) % BLOCK)


def descriptor(blocks):
    text = lambda s, n: s.encode().ljust(n)  # noqa: E731
    volume = b"\1CD001\1\0" + text("", 32) + text("CANDELA", 32) + bytes(8) + both("I", blocks)
    volume += bytes(32) + both("H", 1) + both("H", 1) + both("H", BLOCK) + both("I", 10)
    volume += struct.pack("<II", 18, 0) + struct.pack(">II", 19, 0) + record(b"\0", ROOT, BLOCK, True)
    volume += text("", 128 * 4) + text("", 37 * 3) + (b"0" * 16 + b"\0") * 4 + b"\1\0"
    return padded(volume)


def make(files):
    """files: names like HELLO.TXT, and their contents."""
    entries = record(b"\0", ROOT, BLOCK, True) + record(b"\1", ROOT, BLOCK, True)
    data = b""
    for name, content in sorted(files.items()):
        entries += record(name.encode() + b";1", ROOT + 1 + len(data) // BLOCK, len(content), False)
        data += padded(content)
    path = lambda order: padded(struct.pack(order + "BBIH", 1, 0, ROOT, 1) + b"\0\0")  # noqa: E731
    end = padded(b"\xffCD001\1")
    blocks = ROOT + 1 + len(data) // BLOCK
    return bytes(16 * BLOCK) + descriptor(blocks) + end + path("<") + path(">") + padded(entries) + data
