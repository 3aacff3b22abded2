"""Connects to the device, prints its GATT table, and writes values of any length."""

import asyncio
import sys

from bumble.core import UUID, AdvertisingData
from bumble.device import Device, Peer
from bumble.hci import Address, OwnAddressType
from bumble.host import Host
from bumble.transport import open_transport
from bumble import att, gatt, gatt_client


async def long_write(peer, value, data):
    """Queued writes, 18 bytes each (Core 5.4 Vol 3 Part F 3.4.6)."""
    for offset in range(0, len(data), 18):
        part = data[offset : offset + 18]
        answer = await peer.gatt_client.send_request(
            att.ATT_Prepare_Write_Request(
                attribute_handle=value.handle, value_offset=offset, part_attribute_value=part
            )
        )
        assert answer.part_attribute_value == part, answer
    answer = await peer.gatt_client.send_request(att.ATT_Execute_Write_Request(flags=1))
    assert isinstance(answer, att.ATT_Execute_Write_Response), answer


async def main():
    async with await open_transport(f"tcp-client:{sys.argv[1]}") as hci:
        device = Device(
            name="bumble",
            address=Address("F0:F1:F2:F3:F4:F5"),
            host=Host(hci.source, hci.sink),
        )
        await device.power_on()
        found = asyncio.get_running_loop().create_future()

        def advertised(advertisement):
            name = advertisement.data.get(AdvertisingData.COMPLETE_LOCAL_NAME)
            if name and not found.done():
                found.set_result((advertisement.address, name, advertisement.rssi))

        device.on("advertisement", advertised)
        await device.start_scanning(active=True)
        address, name, rssi = await asyncio.wait_for(found, 20)
        await device.stop_scanning()
        print("found", address, name, rssi)
        connection = await device.connect(address)
        peer = Peer(connection)
        print("mtu", await peer.request_mtu(517))
        await peer.discover_all()
        for service in peer.services:
            print("service", service.uuid)
            for characteristic in service.characteristics:
                print(" characteristic", characteristic.uuid, characteristic.properties)
                for descriptor in characteristic.descriptors:
                    print("  descriptor", descriptor.type, await descriptor.read_value())
        (value,) = peer.get_characteristics_by_uuid(UUID(bytes(16 * [8])[::-1].hex()))
        for length in (5, 250):
            await value.write_value(b"x" * length, with_response=True)
            read = await value.read_value()
            print("wrote", length, "read", len(read), read[-1:])
        await long_write(peer, value, b"x" * 481)
        read = await value.read_value(no_long_read=False)
        print("wrote 481 in parts, read", len(read), read[-1:])
        await connection.disconnect()


asyncio.run(main())
