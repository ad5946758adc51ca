"""The life of an index: what syncs write, and what is left of recall and of a cold query's cost after much churn.

Recall is s3v_recall's: rows of the table as it is now are the queries, an exact scan is the answer.
"""

import json

import session as db

RECALL_ROWS = 200
COLD_QUERIES = 40
SHARES = (0, 0.1, 1, 10)  # per cent of the rows changed between syncs


def _sync(session, table):
    row = session.run(f"SELECT upserted, deleted, bytes_written, requests FROM s3v_sync('{table.name}')")[0]
    return dict(zip(("upserted", "deleted", "bytes", "requests"), map(int, row)))


def _size(session, table):
    return int(session.value(f"SELECT bytes FROM s3v_indexes WHERE index = '{table.index}'::regclass"))


def _recall(session, table):
    told = json.loads(session.value(f"SELECT s3v_recall('{table.index}', {RECALL_ROWS}, 10)"))
    return told["recall"]


def _cold(bench, table):
    """Means of requests, KiB and waves of queries that find nothing cached: each in a session of its own."""
    sums = {"requests": 0, "bytes": 0, "waves": 0}
    for i in range(COLD_QUERIES):
        with bench.connect() as session:
            session.run("SET s3v.cache_size = 0")
            row = f"(SELECT embedding FROM {table.name} ORDER BY id OFFSET {i * 97} LIMIT 1)"
            told = json.loads(session.value(f"SELECT s3v_explain('{table.index}', {row}, 10)"))
            for name in sums:
                sums[name] += told[name]
    return {name: value / COLD_QUERIES for name, value in sums.items()}


def _lists(session, table):
    return [int(x) for x in session.run(f"SELECT lists, segments FROM s3v_indexes WHERE index = '{table.index}'::regclass")[0]]


def _fresh(bench, session, table):
    """The same rows, built afresh: what an index at this moment could be."""
    name = table.name + "_fresh"
    db.create_index(session, bench, table, name)
    fresh = db.Table(table.name, table.metric, table.dimensions)
    told = _cold(bench, _Named(fresh, name)) | {"recall": _recall(session, _Named(fresh, name))}
    told["lists"], told["segments"] = _lists(session, _Named(fresh, name))
    db.drop_index(session, name)
    return told


class _Named:
    def __init__(self, table, index):
        self.name, self.index = table.name, index


def _state(bench, session, table):
    told = _cold(bench, table) | {"recall": _recall(session, table)}
    told["lists"], told["segments"] = _lists(session, table)
    return told


def _shift(session, table, rows, by, where):
    """Rows get the vectors of other rows: new places for the same distribution."""
    session.run(
        f"UPDATE {table.name} t SET embedding = o.embedding FROM {table.name} o "
        f"WHERE o.id = (t.id + {by}) % {rows} AND {where}"
    )


def changes(bench, table, rows):
    """Bytes and requests of one sync after so many per cent of the rows were updated, to those of a build."""
    with bench.connect() as session:
        built = _size(session, table)
        steps = []
        for step, share in enumerate(SHARES):
            every = 0 if share == 0 else round(100 / share)
            if every:
                _shift(session, table, rows, 7919 + step, f"t.id % {every} = {step % every}")
            told = _sync(session, table)
            steps.append({"percent": share, "to_build": told["bytes"] / built} | told)
        return {"build_bytes": built, "steps": steps}


def churn(bench, table, rows):
    """Half of the rows updated or deleted, in ten syncs."""
    with bench.connect() as session:
        for part in range(10):
            _shift(session, table, rows, 104729 % rows + part, f"t.id % 40 = {part}")
            session.run(f"DELETE FROM {table.name} WHERE id % 40 = {part + 20}")
            _sync(session, table)
        return {"after": _state(bench, session, table), "fresh": _fresh(bench, session, table)}


def grow(bench, data, table, parts=100):
    """All rows in their own order, in so many syncs, from an empty table on."""
    rows, total = data.base.count, 0
    with bench.connect() as session:
        db.make_table(session, table)
        session.run(f"CREATE TABLE {table.name}_all AS SELECT * FROM {db.table_for(data).name}")
        db.create_index(session, bench, table, options={"dimensions": table.dimensions})
        for part in range(parts):
            low, high = rows * part // parts, rows * (part + 1) // parts
            session.run(f"INSERT INTO {table.name} SELECT * FROM {table.name}_all WHERE id >= {low} AND id < {high}")
            total += _sync(session, table)["bytes"]
        session.run(f"DROP TABLE {table.name}_all")
        result = {"syncs": parts, "bytes": total, "size": _size(session, table), "after": _state(bench, session, table)}
        result["fresh"] = _fresh(bench, session, table)
        return result


def minutes(bench, table, rows, syncs):
    """So many small syncs: eight updates, a deletion and an insertion each."""
    row_bytes = 4 * table.dimensions
    with bench.connect() as session:
        session.run(
            f"""CREATE PROCEDURE minutes(syncs int) LANGUAGE plpgsql AS $$
            DECLARE written bigint := 0; more bigint;
            BEGIN
                FOR i IN 1 .. syncs LOOP
                    UPDATE {table.name} t SET embedding = o.embedding FROM {table.name} o
                    WHERE t.id IN (SELECT (hashint4(i * 8 + j) & 1073741823) % {rows} FROM generate_series(1, 8) j)
                      AND o.id = (SELECT min(id) FROM {table.name} WHERE id >= (t.id * 31 + i) % ({rows} - 100));
                    DELETE FROM {table.name} WHERE id = (SELECT min(id) FROM {table.name} WHERE id >= (hashint4(-i) & 1073741823) % {rows});
                    INSERT INTO {table.name} SELECT {rows} + 100000 + i, embedding FROM {table.name}
                    WHERE id = (SELECT min(id) FROM {table.name} WHERE id >= (i * 17) % ({rows} - 100));
                    SELECT bytes_written INTO more FROM s3v_sync('{table.name}');
                    written := written + more;
                    COMMIT;
                    IF i % 1000 = 0 THEN PERFORM s3v_gc(keep => '0'); COMMIT; END IF;
                END LOOP;
                PERFORM set_config('bench.written', written::text, false);
            END $$"""
        )
        session.run(f"CALL minutes({syncs})")
        written = int(session.value("SELECT current_setting('bench.written')"))
        session.run("DROP PROCEDURE minutes(int)")
        changed = syncs * 9 * row_bytes
        result = {"syncs": syncs, "bytes": written, "changed_bytes": changed, "amplification": written / changed}
        result["after"] = _state(bench, session, table)
        result["fresh"] = _fresh(bench, session, table)
        return result
