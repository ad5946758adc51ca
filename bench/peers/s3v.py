"""s3v as a contender: the same ladder of probes, the same clock, and behind the proxy the same counting as its peers."""

import contest
import session as db
from peers import sql

CURVE_END = 0.998  # higher than the peers' curves: every recall of theirs shall be met
PROBES = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 64, 80, 96, 128, 192, 256)


def select(index):
    return f"SELECT key, distance FROM s3v_query('{index}', $1::real[], {contest.K})"


class Contender(sql.SqlContender):
    def __init__(self, bench, index, parameter):
        super().__init__(bench, select(index), parameter, "s3v_query")

    def apply(self, setting):
        self.session.run(f"SET s3v.probes = {setting.get('s3v.probes', 0)}")


def measure(bench, data, table, count, lists):
    """(figures, contender at its default): warm calls of an index that stands, at its default and along the ladder."""
    contender = Contender(bench, table.index, data.queries.parameter)
    plain = {}
    for half, numbers in (("odd", contest.odd(count)), ("even", contest.even(count))):
        contender.ask({}, numbers)  # fills what stays between queries
        plain[half] = contest.judged(data, numbers, contender.ask({}, numbers))
    settings = [{"s3v.probes": probes} for probes in PROBES if probes <= lists]
    figures = contest.climb(data, count, settings, contender.ask, until=CURVE_END) | {"default": plain}
    figures["parts_ms"] = parts(bench, table.index, data, count)
    contender.apply({})
    figures["buffers"] = contender.buffers(contest.even(count))
    return figures, contender


def parts(bench, index, data, count):
    """Median wall milliseconds of the parts of a call, as s3v_explain tells them."""
    with bench.connect() as session:
        queries = db.Queries(session, index, contest.K)
        told = [queries.explain(data.queries.parameter(i))["ms"] for i in list(contest.even(count))[:100]]
    return {part: contest.summary([one[part] for one in told])["median"] for part in told[0]}


def empty_call(bench, data, count):
    """What a call with the same parameter costs when it does nothing: protocol, executor, the array itself."""
    nothing = sql.SqlContender(bench, "SELECT 0, $1::real[] IS NULL", data.queries.parameter)
    numbers = contest.even(count)
    nothing.ask({}, numbers)
    cpu = contest.summary(nothing.ask({}, numbers)["cpu_us"])
    nothing.close()
    return cpu


# ---- behind the proxy ------------------------------------------------------------------------------------------------


class Caches:
    """Local caches to start cold with: each an empty directory, where this s3v has a setting for it.

    `none` is for an s3v without one: a new session is as cold as it gets.
    """

    def __init__(self, bench, folder):
        self._folder, self._count = folder, 0
        with bench.connect() as session:
            session.run("LOAD 's3v'")
            self.present = session.run("SELECT 1 FROM pg_settings WHERE name = 's3v.cache_dir'") != []

    def use_new(self, session):
        if self.present:
            self._count += 1
            session.run(f"SET s3v.cache_dir = '{self._folder}/cache{self._count}'")


def fresh_session(bench, caches, index):
    session = bench.connect()
    session.run("LOAD 's3v'")
    caches.use_new(session)
    session.prepare("ask", select(index))
    return session


def ask(session, data, query):
    return [int(row[0]) for row in session.execute("ask", data.queries.parameter(query))]


def gather(seen, numbers, data):
    """Traffic and recall of counted queries: (summary of the proxy, ids) each."""
    run = {"ids": [ids for _, ids in seen]}
    for name in ("requests", "bytes", "waves", "waves_strict", "busy_periods", "most_at_once", "wall_ms"):
        run[name] = [traffic[name] for traffic, _ in seen]
    return contest.judged(data, numbers, run)


def cold(bench, before, data, index, numbers, caches):
    """Each query in a session and a cache of its own, in three states of what is already on this machine."""
    seen = {"nothing_cached": [], "navigation_cached": [], "all_cached": []}
    for query in numbers:
        with fresh_session(bench, caches, index) as session:
            seen["nothing_cached"].append(counted(before, lambda: ask(session, data, query)))
            seen["all_cached"].append(counted(before, lambda: ask(session, data, query)))
        seen["navigation_cached"].append(after_another(bench, before, data, index, query, caches))
    return {state: gather(runs, numbers, data) for state, runs in seen.items()}


def after_another(bench, before, data, index, query, caches, probes=0):
    """The query in a new session and cache that have answered one other query: the farthest of some, so that its lists
    are other ones."""
    others = [i for i in range(0, data.queries.count, max(1, data.queries.count // 40)) if i != query]
    vector = data.queries.row(query)
    other = max(others, key=lambda i: contest.exact.distance(data.metric, data.queries.row(i), vector))
    with fresh_session(bench, caches, index) as session:
        session.run("SET s3v.probes = 1")  # one list of the other query, no more
        ask(session, data, other)
        session.run(f"SET s3v.probes = {probes}")
        return counted(before, lambda: ask(session, data, query))


def counted(before, call):
    with before.counting() as traffic:
        ids = call()
    return traffic, ids


def bytes_curve(bench, before, data, index, odd, even, caches, lists):
    """Recall, requests and bytes with only navigation cached, probe by probe."""
    points = []
    for probes in (p for p in PROBES if p <= lists):
        point = {"setting": {"s3v.probes": probes}}
        for half, numbers in (("odd", odd), ("even", even)):
            runs = [after_another(bench, before, data, index, query, caches, probes) for query in numbers]
            point[half] = gather(runs, numbers, data)
        points.append(point)
        if point["odd"]["recall"] >= 0.995:
            break
    return points


def check_counters(bench, before, data, index, caches):
    """s3v_explain's own counters against the proxy's, for one query with nothing cached."""
    with bench.connect() as session:
        session.run("LOAD 's3v'")
        caches.use_new(session)
        queries = db.Queries(session, index, contest.K)
        with before.counting() as traffic:
            told = queries.explain(data.queries.parameter(0))
    return {
        "explain": {name: told[name] for name in ("requests", "bytes", "waves")},
        "proxy": {name: traffic[name] for name in ("requests", "bytes", "waves")},
        "equal": told["requests"] == traffic["requests"] and told["bytes"] == traffic["bytes"],
    }


def server(bench, endpoint, name, bucket, key, secret):
    """A foreign server whose endpoint is the proxy."""
    with bench.connect() as session:
        session.run(
            f"CREATE SERVER {name} FOREIGN DATA WRAPPER s3v OPTIONS "
            f"(url 's3://{bucket}/far', endpoint '{endpoint}', path_style 'true')"
        )
        session.run(
            f"CREATE USER MAPPING FOR CURRENT_USER SERVER {name} OPTIONS "
            f"(access_key_id '{key}', secret_access_key '{secret}')"
        )
