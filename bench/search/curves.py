"""Curves of median regret as SVG, written by hand: no library is needed."""

import math
import statistics

from tables import group

COLOURS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf")
WIDTH, HEIGHT, LEFT, TOP = 560, 340, 70, 30


def draw(title, strategies):
    """Median best regret against trials, regret on a logarithmic scale."""
    lines = {s: [max(statistics.median(column), 1e-9) for column in zip(*(r["curve"] for r in runs))] for s, runs in strategies.items()}
    finite = [v for line in lines.values() for v in line if math.isfinite(v)]
    low, high = math.floor(math.log10(min(finite))), math.ceil(math.log10(max(finite)) + 1e-9)
    high = max(high, low + 1)
    trials = max(len(line) for line in lines.values())
    x = lambda i: LEFT + WIDTH * i / max(trials, 1)
    y = lambda v: TOP + HEIGHT * (high - math.log10(v)) / (high - low)
    parts = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">' % (WIDTH + LEFT + 190, HEIGHT + TOP + 45),
             '<rect width="100%" height="100%" fill="white"/>', '<text x="%d" y="18" font-size="14">%s</text>' % (LEFT, title)]
    for power in range(low, high + 1):
        parts.append('<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">1e%d</text>'
                     % (LEFT, LEFT + WIDTH, y(10.0**power), y(10.0**power), LEFT - 6, y(10.0**power) + 4, power))
    for i in range(0, trials + 1, max(trials // 4, 1)):
        parts.append('<text x="%.1f" y="%d" text-anchor="middle">%d</text>' % (x(i), TOP + HEIGHT + 18, i))
    parts.append('<text x="%d" y="%d" text-anchor="middle">trials</text>' % (LEFT + WIDTH / 2, TOP + HEIGHT + 36))
    for number, (strategy, line) in enumerate(sorted(lines.items(), key=lambda item: item[1][-1])):
        colour = COLOURS[number % len(COLOURS)]
        points = " ".join("%.1f,%.1f" % (x(i + 1), y(v)) for i, v in enumerate(line) if math.isfinite(v))
        parts.append('<polyline fill="none" stroke="%s" stroke-width="1.8" points="%s"/>' % (colour, points))
        parts.append('<text x="%d" y="%d" fill="%s">%s</text>' % (LEFT + WIDTH + 10, TOP + 16 + 18 * number, colour, strategy))
    return "\n".join(parts + ["</svg>\n"])


def write_all(results, folder):
    folder.mkdir(parents=True, exist_ok=True)
    for (problem, workers), strategies in group(results).items():
        name = problem + ("-w%d" % workers if workers > 1 else "")
        (folder / (name + ".svg")).write_text(draw(name, strategies))
