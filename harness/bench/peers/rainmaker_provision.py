"""Provisions a device with Espressif's client modules (PyPI: esp-rainmaker-cli).

Usage: rainmaker_provision.py HOST:PORT|NAME@[HOST:PORT] SECURITY POP USERNAME PASSWORD SSID PASSPHRASE POLL_S

Over HTTP, or to the device that advertises NAME: by Bumble (PyPI: bumble) on a controller's HCI, or by this
host's own Bluetooth (bleak) where no controller is named. Prints a JSON object: ms from the first request, or from listening for advertisements, to the answer to `apply`, and
to the status that says "connected"; and ms that were slept in between.
"""

import asyncio
import contextlib
import json
import sys
import time

from rmaker_tools.common import prov, security, transport
from rmaker_tools.common.security import srp6a

# How often a device is looked for.
LOOKS = 3

original_random = srp6a.get_random_of_length


def random_with_full_key(length):
    """A secret whose public key has all 384 bytes, as devices demand."""
    modulus, generator = srp6a.get_ng(srp6a.NG_3072)
    while True:
        secret = original_random(length)
        if pow(generator, secret, modulus).bit_length() > 383 * 8:
            return secret


class Ble:
    """Espressif's transport over Bluetooth, for callers that wait."""

    service = "021a9004-0382-4aea-bff4-6b3f1c5adfb4"
    # What Espressif's command looks for.
    endpoints = {"prov-session": "ff51", "prov-config": "ff52", "proto-ver": "ff53"}

    def __init__(self, name, controller):
        from rmaker_tools.common.transport import ble_cli
        from rmaker_tools.common.transport.transport_ble import Transport_BLE

        if controller:
            import bumble_client

            ble_cli.get_client = lambda: bumble_client.BumbleClient(controller)
        self.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self.loop)
        self.transport = Transport_BLE(self.service, self.endpoints)
        for tries in range(1, LOOKS + 1):
            try:
                self.loop.run_until_complete(self.transport.connect(name))
                return
            except RuntimeError as error:
                # It listens for 5 s and gives up; its user starts it again.
                if str(error) != "Device not found" or tries == LOOKS:
                    raise

    def disconnect(self):
        self.loop.run_until_complete(self.transport.disconnect())

    def send_data(self, endpoint, data):
        return self.loop.run_until_complete(self.transport.send_data(endpoint, data))


def connect(way):
    name, at, controller = way.partition("@")
    return Ble(name, controller) if at else transport.Transport_HTTP(way)


def provision(way, scheme, pop, username, password, ssid, passphrase, poll):
    began = time.monotonic()
    link = connect(way)
    patch = json.loads(link.send_data("proto-ver", "---"))["prov"].get("sec_patch_ver", 0)
    session = {
        "0": lambda: security.Security0(False),
        "1": lambda: security.Security1(pop, False),
        "2": lambda: security.Security2(patch, username, password, False),
    }[scheme]()
    response = None
    while (request := session.security_session(response)) is not None:
        response = link.send_data("prov-session", request)

    def ask(request, read, *arguments):
        return read(session, link.send_data("prov-config", request(session, *arguments)))

    set_config = prov.config_set_config_request, prov.config_set_config_response
    assert ask(*set_config, ssid, passphrase) == 0
    assert ask(prov.config_apply_config_request, prov.config_apply_config_response) == 0
    applied = time.monotonic()
    slept = 0
    state = "connecting"
    while state == "connecting":
        time.sleep(poll)
        slept += poll
        state = ask(prov.config_get_status_request, prov.config_get_status_response)
    assert state == "connected", state
    ms = lambda seconds: seconds * 1e3
    connected = time.monotonic()
    if way.endswith("@"):
        # BlueZ keeps the connection of a client that has ended.
        link.disconnect()
    return {
        "applied": ms(applied - began),
        "connected": ms(connected - began),
        "slept": ms(slept),
    }


srp6a.get_random_of_length = random_with_full_key
*arguments, poll = sys.argv[1:]
with contextlib.redirect_stdout(sys.stderr):
    found = provision(*arguments, float(poll))
print(json.dumps(found))
