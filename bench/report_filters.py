"""The figures of bench/filters as tables, goals beside them, and plots over selectivity."""

import plots
import report_peers
from filter_sets import KINDS, PLACES, WIDTHS
from peers.filtered import LABELS

KIB = 1024
RECALL_GOAL = 0.95
# p95 of a filtered query's bytes, to that of the same queries without a filter: down to this share of the rows.
BYTES_GOALS = ((0.0099, 4), (0.0, 16))
ALWAYS_TRUE_GOAL = 1.2
SOURCE = "s3v, columns indexed"
DASHED = (SOURCE, LABELS["exact_by_index"], LABELS["strict_order"])  # they often lie upon the line before them
SMALLEST = 0.1  # on logarithmic axes: what takes no byte and no request is drawn here


def percent(share):
    return f"{100 * share:.3g}"


def recall_text(told, half):
    value = told["recall"][half]
    return "" if value is None else f"{value:.4f}"


def bytes_goal(share):
    return next(times for least, times in BYTES_GOALS if share >= least)


def verdicts(told):
    """(figure, value, goal, met) of one filter set of s3v as it comes."""
    found = []
    if told["recall"]["even"] is not None:
        for half in ("odd", "even"):
            value = told["recall"][half]
            found.append((f"recall@10, {half} queries", value, f">= {RECALL_GOAL}", value >= RECALL_GOAL))
        found.append(("queries with fewer hits than there are", told["short"], "0", told["short"] == 0))
    if "bytes_p95" in told["ratios"] and told["share"] > 0:
        value, times = told["ratios"]["bytes_p95"], bytes_goal(told["share"])
        found.append(("p95 bytes, to no filter", value, f"<= {times} x", value <= times))
    if told["counted"]:
        found.append(
            ("queries whose counters are not the proxy's", told["counters_differ"], "0", not told["counters_differ"])
        )
    return found


def goals_of(figures):
    """Every goal of one set, as report.Lines has them."""
    goals = []
    for name, told in figures["s3v"].items():
        found = [("answers", told["failed"], "some", False)] if "failed" in told else verdicts(told)
        goals += [
            {"figure": f"{name}: {what}", "value": value, "goal": goal, "met": met} for what, value, goal, met in found
        ]
    ratio, wrong = figures["always_true"]["ratio"], len(figures["wrong"])
    goals.append(
        {
            "figure": "CPU of an always-true filter",
            "value": ratio,
            "goal": f"<= {ALWAYS_TRUE_GOAL} x",
            "met": ratio <= ALWAYS_TRUE_GOAL,
        }
    )
    goals.append({"figure": "hits that may not be", "value": wrong, "goal": "0", "met": wrong == 0})
    if "state" in figures:
        told = figures["state"]
        what = "GETs and bytes as in a new session, navigation cached"
        goals.append(
            {"figure": what, "value": [told["here"], told["new_session"]], "goal": "as many", "met": told["equal"]}
        )
    return goals


# ---- tables ----------------------------------------------------------------------------------------------------------


def ratio_text(told, name):
    return f"{told['ratios'][name]:.2f}" if name in told.get("ratios", {}) else ""


def traffic_cells(told):
    if "bytes" not in told:
        return [""] * 7
    return [
        f"{told['bytes']['mean'] / KIB:,.0f}",
        f"{told['bytes']['p95'] / KIB:,.0f}",
        ratio_text(told, "bytes_p95"),
        f"{told['requests']['mean']:.1f}",
        f"{told['requests']['p95']:.0f}",
        ratio_text(told, "requests_mean"),
        f"{told['waves']['mean']:.1f} ({told['waves']['max']:.0f})",
    ]


def work_cells(told):
    if "entries_share" not in told:
        return [""] * 3
    paths = "/".join(str(told["paths"][path]) for path in ("index", "mixed", "source"))
    return [f"{100 * told['entries_share']['mean']:.1f}", f"{told['source_rows']['mean']:,.0f}", paths]


def s3v_rows(figures):
    header = (
        "s3v",
        "% pass",
        "n",
        "recall odd",
        "even",
        "short",
        "KiB",
        "p95",
        "x p95",
        "GETs",
        "p95",
        "x",
        "waves (max)",
    )
    rows = [header + ("CPU us", "x", "% scanned", "source rows", "i/m/s", "")]
    for name, told in ({"no filter": figures["no_filter"]} | figures["s3v"]).items():
        if "failed" in told:
            rows.append((name, "", "", "", "", "", "", "", "", "", "", "", "", "", "", "", "", "", "FAILED"))
            continue
        missed = [what.split(",")[0] for what, _, _, met in verdicts(told) if not met] if "ratios" in told else []
        rows.append(
            (
                name,
                percent(told["share"]),
                str(told["queries"]),
                recall_text(told, "odd"),
                recall_text(told, "even"),
                str(told["short"]),
                *traffic_cells(told),
                f"{told['cpu_us']['mean']:,.0f}",
                ratio_text(told, "cpu_us_mean"),
                *work_cells(told),
                "MISSED: " + ", ".join(dict.fromkeys(missed)) if missed else "",
            )
        )
    return rows


def source_rows(figures):
    rows = [(SOURCE, "recall odd", "even", "KiB", "GETs", "CPU us", "x", "x exact", "source rows", "i/m/s")]
    by_index = figures["peers"].get("exact_by_index", {}).get("sets", {})
    for name, told in figures["indexed"].items():
        if "failed" in told:
            rows.append((name, "FAILED", "", "", "", "", "", "", "", ""))
            continue
        traffic = traffic_cells(told)
        exact = by_index.get(name)
        rows.append(
            (
                name,
                recall_text(told, "odd"),
                recall_text(told, "even"),
                traffic[0],
                traffic[3],
                f"{told['cpu_us']['mean']:,.0f}",
                ratio_text(told, "cpu_us_mean"),
                f"{told['cpu_us']['mean'] / exact['cpu_us']['mean']:.2f}" if exact else "",
                *work_cells(told)[1:],
            )
        )
    return rows


def peer_rows(figures):
    """Recall of even queries and CPU of all contenders side by side."""
    columns = contenders(figures)
    rows = [("recall odd/even; CPU us", *columns)]
    for name in figures["s3v"]:
        cells = []
        for of_name in columns.values():
            told = of_name.get(name, {})
            if "recall" not in told:
                cells.append("FAILED" if "failed" in told else "")
                continue
            cells.append(f"{recall_text(told, 'odd')}/{recall_text(told, 'even')}; {told['cpu_us']['mean']:,.0f}")
        rows.append((name, *cells))
    return rows


def contenders(figures):
    """Name -> figures by filter set, of all that took part."""
    result = {"s3v": figures["s3v"]}
    if figures.get("indexed"):
        result[SOURCE] = figures["indexed"]
    for peer, told in figures["peers"].items():
        if "sets" in told:
            result[LABELS[peer]] = told["sets"]
    return result


def text(figures):
    tables = [s3v_rows(figures)]
    if figures.get("indexed"):
        tables.append(source_rows(figures))
    if len(contenders(figures)) > 1:
        tables.append(peer_rows(figures))
    told = figures["always_true"]
    lines = [report_peers.columns(rows) for rows in tables]
    lines.append(
        f"always-true filter: {told['filter_us']:,.0f} us CPU, without {told['none_us']:,.0f}: {told['ratio']:.2f} x "
        f"(goal <= {ALWAYS_TRUE_GOAL}); hits that may not be: {len(figures['wrong'])}"
    )
    return "\n\n".join(lines + figures["wrong"][:20])


# ---- plots -----------------------------------------------------------------------------------------------------------


def lines_of(figures, kind, value, only=None):
    """A line for each contender: (per cent that pass, value) of the made conditions of a kind."""
    lines = []
    for name, of_name in contenders(figures).items():
        if only is not None and name not in only:
            continue
        points = []
        for width in WIDTHS:
            told = of_name.get(f"{kind} {100 * width / PLACES:g} %", {})
            if told.get("recall") and value(told) is not None:
                points.append((100 * width / PLACES, value(told)))
        lines.append(plots.Line(name, points, [f"{x:g} %: {y:,.4g}" for x, y in points], dashed=name in DASHED))
    return lines


def mean_of(name, unit=1):
    return lambda told: told[name]["mean"] / unit if name in told else None


def panels(title, figures, label, value, level=None, only=None, recall=False):
    """Three plots side by side, one for each kind of condition, over the same range of values."""
    by_kind = {kind: lines_of(figures, kind, value, only) for kind in KINDS}
    values = [y for lines in by_kind.values() for line in lines for _, y in line.points]
    values += [] if level is None else [level]
    if not values:
        return None
    drawn = []
    for kind, lines in by_kind.items():
        if recall:
            y_axis = plots.Axis(label, lowest=0.0, highest=1.0)
        else:
            y_axis = plots.Axis(label, logarithmic=True, lowest=max(SMALLEST, min(values)), highest=max(values))
        x_axis = plots.Axis("% of the rows that pass", logarithmic=True)
        if not recall:
            lines = [
                plots.Line(one.name, [(x, max(SMALLEST, y)) for x, y in one.points], one.labels, one.dashed)
                for one in lines
            ]
        drawn.append(plots.draw(f"{title}, {kind}", x_axis, y_axis, lines, level))
    return plots.beside(drawn)


def write_plots(folder, name, figures):
    """Paths of the plots of one set."""
    plain = figures["no_filter"]
    drawings = {
        "recall": panels(
            f"{name}: recall",
            figures,
            "recall@10, even queries",
            lambda told: told["recall"]["even"],
            RECALL_GOAL,
            recall=True,
        ),
        "cpu": panels(f"{name}: CPU, warm", figures, "µs", mean_of("cpu_us"), plain["cpu_us"]["mean"]),
    }
    if "bytes" in plain:
        drawings["bytes"] = panels(
            f"{name}: bytes",
            figures,
            "KiB: s3v from the store, others' buffers",
            mean_of("bytes", KIB),
            plain["bytes"]["mean"] / KIB,
        )
        drawings["gets"] = panels(
            f"{name}: GETs",
            figures,
            "GETs of a query",
            mean_of("requests"),
            plain["requests"]["mean"],
            only=("s3v", SOURCE),
        )
    return [report_peers.save(folder, f"{name}-filters-{kind}.svg", svg) for kind, svg in drawings.items() if svg]
