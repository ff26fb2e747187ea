"""Reads a report with Python's own parser, and prints what is in it as JSON."""

import email
import json
import sys
from email import policy

raw = sys.stdin.buffer.read()
mail = email.message_from_bytes(raw, policy=policy.default)


def defects(part):
    found = [repr(defect) for defect in part.defects]
    for name in part.keys():
        found += [f"{name}: {defect!r}" for defect in part[name].defects]
    if part.is_multipart():
        for inner in part.iter_parts() if part.get_content_maintype() == "multipart" else []:
            found += defects(inner)
    return found


def blocks(part):
    return [dict(block.items()) for block in part.get_payload()]


parts = list(mail.walk())
kinds = [part.get_content_type() for part in parts]
picture = next((part for part in parts if part.get_content_type() == "image/png"), None)
report = next((p for p in parts if p.get_content_type() == "message/delivery-status"), None)
notice = next(
    (p for p in parts if p.get_content_type() == "message/disposition-notification"), None
)
returned = next((p for p in parts if p.get_content_type() == "message/rfc822"), None)
headers = next((p for p in parts if p.get_content_type() == "text/rfc822-headers"), None)
plain = next(part for part in parts if part.get_content_type() == "text/plain")
html = next((part for part in parts if part.get_content_type() == "text/html"), None)

status = blocks(report) if report else []
dates = ["Arrival-Date", "Last-Attempt-Date", "Will-Retry-Until", "Deliver-By-Date"]
for block in status:
    for name in dates:
        if name in block and email.utils.parsedate_to_datetime(block[name]).tzinfo is None:
            sys.exit(f"{name} has no zone: {block[name]}")

print(
    json.dumps(
        {
            "ascii": raw.isascii(),
            "subject": mail["Subject"],
            "from": str(mail["From"].addresses[0].display_name),
            "sender": str(mail["From"].addresses[0].addr_spec),
            "language": mail["Content-Language"],
            "automatic": mail["Auto-Submitted"],
            "type": mail.get_content_type(),
            "report": mail.get_param("report-type"),
            "kinds": kinds,
            "defects": defects(mail),
            "text": plain.get_content().replace("\r\n", "\n"),
            "html": html.get_content().replace("\r\n", "\n") if html else None,
            "picture": picture["Content-ID"].strip("<>") if picture else None,
            "message": status[0] if status else {},
            "recipients": status[1:],
            "disposition": dict(notice.get_payload()[0].items())
            if notice and isinstance(notice.get_payload(), list)
            else dict(email.message_from_string(notice.get_payload()).items())
            if notice
            else None,
            "returned": returned.get_payload()[0]["Subject"] if returned else None,
            "returned_text": returned.get_payload()[0].get_content().replace("\r\n", "\n") if returned else None,
            "headers": headers.get_content() if headers else None,
        }
    )
)
