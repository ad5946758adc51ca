"""Measures s3v in a running cluster: loads the sets, builds, queries, changes; prints tables and writes JSON.

bench/run makes the cluster and calls this; see README.md there.
"""

import argparse
import json
import os
import platform
import random
import subprocess
import sys
import time

import datasets
import exact
import measure_build
import measure_changes
import measure_peers
import measure_queries
import report
import report_peers
import session as db

QUICK_QUERIES = 200
CHECKED_BY_BRUTE_FORCE = 3
BUILD_MEMORY = ("16MB", "64MB")  # the last one's index is the one that is queried


def say(text):
    print(f"-- {text}", flush=True)


def measure_set(bench, data, limit, ground, all_peers):
    count = min(limit or data.queries.count, data.queries.count)
    rows = data.base.count
    table = db.table_for(data)
    shape = {
        "rows": rows,
        "dimensions": data.base.dimensions,
        "metric": data.metric,
        "queries": count,
        "scanned_goal": data.scanned_goal,
    }
    say(f"{data.name}: {rows:,} x {data.base.dimensions}, {data.metric}, {count} queries")

    checked = random.Random(1).sample(range(count), min(CHECKED_BY_BRUTE_FORCE, count))
    deviation = exact.check_truth(data, checked)
    if deviation > exact.SLACK:
        raise AssertionError(f"{data.name}: ground truth is {deviation:.1e} from brute force on queries {checked}")
    say(f"ground truth equals brute force on queries {checked} (largest deviation {deviation:.0e})")

    figures = {"shape": shape, "ground_truth_checked": checked}
    with bench.connect() as session:
        say("loading")
        db.make_table(session, table)
        db.copy_table(session, table, data.base)
        session.run(f"VACUUM (ANALYZE) {table.name}")
        figures["table_bytes"] = int(session.value(f"SELECT pg_total_relation_size('{table.name}')"))

        figures["builds"], figures["other_builds"] = [], {}
        for memory in BUILD_MEMORY:
            say(f"building with maintenance_work_mem = {memory}")
            last = memory == BUILD_MEMORY[-1]
            index = table.index if last else f"{table.name}_{memory.lower()}"
            figures["builds"].append(measure_build.build(bench, table, index, rows, memory))
            if not last:
                figures["other_builds"][memory] = measure_queries.brief(bench, index, data, min(count, QUICK_QUERIES))
                db.drop_index(session, index)
        figures["store"] = measure_build.size_on_store(session, table, rows)

    say("querying, warm")
    figures["warm"] = measure_queries.warm(bench, table, data, count)
    say("querying, cold")
    figures["cold"] = measure_queries.cold(bench, table, data, count)
    say("querying with pending rows")
    figures["pending"] = measure_changes.pending(bench, table, data, min(count, 20 if bench.quick else 50))
    remove_pending(bench, table, data)
    say("peers")
    figures["peers"] = measure_peers.measure(bench, ground, table, data, count, all_peers)
    if not bench.keep:
        with bench.connect() as session:
            db.drop_table(session, table)
    return figures


def remove_pending(bench, table, data):
    """The copies that were measured as pending rows; nothing is pending afterwards."""
    with bench.connect() as session:
        session.run(f"DELETE FROM {table.name} WHERE id >= {data.base.count}")
        session.run(f"SELECT s3v_sync('{table.name}')")
        session.run(f"VACUUM (ANALYZE) {table.name}")


# ---- what is measured, and where -------------------------------------------------------------------------------------


def choose_sets(folder, names, tools, generated):
    """Loaders of the sets asked for; a set that is not there is skipped loudly, and something is always left."""
    wanted = names.split(",") if names else list(datasets.SHARED)
    for name in wanted:
        if name not in (*datasets.SHARED, datasets.GENERATED) and not datasets.is_large(name):
            sys.exit(
                f"bench: no set \"{name}\"; there are {', '.join([*datasets.SHARED, datasets.GENERATED])}, topics-20k, ..."
            )
    chosen = []
    for name in wanted:
        if name == datasets.GENERATED:
            chosen.append((name, datasets.generate))
        elif datasets.is_large(name):
            program = os.path.join(tools, "generate")
            chosen.append((name, lambda name=name: datasets.load_large(program, generated, name)))
        elif datasets.available(folder, name):
            chosen.append((name, lambda name=name: datasets.load_shared(folder, name)))
        else:
            print(f"\nSKIPPED: set {name} is not in {folder}\n", flush=True)
    if not chosen:
        say(f"none of these sets is here: measuring {datasets.GENERATED} instead")
        chosen.append((datasets.GENERATED, datasets.generate))
    return chosen


def commit():
    """Of the sources that were measured; None outside of a repository."""
    try:
        command = ["git", "-C", os.path.dirname(os.path.abspath(__file__)), "describe", "--always", "--dirty"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def processor():
    with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
        models = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    return models[0] if models else platform.machine()


def environment(bench):
    with bench.connect() as session:
        session.run("LOAD 's3v'")
        return {
            "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "commit": commit(),
            "processor": processor(),
            "cores": os.cpu_count(),
            "kernel": platform.release(),
            "load_average": os.getloadavg(),
            "postgresql": session.value("SHOW server_version"),
            "s3v": session.value("SELECT extversion FROM pg_extension WHERE extname = 's3v'"),
            "server": bench.server,
            "settings": dict(
                session.run(
                    "SELECT name, current_setting(name) FROM pg_settings WHERE name LIKE 's3v.%' OR name IN "
                    "('shared_buffers', 'work_mem', 'max_wal_size', 'checkpoint_timeout', 'autovacuum', 'fsync', "
                    "'max_parallel_maintenance_workers', 'default_toast_compression') ORDER BY name"
                )
            ),
        }


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


def prepare(bench):
    """The extension, and for an S3 server what the environment says of it."""
    with bench.connect() as session:
        session.run("CREATE EXTENSION s3v")
        if bench.server == "s3v_local":
            return
        bucket, endpoint, key, secret = (
            os.environ[f"S3V_TEST_S3_{name}"] for name in ("BUCKET", "ENDPOINT", "ACCESS_KEY", "SECRET_KEY")
        )
        session.run(
            f"CREATE SERVER {bench.server} FOREIGN DATA WRAPPER s3v OPTIONS "
            f"(url {quoted(f's3://{bucket}/bench')}, endpoint {quoted(endpoint)}, path_style 'true')"
        )
        session.run(
            f"CREATE USER MAPPING FOR CURRENT_USER SERVER {bench.server} OPTIONS "
            f"(access_key_id {quoted(key)}, secret_access_key {quoted(secret)})"
        )


def add_ground_arguments(parser):
    parser.add_argument("--folder", required=True, help="for files of this run; the server may write below it")
    parser.add_argument("--tools", required=True, help="where bench/run built its programs")
    parser.add_argument("--generated", required=True, help="where sets that `generate` makes are kept")
    parser.add_argument("--lance-python", default="")


def ground_of(args):
    """What is here for peers; the S3 server is told by the environment, as for tests."""
    told = {
        name: os.environ.get(f"S3V_TEST_S3_{name}", "") for name in ("ENDPOINT", "BUCKET", "ACCESS_KEY", "SECRET_KEY")
    }
    return measure_peers.Ground(
        args.folder,
        args.tools,
        args.lance_python,
        int(told["ENDPOINT"].rpartition(":")[2] or 0),
        told["BUCKET"],
        told["ACCESS_KEY"],
        told["SECRET_KEY"],
    )


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--conninfo", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--json", required=True)
    parser.add_argument("--server", default="s3v_local")
    parser.add_argument("--sets", default="")
    parser.add_argument("--queries", type=int, default=0)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--peers", action="store_true", help="all peers, not only the cheap ones")
    add_ground_arguments(parser)
    args = parser.parse_args()
    if args.queries < 0 or args.queries == 1:
        parser.error("--queries must be at least 2: odd and even query numbers are reported apart")
    return args


def show_peers(name, results, folder):
    peers = results["sets"][name]["peers"]
    lines = report_peers.goal_lines(name, peers)
    print(f"{name}, among peers\n{report_peers.text(peers)}\n\n{lines.text()}\n")
    results["goals"] += [{"set": name} | goal for goal in lines.goals]
    for path in report_peers.write_plots(folder, name, peers):
        print(f"plot: {path}")
    print(flush=True)


def main():
    args = arguments()
    bench = db.Bench(args.conninfo, args.server, args.quick, args.keep)
    limit = args.queries or (QUICK_QUERIES if args.quick else 0)
    prepare(bench)
    results = {"environment": environment(bench), "quick": args.quick, "sets": {}, "goals": []}
    first = None
    for name, load in choose_sets(args.data, args.sets, args.tools, args.generated):
        data = load()
        results["sets"][name] = measure_set(bench, data, limit, ground_of(args), args.peers)
        lines = report.set_lines(results["sets"][name])
        print(f"\n{name}\n{lines.text()}\n", flush=True)
        results["goals"] += [{"set": name} | goal for goal in lines.goals]
        show_peers(name, results, os.path.join(os.path.dirname(args.json), "plots"))
        first = first or data
    say(f"capture, with rows of {first.name}")
    results["capture"] = measure_changes.capture(bench, first)
    print(f"\ncapture\n{report.capture_lines(results['capture']).text()}\n")
    with open(args.json, "w", encoding="utf-8") as file:
        json.dump(results, file, indent=1)
    missed = [f"{goal['set']}: {goal['figure']}" for goal in results["goals"] if not goal["met"]]
    print(f"{len(results['goals']) - len(missed)} goals met, {len(missed)} missed")
    print("".join(f"  missed: {one}\n" for one in missed), end="")
    print(f"all figures: {args.json}")


if __name__ == "__main__":
    main()
