"""Python's ldap3 as a client of the LDAP door: `ldap.py URL USER PASSWORD WHAT [ARGUMENT]`.
Writes one JSON value."""

import json
import ssl
import sys

import ldap3

url, user, password, what, *rest = sys.argv[1:]
BASE = "dc=fax,dc=example,dc=com"
BOOK = "ou=book," + BASE
tls = ldap3.Tls(validate=ssl.CERT_NONE)
server = ldap3.Server(url, tls=tls, get_info=ldap3.ALL, connect_timeout=10)


def connect(start_tls=False):
    connection = ldap3.Connection(server, user or None, password or None, receive_timeout=30,
                                  authentication=ldap3.SIMPLE if user else ldap3.ANONYMOUS)
    connection.open()
    if start_tls:
        assert connection.start_tls()
    connection.bind()
    return connection


def names(connection, search_filter, **more):
    connection.search(BOOK, search_filter, attributes=["cn"], **more)
    return [str(entry.cn) for entry in connection.entries]


def paged():
    connection = connect()
    pages, seen, cookie = 0, [], None
    while True:
        connection.search(BOOK, rest[0], attributes=["uid"], paged_size=int(rest[1]),
                          paged_cookie=cookie)
        seen += [str(entry.uid) for entry in connection.entries]
        pages += 1
        control = connection.result["controls"]["1.2.840.113556.1.4.319"]["value"]
        cookie = control["cookie"]
        if not cookie:
            return {"pages": pages, "seen": len(seen), "different": len(set(seen))}


def writes():
    connection = connect()
    connection.add("uid=x," + BOOK, "inetOrgPerson", {"sn": "x", "cn": "x"})
    codes = [connection.result["result"]]
    connection.delete("uid=x," + BOOK)
    codes.append(connection.result["result"])
    connection.modify("uid=x," + BOOK, {"cn": [(ldap3.MODIFY_REPLACE, ["y"])]})
    codes.append(connection.result["result"])
    connection.modify_dn("uid=x," + BOOK, "uid=y")
    codes.append(connection.result["result"])
    return codes


def info():
    connect()
    return {
        "contexts": server.info.naming_contexts,
        "versions": server.info.supported_ldap_versions,
        "types": "facsimileTelephoneNumber" in server.schema.attribute_types,
        "classes": "inetOrgPerson" in server.schema.object_classes,
    }


def control(oid, critical):
    connection = connect()
    connection.search(BOOK, "(cn=*)", attributes=["cn"], controls=[(oid, critical, None)])
    return connection.result["result"]


def code():
    connection = connect()
    connection.search(rest[0], rest[1], search_scope=rest[2], attributes=["*"])
    result = dict(connection.result)
    return [result["result"], result["dn"], result["description"], result["message"],
            len(connection.response or [])]


answer = {
    "bind": lambda: connect().result["result"],
    "start-tls": lambda: connect(True).extend.standard.who_am_i(),
    "names": lambda: names(connect(), rest[0]),
    "limited": lambda: [len(names(c := connect(), rest[0], size_limit=int(rest[1]))),
                        c.result["result"]],
    "paged": paged,
    "writes": writes,
    "info": info,
    "control": lambda: control(rest[0], rest[1] == "critical"),
    "code": code,
    "compare": lambda: (c := connect(), c.compare(rest[0], rest[1], rest[2]))[0].result["result"],
}[what]()
print(json.dumps(answer))
