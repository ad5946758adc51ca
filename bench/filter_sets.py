"""What bench/filters asks: conditions with their exact answers, and the columns that they are about.

Of a set of the shared folder: its own conditions over its own metadata. Of every set: conditions over columns that are
made here, so that any share of the rows can be let through, wherever these rows lie as seen from the query:

    random            400 g <= r < 400 g + s     r is a random place of the row
    correlated        near_g < s                 near_g is the place of the row by distance to anchor g
    anti-correlated   near_g >= 10000 - s

Places go from 0 to 9999, so s / 100 is the share in per cent. There are twelve anchors: the rows nearest to some odd
queries. A query belongs to the group g of an anchor that it is close to.
"""

import gzip
import json
import os
import random
import statistics
import subprocess
from dataclasses import dataclass, replace

import datasets
import exact

PLACES = 10000
WIDTHS = (5000, 1000, 100, 10, 1)
ANCHORS = 12
RANDOM_STEP = 400
KINDS = ("random", "correlated", "anti-correlated")
CHECKED_BY_BRUTE_FORCE = 3

# Columns of the shared sets' metadata, in the order of their files; the row number comes first there.
METADATA = {
    "fashion-mnist-784-euclidean": {
        "label": "integer",
        "label_name": "text",
        "nonzero": "integer",
        "mean": "double precision",
    },
    "beir-bge-768-cosine": {"dataset": "text", "qid": "text", "chars": "integer", "text": "text"},
    "sift-kodak-128-euclidean": {
        "image": "integer",
        "x": "double precision",
        "y": "double precision",
        "size": "double precision",
        "angle": "double precision",
        "response": "double precision",
        "octave": "integer",
        "layer": "integer",
    },
}
MADE = {"r": "integer"} | {f"near_{g}": "integer" for g in range(ANCHORS)}
LONG_TEXTS = ("text",)  # no condition names them, and a B-tree does not take them


@dataclass(frozen=True)
class Task:
    """One query under one condition; without a condition `filter` and `sql` are None."""

    query: int
    row: int  # of the truth
    matches: int
    filter: str | None = None
    sql: str | None = None


@dataclass
class FilterSet:
    """Tasks that are reported together; `width` is s of a made one."""

    name: str
    kind: str  # "none", "given" or one of KINDS
    truth: exact.GroundTruth
    tasks: list
    width: int | None = None

    def share(self, rows):
        return statistics.fmean(task.matches for task in self.tasks) / rows

    def recall(self, data, task, ids, k):
        """Right hits as a share of those that there are; None where nothing matches."""
        wanted = min(k, task.matches)
        if wanted == 0:
            return None
        _, expected = self.truth.of(task.row, wanted)
        limit = expected[-1] + exact.SLACK * max(abs(expected[-1]), exact.SMALLEST_DISTANCE)
        true = exact.true_distances(data, task.query, [(i, None) for i in ids[:k]])
        return sum(1 for value in true if value <= limit) / wanted


# ---- of the shared folder --------------------------------------------------------------------------------------------


def given(folder, data, count):
    """The set's own conditions, at most `count` of each kind; those of some few selectivities apart by selectivity."""
    truth = datasets.read_truth(datasets.shared_path(folder, data.name, "gt.filtered.ibin"), data.metric)
    groups = {}
    with open(datasets.shared_path(folder, data.name, "filters.tsv"), encoding="utf-8") as file:
        next(file)
        for line in file:
            row, name, query, matches, sql, condition = line.rstrip("\n").split("\t")
            groups.setdefault(name, []).append(Task(int(query), int(row), int(matches), condition, sql))
    result = []
    for name, tasks in groups.items():
        for level, part in by_level(tasks, data.base.count).items():
            result.append(FilterSet(f"{name} {level}".strip(), "given", truth, part[:count]))
    return result


def by_level(tasks, rows):
    """Where a kind of condition comes in decades (10 %, 1 %, ...): each by itself, named by its share."""
    levels = {}
    for matches in sorted({task.matches for task in tasks}, reverse=True):
        levels[matches] = f"{float(f'{100 * matches / rows:.1g}'):g} %"
    apart = sorted(levels)
    if not 2 <= len(apart) <= 6 or any(high < 5 * low for low, high in zip(apart, apart[1:])):
        return {"": tasks}
    return {name: [task for task in tasks if task.matches == matches] for matches, name in levels.items()}


def metadata_lines(folder, name):
    """(row number and) metadata of each row in COPY's text format."""
    path = datasets.shared_path(folder, name, "base.meta.tsv.gz")
    if os.path.exists(path):
        with gzip.open(path, "rb") as file:
            next(file)
            yield from file
        return
    with gzip.open(datasets.shared_path(folder, name, "base.meta.jsonl.gz"), "rt", encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            yield ("\t".join(escaped(row[column]) for column in ("id", *METADATA[name])) + "\n").encode()


def escaped(value):
    """A value of COPY's text format."""
    if value is None:
        return r"\N"
    text = str(value).replace("\\", "\\\\")
    return text.replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


# ---- made here -------------------------------------------------------------------------------------------------------


class Made:
    """Made columns and conditions of one set; their files lie in `folder` as long as this is open."""

    def __init__(self, program, folder, data, count):
        self._data, self._prefix = data, os.path.join(folder, data.name)
        self._files = []
        base = getattr(data.base, "path", None) or self._write("base", data.base)
        queries = getattr(data.queries, "path", None) or self._write("query", data.queries)
        anchors = random.Random(7).sample(range(1, data.queries.count, 2), ANCHORS)
        self.columns = self._file("columns.tsv")
        shape = [base, queries, data.metric, self.columns]
        subprocess.run([program, "columns", *shape, *map(str, anchors)], check=True)
        self.sets = self._ask(program, shape, assign(data, anchors, count))

    def _file(self, end):
        self._files.append(f"{self._prefix}.{end}")
        return self._files[-1]

    def _write(self, end, vectors):
        is_bytes = vectors.values.typecode == "B"
        path = self._file(f"{end}.{'u8bin' if is_bytes else 'fbin'}")
        if is_bytes:
            vectors.write_u8bin(path)
        else:
            vectors.write_fbin(path)
        return path

    def _ask(self, program, shape, groups):
        """Every kind and width for every query, and no condition at all; one query's tasks follow each other."""
        asked = []
        for query, group in groups:
            asked.append(("none", None, query, -1, 0, self._data.base.count, None, None))
            for kind in KINDS:
                for width in WIDTHS:
                    asked.append((kind, width, query, *condition(kind, width, group)))
        tasks, truth = self._file("tasks.tsv"), self._file("gt.ibin")
        with open(tasks, "w", encoding="ascii") as file:
            file.writelines(f"{query} {column} {low} {high}\n" for _, _, query, column, low, high, _, _ in asked)
        told = subprocess.run([program, "neighbours", *shape, tasks, truth], check=True, capture_output=True, text=True)
        truth = datasets.read_truth(truth, self._data.metric)
        sets = {("none", None): FilterSet("no filter", "none", truth, [])}
        for row, (one, matches) in enumerate(zip(asked, map(int, told.stdout.split()), strict=True)):
            kind, width, query, *_, filter_text, sql = one
            if matches == 0:  # fewer rows than places
                continue
            name = f"{kind} {100 * width / PLACES:g} %" if width else ""
            of_kind = sets.setdefault((kind, width), FilterSet(name, kind, truth, [], width))
            of_kind.tasks.append(Task(query, row, matches, filter_text, sql))
        self._check(asked, truth)
        order = {key: place for place, key in enumerate([("none", None), *((k, w) for k in KINDS for w in WIDTHS)])}
        return [sets[key] for key in sorted(sets, key=order.get)]

    def _check(self, asked, truth):
        """Some of the answers by brute force, in another program."""
        narrow = [row for row, one in enumerate(asked) if one[1] is not None and one[1] <= PLACES // 100]
        for row in random.Random(1).sample(narrow, CHECKED_BY_BRUTE_FORCE):
            _, _, query, column, low, high, _, sql = asked[row]
            passing = []
            with open(self.columns, encoding="ascii") as file:
                for i, line in enumerate(file):
                    if low <= int(line.split("\t")[column + 1]) < high:
                        passing.append(i)
            vector, base = self._data.queries.row(query), self._data.base
            found = sorted(exact.distance(self._data.metric, base.row(i), vector) for i in passing)[: truth.k]
            expected = truth.of(row, len(found))[1]
            if any(exact.deviation(e, f) > exact.SLACK for e, f in zip(expected, found)):
                raise AssertionError(
                    f"{self._data.name}: neighbours of query {query} under {sql} are not those of brute force"
                )

    def close(self):
        for path in self._files:
            if os.path.exists(path):
                os.unlink(path)


def condition(kind, width, group):
    """Column number, bounds, filter and SQL condition."""
    if kind == "random":
        low = RANDOM_STEP * group
        high = low + width
        column, filter_text = 0, {"r": {"$gte": low, "$lt": high} if low else {"$lt": high}}
        sql = f"r >= {low} AND r < {high}" if low else f"r < {high}"
    else:
        low, high = (0, width) if kind == "correlated" else (PLACES - width, PLACES)
        column, name = group + 1, f"near_{group}"
        filter_text = {name: {"$lt": high} if low == 0 else {"$gte": low}}
        sql = f"{name} < {high}" if low == 0 else f"{name} >= {low}"
    return column, low, high, json.dumps(filter_text), sql


def assign(data, anchors, count):
    """(query, group) of `count` queries, half of them odd: anchors take turns, each the nearest query that is left."""
    chosen = []
    for first in (0, 1):
        left = set(range(first, data.queries.count, 2))
        nearest = [
            sorted(left, key=lambda i, a=anchor: exact.distance(data.metric, data.queries.row(i), data.queries.row(a)))
            for anchor in anchors
        ]
        for turn in range(min(count // 2, len(left))):
            group = turn % len(anchors)
            query = next(i for i in nearest[group] if i in left)
            left.remove(query)
            chosen.append((query, group))
    return sorted(chosen)


def shortened(data, rows):
    """The set's first rows; its own ground truths are of all rows, and hold no longer."""
    if rows >= data.base.count:
        return data
    if isinstance(data.base, datasets.MappedVectors):
        raise SystemExit(f"bench: {data.name} is not cut short; name a smaller one of its kind")
    values = data.base.values[: rows * data.base.dimensions]
    return replace(data, base=datasets.Vectors(data.base.dimensions, values), truth=None)


# ---- into PostgreSQL -------------------------------------------------------------------------------------------------


def columns_of(data, has_metadata):
    return (METADATA[data.name] if has_metadata else {}) | MADE


def load(session, table, data, made, folder):
    """The table with all columns, rows in their own order; `folder` None: without the set's own metadata."""
    metadata = METADATA[data.name] if folder else {}

    def listed(columns):
        return ", ".join(f"{name} {kind}" for name, kind in columns.items())

    session.run(f"CREATE TEMPORARY TABLE made (id integer, {listed(MADE)})")
    with open(made.columns, "rb") as file:
        session.copy_in("COPY made FROM STDIN", file)
    session.run("CREATE TEMPORARY TABLE vectors (id integer, embedding real[])")
    session.copy_in("COPY vectors FROM STDIN WITH (FORMAT binary)", data.base.copy_rows())
    source = "vectors"
    if metadata:
        session.run(f"CREATE TEMPORARY TABLE metadata (id integer, {listed(metadata)})")
        session.copy_in("COPY metadata FROM STDIN", metadata_lines(folder, data.name))
        source += " JOIN metadata USING (id)"
    columns = metadata | MADE
    session.run(f"CREATE TABLE {table.name} (id integer PRIMARY KEY, embedding real[], {listed(columns)})")
    session.run(
        f"INSERT INTO {table.name} SELECT id, embedding, {', '.join(columns)} "
        f"FROM {source} JOIN made USING (id) ORDER BY id"
    )
    session.run("DROP TABLE IF EXISTS made, vectors, metadata")
    session.run(f"VACUUM (ANALYZE) {table.name}")
    if int(session.value(f"SELECT count(*) FROM {table.name}")) != data.base.count:
        raise AssertionError(f"{table.name} has not the rows of {data.name}")


def check_matches(session, table, sets):
    """That conditions pass in SQL as many rows as they are said to."""
    for one in sets:
        for task in [task for task in one.tasks if task.sql][:2]:
            found = int(session.value(f"SELECT count(*) FROM {table.name} WHERE {task.sql}"))
            if found != task.matches:
                raise AssertionError(f"{table.name}: {found} rows for {task.sql}, not {task.matches}")
