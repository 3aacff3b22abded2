#!/usr/bin/env bash
# Runs scenarios and annotates what did not pass. Always ends with 0 once `proving` was started: its own
# exit code is an output, so that traces are uploaded before the job fails.
set -euo pipefail

arguments=(run --message-format json --out "$PROVING_OUT" --junit "$PROVING_OUT/junit.xml")
arguments+=(--rig "$PROVING_RIG" --wait "$PROVING_WAIT")
if [[ -n "${PROVING_FILTER:-}" ]]; then
    arguments+=(--filter "$PROVING_FILTER")
fi
while IFS= read -r board; do
    if [[ -n "$board" ]]; then arguments+=("--board=$board"); fi
done <<<"$PROVING_BOARDS"
arguments+=(--)
while IFS= read -r path; do
    if [[ -n "$path" ]]; then arguments+=("$path"); fi
done <<<"$PROVING_SCENARIOS"

mkdir -p "$PROVING_OUT"
# What a device prints must not be taken for a command of the runner's. The command that ends this is
# a word that no device can guess.
word=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
echo "::stop-commands::$word"
code=0
"$PROVING" "${arguments[@]}" >"$PROVING_OUT/messages.jsonl" || code=$?
echo "::$word::"

echo "exit-code=$code" >>"$GITHUB_OUTPUT"
python3 "$(dirname "$0")/annotate.py" "$PROVING_OUT/messages.jsonl"
