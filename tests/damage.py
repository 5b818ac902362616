"""Damage to files: bytes that are cut, changed, inserted, removed or swapped; JSON whose values are others."""

import copy
import json
from collections.abc import Callable
from typing import Any

import numpy as np

MAGNITUDES = (0, -1, 1, 2**31, 2**63, -(2**63), 10**30, 0.5, float("nan"), float("inf"))
OTHERS: tuple[Any, ...] = (None, True, "", "x", "../x", "\0", "\ud800", "\x1b[2J", [], [[]], {}, {"x": 1}, *MAGNITUDES)
"""Values of each of JSON's types, odd ones among them."""


def mutate(contents: bytes, random: np.random.Generator) -> bytes:
    """Cut, change, insert, remove or swap bytes, once or several times."""
    data = bytearray(contents)
    for _ in range(int(random.choice([1, 1, 1, 2, 5]))):
        position, size = int(random.integers(len(data) + 1)), int(random.integers(1, 20))
        match int(random.integers(7)):
            case 0:
                del data[position:]
            case 1:
                for at in random.integers(0, max(len(data), 1), min(size, len(data))):
                    data[at] = int(random.integers(256))
            case 2:
                data[position:position] = random.bytes(size)
            case 3:
                del data[position : position + size]
            case 4:  # one bit
                if data:
                    data[position % len(data)] ^= 1 << int(random.integers(8))
            case 5:  # two ranges change places
                other = int(random.integers(len(data) + 1))
                first, second = sorted((position, other))
                head, tail = data[first : first + size], data[second : second + size]
                data[second : second + size] = head
                data[first : first + size] = tail
            case _:  # a range again and again
                data[position:position] = bytes(data[position : position + size]) * int(random.integers(1, 200))
    return bytes(data)


def mutate_json(contents: bytes, random: np.random.Generator) -> bytes:
    """Replace, remove, swap, wrap or double values of a JSON document."""
    value = copy.deepcopy(json.loads(contents))
    for _ in range(int(random.choice([1, 1, 2]))):
        places = list_places(value)
        if not places:
            break
        (owner, key), (other, other_key) = (places[at] for at in random.integers(0, len(places), 2))
        match int(random.integers(5)):
            case 0 | 1:
                owner[key] = copy.deepcopy(OTHERS[int(random.integers(len(OTHERS)))])
            case 2:
                del owner[key]
            case 3:
                owner[key], other[other_key] = copy.deepcopy(other[other_key]), copy.deepcopy(owner[key])
            case _:
                owner[key] = [owner[key]] if random.integers(2) else {"x": owner[key]}
    if not random.integers(20):
        return b"[" * 100_000
    return json.dumps(value, indent=int(random.integers(3)) or None).encode()


def list_places(value: Any) -> list[tuple[Any, Any]]:
    """List the places of all values in a JSON value: the list or object that contains each, and its index or name."""
    keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    places = [(value, key) for key in keys]
    return places + [place for key in keys for place in list_places(value[key])]


Mutation = Callable[[bytes, np.random.Generator], bytes]


def mutate_lines(contents: bytes, random: np.random.Generator) -> bytes:
    """Replace, remove, double or swap lines and fields of lines."""
    lines = contents.splitlines(keepends=True)
    for _ in range(int(random.choice([1, 2, 3]))):
        at, other = (int(number) for number in random.integers(0, len(lines), 2))
        fields = lines[at].split(b",")
        match int(random.integers(6)):
            case 0:
                lines[at], lines[other] = lines[other], lines[at]
            case 1:
                lines.insert(at, lines[other])
            case 2:
                fields[int(random.integers(len(fields)))] = bytes(random.choice([b'"', b'""', b"\0", b"\r", b"\xff"]))
                lines[at] = b",".join(fields)
            case 3:
                random.shuffle(fields)
                lines[at] = b",".join(fields)
            case 4:
                lines[at] = lines[at].replace(b"\n", bytes(random.choice([b"", b"\r", b"\r\n", b"\n\n", b'"\n'])))
            case _:
                lines[at] = b"".join(fields)
    return b"".join(lines)
