"""What the keys of a session cost Espressif's client modules (PyPI: esp-rainmaker-cli), in ms.

Usage: rainmaker_handshake.py COUNT

The device's half is computed here, and not timed. Prints a JSON object: a list of ms for security 1, of
which X25519 is all that costs anything, and one for security 2.
"""

import json
import os
import sys
import time

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from rmaker_tools.common.security import srp6a
from rmaker_tools.common.utils.convenience import bytes_to_long, long_to_bytes


def x25519():
    device = X25519PrivateKey.generate().public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    began = time.perf_counter()
    key = X25519PrivateKey.generate()
    key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    key.exchange(X25519PublicKey.from_public_bytes(device))
    return time.perf_counter() - began


def srp():
    modulus, generator = srp6a.get_ng(srp6a.NG_3072)
    salt, verifier = srp6a.generate_salt_and_verifier("wifiprov", "abcd1234", 16)
    factor = srp6a.Srp6a("wifiprov", "abcd1234").k
    public = pow(generator, bytes_to_long(os.urandom(32)), modulus)
    public = long_to_bytes((factor * bytes_to_long(verifier) + public) % modulus)
    began = time.perf_counter()
    client = srp6a.Srp6a("wifiprov", "abcd1234")
    client.start_authentication()
    assert client.process_challenge(salt, public)
    return time.perf_counter() - began


count = int(sys.argv[1])
times = {name: [run() * 1e3 for _ in range(count)] for name, run in [("v1", x25519), ("v2", srp)]}
print(json.dumps(times))
