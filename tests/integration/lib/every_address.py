#!/usr/bin/env python3
"""A network namespace in which every address that an attacker may think of is there, and somebody listens and counts.

    every_address.py DIRECTORY [--lonely]

Without --lonely: brings the loopback device up and gives it more addresses (needs CAP_NET_ADMIN in a namespace of its own), and listens on
all of them, at ports 80, 443, 7070 and 9000. With it: at 127.0.0.1 and ports of the system's choice alone, in place of 7070 and 9000.
DIRECTORY/ready: written when it listens: its process id and the ports, one a line; then, where the kernel has no IPv6, why nobody listens at such
addresses. DIRECTORY/connections: a line for each connection that was accepted,
the address and port it was made to, and what was sent there first. DIRECTORY/answer: the bytes that port 9000 answers; port 7070 sends everybody
on to port 9000 of 127.0.0.1.
"""

import os
import socket
import struct
import sys
import threading

IPV4_ADDRESSES = ["169.254.169.254", "169.254.170.2", "100.100.100.200", "192.0.2.1", "10.1.2.3"]
IPV6_ADDRESSES = ["fd00:ec2::254", "2001:db8::1"]
REDIRECT = "HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:%d/secret\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
RTM_NEWLINK, RTM_NEWADDR = 16, 20
NLM_F_REQUEST, NLM_F_ACK, NLM_F_CREATE = 1, 4, 0x400
IFA_ADDRESS, IFA_LOCAL, IFA_F_NODAD = 1, 2, 2
IFF_UP = 1


def ask_kernel(kind, flags, payload):
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as kernel:
        kernel.send(struct.pack("=IHHII", 16 + len(payload), kind, flags | NLM_F_REQUEST | NLM_F_ACK, 1, 0) + payload)
        error = struct.unpack("=i", kernel.recv(4096)[16:20])[0]
        if error != 0:
            raise OSError(-error, os.strerror(-error))


def attribute(kind, value):
    return struct.pack("=HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


def bring_up():
    ask_kernel(RTM_NEWLINK, 0, struct.pack("=BxHiII", socket.AF_UNSPEC, 0, socket.if_nametoindex("lo"), IFF_UP, IFF_UP))


def add_addresses(addresses):
    loopback = socket.if_nametoindex("lo")
    for address in addresses:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        packed = socket.inet_pton(family, address)
        header = struct.pack("=BBBBI", family, 8 * len(packed), IFA_F_NODAD, 0, loopback)
        ask_kernel(RTM_NEWADDR, NLM_F_CREATE, header + attribute(IFA_LOCAL, packed) + attribute(IFA_ADDRESS, packed))


def first_bytes(connection):
    connection.settimeout(5)
    received = b""
    try:
        while b"\r\n\r\n" not in received and len(received) < 65536:
            more = connection.recv(65536)
            if not more:
                break
            received += more
            if received[:1] == b"\x16":  # TLS
                break
    except OSError:
        pass
    return received


class Listener:
    def __init__(self, directory):
        self.directory = directory
        self.lock = threading.Lock()
        self.redirecting = self.answering = 0

    def note(self, to, received):
        with self.lock, open(self.directory + "/connections", "a", encoding="ascii") as log:
            log.write(f"{to[0]} {to[1]} {received[:8192]!r}\n")

    def answer(self, connection, to, received):
        if to[1] == self.redirecting:
            connection.sendall((REDIRECT % self.answering).encode())
        elif to[1] == self.answering and received[:1] != b"\x16":
            with open(self.directory + "/answer", "rb") as file:
                connection.sendall(file.read())

    def serve(self, listening):
        while True:
            connection, _ = listening.accept()
            threading.Thread(target=self.meet, args=(connection,), daemon=True).start()

    def meet(self, connection):
        with connection:
            to = connection.getsockname()[:2]
            received = first_bytes(connection)
            self.note(to, received)
            try:
                self.answer(connection, to, received)
            except OSError:
                pass

    def listen(self, family, address, port):
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.bind((address, port))
        listening.listen(200)
        threading.Thread(target=self.serve, args=(listening,)).start()
        return listening.getsockname()[1]


def main():
    directory = sys.argv[1]
    listener = Listener(directory)
    lacking = ""
    open(directory + "/connections", "w", encoding="ascii").close()
    if "--lonely" in sys.argv:
        listener.redirecting = listener.listen(socket.AF_INET, "127.0.0.1", 0)
        listener.answering = listener.listen(socket.AF_INET, "127.0.0.1", 0)
    else:
        ports = (80, 443, 7070, 9000)
        listener.redirecting, listener.answering = ports[2:]
        bring_up()
        add_addresses(IPV4_ADDRESSES)
        for port in ports:
            listener.listen(socket.AF_INET, "0.0.0.0", port)
        try:
            add_addresses(IPV6_ADDRESSES)
            for port in ports:
                listener.listen(socket.AF_INET6, "::", port)
        except OSError as error:
            lacking = f"no IPv6: {error}\n"
    with open(directory + "/ready.new", "w", encoding="ascii") as file:
        file.write(f"{os.getpid()}\n{listener.redirecting}\n{listener.answering}\n{lacking}")
    os.rename(directory + "/ready.new", directory + "/ready")


main()
