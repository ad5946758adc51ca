"""Changes: what pending rows cost a query, and what capture costs a writer."""

import statistics
import struct

import measure_queries
import process
import session as db

PENDING = (0, 1000, 10000)


def exact_scan(bench, table, vectors):
    """The same queries by s3v's own exact scan: an index that is not built answers from the source."""
    name = table.name + "_unbuilt"
    with bench.connect() as session:
        db.create_index(session, bench, table, name, {"build": False})
        queries = db.Queries(session, name, 10)
        path = queries.explain(vectors[0])["path"]
        if path != "source":
            raise AssertionError(f"the exact scan took path {path}")
        time, _ = measure_queries.timed(session, queries, vectors)
        db.drop_index(session, name)
    return time


def pending(bench, table, data, count):
    """Query time as more and more committed rows wait for a sync; they repeat rows of the table under new keys."""
    vectors = [data.queries.parameter(i) for i in range(count)]
    result, so_far = [], 0
    with bench.connect() as writer:
        for rows in PENDING:
            available = min(rows, data.base.count)
            writer.run(
                f"INSERT INTO {table.name} SELECT id + {data.base.count}, embedding FROM {table.name} "
                f"WHERE id >= {so_far} AND id < {available}"
            )
            so_far = available
            writer.run(f"ANALYZE {table.name}")
            with bench.connect() as session:
                queries = db.Queries(session, table.index, 10)
                queries.hits(vectors[0])  # opens the navigation tier and the plans
                time, _ = measure_queries.timed(session, queries, vectors)
                work = measure_queries.work_of([queries.explain(vector) for vector in vectors])
            if work["pending_merged"]["mean"] != so_far or work["paths"]["source"] > 0:
                raise AssertionError(f"{so_far} rows are pending, but queries merged {work['pending_merged']}")
            result.append({"rows": so_far} | time | {"work": work})
    scan = exact_scan(bench, table, vectors[: max(3, count // 10)])
    for one in result:
        for kind in ("cpu_ms", "wall_ms"):
            one[f"{kind}_to_none_pending"] = one[kind]["median"] / result[0][kind]["median"]
            one[f"{kind}_to_exact_scan"] = one[kind]["median"] / scan[kind]["median"]
    return {"queries": count, "steps": result, "exact_scan": scan}


# ---- capture ----


def copy_once(bench, base, captured, rows):
    """Wall and CPU seconds of one COPY into an empty table."""
    table = db.Table("capture_copy", "l2", base.dimensions)
    with bench.connect() as session:
        db.make_table(session, table)
        if captured:
            db.create_index(session, bench, table, options={"build": False, "dimensions": base.dimensions})
        session.run("CHECKPOINT")
        watch = process.Stopwatch(session.pid)
        db.copy_table(session, table, base, rows)
        seconds = watch.read()
        db.drop_table(session, table)
    return seconds


class Inserts:
    """Single-row INSERTs into two tables, alike but for the index that captures the changes of one."""

    def __init__(self, session, bench, base):
        self._session, self._base, self._next = session, base, 0
        for captured in (False, True):
            table = db.Table(self._name(captured), "l2", base.dimensions)
            db.make_table(session, table)
            if captured:
                db.create_index(session, bench, table, options={"build": False, "dimensions": base.dimensions})
            session.prepare(table.name, f"INSERT INTO {table.name} VALUES ($1::integer, $2::real[])")

    @staticmethod
    def _name(captured):
        return "capture_insert" if captured else "plain_insert"

    def block(self, captured, count, one_transaction):
        numbers = range(self._next, self._next + count)
        rows = [(struct.pack(">i", i), self._base.parameter(i % self._base.count)) for i in numbers]
        self._next += count
        watch = process.Stopwatch(self._session.pid)
        if one_transaction:
            self._session.run("BEGIN")
        for row in rows:
            self._session.execute(self._name(captured), *row)
        if one_transaction:
            self._session.run("COMMIT")
        return watch.read()

    def drop(self):
        for captured in (False, True):
            self._session.run(f"DROP TABLE {self._name(captured)}")


def compare(runs, rows, once):
    """Medians over pairs of runs. `once(captured)` gives wall and CPU seconds; by turns, so that a busy machine meets both."""
    seconds = {False: [], True: []}
    for run in range(runs):
        for captured in (run % 2 == 1, run % 2 == 0):
            seconds[captured].append(once(captured))
    result = {"runs": runs}
    for i, kind in enumerate(("wall", "cpu")):
        result[f"{kind}_seconds_without"] = [one[i] for one in seconds[False]]
        result[f"{kind}_seconds_with"] = [one[i] for one in seconds[True]]
        result[f"{kind}_microseconds_a_row"] = statistics.median(
            1e6 * (b[i] - a[i]) / rows for a, b in zip(seconds[False], seconds[True])
        )
        ratios = [b[i] / a[i] for a, b in zip(seconds[False], seconds[True])]
        result[f"{kind}_ratio"] = statistics.median(ratios)
        result[f"{kind}_ratio_range"] = [min(ratios), max(ratios)]
    return result


def capture(bench, data):
    rows = min(data.base.count, 5000 if bench.quick else data.base.count)
    runs, inserts = (3, 500) if bench.quick else (5, 1000)
    with bench.connect() as session:
        single = Inserts(session, bench, data.base)
        single.block(False, 20, True)
        single.block(True, 20, True)
        in_one = compare(2 * runs, inserts, lambda captured: single.block(captured, inserts, True))
        each = compare(2 * runs, inserts, lambda captured: single.block(captured, inserts, False))
        single.drop()
    return {
        "set": data.name,
        "copy_rows": rows,
        "copy": compare(runs, rows, lambda captured: copy_once(bench, data.base, captured, rows)),
        "inserts_of_a_run": inserts,
        "inserts_in_one_transaction": in_one,
        "inserts_each_committed": each,
    }
