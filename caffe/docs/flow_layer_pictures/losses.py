"""Pictures of L1Loss, LpqLoss and SoftIoULoss."""

import numpy as np
from matplotlib.figure import Figure

from .canvas import BLUE, GREEN, GREY, ORANGE, as_plot, panels


def l1_loss() -> Figure:
    """What one difference, or one location, adds to the loss."""
    figure, (entry, location) = panels(2, 2.3)
    d = np.linspace(-1.5, 1.5, 601)
    as_plot(entry, "per entry", "d")
    entry.plot(d, np.abs(d), color=BLUE, label="|d|")
    entry.plot(d, np.where(np.abs(d) < 0.5, 0, np.abs(d)), "--", color=ORANGE, label="plateau 0.5")
    as_plot(location, "l2_per_location", "√s, the length of the difference")
    for power, epsilon, color in ((0.5, 0.01, BLUE), (0.5, 0.1, GREEN), (0.2, 0.01, ORANGE)):
        location.plot(
            d, (d**2 + epsilon) ** power, color=color, label=f"power {power}, epsilon {epsilon}"
        )
    location.set_xlim(0, 1.5)
    for ax in (entry, location):
        ax.set_ylim(0, 1.7)
        ax.legend(fontsize=6.5, frameon=False, loc="upper center")
    return figure


def lpq_loss() -> Figure:
    """Some p and q on one channel, and a schedule of them."""
    figure, (curves, schedule) = panels(2, 2.3)
    d = np.linspace(-3, 3, 601)
    as_plot(curves, "one channel, q_epsilon 0.01", "d")
    for p, q, color in ((1, 1, BLUE), (2, 0.5, GREY), (1, 0.4, GREEN), (1, 0.2, ORANGE)):
        value = (np.abs(d) ** p + 0.01) ** q
        style = "--" if (p, q) == (2, 0.5) else "-"
        curves.plot(d, value, style, color=color, label=f"p {p}, q {q}")
    curves.set_ylim(0, 2.2)
    curves.legend(fontsize=6.5, frameon=False, loc="upper center", ncols=2)
    as_plot(schedule, "p: 2, 1   q: 0.5, 0.4\npq_episode_starts_at_iter: 0, 200", "iteration")
    schedule.step([0, 200, 400], [2, 1, 1], where="post", color=BLUE, label="p")
    schedule.step([0, 200, 400], [0.5, 0.4, 0.4], where="post", color=ORANGE, label="q")
    schedule.set_ylim(0, 2.3)
    schedule.legend(fontsize=6.5, frameon=False)
    return figure


def soft_iou_loss() -> Figure:
    """A soft mask, its label, and what intersection and union are made of."""
    figure, (masks, parts) = panels(2, 2.2)
    x = np.linspace(0, 10, 501)
    p = 1 / (1 + np.exp(-2 * (x - 3))) - 1 / (1 + np.exp(-2 * (x - 7)))
    y = ((x > 4) & (x < 8)).astype(float)
    as_plot(masks, "prediction p and label y", "position")
    masks.plot(x, p, color=BLUE, label="p = sigmoid(logit)")
    masks.plot(x, y, color=ORANGE, label="y")
    as_plot(parts, "intersection p·y in union p + y − p·y", "position")
    parts.fill_between(x, p + y - p * y, color=GREY, alpha=0.5, linewidth=0)
    parts.fill_between(x, p * y, color=GREEN, linewidth=0)
    for ax in (masks, parts):
        ax.set_ylim(0, 1.4)
    masks.legend(fontsize=6.5, frameon=False, loc="upper left")
    return figure


PICTURES = {"l1_loss": l1_loss, "lpq_loss": lpq_loss, "soft_iou_loss": soft_iou_loss}
