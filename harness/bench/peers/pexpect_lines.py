"""Time for pexpect to find a text that comes last in a file.

Arguments: FILE TEXT WINDOW, where WINDOW is `default` or a number of characters.
"""

import json
import re
import sys
import time

from pexpect.fdpexpect import fdspawn

path, text, window = sys.argv[1:]
with open(path) as file:
    options = {} if window == "default" else {"searchwindowsize": int(window)}
    spawn = fdspawn(file, encoding="utf-8", timeout=80, **options)
    began = time.monotonic()
    spawn.expect(re.escape(text))
    print(json.dumps({"seconds": time.monotonic() - began}))
