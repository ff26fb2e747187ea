"""Sends one mail command by command, so that every parameter can be given.

submit.py PORT USER:PASSWORD|- FROM TO SUBJECT [mail:PARAMETER|rcpt:PARAMETER|head:FIELD]...

FROM may be empty: the null return path. The body is a line of text with an octet
beyond ASCII. Prints what the server said last; ends with 1 when it refused.
"""

import smtplib
import ssl
import sys
from email.message import EmailMessage
from email import policy

port, login, sender, to, subject = sys.argv[1:6]
options = [option.split(":", 1) for option in sys.argv[6:]]


def given(kind):
    return [value for key, value in options if key == kind]


mail = EmailMessage(policy=policy.SMTP.clone(cte_type="8bit"))
mail["From"] = sender or "anna@example.com"
mail["To"] = to
mail["Subject"] = subject
mail["Message-ID"] = f"<{abs(hash((subject, to, sender)))}@client.example.com>"
for field in given("head"):
    mail[field.split(": ", 1)[0]] = field.split(": ", 1)[1]
mail.set_content("Grüße aus Köln.\n", cte="8bit")


def expect(reply):
    code, text = reply
    if code >= 400:
        print("refused", code, text.decode())
        sys.exit(1)
    return text.decode()


with smtplib.SMTP("127.0.0.1", int(port), timeout=120) as smtp:
    smtp.ehlo("client.example.com")
    if login != "-":
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        smtp.starttls(context=context)
        smtp.login(*login.split(":", 1))
    expect(smtp.mail(sender, ["BODY=8BITMIME", *given("mail")]))
    expect(smtp.rcpt(to, given("rcpt")))
    print(expect(smtp.data(mail.as_bytes())))
