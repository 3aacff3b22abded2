"""Advertises one service, whose value comes back with `!` behind it, until the central has gone."""

import asyncio
import sys

from bumble.core import UUID, AdvertisingData
from bumble.device import Device
from bumble.gatt import Characteristic, CharacteristicValue, Service
from bumble.hci import Address
from bumble.host import Host
from bumble.transport import open_transport


async def main():
    async with await open_transport(f"tcp-client:{sys.argv[1]}") as hci:
        device = Device(
            name="bumble",
            address=Address("F0:F1:F2:F3:F4:F5"),
            host=Host(hci.source, hci.sink),
        )
        kept = [b""]

        def write(_connection, value):
            kept[0] = bytes(value) + b"!"

        characteristic = Characteristic(
            UUID(bytes(16 * [8]).hex()),
            Characteristic.Properties.READ | Characteristic.Properties.WRITE,
            Characteristic.READABLE | Characteristic.WRITEABLE,
            CharacteristicValue(read=lambda _connection: kept[0], write=write),
        )
        device.add_service(Service(UUID(bytes(16 * [7]).hex()), [characteristic]))
        gone = asyncio.get_running_loop().create_future()

        def connected(connection):
            print("connected", flush=True)
            connection.on("disconnection", lambda _reason: gone.done() or gone.set_result(None))

        device.on("connection", connected)
        await device.power_on()
        device.advertising_data = bytes(
            AdvertisingData([(AdvertisingData.COMPLETE_LOCAL_NAME, b"bumble")])
        )
        await device.start_advertising(auto_restart=False)
        await asyncio.wait_for(gone, 30)
        print("disconnected", flush=True)


asyncio.run(main())
