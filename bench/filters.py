"""Filtered queries, measured: see measure_filters.py. Called by bench/filters."""

import argparse
import contextlib
import json
import os
import time

import bench as small
import contest
import datasets
import filter_sets
import libpq
import measure_filters
import process
import proxy
import report_filters
import session as db
from measure_filters import say
from peers import filtered, s3v

QUERIES, QUICK_QUERIES = 120, 60
GIVEN_QUERIES = 200
COUNTED = 60  # queries of a filter set whose traffic is counted
PEER_QUERIES = 40  # of a filter set, for peers and for s3v with indexed columns
QUICK_SET = "fashion-mnist-784-euclidean"


class Amounts:
    """How many queries there are of each filter set."""

    def __init__(self, quick):
        self.made = QUICK_QUERIES if quick else QUERIES
        self.given = QUICK_QUERIES if quick else GIVEN_QUERIES
        self.counted = 30 if quick else COUNTED
        self.peers = 20 if quick else PEER_QUERIES
        self.counted_again = self.peers // 2  # with indexed columns


def no_filter(data, made, sets):
    """Every query that is asked with a filter, without one."""
    if data.truth is None:  # of fewer rows: only those that were computed here
        return made.sets[0]
    queries = sorted({task.query for one in sets for task in one.tasks})
    tasks = [filter_sets.Task(query, query, data.base.count) for query in queries]
    return filter_sets.FilterSet("no filter", "none", data.truth, tasks)


def build(bench, table, columns, before, ground):
    """One index on files for warm calls; one on the S3 server behind the proxy, where there is one."""
    with bench.connect() as session:
        say("building on files")
        watch = process.Stopwatch(session.pid)
        db.create_index(session, bench, table, metadata=columns)
        cpu = watch.read()[1]
        rows = session.run(f"SELECT lists, bytes FROM s3v_indexes WHERE index = '{table.index}'::regclass")
        told = {"cpu_seconds": cpu, "lists": int(rows[0][0]), "bytes": int(rows[0][1])}
        if before is None:
            return measure_filters.Indexes(table.index, None), told
        say("building behind the proxy")
        server, far = "far_" + table.name, table.name + "_far"
        s3v.server(bench, before.endpoint, server, ground.bucket, ground.key, ground.secret)
        db.create_index(
            session, db.Bench(bench.conninfo, server, bench.quick, bench.keep), table, far, metadata=columns
        )
        return measure_filters.Indexes(table.index, far), told


def indexable(columns):
    return [column for column in columns if column not in filter_sets.LONG_TEXTS]


def with_indexed_columns(bench, table, columns, measure):
    """The same queries when the source has a B-tree of each column: s3v may leave small filters to these."""
    names = indexable(columns)
    with bench.connect() as session:
        for column in names:
            session.run(f"CREATE INDEX {table.name}_{column} ON {table.name} ({column})")
        session.run(f"VACUUM (ANALYZE) {table.name}")
    result = measure()
    with bench.connect() as session:
        for column in names:
            session.run(f"DROP INDEX {table.name}_{column}")
    return result


def measure_peers(bench, data, table, columns, sets, peers, count):
    """Figures of each peer; what a peer gets wrong must not lose the others' figures."""
    if not peers:
        return {}
    result = {}
    try:
        say("the rows for pgvector")
        copy = filtered.Table(bench, data, table, columns)
    except contest.Skipped as skipped:
        print(f"\nSKIPPED: peers: {skipped}\n", flush=True)
        return {peer: {"skipped": str(skipped)} for peer in peers}

    def choose(tasks, most):
        return measure_filters.spread(tasks, min(most or count, count))

    for peer in [peer for peer in filtered.PEERS if peer in peers]:
        started = time.monotonic()
        try:
            if peer not in filtered.EXACT and "build" not in result:
                say(f"building HNSW, pgvector {copy.version}")
                result["build"] = copy.build() | {"version": copy.version}
            with copy.indexed(indexable(columns)) if peer == "exact_by_index" else contextlib.nullcontext():
                told = filtered.measure(bench, data, copy, peer, sets, choose, measure_filters.figures_of)
            result[peer] = {"sets": told}
        except contest.Skipped as skipped:
            print(f"\nSKIPPED: {filtered.LABELS[peer]}: {skipped}\n", flush=True)
            result[peer] = {"skipped": str(skipped)}
        except (RuntimeError, libpq.DatabaseError) as error:
            print(f"\nFAILED: {filtered.LABELS[peer]}: {error}\n", flush=True)
            result[peer] = {"skipped": f"failed: {error}"}
        say(f"{filtered.LABELS[peer]}: {time.monotonic() - started:.0f} s")
    copy.drop()
    return result


def measure_s3v(bench, data, indexes, sets, before, judge, amounts, plain_set, columns, table, folder):
    """No filter, every filter set, and these again with indexed columns."""

    def contender(counted):
        return measure_filters.Contender(bench, indexes, data, before, judge, counted)

    figures = {"always_true": measure_filters.always_true(bench, indexes.near, data, plain_set.tasks)}
    if indexes.far:
        figures["state"] = measure_filters.same_state(bench, before, data, indexes.far, folder, plain_set.tasks)
    asking = contender(amounts.counted)
    say(f"s3v without a filter, {len(plain_set.tasks)} queries")
    plain = measure_filters.plain_records(asking, plain_set)
    figures["no_filter"] = measure_filters.figures_of(list(plain.values())) | {"share": 1.0}
    say(f"s3v with filters (a call without: {measure_filters.progress(figures['no_filter'])})")
    figures["s3v"] = measure_filters.measure_sets(asking, sets, plain)
    asking.close()

    def again():
        asking = contender(amounts.counted_again)
        figures = measure_filters.measure_sets(asking, sets, plain, amounts.peers)
        asking.close()
        return figures

    say("s3v with filters, the source's columns indexed")
    figures["indexed"] = with_indexed_columns(bench, table, columns, again)
    return figures


def measure_set(bench, data, args, ground, before):
    amounts, rows = Amounts(args.quick), data.base.count
    has_metadata = data.name in datasets.SHARED and data.truth is not None
    say(f"{data.name}: {rows:,} x {data.base.dimensions}, {data.metric}")
    say("columns, and exact neighbours under their conditions")
    made = filter_sets.Made(os.path.join(args.tools, "filter_truth"), args.folder, data, amounts.made)
    sets = made.sets[1:]
    if has_metadata:
        sets = filter_sets.given(args.data, data, amounts.given) + sets
    else:
        print(
            f"\nSKIPPED: {data.name}: its own conditions (they are of all rows of a set of the shared folder)\n",
            flush=True,
        )
    plain_set = no_filter(data, made, sets)
    table, columns = db.table_for(data), list(filter_sets.columns_of(data, has_metadata))
    say("loading")
    with bench.connect() as session:
        filter_sets.load(session, table, data, made, args.data if has_metadata else None)
        filter_sets.check_matches(session, table, sets)
    made.close()
    indexes, built = build(bench, table, columns, before, ground)
    judge = measure_filters.Judge(bench, table, data)
    figures = {"shape": {"rows": rows, "dimensions": data.base.dimensions, "metric": data.metric}, "build": built}
    figures |= measure_s3v(bench, data, indexes, sets, before, judge, amounts, plain_set, columns, table, args.folder)
    figures["wrong"] = judge.wrong
    judge.close()
    figures["peers"] = measure_peers(bench, data, table, columns, sets, args.peers, amounts.peers)
    for one in sets:
        for of_name in report_filters.contenders(figures).values():
            if one.name in of_name:
                of_name[one.name] |= {"share": one.share(rows), "kind": one.kind}
    with bench.connect() as session:
        db.drop_table(session, table)
    return figures


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--conninfo", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--sets", default="")
    parser.add_argument("--peers", default=",".join(filtered.PEERS))
    parser.add_argument("--rows", type=int, default=0)
    parser.add_argument("--quick", action="store_true")
    small.add_ground_arguments(parser)
    args = parser.parse_args()
    args.peers = [] if args.peers == "none" else args.peers.split(",")
    for peer in args.peers:
        if peer not in filtered.PEERS:
            parser.error(f"no peer \"{peer}\"; there are {', '.join(filtered.PEERS)}, and none")
    args.sets = args.sets or (QUICK_SET if args.quick else "")
    return args


def main():
    args = arguments()
    ground = small.ground_of(args)
    bench = db.Bench(args.conninfo, "s3v_local", args.quick, False)
    small.prepare(bench)
    results = {"environment": small.environment(bench), "quick": args.quick, "sets": {}, "goals": []}
    before = proxy.Proxy(ground.s3_port) if ground.s3_port else None
    if before is None:
        print("\nSKIPPED: traffic: no S3 server\n", flush=True)
    else:
        before._ask("PUT", "/shape", proxy.FREE)  # requests and bytes are counted here, not time
    tables = open(os.path.join(args.out, "filters.txt"), "w", encoding="utf-8")
    for name, load in small.choose_sets(args.data, args.sets, args.tools, args.generated):
        started, data = time.monotonic(), load()
        if args.rows:
            data = filter_sets.shortened(data, args.rows)
        figures = results["sets"][name] = measure_set(bench, data, args, ground, before)
        goals = report_filters.goals_of(figures)
        results["goals"] += [{"set": name} | goal for goal in goals]
        text = f"\n{name}, {data.base.count:,} rows\n{report_filters.text(figures)}\n"
        print(text, flush=True)
        tables.write(text)
        tables.flush()
        for path in report_filters.write_plots(os.path.join(args.out, "plots"), name, figures):
            print(f"plot: {path}")
        say(f"{name}: {time.monotonic() - started:.0f} s")
        with open(os.path.join(args.out, "filters.json"), "w", encoding="utf-8") as file:
            json.dump(results, file, indent=1)
    tables.close()
    if before is not None:
        before.close()
    missed = [
        f"{goal['set']}: {goal['figure']}: {goal['value']} (goal {goal['goal']})"
        for goal in results["goals"]
        if not goal["met"]
    ]
    print(f"{len(results['goals']) - len(missed)} goals met, {len(missed)} missed")
    print("".join(f"  missed: {one}\n" for one in missed), end="")
    print(f"all figures: {args.out}/filters.json, filters.txt, plots/")


if __name__ == "__main__":
    main()
