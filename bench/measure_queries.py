"""Queries: recall, distances, and the work they do, warm and cold."""

import statistics

import exact
import process
import session as db

COUNTERS = ("waves", "requests", "bytes", "lists_probed", "entries_scanned", "reranked", "source_rows", "pending_merged")
STAGES = ("catalog", "search", "source", "total")
COLD_SESSIONS = 20


def summary(values):
    values = sorted(values)
    return {
        "mean": statistics.fmean(values),
        "median": statistics.median(values),
        "p95": values[min(len(values) - 1, int(0.95 * len(values)))],
        "max": values[-1],
    }


def work_of(explained):
    work = {name: summary([one[name] for one in explained]) for name in COUNTERS}
    work["paths"] = {path: sum(one["path"] == path for one in explained) for path in ("index", "mixed", "source")}
    work["not_exact"] = sum(not one["exact"] for one in explained)
    work["statuses"] = sorted({one["status"] for one in explained if one["status"] is not None})
    work["ms"] = {part: summary([one["ms"][part] for one in explained]) for part in STAGES}
    return work


def timed(session, queries, vectors):
    """CPU and wall milliseconds of one s3v_query each, and the hits."""
    clock = process.CpuClock(session.pid)
    cpu, wall, hits = [], [], []
    for vector in vectors:
        watch, before = process.Stopwatch(session.pid), clock.seconds()
        hits.append(queries.hits(vector))
        cpu.append(1000 * (clock.seconds() - before))
        wall.append(1000 * watch.read()[0])
    return {"cpu_ms": summary(cpu), "wall_ms": summary(wall)}, hits


def recalls(values):
    """Of one share of right hits per query: over all, and over odd and even query numbers apart."""
    return {"all": statistics.fmean(values), "odd": statistics.fmean(values[1::2]), "even": statistics.fmean(values[::2])}


def judge(data, k, hits):
    """Recall and the largest deviation of a distance: from the ground truth file, and from the vectors themselves."""
    right, from_file, from_vectors = [], 0.0, 0.0
    for query, found in enumerate(hits):
        if len({key for key, _ in found}) != len(found):
            raise AssertionError(f"{data.name}: query {query} answers a key twice")
        if found != sorted(found, key=lambda hit: hit[1]):
            raise AssertionError(f"{data.name}: hits of query {query} are not in order")
        true = exact.true_distances(data, query, found)
        right.append(exact.recall(data, query, true, k))
        from_vectors = max([from_vectors] + [exact.deviation(got, want) for (_, got), want in zip(found, true)])
        listed = dict(zip(*data.truth.of(query, data.truth.k)))
        from_file = max([from_file] + [exact.deviation(got, listed[key]) for key, got in found if key in listed])
    return {"recall": recalls(right), "deviation_from_ground_truth": from_file, "deviation_from_vectors": from_vectors}


def warm(bench, table, data, count):
    """Every query in one session: k = 10 and k = 100, answers and counters."""
    vectors = [data.queries.parameter(i) for i in range(count)]
    result = {}
    with bench.connect() as session:
        for k in (10, 100):
            queries = db.Queries(session, table.index, k)
            queries.hits(vectors[0])  # opens the navigation tier and the plans
            time, hits = timed(session, queries, vectors)
            result[f"k{k}"] = judge(data, k, hits) | time | {"work": work_of([queries.explain(v) for v in vectors])}
    return result


def brief(bench, index, data, count, k=10):
    """Recall of another index of the same table, and the work that it took."""
    vectors = [data.queries.parameter(i) for i in range(count)]
    with bench.connect() as session:
        queries = db.Queries(session, index, k)
        answers = judge(data, k, [queries.hits(vector) for vector in vectors])
        return answers | {"queries": count, "work": work_of([queries.explain(vector) for vector in vectors])}


def cold(bench, table, data, count):
    """One query in each of some new sessions, spread over the query numbers: nothing of the index in their memory, nor
    in their local cache."""
    explained = []
    sample = range(0, count, max(1, count // COLD_SESSIONS))
    for i in list(sample)[:COLD_SESSIONS]:
        with bench.connect() as session:
            session.run("LOAD 's3v'")
            session.run(f"SET s3v.cache_dir = 'pgsql_tmp_s3v_cold_{table.name}_{i}'")
            explained.append(db.Queries(session, table.index, 10).explain(data.queries.parameter(i)))
    return {"sessions": len(explained), "work": work_of(explained)}
