"""The life of an index, measured: see measure_life.py. Called by bench/life."""

import argparse
import json

import datasets
import measure_life
import session as db


def describe(state):
    return (
        f"recall {state['recall']:.4f}, cold {state['requests']:.1f} GETs, {state['bytes'] / 1024:,.0f} KiB, "
        f"{state['waves']:.1f} waves, {state['lists']} lists, {state['segments']} segments"
    )


def print_pair(what, result):
    after, fresh = result["after"], result["fresh"]
    print(f"{what:32}{describe(after)}")
    print(f"{'... built afresh':32}{describe(fresh)}")
    ratios = f"GETs {after['requests'] / fresh['requests']:.2f} x, bytes {after['bytes'] / fresh['bytes']:.2f} x"
    print(f"{'... to it':32}{ratios} (goal: at most 2), recall goal 0.95", flush=True)


def load(bench, data):
    table = db.table_for(data)
    with bench.connect() as session:
        db.make_table(session, table)
        db.copy_table(session, table, data.base)
        session.run(f"ANALYZE {table.name}")
        db.create_index(session, bench, table)
    return table


def measure(bench, data, syncs, grows):
    rows = data.base.count
    result = {"set": data.name, "rows": rows}
    print(f"\n{data.name}: {rows:,} x {data.base.dimensions}, {data.metric}", flush=True)
    table = load(bench, data)
    if grows:
        grown = db.Table(table.name + "_grown", table.metric, table.dimensions)
        result["growth"] = measure_life.grow(bench, data, grown)
        print_pair("inserted in 100 syncs", result["growth"])
        written, size = result["growth"]["bytes"], result["growth"]["size"]
        print(f"{'... written':32}{written / 2**20:,.1f} MiB, {written / size:.1f} x its size, {written / (4 * rows * data.base.dimensions):.2f} x the rows")
        with bench.connect() as session:
            db.drop_table(session, grown)
    result["changes"] = measure_life.changes(bench, table, rows)
    for step in result["changes"]["steps"]:
        print(f"{step['percent']:5} % of the rows updated       {step['bytes']:12,} bytes written, {step['requests']} requests, {100 * step['to_build']:.2f} % of the build's", flush=True)
    result["churn"] = measure_life.churn(bench, table, rows)
    print_pair("half updated or deleted", result["churn"])
    if syncs:
        result["minutes"] = measure_life.minutes(bench, table, rows, syncs)
        print_pair(f"{syncs:,} more small syncs", result["minutes"])
        print(f"{'... written':32}{result['minutes']['amplification']:.1f} x the vectors of the changed rows (goal: at most 10)", flush=True)
    with bench.connect() as session:
        db.drop_table(session, table)
    return result


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--conninfo", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--json", required=True)
    parser.add_argument("--syncs", type=int, default=10000)
    parser.add_argument("--sets", default=",".join(datasets.SHARED))
    arguments = parser.parse_args()
    bench = db.Bench(arguments.conninfo, "s3v_local", False, False)
    with bench.connect() as session:
        session.run("CREATE EXTENSION IF NOT EXISTS s3v")
    results = []
    for name in arguments.sets.split(","):
        if name in datasets.SHARED and datasets.available(arguments.data, name):
            data, is_drifting = datasets.load_shared(arguments.data, name), name.startswith("sift")
        elif name not in datasets.SHARED:
            data, is_drifting = datasets.generate(), True
        else:
            print(f"SKIPPED: {name} is not in {arguments.data}", flush=True)
            continue
        results.append(measure(bench, data, arguments.syncs if is_drifting else 0, is_drifting))
    if not results:
        results.append(measure(bench, datasets.generate(), arguments.syncs, True))
    with open(arguments.json, "w") as file:
        json.dump(results, file, indent=1)
    print(f"\nall figures: {arguments.json}")


main()
