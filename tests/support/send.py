"""Sends one mail with Python's own smtplib, and prints what the server said.

send.py PORT USER:PASSWORD|- FROM TO[,TO] MESSAGE-ID FILE|- [NOTIFY]
"""

import mimetypes
import smtplib
import ssl
import sys
from email.message import EmailMessage

port, login, sender, to, message_id, attachment = sys.argv[1:7]
notify = sys.argv[7] if len(sys.argv) > 7 else None

mail = EmailMessage()
mail["From"] = sender
mail["To"] = to
mail["Subject"] = "A fax from Python"
if message_id != "-":
    mail["Message-ID"] = message_id
mail.set_content("A few words.\n")
if attachment != "-":
    kind = mimetypes.guess_type(attachment)[0] or "application/octet-stream"
    with open(attachment, "rb") as file:
        mail.add_attachment(
            file.read(),
            maintype=kind.split("/")[0],
            subtype=kind.split("/")[1],
            filename=attachment.rsplit("/", 1)[-1],
        )

try:
    with smtplib.SMTP("127.0.0.1", int(port), timeout=120) as smtp:
        smtp.ehlo("client.example.com")
        if login != "-":
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            smtp.starttls(context=context)
            smtp.login(*login.split(":", 1))
        options = [f"NOTIFY={notify}"] if notify else []
        refused = smtp.send_message(mail, sender, to.split(","), rcpt_options=options)
        print("accepted", refused)
except smtplib.SMTPRecipientsRefused as bad:
    print("refused", *[f"{code} {text.decode()}" for code, text in bad.recipients.values()])
    sys.exit(1)
except smtplib.SMTPResponseException as bad:
    print("refused", bad.smtp_code, bad.smtp_error.decode())
    sys.exit(1)
except (OSError, smtplib.SMTPException) as bad:
    print("broken", bad)
    sys.exit(2)
