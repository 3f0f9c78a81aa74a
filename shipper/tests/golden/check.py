#!/usr/bin/env python3
"""Decodes the golden files by the tables of docs/FORMAT.md and nothing else.

Own CRC32C (bit by bit), own BLAKE3 (from its specification), own Merkle tree; only the standard library. The expected
values below were written by hand.
"""

import pathlib
import re
import struct
import sys

HERE = pathlib.Path(__file__).resolve().parent
DOCUMENT = HERE.parent.parent.parent / "docs" / "FORMAT.md"


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


IV = [0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19]
PERMUTATION = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8]
START, END, PARENT, ROOT = 1, 2, 4, 8


def compress(chaining, words, counter, length, flags):
    state = chaining + IV[:4] + [counter & 0xFFFFFFFF, counter >> 32, length, flags]

    def mix(a, b, c, d, x, y):
        def turn(value, by):
            return (value >> by | value << 32 - by) & 0xFFFFFFFF

        state[a] = state[a] + state[b] + x & 0xFFFFFFFF
        state[d] = turn(state[d] ^ state[a], 16)
        state[c] = state[c] + state[d] & 0xFFFFFFFF
        state[b] = turn(state[b] ^ state[c], 12)
        state[a] = state[a] + state[b] + y & 0xFFFFFFFF
        state[d] = turn(state[d] ^ state[a], 8)
        state[c] = state[c] + state[d] & 0xFFFFFFFF
        state[b] = turn(state[b] ^ state[c], 7)

    words = list(words)
    for _ in range(7):
        mix(0, 4, 8, 12, words[0], words[1])
        mix(1, 5, 9, 13, words[2], words[3])
        mix(2, 6, 10, 14, words[4], words[5])
        mix(3, 7, 11, 15, words[6], words[7])
        mix(0, 5, 10, 15, words[8], words[9])
        mix(1, 6, 11, 12, words[10], words[11])
        mix(2, 7, 8, 13, words[12], words[13])
        mix(3, 4, 9, 14, words[14], words[15])
        words = [words[at] for at in PERMUTATION]
    return [state[at] ^ state[at + 8] for at in range(8)]


def blake3(data):
    """Of up to 1024 bytes: one chunk, which is all that is needed here."""
    assert len(data) <= 1024
    blocks = [data[at : at + 64] for at in range(0, len(data), 64)] or [b""]
    chaining = IV
    for at, block in enumerate(blocks):
        flags = (START if at == 0 else 0) | (END | ROOT if at == len(blocks) - 1 else 0)
        words = struct.unpack("<16I", block.ljust(64, b"\0"))
        chaining = compress(chaining, words, 0, len(block), flags)
    return struct.pack("<8I", *chaining)


def merkle(leaves):
    if not leaves:
        return blake3(b"")
    if len(leaves) == 1:
        return blake3(b"\0" + leaves[0])
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return blake3(b"\1" + merkle(leaves[:split]) + merkle(leaves[split:]))


def tables():
    found, heading = {}, None
    for line in DOCUMENT.read_text(encoding="utf-8").splitlines():
        if line.startswith("### "):
            heading = line[4:]
        row = re.match(r"\| (\d+) \| (\d*) ?\| (\w+) \|", line)
        if row:
            size = int(row[2]) if row[2] else None
            found.setdefault(heading, []).append((int(row[1]), size, row[3]))
    return found


TABLES = tables()


def take(heading, data, end=None):
    """The fields of a structure at the beginning of `data`; numbers of 1, 2, 4 and 8 bytes as such."""
    fields = {}
    for offset, size, name in TABLES[heading]:
        value = data[offset : end if size is None else offset + size]
        if size in (1, 2, 4, 8) and name != "magic":
            signed = name in ("born", "created", "earliest", "latest", "ingest_time", "time")
            value = int.from_bytes(value, "little", signed=signed)
        fields[name] = value
    return fields


def structure(heading, data, magic):
    frame = take("Frame", data)
    assert frame["magic"] == magic, heading
    assert (frame["version"], frame["compat"], frame["read_compat"], frame["incompat"]) == (1, 0, 0, 0), heading
    length = frame["len"]
    assert int.from_bytes(data[length - 4 : length], "little") == crc32c(data[: length - 4]), heading
    return take(heading, data, length - 4), length


def equal(what, found, **expected):
    for name, value in expected.items():
        assert found[name] == value, f"{what}: {name} is {found[name]!r}, not {value!r}"


def tally(first):
    return struct.pack("<8Q", *range(first, first + 8))


SPOOL = b"golden spool id!"
EPOCH = 0x0102030405060708
CREATED = 1767225600000000000
SALT = b"\x5a" * 32
LINES = [b'{"event":{"id":"one"},"auditship":{"seq":41}}\n', b'{"auditship":{"seq":42}}\n']
OWN = [b'{"event":{"id":"one"}}', b"{}"]


def sections(data, at, header):
    parts = []
    for name in ("table_len", "stored_len", "secrets_len"):
        part = data[at : at + header[name]]
        at += header[name]
        assert int.from_bytes(data[at : at + 4], "little") == crc32c(part), name
        at += 4
        parts.append(part)
    return parts, at


def chained(header):
    """What the chain value is made of; the golden headers have no extension of the storage."""
    kept = bytearray(header[:-4])
    for first, last in ((10, 23), (25, 25), (27, 27), (156, 179)):
        kept[first : last + 1] = bytes(last + 1 - first)
    return bytes(kept)


def check_segment(data):
    header, at = structure("Segment header", data, b"\x89ASSEG\r\n")
    equal("segment", header, spool=SPOOL, epoch=EPOCH, number=7, first_seq=41, chain=b"\xc7" * 32, totals=tally(200))
    equal("segment", header, previous=6, previous_len=0x1234, previous_index=0x1000, created=CREATED)
    prev, seq, kinds = b"\xc7" * 32, 41, []
    while at < len(data):
        start = at
        block, length = structure("Block header", data[start:], b"\x89ASBLK\r\n")
        at += length
        equal("block", block, codec=0, hash=1, cipher=0, spool=SPOOL, epoch=EPOCH, first_seq=seq, reserved=0)
        equal("block", block, tally=tally(100), earliest=-1000, latest=1000, ingest_time=2000, prev=prev)
        (table, payload, secrets), at = sections(data, at, block)
        equal("block", block, plain_len=len(payload))
        kind = block["kind"]
        contents = {1: [blake3(own) for own in OWN], 3: []}.get(kind, [blake3(payload)])
        assert secrets == (SALT if contents else b"")
        assert block["root"] == merkle([blake3(SALT + content) for content in contents]), f"root of kind {kind}"
        if kind == 1:
            assert payload == b"".join(LINES) and block["count"] == 2
            entries = [take("Record table entry", table[44 * n : 44 * n + 44]) for n in range(2)]
            equal("first", entries[0], len=len(LINES[0]), added=23, flags=2, time=1000, key=b"\xa1" * 16)
            equal("first", entries[0], categories=0x80000005, id_hash=0x1122334455667788)
            equal("second", entries[1], len=len(LINES[1]), added=22, flags=8, time=-1000, key=b"\xa2" * 16)
            equal("second", entries[1], categories=0x80000005, id_hash=0)
            for line, own, entry in zip(LINES, OWN, entries):
                assert line[: len(line) - 2 - entry["added"]] + b"}" == own
        if kind == 2:
            assert payload == b"\xc1\xc1 as it came"
            expected = struct.pack("<HH", 1, 1) + b"\1" + struct.pack("<HH", 2, 11) + b"not msgpack"
            assert block["extensions"] == expected + struct.pack("<HH", 3, 3) + b"tag"
        if kind == 4:
            assert payload.decode() == "a note, UTF-8: \u00e4"
        if kind == 6:
            assert struct.unpack("<QQ", payload[:16]) == (2, 2)
            entries = [take("Index block entry", payload[16 + 48 * n :]) for n in range(2)]
            equal("index", entries[0], offset=196, first_seq=41, count=2, kind=1, earliest=-1000, latest=1000)
            equal("index", entries[1], offset=700, first_seq=41, count=0, kind=3, ingest_time=2000)
            keys = [take("Index key", payload[112 + 24 * n :]) for n in range(2)]
            equal("index", keys[0], key=b"\xa1" * 16, id_hash=0x1122334455667788)
            equal("index", keys[1], key=b"\xa2" * 16, id_hash=0)
            assert len(payload) == 160
        prev = blake3(chained(data[start : start + length]))
        seq += block["count"]
        kinds.append(kind)
    assert kinds == [1, 3, 2, 4, 6], kinds


def check_head(data):
    assert len(data) == 1024
    for at, generation in ((0, 18), (512, 17)):
        slot, length = structure("Head slot", data[at:], b"\x89ASHED\r\n")
        equal("slot", slot, spool=SPOOL, generation=generation, epoch=EPOCH, segment=7, offset=0x0DAD, next_seq=43)
        equal("slot", slot, chain=b"\xc8" * 32, totals=tally(300))
        assert not any(data[at + length : at + 512])


def check_meta(data):
    meta, length = structure("spool.meta", data, b"\x89ASMET\r\n")
    home, home_length = structure("Home", data[length:], b"\x89ASHOM\r\n")
    assert length + home_length == len(data)
    equal("home", home, inode=0x12345678, born=CREATED + 1, copies=3, evidence=2, reserved=bytes(7))
    equal("meta", meta, spool=SPOOL, machine=blake3(b"machine"), created=CREATED, id=b"golden-1")


def main():
    assert crc32c(b"123456789") == 0xE3069283
    # From the specification's own test vectors.
    assert blake3(b"").hex() == "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
    assert blake3(bytes(range(3))).hex() == "e1be4d7a8ab5560aa4199eea339849ba8e293d55ca0a81006726d184519e647f"
    check_segment((HERE / "segment.seg").read_bytes())
    check_head((HERE / "head").read_bytes())
    check_meta((HERE / "spool.meta").read_bytes())


if __name__ == "__main__":
    sys.exit(main())
