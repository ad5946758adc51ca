"""The figures as a table: value, goal where there is one, and whether it is met."""

MEGABYTE = 1 << 20

RECALL_GOAL = 0.95
DEVIATION_GOAL = 1e-5
BUILD_GOAL = 10_000
BUILD_GOAL_DIMENSIONS = 784
MEMORY_GOAL = 64 * MEGABYTE
MEMORY_GOAL_SHAPE = (60_000, 784, "16MB")
COLD_WAVES_GOAL = 2


class Lines:
    """Rows of one table, and the goals among them."""

    def __init__(self):
        self.rows, self.goals = [], []

    def add(self, figure, value, goal="", met=None):
        self.rows.append((figure, value, goal, "" if met is None else "met" if met else "MISSED"))
        if met is not None:
            self.goals.append({"figure": figure, "value": value, "goal": goal, "met": met})

    def text(self):
        widths = [max(len(row[i]) for row in self.rows) for i in range(3)]
        return "\n".join(
            "  ".join((row[0].ljust(widths[0]), row[1].ljust(widths[1]), row[2].ljust(widths[2]), row[3])).rstrip()
            for row in self.rows
        )


def _mean_and_max(figures, digits=1):
    return f"{figures['mean']:,.{digits}f} (max {figures['max']:,.0f})"


def _recall(figures):
    return f"{figures['all']:.4f} (odd {figures['odd']:.4f}, even {figures['even']:.4f})"


def _build_lines(lines, shape, build):
    memory = build["maintenance_work_mem"]
    core = build["vectors_per_core_cpu_second"]
    asked = shape["dimensions"] == BUILD_GOAL_DIMENSIONS
    goal, met = (f">= {BUILD_GOAL:,}", core >= BUILD_GOAL) if asked else ("", None)
    lines.add(f"build, {memory}: vectors per CPU second, core", f"{core:,.0f}", goal, met)
    lines.add(f"build, {memory}: ... end to end", f"{build['vectors_per_cpu_second']:,.0f}")
    phases = ", ".join(f"{phase} {seconds:.2f}" for phase, seconds in build["cpu_seconds_by_phase"].items())
    lines.add(f"build, {memory}: seconds", f"{build['cpu_seconds']:.2f} CPU, {build['wall_seconds']:.1f} wall")
    lines.add(f"build, {memory}: CPU seconds by phase", phases)
    peak = build["peak_above_idle_bytes"]
    limited = (shape["rows"], shape["dimensions"], memory) == MEMORY_GOAL_SHAPE
    lines.add(
        f"build, {memory}: peak memory above idle",
        f"{peak / MEGABYTE:.1f} MiB",
        f"<= {MEMORY_GOAL // MEGABYTE} MiB" if limited else "",
        peak <= MEMORY_GOAL if limited else None,
    )


def _work_lines(lines, shape, k, work):
    label = f"warm, k = {k}"
    lines.add(f"{label}: waves", _mean_and_max(work["waves"], 2))
    lines.add(f"{label}: GETs", _mean_and_max(work["requests"]))
    lines.add(f"{label}: KiB read", f"{work['bytes']['mean'] / 1024:,.0f} (max {work['bytes']['max'] / 1024:,.0f})")
    lines.add(f"{label}: lists probed", _mean_and_max(work["lists_probed"]))
    share = work["entries_scanned"]["mean"] / shape["rows"]
    limited = k == 10 and shape["scanned_goal"] is not None
    lines.add(
        f"{label}: entries scanned",
        f"{_mean_and_max(work['entries_scanned'], 0)}, {100 * share:.2f} % of rows",
        f"<= {100 * shape['scanned_goal']:.0f} %" if limited else "",
        share <= shape["scanned_goal"] if limited else None,
    )
    lines.add(f"{label}: source rows read", _mean_and_max(work["source_rows"]))
    scans = work["paths"]["source"]
    lines.add(f"{label}: scans of the source", str(scans), "0", scans == 0)


def set_lines(figures):
    lines, shape = Lines(), figures["shape"]
    for k in (10, 100):
        one = figures["warm"][f"k{k}"]
        goal = k == 10
        lines.add(
            f"recall@{k}",
            _recall(one["recall"]),
            f">= {RECALL_GOAL}" if goal else "",
            one["recall"]["all"] >= RECALL_GOAL if goal else None,
        )
    kinds = ("deviation_from_ground_truth", "deviation_from_vectors")
    deviation = max(figures["warm"][f"k{k}"][kind] for k in (10, 100) for kind in kinds)
    good = deviation <= DEVIATION_GOAL
    lines.add("largest relative deviation of a distance", f"{deviation:.1e}", f"<= {DEVIATION_GOAL:.0e}", good)
    for k in (10, 100):
        _work_lines(lines, shape, k, figures["warm"][f"k{k}"]["work"])
    for k in (10, 100):
        one = figures["warm"][f"k{k}"]
        time = f"{one['cpu_ms']['median']:.2f} CPU, {one['wall_ms']['median']:.2f} wall"
        lines.add(f"warm, k = {k}: milliseconds of s3v_query, median", time)
    work = figures["cold"]["work"]
    good = work["waves"]["max"] <= COLD_WAVES_GOAL
    lines.add("cold, k = 10: waves", _mean_and_max(work["waves"], 2), f"<= {COLD_WAVES_GOAL}", good)
    lines.add("cold, k = 10: GETs", _mean_and_max(work["requests"]))
    lines.add("cold, k = 10: KiB read", f"{work['bytes']['mean'] / 1024:,.0f} (max {work['bytes']['max'] / 1024:,.0f})")
    lines.add("cold, k = 10: milliseconds of s3v_explain, median", f"{work['ms']['total']['median']:.2f} wall")
    for build in figures["builds"]:
        _build_lines(lines, shape, build)
    for memory, one in figures["other_builds"].items():
        lines.add(f"recall@10 of the {memory} build, {one['queries']} queries", _recall(one["recall"]))
        lines.add(f"... entries scanned", f"{100 * one['work']['entries_scanned']['mean'] / shape['rows']:.2f} % of rows")
    store = figures["store"]
    lines.add("lists and segments", f"{store['lists']} and {store['segments']}")
    lines.add(
        "size on the store",
        f"{store['bytes'] / MEGABYTE:,.1f} MiB, {store['ratio_to_float32']:.3f} x the float32 vectors",
    )
    for step in figures["pending"]["steps"]:
        lines.add(
            f"query with {step['rows']:,} rows pending",
            f"{step['cpu_ms']['median']:.2f} ms CPU; {step['cpu_ms_to_none_pending']:.2f} x none pending, "
            f"{step['cpu_ms_to_exact_scan']:.3f} x exact scan",
        )
        work = step["work"]
        lines.add(
            "... work",
            f"{work['waves']['mean']:.2f} waves, {work['requests']['mean']:.1f} GETs, {work['bytes']['mean'] / 1024:,.0f} KiB, "
            f"{100 * work['entries_scanned']['mean'] / shape['rows']:.2f} % of rows scanned",
        )
    lines.add("exact scan of the source", f"{figures['pending']['exact_scan']['cpu_ms']['median']:,.0f} ms CPU")
    return lines


def capture_lines(capture):
    """Medians over pairs of runs, with the range of the pairs: it says how far the median can be trusted."""
    lines = Lines()
    for name, label in (
        ("copy", f"COPY of {capture['copy_rows']:,} rows"),
        ("inserts_in_one_transaction", f"{capture['inserts_of_a_run']} single-row INSERTs, one transaction"),
        ("inserts_each_committed", f"{capture['inserts_of_a_run']} single-row INSERTs, each committed"),
    ):
        one = capture[name]
        lines.add(
            f"capture: {label}",
            "{:.3f} x CPU ({:.2f} to {:.2f}, {:+.1f} us a row), ".format(
                one["cpu_ratio"], *one["cpu_ratio_range"], one["cpu_microseconds_a_row"]
            )
            + "{:.3f} x wall ({:.2f} to {:.2f})".format(one["wall_ratio"], *one["wall_ratio_range"]),
        )
    return lines
