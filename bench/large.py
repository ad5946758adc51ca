"""Large generated sets: the engine alone over all of them, then PostgreSQL and the peers over those that are asked for.

bench/large makes the ground and calls this; see README.md there.
"""

import argparse
import json
import os

import bench as small
import core
import datasets
import measure_build
import measure_peers
import measure_queries
import plots
import report
import report_peers
import session as db

SETS = "topics-1M,hard-1M,growth-60k,growth-1M,growth-10M"
BUILD_MEMORY = "1GB"
GROWTH_GOAL = 0.8


def measure_core(ground, data, count):
    probes = core.PROBES if not data.name.startswith("growth") else (0,)
    return measure_peers.the_engine(ground, data, measure_peers.as_files(ground, data), count, probes)


def measure_sql(bench, ground, data, count):
    """Calls in PostgreSQL, warm and cold, and all peers."""
    table = db.table_for(data)
    figures = {}
    with bench.connect() as session:
        small.say("loading")
        db.make_table(session, table)
        db.copy_table(session, table, data.base)
        session.run(f"VACUUM (ANALYZE) {table.name}")
    small.say("building")
    figures["builds"] = [measure_build.build(bench, table, table.index, data.base.count, BUILD_MEMORY)]
    with bench.connect() as session:
        figures["store"] = measure_build.size_on_store(session, table, data.base.count)
    small.say("querying")
    figures["warm"] = measure_queries.warm(bench, table, data, count)
    figures["cold"] = measure_queries.cold(bench, table, data, count)
    figures["peers"] = measure_peers.measure(bench, ground, table, data, count, True, with_core=False)
    if not bench.keep:
        with bench.connect() as session:
            db.drop_table(session, table)
    return figures


def growth_of(sets):
    """Cost by rows of the growth sets: name -> [(rows, cost)]."""
    known = sorted(
        (figures["shape"]["rows"], figures["core"]["default"])
        for name, figures in sets.items()
        if name.startswith("growth") and "default" in figures["core"]
    )
    costs = {
        "KiB": lambda told: told["first_pass"]["bytes"] / 1024,
        "GETs": lambda told: told["first_pass"]["gets"],
        "CPU µs": lambda told: told["even"]["search_us"] + told["even"]["rerank_us"],
        "entries": lambda told: told["even"]["entries"],
    }
    return {name: [(rows, cost(told)) for rows, told in known] for name, cost in costs.items()}


def growth_lines(growth):
    lines = report.Lines()
    for name, points in growth.items():
        if len(points) < 2:
            continue
        exponent = plots.exponent(points)
        limited = name in ("KiB", "CPU µs")
        values = ", ".join(f"{plots.short(rows)}: {cost:,.0f}" for rows, cost in points)
        lines.add(
            f"{name} of a query over rows",
            f"n^{exponent:.2f} ({values})",
            f"< {GROWTH_GOAL}" if limited else "",
            exponent < GROWTH_GOAL if limited else None,
        )
    return lines


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--conninfo", default="", help="empty: no PostgreSQL, the engine alone")
    parser.add_argument("--json", required=True)
    parser.add_argument("--sets", default=SETS)
    parser.add_argument("--queries", type=int, default=0)
    parser.add_argument("--skip", default="", help="contenders to leave out: hnsw,lancedb")
    parser.add_argument("--keep", action="store_true")
    small.add_ground_arguments(parser)
    return parser.parse_args()


def main():
    args = arguments()
    ground = small.ground_of(args)
    folder = os.path.join(os.path.dirname(args.json), "plots")
    bench = db.Bench(args.conninfo, "s3v_local", False, args.keep)
    results = {"sets": {}, "goals": []}
    measure_peers.keep_parts_in(args.json + ".parts")
    measure_peers.leave_out(word for word in args.skip.split(",") if word)
    if args.conninfo:
        small.prepare(bench)
        results["environment"] = small.environment(bench)
    for name in args.sets.split(","):
        if not datasets.is_large(name):
            raise SystemExit(
                f'bench: "{name}" is no large set; they are called topics-1M, hard-1M, growth-10M and the like'
            )
        small.say(f"{name}: generating, unless it is there")
        data = datasets.load_large(os.path.join(args.tools, "generate"), args.generated, name)
        count = min(args.queries or data.queries.count, data.queries.count)
        shape = {"rows": data.base.count, "dimensions": data.base.dimensions, "metric": data.metric, "queries": count}
        figures = results["sets"][name] = {"shape": shape | {"scanned_goal": None}, "set": data.description}
        figures["core"] = measure_peers.attempt(f"{name}: the engine alone", lambda: measure_core(ground, data, count))
        lines = report.Lines()
        lines.add("mean distance / 10th, LID", f"{data.description['mean_to_10th']:.2f}, {data.description['lid']:.1f}")
        if "default" in figures["core"]:
            core.add_goals(lines, name, figures["core"])
        print(f"\n{name}\n{lines.text()}\n", flush=True)
        results["goals"] += [{"set": name} | goal for goal in lines.goals]
        if args.conninfo and not name.startswith("growth"):
            figures |= measure_sql(bench, ground, data, count)
            small.show_peers(name, results, folder)
        save(args.json, results)
    growth = growth_of(results["sets"])
    lines = growth_lines(growth)
    if lines.rows:
        print(f"\ngrowth\n{lines.text()}\n")
        results["growth"] = growth
        results["goals"] += [{"set": "growth"} | goal for goal in lines.goals]
        print(f"plot: {report_peers.save(folder, 'cost-over-size.svg', plots.cost_over_size(growth))}")
    save(args.json, results)
    missed = [f"{goal['set']}: {goal['figure']}" for goal in results["goals"] if not goal["met"]]
    print(f"{len(results['goals']) - len(missed)} goals met, {len(missed)} missed")
    print("".join(f"  missed: {one}\n" for one in missed), end="")
    print(f"all figures: {args.json}")


def save(path, results):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(results, file, indent=1)


if __name__ == "__main__":
    main()
