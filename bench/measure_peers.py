"""All contenders over one set: calls inside PostgreSQL, libraries, and stores behind the proxy.

A contender that cannot take part says so in one line and leaves {"skipped": reason} among the figures.
"""

import json
import os
import time
from dataclasses import dataclass

import contest
import core
import datasets
import libpq
import process
import proxy
import session as db
from peers import faiss, lancedb, pgvector, s3v, vectorchord

COLD_QUERIES = 20


@dataclass(frozen=True)
class Ground:
    """What bench/run prepared for peers; an empty string for what is not there."""

    folder: str  # for files that only this run needs, and that the server can write
    tools: str  # programs that bench/run built
    lance_python: str
    s3_port: int  # 0: no S3 server
    bucket: str
    key: str
    secret: str


def say(text):
    print(f"-- {text}", flush=True)


_parts = None
_left_out = []


def leave_out(names):
    """Contenders whose names hold one of these words are skipped from now on, and said to be."""
    _left_out.extend(name.lower() for name in names)


def keep_parts_in(path):
    """From now on each contender's figures also go to that file as they come, a line of JSON each: large sets take hours."""
    global _parts
    _parts = path


def keep_part(name, figures):
    if _parts is not None:
        with open(_parts, "a", encoding="utf-8") as file:
            file.write(json.dumps({"contender": name, "figures": figures}) + "\n")


def attempt(name, call):
    """The figures of one contender, or why there are none: what a peer gets wrong must not lose the others' figures."""
    say(f"{name} ...")
    started = time.monotonic()
    try:
        if any(word in name.lower() for word in _left_out):
            raise contest.Skipped("left out by --skip")
        figures = call() | {"wall_seconds_of_all": time.monotonic() - started}
        keep_part(name, figures)
        return figures
    except contest.Skipped as skipped:
        print(f"\nSKIPPED: {name}: {skipped}\n", flush=True)
        return {"skipped": str(skipped)}
    except (RuntimeError, OSError, libpq.DatabaseError) as error:
        print(f"\nFAILED: {name}: {error}\n", flush=True)
        return {"skipped": f"failed: {error}"}


# ---- inside PostgreSQL -----------------------------------------------------------------------------------------------


def in_database(bench, table, data, count, methods):
    """s3v first; then each peer, and a duel between the two at the peer's recall, before its index is dropped."""
    with bench.connect() as session:
        lists = int(session.value(f"SELECT lists FROM s3v_indexes WHERE index = '{table.index}'::regclass"))
    say("s3v: calls along its ladder ...")
    figures, ours = s3v.measure(bench, data, table, count, lists)
    result = {"empty_call_cpu_us": s3v.empty_call(bench, data, count), "s3v": figures}
    keep_part("s3v", figures)
    names = []

    def peer(measure):
        figures, theirs = measure()
        figures["duel"] = against(data, count, result["s3v"], ours, figures, theirs)
        theirs.close()
        return figures

    def vectors():
        if not names:
            names.append(pgvector.make_table(bench, data, table))
        return names[0]

    for method in methods:
        name = f"pgvector {'HNSW' if method == 'hnsw' else 'IVFFlat'}"
        result[name] = attempt(name, lambda: peer(lambda: pgvector.measure(bench, data, vectors(), method, count)))
        if names:
            pgvector.drop_index(bench, names[0], method)
    result["VectorChord"] = attempt(
        "VectorChord", lambda: peer(lambda: vectorchord.measure(bench, data, vectors(), count))
    )
    result["exact scan"] = attempt("exact scan by ORDER BY", lambda: pgvector.exact_scan(bench, data, vectors()))
    ours.close()
    if names:
        pgvector.drop_table(bench, names[0])
    return result


def against(data, count, our_figures, ours, their_figures, theirs):
    """By turns: the peer as tuned, s3v as it comes, and s3v at its cheapest setting that reaches the peer's recall."""
    if their_figures["chosen"] is None:
        return {"missing": f"the peer does not reach {contest.GOAL}"}
    tuned = their_figures["points"][their_figures["chosen"]]

    def ask_theirs(numbers):
        theirs.apply(tuned["setting"])
        return theirs.ask_again(numbers)

    def ask_ours(setting):
        def ask(numbers):
            ours.apply(setting)
            return ours.ask_again(numbers)

        return ask

    contenders = {"peer": ask_theirs, "s3v default": ask_ours({})}
    own = [{"setting": {}} | our_figures["default"], *our_figures["points"]]
    equal = contest.choose_cheapest(own, lambda odd: odd["cpu_us"]["mean"], tuned["odd"]["recall"])
    if equal is not None:
        contenders["s3v at equal recall"] = ask_ours(own[equal]["setting"])
    result = contest.duel(data, contenders, count)
    for name in contenders:
        result[name]["ratio_to_peer"] = result[name]["cpu_us_least"] / result["peer"]["cpu_us_least"]
    setting = None if equal is None else own[equal]["setting"]
    return result | {"peer_setting": tuned["setting"], "s3v_setting": setting}


# ---- outside of PostgreSQL -------------------------------------------------------------------------------------------


def as_files(ground, data):
    """Base, queries and truth, for programs; large sets have these files already."""
    if isinstance(data.base, datasets.MappedVectors):
        prefix = data.base.path.removesuffix(".base.fbin")
        return [prefix + end for end in (".base.fbin", ".query.fbin", ".gt.ibin")]
    prefix = os.path.join(ground.folder, data.name)
    data.base.write_fbin(prefix + ".base.fbin")
    data.queries.write_fbin(prefix + ".query.fbin")
    data.truth.write_ibin(prefix + ".gt.ibin", data.metric)
    return [prefix + end for end in (".base.fbin", ".query.fbin", ".gt.ibin")]


def remove_files(ground, files):
    for path in files:
        if os.path.dirname(path) == ground.folder:
            os.unlink(path)


def the_engine(ground, data, files, count, probes=core.PROBES):
    return core.measure(os.path.join(ground.tools, "core_bench"), ground.folder, data, files, count, probes)


def libraries(ground, data, files, count, all_of_them):
    return {
        name: attempt(
            name, lambda: faiss.measure(os.path.join(ground.tools, "faiss_peer"), data, files[:2], *factory, count)
        )
        for name, factory in faiss.factories(data).items()
        if all_of_them or factory[1] == 0
    }


# ---- behind the proxy ------------------------------------------------------------------------------------------------


def on_store(bench, ground, table, data, files, count):
    if not ground.s3_port:
        reason = "no S3 server (bench/run --peers starts one)"
        print(f"\nSKIPPED: cold runs: {reason}\n", flush=True)
        return {"skipped": reason}
    before = proxy.Proxy(ground.s3_port)
    try:
        result = {"shape": before.shape, "s3v": ours(bench, ground, before, table, data, count)}
        for name, index in lancedb.INDEXES.items():
            place = lancedb.Place(
                before, ground.bucket, ground.key, ground.secret, f"{data.name}-{index['type'].lower()}"
            )
            result[name] = attempt(
                name, lambda: lancedb.measure(ground.lance_python, data, files[0], place, index, count)
            )
        return result
    finally:
        before.close()


def ours(bench, ground, before, table, data, count):
    """A second index of the same table, on the server behind the proxy."""
    say("s3v behind the proxy ...")
    # A name in lower case: the server is told it once as an identifier, once as a value.
    server, index = "far_" + table.name.lower(), table.name + "_far"
    with bench.connect() as session, before.unshaped():
        s3v.server(bench, before.endpoint, server, ground.bucket, ground.key, ground.secret)
        far = db.Bench(bench.conninfo, server, bench.quick, bench.keep)
        with before.counting() as traffic:
            watch = process.Stopwatch(session.pid)
            db.create_index(session, far, table, index)
            wall, cpu = watch.read()
        lists = int(session.value(f"SELECT lists FROM s3v_indexes WHERE index = '{index}'::regclass"))
    caches = s3v.Caches(bench, ground.folder)
    even = list(contest.even(count))
    cold = even[:: max(1, len(even) // COLD_QUERIES)][:COLD_QUERIES]
    step = max(1, len(even) // (COLD_QUERIES if bench.quick else 2 * COLD_QUERIES))
    figures = {
        "build": {
            "cpu_seconds": cpu,
            "wall_seconds": wall,
            "vectors_per_cpu_second": data.base.count / cpu,
            "sent_bytes": traffic["sent_bytes"],
            "requests": traffic["requests"],
        },
        "counters": s3v.check_counters(bench, before, data, index, caches),
        "cold": s3v.cold(bench, before, data, index, cold, caches),
    }
    with before.unshaped():
        figures["points"] = s3v.bytes_curve(
            bench, before, data, index, [i + 1 for i in even[::step]], even[::step], caches, lists
        )
    with bench.connect() as session:
        db.drop_index(session, index)
        session.run(f"DROP SERVER {server} CASCADE")
    return figures


# ---- all of it -------------------------------------------------------------------------------------------------------


def measure(bench, ground, table, data, count, all_of_them, with_core=True):
    """`all_of_them` False: only what is cheap (no graph, no product codes, no store)."""
    result = {"database": in_database(bench, table, data, count, ("hnsw", "ivfflat") if all_of_them else ("ivfflat",))}
    files = as_files(ground, data)
    if with_core:
        result["core"] = attempt("the engine alone", lambda: the_engine(ground, data, files, count))
    result["libraries"] = libraries(ground, data, files, count, all_of_them)
    if all_of_them:
        result["store"] = on_store(bench, ground, table, data, files, count)
    remove_files(ground, files)
    return result
