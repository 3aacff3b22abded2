"""From a line written to a pty to the match of pytest-embedded's serial service, in ms; prints a
JSON list.

Argument: how many lines. The writer is a process of its own; both read the same monotonic clock.
"""

import json
import os
import pathlib
import pty
import subprocess
import sys
import tempfile

WRITER = """
import itertools, os, sys, time
out, count = int(sys.argv[1]), int(sys.argv[2])
for number, pause in zip(range(count), itertools.cycle([3, 7, 4, 6, 5])):
    time.sleep(pause / 1000 + 0.05)
    os.write(out, f"I (0) bench: line {number} at {time.monotonic_ns()};\\r\\n".encode())
"""

TEST = """
import json, os, subprocess, sys, time

def test_latency(dut):
    out, count = os.environ["OUT"], os.environ["COUNT"]
    # Only now: opening the port throws away what was written before.
    command = [sys.executable, "-c", os.environ["WRITER"], out, count]
    writer = subprocess.Popen(command, pass_fds=[int(out)])
    times = []
    for number in range(int(count)):
        match = dut.expect(rf"line {number} at (\\d+);", timeout=20)
        times.append((time.monotonic_ns() - int(match.group(1))) / 1e6)
    writer.wait()
    with open(os.environ["RESULT"], "w") as file:
        json.dump(times, file)
"""

count = sys.argv[1]
folder = pathlib.Path(tempfile.mkdtemp(dir="."))
test = folder / "test_latency.py"
test.write_text(TEST)
result = folder / "times.json"
ours, theirs = pty.openpty()
environment = {"COUNT": count, "OUT": str(ours), "RESULT": str(result.resolve()), "WRITER": WRITER}
done = subprocess.run(
    [sys.executable, "-m", "pytest", "-q", str(test), "--rootdir", str(folder)]
    + ["--embedded-services", "serial", "--port", os.ttyname(theirs)],
    env={**os.environ, **environment},
    pass_fds=[ours],
    stdout=subprocess.PIPE,
    stderr=subprocess.STDOUT,
    text=True,
)
if done.returncode:
    sys.exit(done.stdout)
print(json.dumps(json.loads(result.read_text())))
