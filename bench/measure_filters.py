"""Filtered queries of s3v: answers and CPU warm, traffic through the counting proxy, what s3v_explain tells of both."""

import json
import statistics
from dataclasses import dataclass

import contest
import exact
import libpq
import process
from measure_queries import summary
from peers import s3v, sql

K = contest.K
PASSES = 2
TURNS = 5
TURN_QUERIES = 60
CHECKED_STATES = 6
# Without a local cache every range is asked for; what the session keeps in memory is navigation.
NO_CACHE = ("SET s3v.cache_size = 0",)
ALWAYS_TRUE = '{"r": {"$gte": 0}}'
TRAFFIC = ("requests", "bytes", "waves")
WORK = ("lists_probed", "entries_scanned", "reranked", "source_rows", "cache_hits")
PATHS = ("index", "mixed", "source")


@dataclass(frozen=True)
class Indexes:
    """Two of the same table with the same settings: on files, for warm calls, and behind the proxy."""

    near: str
    far: str | None


def say(text):
    print(f"-- {text}", flush=True)


def jsonb(text):
    """A jsonb parameter in binary."""
    return b"\x01" + text.encode()


# ---- asking ----------------------------------------------------------------------------------------------------------


class Asker:
    """One session that asks an index with filters and without; its backend's clock for CPU."""

    def __init__(self, bench, index, data, settings=()):
        self._data = data
        self.session = bench.connect()
        self.session.run("LOAD 's3v'")
        for statement in (*sql.SESSION, *settings):
            self.session.run(statement)
        call = f"('{index}', $1::real[], {K}"
        for name, end in (("plain", ")"), ("filtered", ", $2::jsonb)")):
            self.session.prepare(f"hits_{name}", f"SELECT key, distance FROM s3v_query{call}{end}")
            self.session.prepare(f"explain_{name}", f"SELECT s3v_explain{call}{end}")
        self._clock = process.CpuClock(self.session.pid)

    def _run(self, what, query, condition):
        vector = self._data.queries.parameter(query)
        if condition is None:
            return self.session.execute(f"{what}_plain", vector)
        return self.session.execute(f"{what}_filtered", vector, jsonb(condition))

    def hits(self, query, condition):
        """(key, distance) pairs, and microseconds of CPU."""
        before = self._clock.seconds()
        rows = self._run("hits", query, condition)
        cpu = 1e6 * (self._clock.seconds() - before)
        return [(int(key), float(distance)) for key, distance in rows], cpu

    def explain(self, query, condition):
        return json.loads(self._run("explain", query, condition)[0][0])

    def close(self):
        self.session.close()


class Judge:
    """Notes hits that may not be: outside of their condition, twice, out of order, with a distance not theirs."""

    def __init__(self, bench, table, data):
        self._session, self._table, self._data = bench.connect(), table, data
        self.wrong = []

    def look(self, one, task, hits):
        keys = [key for key, _ in hits]
        if len(set(keys)) != len(keys) or len(keys) > max(0, min(K, task.matches)):
            self.wrong.append(
                f"{one.name}, query {task.query}: {len(keys)} hits of {task.matches} rows that match, {keys}"
            )
        if hits != sorted(hits, key=lambda hit: hit[1]):
            self.wrong.append(f"{one.name}, query {task.query}: hits are not in order")
        true = exact.true_distances(self._data, task.query, hits)
        if any(exact.deviation(got, want) > 1e-5 for (_, got), want in zip(hits, true)):
            self.wrong.append(f"{one.name}, query {task.query}: a distance is not that of its row")
        if keys and task.sql:
            ids = ", ".join(map(str, keys))
            outside = self._session.run(
                f"SELECT id FROM {self._table.name} WHERE id IN ({ids}) AND ({task.sql}) IS NOT TRUE"
            )
            if outside:
                self.wrong.append(f"{one.name}, query {task.query}: {task.sql} is not true of {outside}")

    def close(self):
        self._session.close()


def halves(records, of):
    """Mean of a measure over odd queries, over even ones, over all; None where a half has none."""
    result = {}
    for name, parts in (("odd", (1,)), ("even", (0,)), ("all", (0, 1))):
        values = [of(record) for record in records if record["query"] % 2 in parts and of(record) is not None]
        result[name] = statistics.fmean(values) if values else None
    return result


def figures_of(records):
    """Of one filter set: recall by halves, and summaries of what its queries took, each half's CPU apart."""
    told = {"queries": len(records), "recall": halves(records, lambda record: record["recall"])}
    told["short"] = sum(record["short"] for record in records)
    for name in ("cpu_us", *TRAFFIC, *WORK, "entries_share"):
        values = [record[name] for record in records if name in record]
        if values:
            told[name] = summary(values) | {"halves": halves(records, lambda record: record.get(name))}
    told["counted"] = sum("path" in record for record in records)
    told["paths"] = {path: sum(record.get("path") == path for record in records) for path in PATHS}
    told["statuses"] = sorted({record["status"] for record in records if record.get("status")})
    told["counters_differ"] = sum(record.get("counters_differ", False) for record in records)
    return told


def spread(tasks, count):
    """At most so many tasks, equally many of odd and even queries where there are, spread over their order."""
    chosen = []
    for parity in (1, 0):
        half = [task for task in tasks if task.query % 2 == parity]
        step = max(1.0, len(half) / max(1, count // 2))
        chosen += [half[int(i * step)] for i in range(min(len(half), count // 2))]
    return chosen


# ---- one index -------------------------------------------------------------------------------------------------------


def warm(asker, data, one, tasks, judge):
    """Records of the answers; CPU is the least of some calls, of which the first also gives the hits."""
    records = []
    for task in tasks:
        hits, cpu = asker.hits(task.query, task.filter)
        for _ in range(PASSES - 1):
            cpu = min(cpu, asker.hits(task.query, task.filter)[1])
        judge.look(one, task, hits)
        wanted = min(K, task.matches)
        record = {"query": task.query, "row": task.row, "short": len(hits) < wanted, "cpu_us": cpu}
        record["recall"] = one.recall(data, task, [key for key, _ in hits], K)
        records.append(record)
    return records


def cold(asker, before, data, tasks):
    """Traffic by task row: lists are in no cache, navigation is in the session's memory."""
    traffic = {}
    for task in tasks:
        with before.counting() as seen:
            told = asker.explain(task.query, task.filter)
        record = {name: seen[name] for name in ("requests", "bytes")} | {name: told[name] for name in ("waves", *WORK)}
        record |= {"path": told["path"], "status": told["status"]}
        record["entries_share"] = told["entries_scanned"] / data.base.count
        record["counters_differ"] = (told["requests"], told["bytes"]) != (seen["requests"], seen["bytes"])
        traffic[task.row] = record
    return traffic


class Contender:
    """The askers of both indexes; warm answers and traffic of filter sets."""

    def __init__(self, bench, indexes, data, before, judge, counted):
        self._data, self._before, self._judge, self._counted = data, before, judge, counted
        self._near = Asker(bench, indexes.near, data)
        self._far = Asker(bench, indexes.far, data, NO_CACHE) if indexes.far else None
        for asker in filter(None, (self._near, self._far)):
            asker.hits(0, None)

    def records(self, one, tasks, counted=None):
        """Warm answers to all tasks; traffic of `counted` of them."""
        records = warm(self._near, self._data, one, tasks, self._judge)
        if self._far is not None:
            traffic = cold(self._far, self._before, self._data, spread(tasks, counted or self._counted))
            records = [record | traffic.get(record["row"], {}) for record in records]
        return records

    def close(self):
        for asker in filter(None, (self._near, self._far)):
            asker.close()


def plain_records(contender, no_filter):
    """Records without a filter, by query: what others are compared with."""
    return {
        record["query"]: record for record in contender.records(no_filter, no_filter.tasks, 2 * len(no_filter.tasks))
    }


def measure_sets(contender, sets, plain, limit=None):
    """Figures of every filter set; `plain` are records without filter by query, for the ratios."""
    result = {}
    for one in sets:
        tasks = one.tasks if limit is None else spread(one.tasks, limit)
        try:
            records = contender.records(one, tasks)
        except libpq.DatabaseError as error:
            print(f"\nFAILED: {one.name}: {error}\n", flush=True)
            result[one.name] = {"failed": str(error)}
            continue
        told = result[one.name] = figures_of(records)
        told["no_filter"] = figures_of([same_query(plain[record["query"]], record) for record in records])
        told["ratios"] = ratios(told, told["no_filter"])
        say(f"{one.name}: {progress(told)}")
    return result


def same_query(plain, record):
    """A record without filter to compare this one with: its traffic only where this one's was counted."""
    return plain if "path" in record else {name: plain[name] for name in ("query", "recall", "short", "cpu_us")}


def progress(told):
    recall = told["recall"]["all"]
    text = "nothing matches" if recall is None else f"recall {recall:.4f}"
    text += f", {told['cpu_us']['mean']:,.0f} us CPU"
    if "bytes" in told:
        text += f", {told['requests']['mean']:.1f} GETs, {told['bytes']['mean'] / 1024:,.0f} KiB"
    return text


def ratios(told, plain):
    """To the same queries without a filter: of means, and of 95th percentiles."""
    result = {}
    for name in ("cpu_us", "requests", "bytes"):
        if name in told and name in plain:
            for kind in ("mean", "p95"):
                result[f"{name}_{kind}"] = told[name][kind] / max(1, plain[name][kind])
    return result


def same_state(bench, before, data, index, folder, tasks):
    """Requests and bytes of some queries counted as `cold` does it, and as bench/run does with navigation cached: in a
    new session with a local cache that has served one other query."""
    caches, told = s3v.Caches(bench, folder), {"here": [], "new_session": []}
    asker = Asker(bench, index, data, NO_CACHE)
    asker.hits(0, None)
    for task in spread(tasks, CHECKED_STATES):
        with before.counting() as seen:
            asker.hits(task.query, None)
        again = s3v.after_another(bench, before, data, index, task.query, caches)[0]
        for name, traffic in (("here", seen), ("new_session", again)):
            told[name].append([traffic["requests"], traffic["bytes"]])
    asker.close()
    # Where an index has few lists, the one of the other query may be one of this query's, too.
    pairs = list(zip(told["here"], told["new_session"]))
    equal = sum(here == again for here, again in pairs)
    return told | {"equal": 2 * equal >= len(pairs) and all(again[1] <= here[1] for here, again in pairs)}


def always_true(bench, index, data, tasks):
    """CPU of a call whose filter every row passes, to one without, by turns: the least of some calls of each query."""
    asker = Asker(bench, index, data)
    queries = [task.query for task in spread(tasks, TURN_QUERIES)]
    least = {None: {}, ALWAYS_TRUE: {}}
    for turn in range(TURNS):
        for condition in list(least) if turn % 2 else reversed(list(least)):
            for query in queries:
                cpu = asker.hits(query, condition)[1]
                least[condition][query] = min(cpu, least[condition].get(query, cpu))
    asker.close()
    without, with_filter = (statistics.fmean(least[condition].values()) for condition in least)
    return {"queries": len(queries), "none_us": without, "filter_us": with_filter, "ratio": with_filter / without}
