"""The figures as a picture: orders per second with their spread, and where an order's processor time goes."""

from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot

from benchmarks.figures import OURS, Figures

mpl.use("Agg")

OURS_COLOUR, OTHERS_COLOUR = "#2f6fde", "#9aa7b8"


def draw(figures: Figures, file: Path) -> None:
    peers = figures["peers"]
    titles = [peer["title"].replace(", ", ",\n") for peer in peers.values()]
    figure, (speed, latency) = pyplot.subplots(1, 2, figsize=(12, 0.7 * len(peers) + 1.8), sharey=True)
    colours = [OURS_COLOUR if name == OURS else OTHERS_COLOUR for name in peers]

    rates = [peer["orders_per_second"] for peer in peers.values()]
    medians = [rate["median"] for rate in rates]
    spread = [
        [rate["median"] - rate["min"] for rate in rates],
        [rate["max"] - rate["median"] for rate in rates],
    ]
    bars = speed.barh(titles, medians, color=colours, xerr=spread, error_kw={"ecolor": "#444", "capsize": 3})
    speed.bar_label(bars, fmt="%.0f", padding=6)
    speed.set_xlabel("orders per second: median, from worst to best round")

    alone = [peer["alone_ms"]["p50"] for peer in peers.values()]
    bars = latency.barh(titles, alone, color=colours)
    latency.bar_label(bars, fmt="%.0f", padding=4)
    latency.set_xlabel("one order alone, milliseconds (p50)")

    speed.invert_yaxis()
    for axes in (speed, latency):
        axes.spines[["top", "right"]].set_visible(False)
        axes.margins(x=0.15)
    figure.tight_layout()
    figure.savefig(file, dpi=140)
    pyplot.close(figure)
