"""Building: vectors per CPU second, CPU by phase, peak memory, size on the store."""

import process
import session as db


def touch_table(session, table):
    """Maps every shared buffer that a build will read, so that shared memory grows no more while its peak is taken."""
    session.run(f"SELECT sum(embedding[1]) FROM {table.name}")


def idle_private_bytes(bench):
    with bench.connect() as idle:
        idle.run("SELECT 1")
        resident, shared, _ = process.memory(idle.pid)
        return resident - shared


def build(bench, table, index, rows, memory):
    """Creates the index in a backend of its own and answers what that took."""
    idle = idle_private_bytes(bench)
    with bench.connect() as session, bench.connect() as watcher:
        session.run(f"SET maintenance_work_mem = '{memory}'")
        touch_table(session, table)
        resident, shared, _ = process.memory(session.pid)
        process.reset_peak(session.pid)
        watch = process.PhaseWatch(watcher, session.pid)
        stopwatch = process.Stopwatch(session.pid)
        watch.start()
        db.create_index(session, bench, table, index)
        wall, cpu = stopwatch.read()
        phases = watch.finish()
        _, shared_after, peak = process.memory(session.pid)
    core = sum(seconds for phase, seconds in phases.items() if phase not in ("starting", "reading"))
    return {
        "maintenance_work_mem": memory,
        "wall_seconds": wall,
        "cpu_seconds": cpu,
        "core_cpu_seconds": core,
        "cpu_seconds_by_phase": phases,
        "vectors_per_cpu_second": rows / cpu,
        "vectors_per_core_cpu_second": rows / core,
        "peak_above_idle_bytes": peak - shared - idle,
        "before_build_above_idle_bytes": resident - shared - idle,
        "shared_grew_by_bytes": shared_after - shared,
    }


def size_on_store(session, table, rows):
    query = f"SELECT lists, segments, bytes FROM s3v_indexes WHERE index = '{table.index}'::regclass"
    lists, segments, size = map(int, session.run(query)[0])
    return {
        "lists": lists,
        "segments": segments,
        "bytes": size,
        "bytes_per_row": size / rows,
        "ratio_to_float32": size / (rows * table.dimensions * 4),
    }
