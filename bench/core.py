"""The engine alone: runs the program core_bench over a set and reads what it prints."""

import json
import os
import shutil
import subprocess
import tempfile

import contest

PROBES = (0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192)
CPU_GOALS = {"topics-1M": 200, "hard-1M": 450, "fashion-mnist-784-euclidean": 120}  # microseconds of a query
COLD_GOALS = {"topics-1M": (5, 1.1 * (1 << 20)), "hard-1M": (50, 5 * (1 << 20))}  # GETs, bytes
BUILD_GOAL = 25_000


def measure(program, folder, data, files, count, probes=PROBES, memory_mb=1024):
    """Build on a store of files, then the index's own rule (probes 0) and a ladder, until its recall is high."""
    if not os.path.exists(program):
        raise contest.Skipped("bench/run built no core_bench")
    place = tempfile.mkdtemp(prefix="core-", dir=folder)
    command = [program, *files, data.metric, f"file://{place}", "--queries", str(count)]
    command += ["--probes", ",".join(map(str, probes)), "--memory", str(memory_mb)]
    figures = {"points": []}
    try:
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            for line in process.stdout:
                told = json.loads(line)
                if "build" in told:
                    figures["build"] = told["build"]
                elif told["probes"] == 0:
                    figures["default"] = told
                else:
                    figures["points"].append(told)
                    if told["odd"]["recall"] >= contest.CURVE_END:
                        process.kill()
        if "default" not in figures:
            raise RuntimeError(f"core_bench failed: {' '.join(command)}")
    finally:
        shutil.rmtree(place)
    return figures


def add_goals(lines, name, figures):
    """The lines of a table: what the engine did by its own rule, on even queries."""
    even, cold, build = figures["default"]["even"], figures["default"]["cold"], figures["build"]
    lines.add(
        "core: recall@10 even (odd)",
        f"{even['recall']:.4f} ({figures['default']['odd']['recall']:.4f})",
        ">= 0.95",
        even["recall"] >= contest.GOAL,
    )
    cpu = even["search_us"] + even["rerank_us"]
    goal = CPU_GOALS.get(name)
    lines.add(
        "core: CPU us of a warm query",
        f"{cpu:,.0f} (search {even['search_us']:,.0f}, rerank {even['rerank_us']:,.0f})",
        f"<= {goal}" if goal else "",
        cpu <= goal if goal else None,
    )
    first = figures["default"]["first_pass"]
    gets, size = COLD_GOALS.get(name, (None, None))
    lines.add(
        "core: GETs, navigation known",
        f"{first['gets']:.1f} (max {first['gets_max']:.0f})",
        f"<= {gets}" if gets else "",
        first["gets"] <= gets if gets else None,
    )
    lines.add(
        "core: KiB, navigation known",
        f"{first['bytes'] / 1024:,.0f} (max {first['bytes_max'] / 1024:,.0f})",
        f"<= {size / 1024:,.0f}" if size else "",
        first["bytes"] <= size if size else None,
    )
    lines.add("core: entries scanned", f"{even['entries']:,.0f} in {even['lists']:.1f} of {build['lists']} lists")
    lines.add(
        "core: waves in a new store",
        f"{cold['waves']:.1f} (max {cold['waves_max']:.0f})",
        "<= 2",
        cold["waves_max"] <= 2,
    )
    speed = build["vectors_per_cpu_second"]
    lines.add("core: vectors built per CPU second", f"{speed:,.0f}", f">= {BUILD_GOAL:,}", speed >= BUILD_GOAL)
