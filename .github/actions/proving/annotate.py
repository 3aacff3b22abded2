#!/usr/bin/env python3
"""Annotates what did not pass, and writes the job's summary, from the JSON messages of `proving run`."""

import json
import os
import sys

# GitHub shows no more than ten errors and ten warnings of a step.
MOST = 10
LONGEST = 2000


def escaped(text, is_property=False):
    """`text` as a workflow command takes it: a device's words must not be read as a command."""
    text = text[:LONGEST].replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    if is_property:
        text = text.replace(":", "%3A").replace(",", "%2C")
    return text


def results(path):
    with open(path, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            try:
                message = json.loads(line)
            except ValueError:
                continue  # A run that was killed leaves a part of a line.
            if isinstance(message, dict) and message.get("type") == "case_finished":
                yield message["result"]


def failure_of(result):
    for attempt in result.get("attempts", []):
        if attempt.get("failure"):
            return attempt["failure"]
    return {}


def annotation(result):
    failure = failure_of(result)
    said = failure.get("message") or result.get("skipped") or "no reason is known"
    kind = "warning" if result["verdict"] in ("broken", "skipped") else "error"
    properties = {"title": f"{result['verdict']}: {result['name']} on {result['board']}"}
    properties["file"] = str(result["scenario"])
    place = failure.get("place") or {}
    if isinstance(place.get("line"), int):
        properties["line"] = str(place["line"])
    words = ",".join(f"{key}={escaped(value, True)}" for key, value in properties.items())
    return kind, f"::{kind} {words}::{escaped(said)}"


def cell(text):
    return text[:200].replace("|", "\\|").replace("\n", " ").replace("\r", " ").replace("<", "&lt;")


def main():
    counts, shown, rows = {}, {}, []
    for result in results(sys.argv[1]):
        verdict = result["verdict"]
        counts[verdict] = counts.get(verdict, 0) + 1
        taken_out = "is taken out of this run" in (result.get("skipped") or "")
        if verdict == "passed" or (verdict == "skipped" and not taken_out):
            continue
        kind, line = annotation(result)
        shown[kind] = shown.get(kind, 0) + 1
        if shown[kind] <= MOST:
            print(line)
        said = failure_of(result).get("message") or result.get("skipped") or ""
        rows.append(f"| {verdict} | {cell(result['case'])} | {cell(result['board'])} | {cell(said)} |")
    summary = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))
    summary = summary or "nothing was run"
    print(summary)
    if path := os.environ.get("GITHUB_STEP_SUMMARY"):
        with open(path, "a", encoding="utf-8") as out:
            out.write(f"### Proving: {summary}\n\n")
            if rows:
                out.write("| verdict | case | board | reason |\n|---|---|---|---|\n")
                out.write("\n".join(rows[:100]) + "\n")


main()
