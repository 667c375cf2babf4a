"""Medians, ratios within a round, and the tables."""

import statistics

# Figures that are compared with the relay's, round by round.
COMPARED = ("cpu us",)


def summarise(samples):
    """{figure: median} over the samples of one proxy in one scenario."""
    figures = {}
    for sample in samples:
        for name in sample:
            figures.setdefault(name, [])
    for name in figures:
        figures[name] = statistics.median(s.get(name, 0.0) for s in samples)
    return figures


def ratios(samples, base):
    """The median of same-round ratios, which drift of the machine does not touch."""
    return {name: statistics.median(s[name] / b[name] for s, b in zip(samples, base) if b[name])
            for name in COMPARED if samples and base and name in samples[0]}


def spread(samples, name):
    """Half the distance between the extremes, as a share of the median."""
    values = [s[name] for s in samples if name in s]
    middle = statistics.median(values) if values else 0
    return (max(values) - min(values)) / 2 / middle if middle else 0.0


def written(value):
    if abs(value) >= 1000:
        return "{:,.0f}".format(value)
    return "{:.0f}".format(value) if abs(value) >= 100 else "{:.2f}".format(value)


def table(scenario, results, order):
    """The scenario's table as lines of text; `results` is {proxy: samples by round}.

    A proxy without samples, which cannot do this or failed, gets dashes.
    """
    results = {n: results.get(n, []) for n in order}
    names = list(order)
    summaries = {n: summarise(results[n]) for n in names}
    figures = []
    for name in names:
        figures += [f for f in summaries[name] if f not in figures]
    rows = [["", *names]]
    for figure in figures:
        rows.append([figure] + [written(summaries[n][figure]) if figure in summaries[n] else "-"
                                for n in names])
        if figure in COMPARED:
            for base in "relay", "best peer":
                row = ratio_row(base, figure, results, names)
                if row:
                    rows.append(row)
            rows.append(["  spread"] + [
                "{:.0%}".format(spread(results[n], figure)) if results[n] else "-"
                for n in names])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["", scenario.title]
    for row in rows:
        lines.append("  " + row[0].ljust(widths[0]) + "".join(
            "  " + cell.rjust(width) for cell, width in zip(row[1:], widths[1:])))
    return lines


def ratio_row(base, figure, results, names):
    """A row of ratios to the relay, or to the better one of the other proxies than weir."""
    if base == "best peer":
        peers = [n for n in names if n not in ("relay", "weir") and results[n]]
        if not peers or not results.get("weir"):
            return None
        base = min(peers, key=lambda n: summarise(results[n])[figure])
    if not results.get(base):
        return None
    cells = []
    for name in names:
        ratio = ratios(results[name], results[base]).get(figure)
        cells.append("-" if ratio is None else "{:.2f}".format(ratio))
    return ["  / " + base] + cells
