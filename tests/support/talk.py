"""Speaks SMTP a line at a time: reads lines from its input, and prints each reply on
one line, with " / " between the lines of a reply.

talk.py PORT [FROM-ADDRESS]

A line is sent as it is, except for
  !starttls               encrypts, and says EHLO again
  !plain USER PASSWORD    logs in by PLAIN
  !scram USER PASSWORD    logs in by SCRAM-SHA-256 and checks the answer of the server
  !scram-y USER PASSWORD  the same, believing that no binding was offered
  !message FROM           sends a message with this From: after DATA
  !hear                   prints one more reply
  !timed LINE             does LINE, and prints the seconds before the reply
"""

import base64
import hashlib
import hmac
import os
import socket
import ssl
import sys
import time


def sha(octets):
    return hashlib.sha256(octets).digest()


def sign(key, text):
    return hmac.new(key, text, hashlib.sha256).digest()


def b64(octets):
    return base64.b64encode(octets).decode()


class Talk:
    def __init__(self, port, source):
        source = (source, 0) if source else None
        self.socket = socket.create_connection(("127.0.0.1", port), 60, source)
        self.file = self.socket.makefile("rb")

    def hear(self):
        lines = []
        while True:
            line = self.file.readline()
            if not line:
                return " / ".join(lines) or "closed"
            lines.append(line.decode().rstrip("\r\n"))
            if line[3:4] == b" ":
                return " / ".join(lines)

    def ask(self, line):
        self.socket.sendall(line.encode() + b"\r\n")
        return self.hear()

    def starttls(self):
        said = self.ask("STARTTLS")
        if not said.startswith("220"):
            return said
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.socket = context.wrap_socket(self.socket)
        self.file = self.socket.makefile("rb")
        return self.ask("EHLO client.example.com")

    def scram(self, user, password, flag):
        nonce = b64(os.urandom(12))
        bare = f"n={user},r={nonce}"
        said = self.ask("AUTH SCRAM-SHA-256 " + b64(f"{flag},,{bare}".encode()))
        if not said.startswith("334 "):
            return said
        first = base64.b64decode(said[4:]).decode()
        fields = dict(field.split("=", 1) for field in first.split(","))
        assert fields["r"].startswith(nonce) and len(fields["r"]) > len(nonce), first
        salt, rounds = base64.b64decode(fields["s"]), int(fields["i"])
        salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, rounds)
        key = sign(salted, b"Client Key")
        without = f"c={b64(f'{flag},,'.encode())},r={fields['r']}"
        about = f"{bare},{first},{without}".encode()
        proof = bytes(a ^ b for a, b in zip(key, sign(sha(key), about)))
        said = self.ask(b64(f"{without},p={b64(proof)}".encode()))
        if not said.startswith("334 "):
            return said
        theirs = base64.b64decode(said[4:]).decode()
        ours = "v=" + b64(sign(sign(salted, b"Server Key"), about))
        assert theirs == ours, "the server does not know the password"
        return self.ask("")

    def message(self, sender):
        said = self.ask("DATA")
        if not said.startswith("354"):
            return said
        text = f"From: {sender}\r\nSubject: A fax\r\n\r\nA few words.\r\n."
        return self.ask(text)

    def do(self, line):
        verb, _, rest = line.partition(" ")
        if verb == "!starttls":
            return self.starttls()
        if verb == "!plain":
            user, password = rest.split(" ", 1)
            return self.ask("AUTH PLAIN " + b64(f"\0{user}\0{password}".encode()))
        if verb in ("!scram", "!scram-y"):
            user, password = rest.split(" ", 1)
            return self.scram(user, password, "y" if verb == "!scram-y" else "n")
        if verb == "!hear":
            return self.hear()
        if verb == "!message":
            return self.message(rest)
        if verb == "!timed":
            before = time.monotonic()
            said = self.do(rest)
            return f"{time.monotonic() - before:.4f} {said}"
        return self.ask(line)


talk = Talk(int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None)
print(talk.hear(), flush=True)
for line in sys.stdin:
    try:
        said = talk.do(line.rstrip("\n"))
    except (ConnectionError, ssl.SSLError) as gone:
        said = f"closed {gone}"
    print(said, flush=True)
