"""The report on a corpus as text: sizes, voices, licences and rights, and what was left out and why."""

from __future__ import annotations

from typing import Any

from componium.music.item import UNKNOWN_LICENCE
from componium.music.theory import pitch_name

MOST_LICENCES = 8
"""So many licences are named in the text; the JSON report names all."""


def report_lines(summary: dict[str, Any]) -> list[str]:
    """Return the report on a corpus (`Corpus.summary`) as lines of text."""
    lines = [f"{summary['name']}: {summary['items']} item{'s' * (summary['items'] != 1)}"]
    if summary["scores"]:
        lines.append(f"  {summary['scores']} score{'s' * (summary['scores'] != 1)}: "
                     f"{summary['bars']} bars, {summary['beats']:g} beats, {summary['notes']} notes")
    if summary["lowest_pitch"] is not None:
        low, high = summary["lowest_pitch"], summary["highest_pitch"]
        lines.append(f"  pitches {pitch_name(low)} to {pitch_name(high)} (MIDI {low} to {high})")
    if summary["voices"]:
        lines.append("  voices: " + ", ".join(f"{voices} in {pieces}" for voices, pieces in summary["voices"].items()))
    if summary["recordings"]:
        minutes, seconds = divmod(summary["seconds"], 60)
        lines.append(f"  {summary['recordings']} recordings: {int(minutes)} min {seconds:.1f} s")
    if summary["scores"] > 1:
        lines.append(f"  melodies: {summary['melody_families']} families with the same opening, the largest of "
                     f"{summary['largest_family']}")
    lines += _rights_lines(summary)
    lines += [f"  note: {text}" for text in summary["remarks"]]
    if summary["skipped"]:
        lines.append(f"  skipped {len(summary['skipped'])}:")
        lines += [f"    {skipped['name']}: {skipped['reason']}" for skipped in summary["skipped"]]
    if summary["other_files"]:
        lines.append(f"  other files, not music: {summary['other_files']}")
    return lines


def _rights_lines(summary: dict[str, Any]) -> list[str]:
    """Return the licences as they were found, the items by class of licence, and what follows for the whole set."""
    licences = list(summary["licences"].items())
    lines = [f"  licence: {licence or UNKNOWN_LICENCE} ({count})" for licence, count in licences[:MOST_LICENCES]]
    if licences[MOST_LICENCES:]:
        lines.append(f"  licence: {len(licences) - MOST_LICENCES} others "
                     f"({sum(count for _, count in licences[MOST_LICENCES:])}), all in the JSON report")
    if summary["items"]:
        counts = ", ".join(f"{name} {count}" for name, count in summary["licence_classes"].items())
        lines += [f"  items by class of licence: {counts}", f"  rights: {summary['rights']}"]
    return lines
