"""Fills the phone book of a daemon that does not run: `book.py DATABASE`, with an entry as
JSON on each line of the input: `uid`, `owner` (a client, or nothing), `label` (`everyone`,
or clients and @groups), `name`, and what else it says."""

import json
import sqlite3
import sys

database = sqlite3.connect(sys.argv[1])
rows, numbers = [], {}


def party(name):
    return {"group": name[1:]} if name.startswith("@") else {"client": name}


for id, line in enumerate(sys.stdin):
    said = json.loads(line)
    numbers[said["uid"]] = id
    if "members" in said:
        reach = {"list": [numbers[uid] for uid in said["members"]]}
    else:
        reach = {"fax": {"number": said["number"], "options": {}}}
        if "subaddress" in said:
            reach["fax"]["subaddress"] = said["subaddress"]
    label = said["label"]
    entry = {
        "id": id, "uid": said["uid"], "version": 1, "stamp": 1700000000000 + id,
        "owner": {"client": said["owner"]} if said.get("owner") else "supervisor",
        "label": label if label == "everyone" else {"named": [party(name) for name in label]},
        "content": {key: said[key] for key in ("name", "company", "alias", "note", "tags")
                    if key in said} | {"reach": reach},
    }
    rows.append((id, json.dumps(entry)))
database.executemany("INSERT INTO book (id, body) VALUES (?, ?)", rows)
database.commit()
