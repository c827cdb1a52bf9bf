"""websocket_client.py ADDRESS PORT [farewell]: a client of the example websocket_chat, by the package websockets.

Fails with an exception unless all is well. With "farewell" it prints "here", waits until the server ends the
connection, and prints the code.
"""
import asyncio
import os
import socket
import sys
import time

import websockets
from websockets.exceptions import ConnectionClosed

ADDRESS, PORT = sys.argv[1], int(sys.argv[2])
MEBIBYTE = 1024 * 1024


def connect():
    """Sends no pings of its own, so that what is alive is alive by the server's."""
    return websockets.connect(f"ws://{ADDRESS}:{PORT}/", max_size=None, ping_interval=None, compression=None)


async def receive(client):
    return await asyncio.wait_for(client.recv(), 20)


async def code_of_the_end(client, last=None):
    """Sends the last message, if there is one, and reads until the server ends the connection."""
    try:
        if last is not None:
            await client.send(last)
        while True:
            await receive(client)
    except ConnectionClosed:
        return client.close_code


async def enter(client):
    """Returns when the client takes part: it has an answer to its handshake before."""
    await client.send("enter")
    assert await receive(client) == "enter"


def silent_connection():
    """A connection of which only the handshake is spoken, and nothing read further."""
    plain = socket.socket()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    plain.settimeout(20)
    plain.connect((ADDRESS, PORT))
    plain.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                  b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        answer += plain.recv(1)
    assert answer.startswith(b"HTTP/1.1 101 "), answer
    return plain


def read_all(plain):
    data = bytearray()
    try:
        while piece := plain.recv(65536):
            data += piece
    except ConnectionResetError:
        pass
    return bytes(data)


async def messages():
    async with connect() as ann:
        await enter(ann)
        async with connect() as bob:
            await bob.send("enter")
            for client in ann, bob:
                assert await receive(client) == "enter"
            large = os.urandom(MEBIBYTE)
            sent = ["hello, all", "gr\u00fc\u00dfe \U0001f600", "", b"", b"\0\1\xff", large, "x" * MEBIBYTE]
            for message in sent:
                await ann.send(message)
                for client in ann, bob:
                    assert await receive(client) == message
            await bob.send(["frag", "", "men", "ted"])
            await bob.send([large[:1], large[1:70000], large[70000:]])
            for client in ann, bob:
                assert await receive(client) == "fragmented"
                assert await receive(client) == large
            for i in range(500):
                await ann.send(f"number {i}")
            for client in ann, bob:
                for i in range(500):
                    assert await receive(client) == f"number {i}"
            await asyncio.wait_for(await bob.ping(), 20)
            await bob.close(4242, "enough")
            assert bob.close_code == 4242, bob.close_code
        await ann.send("alone")
        assert await receive(ann) == "alone"
    assert ann.close_code == 1000
    print("text, binary, 1 MiB, fragments, close codes")


async def mistakes():
    async with connect() as witness:
        await enter(witness)
        async with connect() as client:
            assert await code_of_the_end(client, bytes(MEBIBYTE + 1)) == 1009  # too large
        plain = silent_connection()
        plain.sendall(b"\x81\x82\0\0\0\0\xff\xff")  # a text that is not UTF-8
        assert read_all(plain)[:4] == b"\x88\x02\x03\xef"  # 1007
        plain = silent_connection()
        plain.sendall(b"\x81\x02hi")  # no mask
        assert read_all(plain)[:4] == b"\x88\x02\x03\xea"  # 1002
        # Clients vanish in the middle of a message, and between two.
        for beginning in b"\x82\xfe\xff\xff\0\0\0\0half", b"":
            for _ in range(20):
                plain = silent_connection()
                plain.sendall(beginning)
                plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # resets it
                plain.close()
        await witness.send("still here")
        assert await receive(witness) == "still here"
    print("messages too large, malformed, broken off")


async def who_does_not_read():
    plain = silent_connection()
    async with connect() as talker:
        for _ in range(32):
            await talker.send(bytes(MEBIBYTE))
            assert len(await receive(talker)) == MEBIBYTE
    size = len(read_all(plain))
    assert size < 31 * MEBIBYTE, size
    print("a client that does not read is disconnected, and holds up nobody")


async def idle():
    async with connect() as quiet:
        await enter(quiet)
        plain = silent_connection()
        begin = time.monotonic()
        received = await asyncio.get_running_loop().run_in_executor(None, read_all, plain)
        seconds = time.monotonic() - begin
        assert received.startswith(b"\x89"), received  # a ping
        assert 8 < seconds < 19, seconds
        await quiet.send("answered pings")
        assert await receive(quiet) == "answered pings"
    print("pings; a client that vanishes without a word is disconnected")


async def farewell():
    async with connect() as client:
        await enter(client)
        print("here", flush=True)
        print(await code_of_the_end(client))


async def main():
    if sys.argv[3:] == ["farewell"]:
        return await farewell()
    for scene in messages, mistakes, who_does_not_read, idle:
        await scene()


asyncio.run(main())
