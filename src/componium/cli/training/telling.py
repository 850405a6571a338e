"""What `componium train` tells in words: before the first step, and after the last."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from componium.cli.show import counted, quoted, skipped_lines
from componium.music.licences import licence_class

if TYPE_CHECKING:
    from componium.training.observing import RunInfo, Summary

_UNITS = ((1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "KB"))


def duration(seconds: float) -> str:
    """Return a length of time as people say it: ``"8 s"``, ``"4 min 10 s"``, ``"2 h 5 min"``."""
    whole = round(seconds)
    if whole < 1:
        return "under a second"
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 10:
        return f"{minutes} min" + (f" {rest} s" if rest else "")
    hours, minutes = divmod(round(whole / 60), 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if hours else f"{minutes} min"
    return f"{round(hours / 24)} days"


def size(count: float) -> str:
    """Return a number of bytes: ``"5.2 MB"``."""
    for unit, name in _UNITS:
        if count >= unit:
            return f"{count / unit:.3g} {name}" if count < 1000 * unit else f"{count / unit:,.0f} {name}"
    return f"{count:.0f} bytes"


def before_lines(run: RunInfo, stored: Mapping[str, Any] | None = None) -> list[str]:
    """Return what is said before the first step: data, size, length, time, memory and disk, precision.

    Args:
        run: what the loop tells.
        stored: what the run's folder says of it, for what was skipped and the licence.
    """
    learned: Mapping[str, Any] = (stored or {}).get("provenance", {})
    lines = [_data_line(run), *_recording_lines(stored or {}), *_skipped(run, stored or {})]
    licence = str(learned.get("licence") or "")
    if licence:
        lines.append(f"licence of the data: {licence} (most restrictive class: {licence_class(licence)})")
    work = "continues the weights of a trained model" if run.fine_tuning else "new weights"
    lines.append(f"{run.model}: {run.parameters:,} parameters, {work}, seed {run.seed}")
    lines += [_length_line(run), *_cost_lines(run)]
    lines.append(f"on {run.device}{f' with {run.processes} processes' if run.processes > 1 else ''}, in {run.precision}"
                 + (f" ({run.precision_reason})" if run.precision_reason else ""))
    return lines


def _data_line(run: RunInfo) -> str:
    held_out = f", {counted(run.held_out_pieces, 'piece')} held out to measure on" if run.held_out_pieces else ""
    unseen = f", {counted(run.unseen_pieces, 'piece')} not looked at" if run.unseen_pieces else ""
    return f"learns from {counted(run.pieces, 'piece')} of {run.data}{held_out}{unseen}"


def _recording_lines(stored: Mapping[str, Any]) -> list[str]:
    """Return what is said of recordings: how many, how long, and what they take in the cache; voices and consents."""
    told, learned = stored.get("data", {}).get("recordings"), stored.get("provenance", {})
    if not told:
        return []
    parts = f"{duration(told['seconds'])} in {counted(told['parts'], 'part')} of up to 30 s"
    lines = [f"{counted(told['recordings'], 'recording')}: {parts}, as one channel at {told['sample_rate_hz']:,} Hz; "
             f"{size(told['cache_bytes'])} in {told['cache']}"]
    if "consent_who" in learned:
        lines.append(f"a person's voice ({learned['voice']}), with the consent of {learned['consent_who']} for "
                     f"{learned['consent_for']}, until {learned['consent_until']}")
    return lines


def _skipped(run: RunInfo, stored: Mapping[str, Any]) -> list[str]:
    """Return the files that could not be read and the pieces that cannot be learned from, with their reasons."""
    from componium.music.item import Skipped

    data, unused = stored.get("data", {}), [Skipped(name, reason) for name, reason in run.passed_over]
    if "skipped" in data:
        return skipped_lines([*(Skipped(str(name), str(reason)) for name, reason in data["skipped"]), *unused])
    files = stored.get("provenance", {}).get("skipped_pieces", 0) - len(unused)
    told = [f"skipped {files} that could not be read or are there twice ('componium corpus info' names them)"]
    return [*(told if files > 0 else ()), *skipped_lines(unused)]


def _length_line(run: RunInfo) -> str:
    batch = run.settings.get("batch")
    told = f"{counted(run.steps, 'step')} of {batch} examples" if batch else counted(run.steps, "step")
    if run.first_step:
        return f"goes on after step {run.first_step:,} of {told}"
    reckoned = f", reckoned from {duration(run.budget_seconds)}" if run.budget_seconds else ""
    return f"{told}{reckoned}"


def _cost_lines(run: RunInfo) -> list[str]:
    cost = run.estimate
    if cost is None:
        return []
    left = cost.total_seconds * (run.steps - run.first_step) / max(1, run.steps)
    each = f"{cost.step_seconds:.3g} s" if cost.step_seconds >= 1 else f"{cost.step_seconds * 1000:.3g} ms"
    parts = [f"{'about ' if left >= 1 else ''}{duration(left)} ({each} a step), previews not counted"]
    parts += [f"{size(cost.memory_bytes)} of memory"] if cost.memory_bytes else []
    parts += [f"{size(cost.disk_bytes)} of disk"] if cost.disk_bytes else []
    return ["estimate: " + ", ".join(parts), *_room_lines(cost.disk_bytes, run.out)]


def _room_lines(needed_bytes: int, out: Path | None) -> list[str]:
    """Return a warning where the disk has less room than the run needs."""
    if out is None or not out.is_dir():
        return []
    free_bytes = shutil.disk_usage(out).free
    if free_bytes >= needed_bytes:
        return []
    return [f"warning: only {size(free_bytes)} of the disk are free; keep fewer steps (--keep), or choose another "
            "place"]


def after_lines(summary: Summary, figures: Mapping[str, Any]) -> list[str]:
    """Return what is said after the last step: how it ended, how long it took, the figures."""
    ended = {"finished": f"finished {counted(summary.step, 'step')}",
             "no improvement": f"stopped early at step {summary.step:,} of {summary.steps:,}: the held-out loss "
                               "improved no more",
             "cancelled": f"stopped at step {summary.step:,} of {summary.steps:,}"}
    lines = [f"{ended.get(summary.reason, f'ended at step {summary.step:,}: {summary.reason}')} "
             f"in {duration(summary.seconds)}"]
    if summary.held_out is not None:
        lines.append(f"lowest held-out loss: {summary.held_out:.4f}, at step {summary.best_step:,}, which is the model")
    return [*lines, *figure_lines({name: value for name, value in figures.items()
                                   if not name.startswith("held_out_loss")})]


def figure_lines(figures: Mapping[str, Any]) -> list[str]:
    """Return a model's figures, one a line."""
    from componium.cli.train import shown

    return [f"{name.replace('_', ' ')}: {shown(value)}" for name, value in figures.items()
            if isinstance(value, int | float | str)]


def next_lines(model: Any, out: Path, *, own: str, steps: int, ladder: bool) -> list[str]:
    """Return commands to go on with.

    Args:
        model: the trained model.
        out: its folder.
        own: MODEL as the user wrote it, for going on longer.
        steps: of the run.
        ladder: whether steps on the way were kept.
    """
    from componium import registry
    from componium.cli.train import as_model, next_command

    lines = []
    if model.name in registry.MODELS:  # the verbs find no model of one's own by its folder
        lines.append(next_command(model, out))
        if ladder and hasattr(model, "generate"):
            lines.append(f"componium generate {quoted(as_model(out))}@all --seed 1 --out {quoted(out.stem)}.html")
        if hasattr(model, "log_likelihood"):
            lines.append(f"componium evaluate {quoted(as_model(out))} --on HELD_OUT_MUSIC")
    lines.append(f"{resume_command(own, out)} --steps {2 * steps}     (to go on for longer)")
    return [f"next: {lines[0]}", *(f"      {line}" for line in lines[1:])]


def resume_command(model: str, out: Path) -> str:
    """Return the command that goes on with a run."""
    return f"componium train {quoted(model)} --out {quoted(out)} --resume"
