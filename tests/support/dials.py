"""Gives a fax straight to a HylaFAX server, past everything else, and says how it ended.

dials.py PORT USER PASSWORD NUMBER FILE MAXDIALS SECONDS

Prints the code of its end and how often the number was called: "333 2".
"""

import ftplib
import sys
import time

port, user, password, number, path, dials, seconds = sys.argv[1:8]

ftp = ftplib.FTP()
ftp.connect("127.0.0.1", int(port), timeout=30)
ftp.login(user, password)
ftp.sendcmd("TYPE I")
ftp.sendcmd("FORM TIFF")
with ftp.transfercmd("STOT") as data, open(path, "rb") as file:
    data.sendall(file.read())
document = ftp.voidresp().split("FILE: ")[1].rstrip(").")
job = ftp.sendcmd("JNEW").split("jobid: ")[1].split()[0]
for parameter in [
    'FROMUSER "test"',
    'NOTIFY "none"',
    'NOTIFYADDR "test"',
    f'DIALSTRING "{number}"',
    f'EXTERNAL "{number}"',
    'MODEM "any"',
    "SENDTIME NOW",
    "LASTTIME 000100",
    f"MAXDIALS {dials}",
    f"MAXTRIES {dials}",
    "VRES 196",
    "PAGEWIDTH 209",
    "PAGELENGTH 296",
    'PAGECHOP "none"',
    f"DOCUMENT {document}",
]:
    ftp.sendcmd("JPARM " + parameter)
ftp.sendcmd("JSUBM " + job)


def of_job(parameter):
    return ftp.sendcmd("JPARM " + parameter).split(" ", 1)[1].strip()


# A scheduler that has overlooked a job is reminded of it.
quiet = time.monotonic() + 6
end = time.monotonic() + float(seconds)
while True:
    ftp.sendcmd("JOB " + job)
    state = of_job("STATE")
    if state in ("DONE", "FAILED"):
        break
    if time.monotonic() > end:
        print("in vain:", state, of_job("TOTDIALS"), of_job("STATUS"))
        sys.exit(1)
    if state not in ("PENDING", "READY", "BLOCKED"):
        quiet = time.monotonic() + 6
    elif time.monotonic() > quiet:
        ftp.sendcmd("JSUSP " + job)
        time.sleep(2.1)
        ftp.sendcmd("JSUBM " + job)
        quiet = time.monotonic() + 12
    time.sleep(0.5)
print(of_job("STATUSCODE"), of_job("TOTDIALS"))
ftp.quit()
