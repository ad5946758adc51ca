"""pgvector: HNSW, IVFFlat, and its exact scan, in the same PostgreSQL and over a table of its own with the same rows."""

import math

import contest
from peers import sql

OPERATOR = {"l2": ("<->", "vector_l2_ops"), "cosine": ("<=>", "vector_cosine_ops")}
HNSW = {"m": 16, "ef_construction": 64}
HNSW_LADDER = (10, 15, 20, 25, 30, 40, 60, 80, 100, 150, 200, 300, 400, 600, 800)
IVFFLAT_LADDER = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)
EXACT_QUERIES = 10


def make_table(bench, data, table):
    """The rows as `vector`; skips where the extension is not installed. Answers the table's name."""
    name = table.name + "_vector"
    with bench.connect() as session:
        if session.run("SELECT 1 FROM pg_available_extensions WHERE name = 'vector'") == []:
            raise contest.Skipped('the extension "vector" is not in this PostgreSQL (see S3V_PGVECTOR_DIR)')
        session.run("CREATE EXTENSION IF NOT EXISTS vector")
        session.run(f"CREATE TABLE {name} (id integer PRIMARY KEY, embedding vector({data.base.dimensions}))")
        session.copy_in(f"COPY {name} FROM STDIN WITH (FORMAT binary)", data.base.copy_rows(pgvector=True))
        session.run(f"VACUUM (ANALYZE) {name}")
    return name


def version(bench):
    with bench.connect() as session:
        return session.value("SELECT extversion FROM pg_extension WHERE extname = 'vector'")


def drop_table(bench, name):
    with bench.connect() as session:
        session.run(f"DROP TABLE IF EXISTS {name}")


def select(name, metric):
    return f"SELECT id FROM {name} ORDER BY embedding {OPERATOR[metric][0]} $1::vector LIMIT {contest.K}"


def build_memory(data):
    """Enough that the graph is built in memory: 1.5 times the vectors and their links."""
    return f"{max(64, data.base.count * (data.base.dimensions * 4 + 300) * 3 // 2 >> 20)}MB"


def ivfflat_lists(rows):
    """pgvector's advice: rows / 1000 up to a million, then the root."""
    return max(10, rows // 1000 if rows <= 1000000 else math.isqrt(rows))


def measure(bench, data, name, method, count):
    """(figures, contender) of "hnsw" or "ivfflat"; the contender stays at the tuned setting, for the duel."""
    index = f"{name}_{method}"
    if method == "hnsw":
        options, ladder, setting = HNSW, HNSW_LADDER, "hnsw.ef_search"
    else:
        options, ladder, setting = {"lists": ivfflat_lists(data.base.count)}, IVFFLAT_LADDER, "ivfflat.probes"
    parameters = ", ".join(f"{key} = {value}" for key, value in options.items())
    statement = (
        f"CREATE INDEX {index} ON {name} USING {method} (embedding {OPERATOR[data.metric][1]}) WITH ({parameters})"
    )
    memory = build_memory(data)
    figures = {"version": version(bench), "options": options, "maintenance_work_mem": memory}
    figures["build"] = sql.build_index(
        bench, statement, [f"SET maintenance_work_mem = '{memory}'"], index, data.base.count
    )
    contender = sql.SqlContender(bench, select(name, data.metric), data.queries.pgvector)
    contender.apply({"enable_seqscan": "off"})
    limit = options.get("lists", ladder[-1])
    figures |= contest.climb(data, count, [{setting: value} for value in ladder if value <= limit], contender.ask)
    if figures["chosen"] is not None:
        contender.apply(figures["points"][figures["chosen"]]["setting"])
        figures["buffers"] = contender.buffers(contest.even(count))
    return figures, contender


def drop_index(bench, name, method):
    with bench.connect() as session:
        session.run(f"DROP INDEX IF EXISTS {name}_{method}")


def exact_scan(bench, data, name):
    """Plain ORDER BY over the table, in one process."""
    contender = sql.SqlContender(bench, select(name, data.metric), data.queries.pgvector, "Seq Scan")
    contender.apply({"enable_indexscan": "off"})
    numbers = list(contest.even(data.queries.count))[:EXACT_QUERIES]
    figures = contest.judged(data, numbers, contender.ask({}, numbers))
    figures["buffers"] = contender.buffers(numbers[:1])
    contender.close()
    return figures
