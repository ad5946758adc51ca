"""The vectors to measure with: real sets of the shared data folder, read in place; large sets that the program
`generate` writes; and a small one that is generated here."""

import gzip
import json
import mmap
import os
import random
import re
import struct
import subprocess
from array import array
from dataclasses import dataclass

import exact
import libpq

ROWS_OF_A_CHUNK = 64


@dataclass(frozen=True)
class Known:
    """A set of the shared data folder: how it lies there, and what is asked of an index of it."""

    metric: str
    suffix: str
    scanned_goal: float  # entries scanned at most, as a share of the rows


SHARED = {
    "fashion-mnist-784-euclidean": Known("l2", "u8bin", 0.10),
    "beir-bge-768-cosine": Known("cosine", "fbin", 0.30),
    "sift-kodak-128-euclidean": Known("l2", "u8bin", 0.10),
}
GENERATED = "generated-64-euclidean"

# Large sets are named by kind and rows: topics-1M, hard-60k, growth-10M.
LARGE_QUERIES = {"topics": 1000, "hard": 1000, "growth": 200}

# An element of a binary float4[]: its length, then its value, big-endian.
_BYTE_ELEMENTS = [struct.pack(">if", 4, value) for value in range(256)]


class Vectors:
    """Row-major values of one type: array("B") or array("f")."""

    def __init__(self, dimensions, values):
        self.dimensions = dimensions
        self.values = values
        self.count = len(values) // dimensions

    def row(self, i):
        return self.values[i * self.dimensions : (i + 1) * self.dimensions]

    def binary(self, i):
        """The elements of a binary float4[]."""
        row = self.row(i)
        if row.typecode == "B":
            return b"".join([_BYTE_ELEMENTS[value] for value in row])
        bits = array("I", row.tobytes())
        elements = array("I", [4]) * (2 * self.dimensions)
        elements[1::2] = bits
        elements.byteswap()
        return elements.tobytes()

    def parameter(self, i):
        return libpq.vector_parameter(self.binary(i), self.dimensions)

    def pgvector(self, i):
        """A value of pgvector's type vector in binary: dimensions, a zero, the elements."""
        values = array("f", self.row(i))
        values.byteswap()
        return struct.pack(">HH", self.dimensions, 0) + values.tobytes()

    def write_fbin(self, path):
        with open(path, "wb") as file:
            file.write(struct.pack("<ii", self.count, self.dimensions))
            for first in range(0, self.count, 1024):
                for i in range(first, min(first + 1024, self.count)):
                    array("f", self.row(i)).tofile(file)

    def write_u8bin(self, path):
        """Of bytes alone."""
        with open(path, "wb") as file:
            file.write(struct.pack("<ii", self.count, self.dimensions))
            self.values.tofile(file)

    def copy_rows(self, count=None, pgvector=False):
        """Chunks of COPY in binary for a table (id integer, embedding real[] or vector)."""
        encode = self.pgvector if pgvector else self.parameter
        count = self.count if count is None else min(count, self.count)
        yield libpq.COPY_HEADER
        for first in range(0, count, ROWS_OF_A_CHUNK):
            rows = []
            for i in range(first, min(first + ROWS_OF_A_CHUNK, count)):
                vector = encode(i)
                rows.append(struct.pack(">hiii", 2, 4, i, len(vector)) + vector)
            yield b"".join(rows)
        yield libpq.COPY_TRAILER


class MappedVectors(Vectors):
    """An fbin file, left where it is."""

    def __init__(self, path):
        self.path = path
        with open(path, "rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self.count, self.dimensions = struct.unpack_from("<ii", self._map)

    def row(self, i):
        size = 4 * self.dimensions
        return array("f", self._map[8 + i * size : 8 + (i + 1) * size])


@dataclass
class DataSet:
    name: str
    metric: str
    base: Vectors
    queries: Vectors
    truth: exact.GroundTruth
    scanned_goal: float | None
    description: dict | None = None  # of a large set: what `generate` measured


def read_vectors(path):
    with (gzip.open if path.endswith(".gz") else open)(path, "rb") as file:
        content = file.read()
    count, dimensions = struct.unpack_from("<ii", content)
    values = array("B" if ".u8bin" in path else "f", content[8:])
    if len(values) != count * dimensions:
        raise ValueError(f"{path}: {len(values)} values, but {count} x {dimensions} in its header")
    return Vectors(dimensions, values)


def read_truth(path, metric):
    with open(path, "rb") as file:
        content = file.read()
    count, k = struct.unpack_from("<ii", content)
    size = 4 * count * k
    if len(content) != 8 + 2 * size:
        raise ValueError(f"{path}: {len(content)} bytes, but {count} x {k} in its header")
    distances = array("f", content[8 + size :])
    if metric == "l2":
        distances = array("d", (value**0.5 for value in distances))  # the file has squares, s3v the root
    return exact.GroundTruth(k, array("i", content[8 : 8 + size]), distances)


def shared_path(folder, name, part):
    return os.path.join(folder, name, f"{name}.{part}")


def available(folder, name):
    return os.path.exists(shared_path(folder, name, "gt.ibin"))


def load_shared(folder, name):
    known = SHARED[name]
    base = shared_path(folder, name, f"base.{known.suffix}")
    return DataSet(
        name,
        known.metric,
        read_vectors(base if os.path.exists(base) else base + ".gz"),
        read_vectors(shared_path(folder, name, f"query.{known.suffix}")),
        read_truth(shared_path(folder, name, "gt.ibin"), known.metric),
        known.scanned_goal,
    )


def generate(rows=8000, queries=200, dimensions=64, seed=7):
    """Clusters of clusters: 16 groups of 8 centres with Gaussian rows around them; queries are drawn like rows."""
    rng = random.Random(seed)

    def around(centre, spread):
        return [value + rng.gauss(0, spread) for value in centre]

    groups = [around([0.0] * dimensions, 4.0) for _ in range(16)]
    centres = [around(group, 2.0) for group in groups for _ in range(8)]
    values = array("f", (value for _ in range(rows + queries) for value in around(rng.choice(centres), 1.0)))
    base = Vectors(dimensions, values[: rows * dimensions])
    asked = Vectors(dimensions, values[rows * dimensions :])
    truth = exact.brute_force_truth("l2", base, asked, 100)
    return DataSet(GENERATED, "l2", base, asked, truth, None)


# ---- large sets ------------------------------------------------------------------------------------------------------


def is_large(name):
    return re.fullmatch(r"(topics|hard|growth)-[1-9][0-9]*[kM]?", name) is not None


def load_large(program, folder, name, seed=7):
    """A large set by name; made first, once, where it is not there yet."""
    kind, size = name.split("-")
    rows = int(size.rstrip("kM")) * {"k": 1000, "M": 1000000}.get(size[-1], 1)
    prefix = os.path.join(folder, name)
    wanted = {"kind": kind, "rows": rows, "queries": LARGE_QUERIES[kind], "seed": seed}
    description = read_description(prefix)
    if any(description.get(key) != value for key, value in wanted.items()):
        os.makedirs(folder, exist_ok=True)
        command = [program, kind, str(rows), prefix, "--queries", str(wanted["queries"]), "--seed", str(seed)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        description = read_description(prefix)
    metric = description["metric"]
    truth = read_truth(prefix + ".gt.ibin", metric)
    base, queries = MappedVectors(prefix + ".base.fbin"), MappedVectors(prefix + ".query.fbin")
    return DataSet(name, metric, base, queries, truth, None, description)


def read_description(prefix):
    try:
        with open(prefix + ".json", encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        return {}
