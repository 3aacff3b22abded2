"""From a line written to a pty to pexpect's match, in ms; prints a JSON list.

Argument: how many lines. The writer is a process of its own; both read the same monotonic clock.
"""

import json
import sys
import time

import pexpect

WRITER = """
import itertools, sys, time
for number, pause in zip(range(int(sys.argv[1])), itertools.cycle([3, 7, 4, 6, 5])):
    time.sleep(pause / 1000 + 0.05)
    print(f"I (0) bench: line {number} at {time.monotonic_ns()};", flush=True)
"""

count = sys.argv[1]
spawn = pexpect.spawn(sys.executable, ["-c", WRITER, count], encoding="utf-8", timeout=20)
times = []
for number in range(int(count)):
    spawn.expect(rf"line {number} at (\d+);")
    times.append((time.monotonic_ns() - int(spawn.match.group(1))) / 1e6)
print(json.dumps(times))
