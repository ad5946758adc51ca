"""What the contenders inside PostgreSQL share: one session, one prepared statement, CPU of the backend per call."""

import json

import process

# A prepared statement is planned once, and no worker may hide CPU from the backend's clock.
SESSION = (
    "SET plan_cache_mode = force_generic_plan",
    "SET max_parallel_workers_per_gather = 0",
    "SET jit = off",
)
BUFFER_QUERIES = 20


class SqlContender:
    """`select` has the vector as $1; `parameter(i)` gives query i in binary. Rows begin with the row number."""

    def __init__(self, bench, select, parameter, scan="Index Scan"):
        self.session = bench.connect()
        self._parameter, self._scan = parameter, scan
        for statement in SESSION:
            self.session.run(statement)
        self._clock = process.CpuClock(self.session.pid)
        self._select = select
        self._prepared = 0

    def prepare(self):
        """After settings that the planner looks at."""
        self._prepared += 1
        self._name = f"ask_{self._prepared}"
        self.session.prepare(self._name, self._select)
        self._explain = f"explain_{self._prepared}"
        self.session.prepare(self._explain, "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + self._select)

    def apply(self, setting):
        """Makes the setting that of the session; most are parameters of PostgreSQL."""
        for name, value in setting.items():
            self.session.run(f"SET {name} = {value}")

    def ask(self, setting, numbers):
        self.apply(setting)
        if not self._prepared:
            self.prepare()
        self.session.execute(self._name, self._parameter(numbers[0]))  # opens relations and plans
        return self.ask_again(numbers)

    def ask_again(self, numbers):
        ids, cpu = [], []
        for i in numbers:
            vector = self._parameter(i)
            before = self._clock.seconds()
            rows = self.session.execute(self._name, vector)
            cpu.append(1e6 * (self._clock.seconds() - before))
            ids.append([int(row[0]) for row in rows])
        return {"ids": ids, "cpu_us": cpu}

    def buffers(self, numbers):
        """Mean shared buffers of a call, and a check that the plan is the one meant."""
        used = []
        for i in list(numbers)[:BUFFER_QUERIES]:
            plan = json.loads(self.session.execute(self._explain, self._parameter(i))[0][0])[0]["Plan"]
            if self._scan not in json.dumps(plan):
                raise AssertionError(f"no {self._scan} in the plan of {self._select}")
            used.append(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])
        return sum(used) / len(used)

    def close(self):
        self.session.close()


def build_index(bench, statement, settings, index, rows):
    """CREATE INDEX in a backend of its own: CPU, wall, size."""
    with bench.connect() as session:
        for setting in settings:
            session.run(setting)
        # Nobody but this backend builds, so its clock sees all.
        session.run("SET max_parallel_maintenance_workers = 0")
        watch = process.Stopwatch(session.pid)
        session.run(statement)
        wall, cpu = watch.read()
        size = int(session.value(f"SELECT pg_relation_size('{index}')"))
    return {"cpu_seconds": cpu, "wall_seconds": wall, "vectors_per_cpu_second": rows / cpu, "bytes": size}
