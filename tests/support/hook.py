"""A receiver of webhooks: Python's own http.server, hmac and base64.

hook.py PORT FOLDER SECRET[,SECRET] [CERTIFICATE KEY]

FOLDER/next holds answers, one in each line, which are given once each; after them
FOLDER/always says what is answered. An answer is a status, or a status and fields
(`503 Retry-After: 3`), or `hang`, or `close`. Each request is a line of JSON in
FOLDER/heard, written before it is answered.
"""

import base64
import hashlib
import hmac
import json
import os
import ssl
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

port, folder, secrets = int(sys.argv[1]), sys.argv[2], sys.argv[3].split(",")
lock = threading.Lock()


def answer():
    path = os.path.join(folder, "next")
    lines = open(path).read().splitlines() if os.path.exists(path) else []
    if lines:
        with open(path, "w") as file:
            file.write("\n".join(lines[1:]))
        return lines[0]
    with open(os.path.join(folder, "always")) as file:
        return file.read().strip()


def verified(secret, headers, body):
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    wanted = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    given = headers["webhook-signature"].split(" ")
    return any(hmac.compare_digest(f"v1,{wanted}", one) for one in given)


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        with lock:
            said = answer()
            heard = {
                "path": self.path,
                "id": self.headers["webhook-id"],
                "timestamp": int(self.headers["webhook-timestamp"]),
                "sequence": int(self.headers["webhook-sequence"]),
                "signatures": len(self.headers["webhook-signature"].split(" ")),
                "verified": [verified(secret, self.headers, body) for secret in secrets],
                "type": self.headers["content-type"],
                "at": time.time(),
                "said": said,
                "text": body.decode(),
                "body": json.loads(body),
            }
            with open(os.path.join(folder, "heard"), "a") as file:
                file.write(json.dumps(heard) + "\n")
        if said == "hang":
            time.sleep(60)
            return
        if said == "close":
            self.close_connection = True
            return
        status, _, field = said.partition(" ")
        self.send_response(int(status))
        if field:
            self.send_header(*field.split(": ", 1))
        reply = b"x" * 200_000 if field.startswith("X-Large") else b"{}"
        self.send_header("content-length", str(len(reply)))
        self.end_headers()
        try:
            self.wfile.write(reply)
        except OSError:
            pass

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    allow_reuse_address = True
    daemon_threads = True

    def handle_error(self, *_):
        pass


server = Server(("127.0.0.1", port), Receiver)
if len(sys.argv) > 4:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[4], sys.argv[5])
    server.socket = context.wrap_socket(server.socket, server_side=True)
print("ready", flush=True)
server.serve_forever()
