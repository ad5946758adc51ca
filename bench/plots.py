"""Plots as SVG, written by hand: lines with markers over a linear or logarithmic axis."""

import math
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 760, 460
LEFT, RIGHT, TOP, BOTTOM = 74, 236, 44, 56
COLOURS = ("#c1272d", "#0f6fb4", "#2e8b57", "#8e5ea2", "#e08a00", "#4d4d4d", "#00a3a3", "#a0522d")
MARKERS = ("circle", "square", "triangle", "diamond")


@dataclass
class Line:
    name: str
    points: list  # (x, y)
    labels: list = field(default_factory=list)  # what a browser shows over each point
    dashed: bool = False


@dataclass
class Axis:
    label: str
    logarithmic: bool = False
    lowest: float | None = None
    highest: float | None = None

    def fit(self, values):
        values = [value for value in values if value > 0 or not self.logarithmic]
        low = min(values) if self.lowest is None else self.lowest
        high = max(values) if self.highest is None else self.highest
        if self.logarithmic:
            low, high = math.log10(low), math.log10(high)
            margin = max(0.05, 0.05 * (high - low))
        else:
            margin = 0.05 * (high - low) or 0.05 * abs(high) or 1
        self.low = low if self.lowest is not None and not self.logarithmic else low - margin
        self.high = high if self.highest is not None and not self.logarithmic else high + margin

    def share(self, value):
        """Where a value lies between the ends of the axis, from 0 to 1."""
        value = math.log10(value) if self.logarithmic else value
        return (value - self.low) / (self.high - self.low)

    def ticks(self):
        if not self.logarithmic:
            step = nice_step((self.high - self.low) / 6)
            first = math.ceil(self.low / step - 1e-9)
            return [round(i * step, 12) for i in range(first, math.floor(self.high / step + 1e-9) + 1)]
        factors = (1,) if self.high - self.low > 3 else (1, 2, 5)
        powers = range(math.floor(self.low), math.ceil(self.high) + 1)
        marks = [factor * 10.0**power for power in powers for factor in factors]
        return [mark for mark in marks if self.low <= math.log10(mark) <= self.high]


def nice_step(rough):
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))


def short(value):
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"


def marker(kind, x, y, colour, label):
    title = f"<title>{escape(label)}</title>" if label else ""
    style = f'fill="{colour}"'
    if kind == "circle":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.6" {style}>{title}</circle>'
    shapes = {
        "square": ((-3.2, -3.2), (3.2, -3.2), (3.2, 3.2), (-3.2, 3.2)),
        "triangle": ((0, -4.4), (4, 3.2), (-4, 3.2)),
        "diamond": ((0, -4.6), (4.6, 0), (0, 4.6), (-4.6, 0)),
    }
    corners = " ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in shapes[kind])
    return f'<polygon points="{corners}" {style}>{title}</polygon>'


def text(x, y, content, anchor="middle", size=12, more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" {more}>{escape(content)}</text>'


def draw(title, x_axis, y_axis, lines, level=None):
    """The SVG text of a plot; `level` draws a thin line at that y. None when there is nothing to draw."""
    lines = [line for line in lines if line.points]
    if not lines:
        return None
    x_axis.fit([x for line in lines for x, _ in line.points])
    y_axis.fit([y for line in lines for _, y in line.points] + ([level] if level is not None else []))
    width, height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def at(x, y):
        return LEFT + width * x_axis.share(x), TOP + height * (1 - y_axis.share(y))

    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" fill="#222">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        text(LEFT, 24, title, "start", 15, 'font-weight="bold"'),
    ]
    for tick in x_axis.ticks():
        x = LEFT + width * x_axis.share(tick)
        out.append(f'<line x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{TOP + height}" stroke="#e4e4e4"/>')
        out.append(text(x, TOP + height + 18, short(tick)))
    for tick in y_axis.ticks():
        y = TOP + height * (1 - y_axis.share(tick))
        out.append(f'<line x1="{LEFT}" y1="{y:.1f}" x2="{LEFT + width}" y2="{y:.1f}" stroke="#e4e4e4"/>')
        out.append(text(LEFT - 8, y + 4, short(tick), "end"))
    if level is not None:
        y = TOP + height * (1 - y_axis.share(level))
        out.append(
            f'<line x1="{LEFT}" y1="{y:.1f}" x2="{LEFT + width}" y2="{y:.1f}" stroke="#888" stroke-dasharray="2 3"/>'
        )
    out.append(f'<rect x="{LEFT}" y="{TOP}" width="{width}" height="{height}" fill="none" stroke="#888"/>')
    out.append(text(LEFT + width / 2, HEIGHT - 14, x_axis.label))
    middle = TOP + height / 2
    out.append(text(18, middle, y_axis.label, more=f'transform="rotate(-90 18 {middle})"'))
    for number, line in enumerate(lines):
        colour, kind = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
        places = [at(x, y) for x, y in line.points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        dash = ' stroke-dasharray="5 4"' if line.dashed else ""
        out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.8"{dash}/>')
        for i, (x, y) in enumerate(places):
            label = line.labels[i] if i < len(line.labels) else ""
            out.append(marker(kind, x, y, colour, f"{line.name} {label}".strip()))
        key = TOP + 12 + 22 * number
        out.append(
            f'<line x1="{LEFT + width + 14}" y1="{key}" x2="{LEFT + width + 38}" y2="{key}" stroke="{colour}" stroke-width="1.8"{dash}/>'
        )
        out.append(marker(kind, LEFT + width + 26, key, colour, ""))
        out.append(text(LEFT + width + 46, key + 4, line.name, "start", 11.5))
    out.append("</svg>")
    return "\n".join(out) + "\n"


def beside(drawings):
    """Plots next to each other in one file."""
    drawings = [one for one in drawings if one]
    inner = [one.replace("<svg ", f'<svg x="{WIDTH * i}" width="{WIDTH}" height="{HEIGHT}" ', 1) for i, one in enumerate(drawings)]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH * len(drawings)} {HEIGHT}">'
    return "\n".join([head, *inner, "</svg>"]) + "\n" if drawings else None


# ---- the plots of the bench ------------------------------------------------------------------------------------------


def setting_text(setting):
    return ", ".join(f"{name.split('.')[-1]} {value}" for name, value in setting.items()) or "default"


def curve(name, points, cost):
    """Recall of even queries over what `cost` finds of them, by rising cost; only settings that no other beats."""
    known = sorted((cost(point["even"]), point["even"]["recall"], setting_text(point["setting"])) for point in points)
    best = []
    for x, y, label in known:
        if x > 0 and (not best or y > best[-1][1]):
            best.append((x, y, label))
    return Line(name, [(x, y) for x, y, _ in best], [f"{label}: {y:.3f}" for _, y, label in best])


def recall_over_cpu(name, peers):
    lines = []
    for contender, figures in (peers.get("database", {}) | peers.get("libraries", {})).items():
        if "points" in figures:
            lines.append(curve(contender, figures["points"], lambda even: even["cpu_us"]["mean"]))
    return draw(
        f"{name}: recall over CPU, warm",
        Axis("CPU of a query, µs (even queries)", logarithmic=True),
        Axis("recall@10", highest=1.0),
        lines,
        level=0.95,
    )


def recall_over_bytes(name, peers):
    lines = []
    for contender, figures in peers.get("store", {}).items():
        if isinstance(figures, dict) and "points" in figures:
            lines.append(curve(contender, figures["points"], lambda even: even["bytes"]["mean"] / 1024))
    return draw(
        f"{name}: recall over bytes from the store",
        Axis("KiB of a query (even queries; only navigation or index cached)", logarithmic=True),
        Axis("recall@10", highest=1.0),
        lines,
        level=0.95,
    )


def exponent(points):
    """Slope of log y over log x, by least squares: cost grows as size to this power."""
    logs = [(math.log(x), math.log(y)) for x, y in points]
    x_mean = sum(x for x, _ in logs) / len(logs)
    y_mean = sum(y for _, y in logs) / len(logs)
    return sum((x - x_mean) * (y - y_mean) for x, y in logs) / sum((x - x_mean) ** 2 for x, _ in logs)


def cost_over_size(growth):
    """`growth`: name of a cost -> [(rows, cost)]."""
    lines = []
    for name, points in growth.items():
        grown = f" ~ n^{exponent(points):.2f}" if len(points) > 1 else ""
        lines.append(Line(name + grown, points, [f"{short(rows)}: {short(round(cost, 1))}" for rows, cost in points]))
    return draw("Cost of a query over rows", Axis("rows", logarithmic=True), Axis("cost", logarithmic=True), lines)
