"""pgvector's HNSW under conditions, as it comes and with both kinds of iterative scan; and the exact answer, from all
rows and by the columns' own B-trees. In the same PostgreSQL, over a table with the same rows and columns; HNSW and the
scan of all rows are forced, for it is they that are measured, not the planner."""

import contextlib
import json

import contest
import process
from measure_queries import summary
from peers import pgvector, sql

NO_INDEX = {"enable_indexscan": "off", "enable_bitmapscan": "off", "enable_indexonlyscan": "off"}
BY_INDEX = {"enable_seqscan": "off", "enable_sort": "off", "enable_bitmapscan": "off"}


def hnsw(order):
    return BY_INDEX | {"hnsw.iterative_scan": order}


# Name -> settings; otherwise pgvector's defaults (ef_search 40, an iterative scan of at most 20,000 tuples).
PEERS = {
    "exact": NO_INDEX,
    "exact_by_index": {},
    "hnsw": BY_INDEX,
    "relaxed_order": hnsw("relaxed_order"),
    "strict_order": hnsw("strict_order"),
}
EXACT = ("exact", "exact_by_index")
LABELS = {
    "hnsw": "pgvector HNSW",
    "relaxed_order": "pgvector relaxed_order",
    "strict_order": "pgvector strict_order",
    "exact": "exact scan",
    "exact_by_index": "exact, columns indexed",
}
EXPLAINED = 3
EXACT_QUERIES = 10
PAGE = 8192


class Table:
    """A copy of the rows with their vectors as `vector`, and an HNSW index of it."""

    def __init__(self, bench, data, table, columns):
        self.name = table.name + "_vector"
        self._bench, self._data = bench, data
        with bench.connect() as session:
            if session.run("SELECT 1 FROM pg_available_extensions WHERE name = 'vector'") == []:
                raise contest.Skipped('the extension "vector" is not in this PostgreSQL (see S3V_PGVECTOR_DIR)')
            session.run("CREATE EXTENSION IF NOT EXISTS vector")
            session.run(
                f"CREATE TABLE {self.name} AS SELECT id, embedding::vector({data.base.dimensions}) AS embedding, "
                f"{', '.join(columns)} FROM {table.name} ORDER BY id"
            )
            session.run(f"ALTER TABLE {self.name} ADD PRIMARY KEY (id)")
            session.run(f"VACUUM (ANALYZE) {self.name}")
        self.version = pgvector.version(bench)

    @contextlib.contextmanager
    def indexed(self, columns):
        """B-trees of these columns inside. Before HNSW is built: the planner has them, and the scan of all rows."""
        with self._bench.connect() as session:
            for column in columns:
                session.run(f"CREATE INDEX {self.name}_{column} ON {self.name} ({column})")
            session.run(f"VACUUM (ANALYZE) {self.name}")
            try:
                yield
            finally:
                for column in columns:
                    session.run(f"DROP INDEX {self.name}_{column}")

    def build(self):
        index = f"{self.name}_hnsw"
        statement = (
            f"CREATE INDEX {index} ON {self.name} USING hnsw (embedding {pgvector.OPERATOR[self._data.metric][1]}) "
            f"WITH ({', '.join(f'{key} = {value}' for key, value in pgvector.HNSW.items())})"
        )
        memory = f"SET maintenance_work_mem = '{pgvector.build_memory(self._data)}'"
        return sql.build_index(self._bench, statement, [memory], index, self._data.base.count)

    def drop(self):
        pgvector.drop_table(self._bench, self.name)


class Asker:
    """One session under one peer's settings; a prepared statement for each condition."""

    def __init__(self, bench, data, table, peer):
        self._data, self._table = data, table.name
        self._scan = {"exact": "Seq Scan", "exact_by_index": "Scan"}.get(peer, f"{table.name}_hnsw")
        self._session, self._statements = bench.connect(), {}
        self._session.run("LOAD 'vector'")
        known = {name for name, in self._session.run("SELECT name FROM pg_settings")}
        missing = sorted(set(PEERS[peer]) - known)
        if missing:
            raise contest.Skipped(f"pgvector {table.version} does not know {', '.join(missing)}")
        for statement in sql.SESSION:
            self._session.run(statement)
        for name, value in PEERS[peer].items():
            self._session.run(f"SET {name} = {value}")
        self._clock = process.CpuClock(self._session.pid)

    def _select(self, task):
        where = f" WHERE {task.sql}" if task.sql else ""
        operator = pgvector.OPERATOR[self._data.metric][0]
        return f"SELECT id FROM {self._table}{where} ORDER BY embedding {operator} $1::vector LIMIT {contest.K}"

    def _prepared(self, task, vector):
        """A statement's first call plans it: that one is not measured."""
        if task.sql not in self._statements:
            name = self._statements[task.sql] = f"ask_{len(self._statements)}"
            self._session.prepare(name, self._select(task))
            self._session.execute(name, vector)
        return self._statements[task.sql]

    def ask(self, task):
        """Row numbers, and microseconds of CPU."""
        vector = self._data.queries.pgvector(task.query)
        name = self._prepared(task, vector)
        before = self._clock.seconds()
        rows = self._session.execute(name, vector)
        cpu = 1e6 * (self._clock.seconds() - before)
        return [int(row[0]) for row in rows], cpu

    def pages(self, task, number):
        """Shared buffers that a call touches; and a check that the plan is the one meant."""
        name = f"explain_{number}"
        self._session.prepare(name, "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + self._select(task))
        told = self._session.execute(name, self._data.queries.pgvector(task.query))[0][0]
        self._session.run(f"DEALLOCATE {name}")
        if self._scan not in told:
            raise RuntimeError(f"no {self._scan} in the plan of {self._select(task)}")
        plan = json.loads(told)[0]["Plan"]
        return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]

    def close(self):
        self._session.close()


def measure(bench, data, table, peer, sets, choose, figures_of):
    """Figures of each filter set by name; `choose(tasks, count)` picks what is asked, `figures_of` sums up records."""
    asker, result = Asker(bench, data, table, peer), {}
    for one in sets:
        tasks = choose(one.tasks, EXACT_QUERIES if peer in EXACT else None)
        records = []
        for task in tasks:
            ids, cpu = asker.ask(task)
            recall = one.recall(data, task, ids, contest.K)
            short = len(ids) < min(contest.K, task.matches)
            records.append({"query": task.query, "recall": recall, "short": short, "cpu_us": cpu})
        told = result[one.name] = figures_of(records)
        pages = [asker.pages(task, number) for number, task in enumerate(tasks[:EXPLAINED])]
        told["bytes"] = summary([PAGE * count for count in pages])
    asker.close()
    return result
