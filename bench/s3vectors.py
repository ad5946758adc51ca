"""Amazon S3 Vectors as a server, against the stub of the service; bench/s3vectors makes the ground and calls this."""

import argparse
import json
import os
import statistics
import struct
import subprocess
import time
import urllib.request

import libpq
import report

DIMENSIONS = 768
K = 10
GOAL_MS = 3.0


class Stub:
    """One stub with its control port; ends with the process."""

    def __init__(self, program, folder, *options):
        file = os.path.join(folder, "stub.json")
        if os.path.exists(file):
            os.remove(file)
        self._process = subprocess.Popen([program, "--port-file", file, *options], stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while not os.path.exists(file) or not os.path.getsize(file):
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise SystemExit("bench: the stub of S3 Vectors did not start")
            time.sleep(0.05)
        with open(file, encoding="utf-8") as ports:
            told = json.load(ports)
        self.endpoint = f"http://127.0.0.1:{told['port']}"
        self._control = f"http://127.0.0.1:{told['control']}"

    def _ask(self, method, path):
        request = urllib.request.Request(self._control + path, method=method)
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def heard(self, operation):
        """Requests of that operation since the last time, as the stub logged them."""
        log = self._ask("GET", f"/log?operation={operation}")
        self._ask("DELETE", "/log")
        return log["requests"] if isinstance(log, dict) else log

    def stop(self):
        self._process.terminate()
        self._process.wait()


def prepare(session, rows, queries):
    """docs with the rows, asked with the queries: vectors without any structure, each by its own seed."""
    session.run("CREATE EXTENSION s3v")
    session.run(
        "CREATE FUNCTION drawn(seed int) RETURNS real[] LANGUAGE sql IMMUTABLE AS $$ SELECT array_agg((hashint4(seed * 7919 + d) / 2147483648.0)::real) "
        f"FROM generate_series(1, {DIMENSIONS}) d $$"
    )
    session.run(f"CREATE TABLE docs AS SELECT i AS id, 'c' || i % 10 AS category, drawn(i) AS embedding FROM generate_series(1, {rows}) i")
    session.run("ALTER TABLE docs ADD PRIMARY KEY (id)")
    session.run(f"CREATE TABLE asked AS SELECT i AS id, drawn(-i) AS embedding FROM generate_series(1, {queries}) i")
    session.run("VACUUM (ANALYZE) docs")


def make_server(session, name, stub):
    session.run(
        f"CREATE SERVER {name} FOREIGN DATA WRAPPER s3v OPTIONS (url 's3vectors://bench-vectors', region 'us-east-1', endpoint '{stub.endpoint}')"
    )
    session.run(
        f"CREATE USER MAPPING FOR CURRENT_USER SERVER {name} OPTIONS (access_key_id 'stub-key', secret_access_key 'stub-secret')"
    )


def load(session, name, stub, rows):
    """A first sync: all rows into a new remote index."""
    session.run(
        f"SELECT s3v_create_index('docs_{name}', 'docs', 'embedding', server => '{name}', metadata => '{{category}}', "
        "options => '{\"build\": false, \"create_bucket\": true}')"
    )
    stub.heard("PutVectors")
    started = time.monotonic()
    session.run("SELECT * FROM s3v_sync('docs')")
    seconds = time.monotonic() - started
    puts = stub.heard("PutVectors")
    refused = [put for put in puts if put["status"] in (429, 503)]
    return {
        "rows": rows,
        "seconds": seconds,
        "vectors_per_second": rows / seconds,
        "requests": len(puts),
        "refused": len(refused),
        "megabytes": sum(put["bytes_in"] for put in puts) / 1e6,
        "stub_cpu_seconds": sum(put["cpu_ms"] for put in puts) / 1000,
    }


def ask(session, stub, name, label, filter_text):
    """Milliseconds of each call, of the stub's share of it, and what is left."""
    statement = f"ask_{name}{label}"
    session.prepare(statement, f"SELECT count(*) FROM s3v_query('docs_{name}', $1::real[], {K}, {filter_text})")
    vectors = [
        libpq.vector_parameter(elements_of(row[0]), DIMENSIONS) for row in session.run("SELECT embedding FROM asked ORDER BY id")
    ]
    for vector in vectors[:20]:
        session.execute(statement, vector)
    whole, served = [], []
    for vector in vectors:
        stub.heard("QueryVectors")
        started = time.perf_counter()
        session.execute(statement, vector)
        whole.append((time.perf_counter() - started) * 1000)
        served.append(sum(request["ms"] for request in stub.heard("QueryVectors")))
    added = [call - inside for call, inside in zip(whole, served)]
    return {"call_ms": percentiles(whole), "stub_ms": percentiles(served), "added_ms": percentiles(added), "queries": len(vectors)}


def elements_of(text):
    """Length and value of each element, as vector_parameter wants them."""
    return b"".join(struct.pack(">if", 4, float(value)) for value in text.strip("{}").split(","))


def percentiles(values):
    ordered = sorted(values)
    return {"p50": statistics.median(ordered), "p95": ordered[int(0.95 * (len(ordered) - 1))], "least": ordered[0]}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--conninfo", required=True)
    parser.add_argument("--stub", required=True)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--json", required=True)
    parser.add_argument("--rows", type=int, default=20000)
    parser.add_argument("--queries", type=int, default=400)
    args = parser.parse_args()
    results = {"rows": args.rows, "dimensions": DIMENSIONS, "k": K}
    lines = report.Lines()
    with libpq.Connection(args.conninfo) as session:
        prepare(session, args.rows, args.queries)
        for name, options in (("free", ()), ("limited", ("--rate-limits",))):
            stub = Stub(args.stub, args.folder, *options)
            make_server(session, name, stub)
            told = results[f"load_{name}"] = load(session, name, stub, args.rows)
            what = "with the service's limits" if options else "without limits"
            lines.add(
                f"first sync {what}",
                f"{told['vectors_per_second']:,.0f} vectors/s, {told['requests']} PutVectors, {told['refused']} refused, {told['megabytes']:,.0f} MB",
                "",
                None,
            )
            if name == "free":
                for label, filter_text in (("", "NULL"), ("_filter", "'{\"category\": \"c3\"}'")):
                    figures = results[f"query{label}"] = ask(session, stub, name, label, filter_text)
                    added = figures["added_ms"]
                    lines.add(
                        f"s3v_query beyond the stub's own {figures['stub_ms']['p50']:.1f} ms{', with a filter' if label else ''}",
                        f"p50 {added['p50']:.2f} ms, p95 {added['p95']:.2f} ms, least {added['least']:.2f} ms",
                        f"p50 <= {GOAL_MS:g} ms",
                        added["p50"] <= GOAL_MS,
                    )
            session.run(f"DROP FOREIGN TABLE docs_{name}")
            stub.stop()
    results["goals"] = lines.goals
    print(f"\n{args.rows:,} x {DIMENSIONS}, k = {K}\n{lines.text()}")
    with open(args.json, "w", encoding="utf-8") as file:
        json.dump(results, file, indent=1)
    print(f"all figures: {args.json}")


if __name__ == "__main__":
    main()
