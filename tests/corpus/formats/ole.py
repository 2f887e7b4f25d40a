"""A small writer of OLE files (compound file binary, version 3): streams in storages, no mini stream."""

import struct

SECTOR = 512
END, FREE, FAT, NONE = 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFD, 0xFFFFFFFF
LEAST = 4096  # shorter streams would have to lie in the mini stream, so they are padded with zeros


def ole(streams: dict[str, bytes]) -> bytes:
    """The bytes of a file with these streams; a name like "BodyText/Section0" lies in a storage."""
    storages = sorted({name.partition("/")[0] for name in streams if "/" in name})
    entries = [
        "",
        *[name for name in streams if "/" not in name],
        *storages,
        *[name for name in streams if "/" in name],
    ]
    sectors, starts, chains = list[bytes](), dict[str, int](), list[int]()
    for name, data in streams.items():
        starts[name] = _append(sectors, chains, data.ljust(LEAST, b"\0"))
    directory = _append(
        sectors, chains, b"".join(_entry(n, name, entries, streams, starts) for n, name in enumerate(entries))
    )
    fat_sector = len(sectors)
    chains.append(FAT)
    assert len(chains) <= SECTOR // 4, "one sector of the allocation table is enough for tests"
    table = struct.pack("<128I", *chains, *[FREE] * (128 - len(chains)))
    head = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(16) + struct.pack("<HHHHH6x", 0x3E, 3, 0xFFFE, 9, 6)
    head += struct.pack("<IIIIIIIIII", 0, 1, directory, 0, LEAST, END, 0, END, 0, fat_sector) + b"\xff" * (108 * 4)
    return head + b"".join(sectors) + table


def _append(sectors: list[bytes], chains: list[int], data: bytes) -> int:
    start = len(sectors)
    parts = [data[at : at + SECTOR].ljust(SECTOR, b"\0") for at in range(0, len(data), SECTOR)]
    sectors += parts
    chains += [*range(start + 1, start + len(parts)), END]
    return start


def _entry(number: int, name: str, entries: list[str], streams: dict[str, bytes], starts: dict[str, int]) -> bytes:
    """A directory entry; siblings form a list to the right, in the order that the format wants (length, then name)."""
    text = "Root Entry" if number == 0 else name.rpartition("/")[2]
    inside = {other: other.rpartition("/")[0] for other in entries[1:]}
    family = _ordered([other for other in inside if number and inside[other] == inside[name]])
    later = family[family.index(name) + 1 :] if number else []
    children = _ordered([other for other in inside if inside[other] == name and (number == 0 or name not in streams)])
    kind = 5 if number == 0 else 2 if name in streams else 1
    encoded = (text + "\0").encode("utf-16-le")
    size = max(len(streams[name]), LEAST) if kind == 2 else 0
    return (
        encoded.ljust(64, b"\0")
        + struct.pack("<HBB", len(encoded), kind, 1)
        + struct.pack(
            "<III", NONE, entries.index(later[0]) if later else NONE, entries.index(children[0]) if children else NONE
        )
        + bytes(36)
        + struct.pack("<IQ", starts[name] if kind == 2 else (END if kind == 5 else 0), size)
    )


def _ordered(names: list[str]) -> list[str]:
    return sorted(names, key=lambda name: (len(name.rpartition("/")[2]), name.upper()))
