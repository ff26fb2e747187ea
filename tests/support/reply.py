"""Answers a mail as a mail program does, and prints what the server said.

reply.py PORT USER:PASSWORD FROM MAIL-FILE TEXT [MESSAGE-ID]

The reply goes where Reply-To says, with `Re:`, in the thread, above a quotation, as
quoted-printable.
"""

import smtplib
import ssl
import sys
from email import message_from_binary_file, policy
from email.message import EmailMessage

port, login, sender, file, text = sys.argv[1:6]
with open(file, "rb") as opened:
    original = message_from_binary_file(opened, policy=policy.default)
body = original.get_body(preferencelist=("plain",))
quoted = "".join(f"> {line}\n" for line in body.get_content().splitlines())

mail = EmailMessage()
mail["From"] = sender
mail["To"] = original["Reply-To"] or original["From"]
mail["Subject"] = "Re: " + original["Subject"]
mail["In-Reply-To"] = original["Message-ID"]
mail["References"] = original["Message-ID"]
mail["Message-ID"] = sys.argv[6] if len(sys.argv) > 6 else "<reply@client.example.com>"
announced = f"On {original['Date']}, {original['From']} wrote:\n"
mail.set_content(f"{text}\n\n{announced}{quoted}", cte="quoted-printable")

try:
    with smtplib.SMTP("127.0.0.1", int(port), timeout=60) as smtp:
        smtp.ehlo("client.example.com")
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        smtp.starttls(context=context)
        smtp.login(*login.split(":", 1))
        smtp.send_message(mail, sender)
        print("accepted")
except smtplib.SMTPResponseException as bad:
    print("refused", bad.smtp_code, bad.smtp_error.decode())
    sys.exit(1)
except smtplib.SMTPRecipientsRefused as bad:
    print("refused", bad.recipients)
    sys.exit(1)
