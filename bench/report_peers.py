"""The contenders' figures as tables, goals of s3v beside them, and files with the plots."""

import os

import core
import plots
import report

KIB = 1024


def columns(rows):
    """Rows of text, the first of them a header, in columns."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)


def _build(figures):
    build = figures.get("build")
    return f"{build['vectors_per_cpu_second']:,.0f}" if build else ""


def _tuned(figures):
    return None if figures.get("chosen") is None else figures["points"][figures["chosen"]]


def warm_rows(peers):
    rows = [
        ("warm, tuned on odd queries", "setting", "recall odd", "recall even", "CPU us even", "buffers", "built/CPU s")
    ]
    for name, figures in (peers["database"] | peers.get("libraries", {})).items():
        if name == "empty_call_cpu_us":
            continue
        if "skipped" in figures:
            rows.append((name, "skipped", "", "", "", "", ""))
            continue
        buffers = f"{figures['buffers']:,.0f}" if "buffers" in figures else ""
        if "default" in figures:
            odd, even = figures["default"]["odd"], figures["default"]["even"]
            rows.append(
                (
                    name,
                    "default",
                    f"{odd['recall']:.4f}",
                    f"{even['recall']:.4f}",
                    f"{even['cpu_us']['mean']:,.0f}",
                    buffers,
                    _build(figures),
                )
            )
            buffers = ""
        if "points" not in figures:  # the exact scan
            rows.append((name, "", "", f"{figures['recall']:.4f}", f"{figures['cpu_us']['mean']:,.0f}", buffers, ""))
        elif tuned := _tuned(figures):
            odd, even = tuned["odd"], tuned["even"]
            rows.append(
                (
                    name,
                    plots.setting_text(tuned["setting"]),
                    f"{odd['recall']:.4f}",
                    f"{even['recall']:.4f}",
                    f"{even['cpu_us']['mean']:,.0f}",
                    buffers,
                    _build(figures),
                )
            )
        else:
            rows.append(
                (name, "0.95 not reached", f"{figures['points'][-1]['odd']['recall']:.4f}", "", "", "", _build(figures))
            )
    return rows


def duel_rows(peers):
    rows = [("by turns, even queries", "recall", "CPU us least", "CPU us median", "to the peer")]
    for name, figures in peers["database"].items():
        duel = figures.get("duel", {}) if isinstance(figures, dict) else {}
        for contender in ("peer", "s3v default", "s3v at equal recall"):
            if contender not in duel:
                continue
            one = duel[contender]
            label = f"{name}, {plots.setting_text(duel['peer_setting'])}" if contender == "peer" else f"  {contender}"
            rows.append(
                (
                    label,
                    f"{one['recall']:.4f}",
                    f"{one['cpu_us_least']:,.0f}",
                    f"{one['cpu_us_median']:,.0f}",
                    f"{one['ratio_to_peer']:.2f} x",
                )
            )
    return rows


def store_rows(peers):
    rows = [("behind the proxy, even queries", "recall", "requests", "KiB", "waves (max)", "strict", "ms wall")]

    def add(label, one):
        waves = f"{one['waves']['mean']:.1f} ({one['waves']['max']:.0f})"
        rows.append(
            (
                label,
                f"{one['recall']:.3f}",
                f"{one['requests']['mean']:,.1f}",
                f"{one['bytes']['mean'] / KIB:,.0f}",
                waves,
                f"{one['waves_strict']['mean']:.1f}",
                f"{one['wall_ms']['mean']:,.0f}",
            )
        )

    for name, figures in peers["store"].items():
        if name == "shape" or not isinstance(figures, dict):
            continue
        if "skipped" in figures:
            rows.append((name, "skipped", "", "", "", "", ""))
        elif name == "s3v":
            for state, one in figures["cold"].items():
                add(f"s3v, default, {state.replace('_', ' ')}", one)
        else:
            for setting, one in figures["cold"].items():
                add(f"{name}, {setting}, new process", one)
            for setting, one in figures["warm"].items():
                add(f"{name}, {setting}, index in memory", one)
    return rows


def goal_lines(name, peers):
    """What is asked of s3v among its peers, and of its engine alone."""
    lines = report.Lines()
    if "default" in peers.get("core", {}):
        core.add_goals(lines, name, peers["core"])
    database = peers["database"]
    duel = database.get("pgvector HNSW", {}).get("duel", {})
    if "s3v at equal recall" in duel:
        ratio = duel["s3v at equal recall"]["ratio_to_peer"]
        lines.add("SQL call at equal recall, to pgvector HNSW", f"{ratio:.2f} x", "<= 1.0 x", ratio <= 1.0)
    duel = database.get("VectorChord", {}).get("duel", {})
    if "s3v at equal recall" in duel:
        ratio = duel["s3v at equal recall"]["ratio_to_peer"]
        lines.add("SQL call at equal recall, to VectorChord", f"{ratio:.2f} x", "aim <= 1.0 x", ratio <= 1.0)
    parts = database["s3v"]["parts_ms"]
    lines.add(
        "parts of a call, wall ms (s3v_explain)", ", ".join(f"{name} {value:.3f}" for name, value in parts.items())
    )
    lines.add(
        "a call with the same parameter that does nothing", f"{database['empty_call_cpu_us']['mean']:,.0f} us CPU"
    )
    cold = peers.get("store", {}).get("s3v", {}).get("cold")
    if cold:
        most = cold["nothing_cached"]["waves"]["max"]
        lines.add("nothing cached: waves (max), by the proxy", f"{most:.0f}", "<= 2", most <= 2)
        most = cold["navigation_cached"]["waves"]["max"]
        lines.add("navigation cached: waves (max), by the proxy", f"{most:.0f}", "1", most <= 1)
        counters = peers["store"]["s3v"]["counters"]
        lines.add(
            "s3v_explain's requests and bytes to the proxy's",
            "{requests} and {bytes:,} to ".format(**counters["explain"])
            + "{requests} and {bytes:,}".format(**counters["proxy"]),
            "equal",
            counters["equal"],
        )
    return lines


def text(peers):
    tables = [columns(warm_rows(peers)), columns(duel_rows(peers))]
    if "store" in peers and "skipped" not in peers["store"]:
        tables.append(columns(store_rows(peers)))
    return "\n\n".join(tables)


def write_plots(folder, name, peers):
    """Paths of the plots of one set."""
    paths = []
    for kind, content in (
        ("cpu", plots.recall_over_cpu(name, peers)),
        ("bytes", plots.recall_over_bytes(name, peers)),
    ):
        if content is not None:
            paths.append(save(folder, f"{name}-recall-over-{kind}.svg", content))
    return paths


def save(folder, file_name, content):
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, file_name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(content)
    return path
