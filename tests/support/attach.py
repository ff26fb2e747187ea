"""Sends one mail with files attached, logged in, with Python's own smtplib.

attach.py PORT USER PASSWORD TO SUBJECT MESSAGE-ID FILE..
"""

import mimetypes
import smtplib
import ssl
import sys
from email.message import EmailMessage

port, user, password, to, subject, message_id = sys.argv[1:7]
mail = EmailMessage()
mail["From"] = f"{user}@example.com"
mail["To"] = to
mail["Subject"] = subject
mail["Message-ID"] = message_id
mail.set_content("The file is attached.\n")
for path in sys.argv[7:]:
    kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
    main, sub = kind.split("/")
    with open(path, "rb") as file:
        mail.add_attachment(
            file.read(), maintype=main, subtype=sub, filename=path.rsplit("/", 1)[-1]
        )

with smtplib.SMTP("127.0.0.1", int(port), timeout=120) as smtp:
    smtp.ehlo("client.example.com")
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    smtp.starttls(context=context)
    smtp.login(user, password)
    smtp.send_message(mail)
