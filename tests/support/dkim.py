"""Signs and verifies mails with an implementation that is not ours (dkimpy).

dkim.py sign DOMAIN SELECTOR KEY.pem rsa|ed25519 HEADER,.. < MAIL > SIGNED
dkim.py verify RECORDS.json < MAIL

`verify` prints one line for each signature: its algorithm and True or False.
"""

import base64
import json
import re
import subprocess
import sys

import dkim

mail = sys.stdin.buffer.read()
if sys.argv[1] == "sign":
    domain, selector, path, kind, headers = sys.argv[2:7]
    with open(path, "rb") as file:
        key = file.read()
    if kind == "ed25519":
        # The seed is the end of PKCS #8 (RFC 8410 7).
        der = subprocess.run(["openssl", "pkey", "-in", path, "-outform", "DER"],
                             check=True, capture_output=True).stdout
        key = base64.b64encode(der[-32:])
    signature = dkim.sign(
        mail,
        selector.encode(),
        domain.encode(),
        key,
        canonicalize=(b"relaxed", b"relaxed"),
        signature_algorithm=kind.encode() + b"-sha256",
        include_headers=[header.encode() for header in headers.split(",")],
    )
    sys.stdout.buffer.write(signature + mail)
else:
    with open(sys.argv[2]) as file:
        records = {r["name"]: r["value"].encode() for r in json.load(file)}

    def answer(name, timeout=5):
        return records.get(name.decode().rstrip("."))

    checker = dkim.DKIM(mail)
    count = sum(1 for name, _ in checker.headers if name.lower() == b"dkim-signature")
    for index in range(count):
        verified = checker.verify(idx=index, dnsfunc=answer)
        print(checker.signature_fields[b"a"].decode(), verified)
