"""How a contender is tuned and measured, whoever it is: the same queries, the same recall, the same clock.

Settings are tried from the cheapest on with the *odd* query numbers until recall@10 reaches the goal; every setting that
was tried is then measured with the *even* ones, and those are the figures to quote.
"""

import statistics

import exact
from measure_queries import summary

K = 10
GOAL = 0.95
CURVE_END = 0.985
ROUNDS = 5


class Skipped(Exception):
    """A contender cannot take part; the text says why, in one line."""


def odd(count):
    return range(1, count, 2)


def even(count):
    return range(0, count, 2)


def judged(data, numbers, run):
    """`run` is what a contender answers: "ids" of each query, and lists of measures, one value for each query."""
    recalls = [exact.recall_of_ids(data, query, ids, K) for query, ids in zip(numbers, run["ids"], strict=True)]
    measures = {name: summary(values) for name, values in run.items() if name != "ids" and values}
    return {"queries": len(recalls), "recall": statistics.fmean(recalls)} | measures


def climb(data, count, settings, ask, goal=GOAL, until=CURVE_END):
    """The ladder of settings, cheapest first, up to the rung that reaches `until`, so that there is a curve to plot.

    `ask(setting, query numbers)` answers what `judged` wants. "chosen" is the number of the rung to report, or None.
    """
    points, chosen = [], None
    for setting in settings:
        points.append({"setting": setting, "odd": judged(data, odd(count), ask(setting, odd(count)))})
        if chosen is None and points[-1]["odd"]["recall"] >= goal:
            chosen = len(points) - 1
        if points[-1]["odd"]["recall"] >= until:
            break
    for point in points:
        point["even"] = judged(data, even(count), ask(point["setting"], even(count)))
    return {"points": points, "chosen": chosen}


def choose_cheapest(points, cost, goal=GOAL):
    """Of settings that form no ladder: the number of the one with the least cost on odd queries that reaches the goal."""
    good = [i for i, point in enumerate(points) if point["odd"]["recall"] >= goal]
    return min(good, key=lambda i: cost(points[i]["odd"])) if good else None


def duel(data, contenders, count, rounds=ROUNDS):
    """Tuned contenders by turns over the even queries, so that a busy machine meets all of them alike.

    `contenders` is name -> ask(numbers). CPU of a query is the least of its rounds; the median over all is given too.
    """
    numbers = even(count)
    runs = {name: [] for name in contenders}
    for turn in range(rounds):
        for name in list(contenders) if turn % 2 == 0 else reversed(list(contenders)):
            runs[name].append(contenders[name](numbers))
    result = {}
    for name, of_rounds in runs.items():
        each = list(zip(*(run["cpu_us"] for run in of_rounds)))
        result[name] = judged(data, numbers, of_rounds[0]) | {
            "cpu_us_least": statistics.fmean(min(values) for values in each),
            "cpu_us_median": statistics.median(value for values in each for value in values),
            "rounds": rounds,
        }
    return result
