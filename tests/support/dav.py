"""Address books as they speak CardDAV: the dialogues of Thunderbird, of iOS and macOS and of
DAVx5, each with the words that they use, and what a server has to refuse.

dav.py URL SCENARIO [ARGUMENT]...

Ends with 1 and says where an expectation was not met.
"""

import base64
import http.client
import json
import sys
import time
import urllib.parse
import xml.etree.ElementTree as ET

D = "{DAV:}"
C = "{urn:ietf:params:xml:ns:carddav}"
CS = "{http://calendarserver.org/ns/}"
WORDS = "{urn:x-postfax:words}words"
PASSWORD = "correct horse"
URL = sys.argv[1]
HOST = urllib.parse.urlsplit(URL)


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = {k.lower(): v for k, v in response.getheaders()}
        self.body = response.read()

    @property
    def xml(self):
        return ET.fromstring(self.body)

    def condition(self):
        """The precondition that was not met."""
        root = self.xml
        assert root.tag == D + "error", root.tag
        return [child.tag for child in root if child.tag != WORDS]

    def words(self):
        return self.xml.findtext(WORDS)

    def responses(self):
        """HREF -> (whole status, {STATUS: {NAME: element}})."""
        assert self.status == 207, (self.status, self.body)
        assert self.headers["content-type"].startswith("application/xml"), self.headers
        found = {}
        for response in self.xml.findall(D + "response"):
            props = {}
            for propstat in response.findall(D + "propstat"):
                status = propstat.findtext(D + "status")
                assert status in ("HTTP/1.1 200 OK", "HTTP/1.1 404 Not Found",
                                  "HTTP/1.1 403 Forbidden"), status
                props[status.split()[1]] = {p.tag: p for p in propstat.find(D + "prop")}
            href = response.findtext(D + "href")
            assert href not in found, f"{href} twice"
            found[href] = (response.findtext(D + "status"), props)
        return found


class Client:
    def __init__(self, user, password=PASSWORD):
        self.user = user
        self.login = base64.b64encode(f"{user}:{password}".encode()).decode()
        self.connection = http.client.HTTPConnection(HOST.hostname, HOST.port, timeout=60)

    def ask(self, method, path, body=None, login=True, **headers):
        headers = {key.replace("_", "-"): value for key, value in headers.items()}
        if login:
            headers["Authorization"] = f"Basic {self.login}"
        if isinstance(body, str):
            body = body.encode()
        self.connection.request(method, path, body=body, headers=headers)
        return Answer(self.connection.getresponse())

    def propfind(self, path, props, depth="0", **headers):
        body = (
            '<?xml version="1.0" encoding="utf-8"?><d:propfind xmlns:d="DAV:" '
            'xmlns:cs="http://calendarserver.org/ns/" xmlns:c="urn:ietf:params:xml:ns:carddav" '
            f'xmlns:x="urn:x">{props}</d:propfind>'
        )
        return self.ask("PROPFIND", path, body, Depth=depth, Content_Type="text/xml", **headers)

    def report(self, path, body, depth="1"):
        return self.ask("REPORT", path, body, Depth=depth, Content_Type="application/xml")

    def book(self, name="own"):
        return f"/dav/books/{self.user}/{name}/"

    def put(self, path, text, **headers):
        headers.setdefault("Content_Type", "text/vcard; charset=utf-8")
        return self.ask("PUT", path, text, **headers)

    def token(self, book="own"):
        answer = self.propfind(self.book(book), "<d:prop><d:sync-token/></d:prop>").responses()
        return answer[self.book(book)][1]["200"][D + "sync-token"].text

    def etags(self, book="own"):
        answer = self.propfind(
            self.book(book), "<d:prop><d:resourcetype/><d:getetag/><cs:getctag/></d:prop>", "1"
        ).responses()
        return {
            href: props["200"][D + "getetag"].text
            for href, (_, props) in answer.items()
            if href != self.book(book)
        }

    def multiget(self, hrefs, book="own", data="<c:address-data/>"):
        hrefs = "".join(f"<d:href>{href}</d:href>" for href in hrefs)
        answer = self.report(
            self.book(book),
            '<c:addressbook-multiget xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:carddav">'
            f"<d:prop><d:getetag/>{data}</d:prop>{hrefs}</c:addressbook-multiget>",
        ).responses()
        return {
            href: status or props["200"][C + "address-data"].text
            for href, (status, props) in answer.items()
        }

    def sync(self, token, book="own", limit=None):
        limit = f"<d:limit><d:nresults>{limit}</d:nresults></d:limit>" if limit else ""
        answer = self.report(
            self.book(book),
            f'<d:sync-collection xmlns:d="DAV:"><d:sync-token>{token}</d:sync-token>'
            f"<d:sync-level>1</d:sync-level>{limit}<d:prop><d:getetag/></d:prop>"
            "</d:sync-collection>",
            depth="0",
        )
        if answer.status != 207:
            return answer
        changed, gone, more = {}, [], False
        for href, (status, props) in answer.responses().items():
            if status is None:
                changed[href] = props["200"][D + "getetag"].text
            elif href == self.book(book):
                assert status == "HTTP/1.1 507 Insufficient Storage", status
                more = True
            else:
                assert status == "HTTP/1.1 404 Not Found", status
                gone.append(href)
        return changed, gone, answer.xml.findtext(D + "sync-token"), more


def card(uid, name, number="+1 212 555 0100", more="", version="3.0"):
    fax = f"TEL;TYPE=WORK,FAX:{number}\r\n" if number else ""
    return (
        f"BEGIN:VCARD\r\nVERSION:{version}\r\nUID:{uid}\r\nFN:{name}\r\nN:{name};;;;\r\n"
        f"{fax}{more}END:VCARD\r\n"
    )


def same(one, other):
    assert one == other, f"{one!r} is not {other!r}"


def discovery(token):
    """What every client does first: from the host alone to the books."""
    anna = Client("anna")
    for method in ("PROPFIND", "GET", "OPTIONS", "HEAD"):
        found = anna.ask(method, "/.well-known/carddav", login=False)
        same(anna.ask(method, "/.well-known/carddav/", login=False).status, 301)
        same((found.status, found.headers.get("location")), (301, "/dav/"))
    options = anna.ask("OPTIONS", "/dav/", login=False)
    same((options.status, options.headers["dav"]), (200, "1, 3, access-control, addressbook"))
    for wrong in (Client("anna", "wrong"), Client("nobody"), Client("bob", token)):
        refused = wrong.propfind("/dav/", "<d:allprop/>")
        same(refused.status, 401)
        assert refused.headers["www-authenticate"].startswith('Basic realm="'), refused.headers
    same(anna.ask("PROPFIND", "/dav/", login=False, Depth="0").status, 401)
    # A mail address is a name too, and a token a password.
    for client in (anna, Client("anna@example.com"), Client("anna", token)):
        walk(client)
    for path in ("/", "/dav/", "/dav"):
        found = anna.propfind(path, "<d:prop><d:current-user-principal/></d:prop>").responses()
        same(len(found), 1)
    same(anna.ask("GET", "/").status, 404)
    listed = anna.propfind("/dav/principals/", "<d:propname/>", "1").responses()
    same(sorted(listed), ["/dav/principals/", "/dav/principals/anna/"])
    for path in ("/dav/principals/bob/", "/dav/books/bob/", "/dav/books/nobody/",
                 "/dav/books/bob/own/", "/dav/books/bob/own/x.vcf", "/dav/nothing"):
        same(anna.propfind(path, "<d:allprop/>").status, 404)
    for depth in ({"Depth": "infinity"}, {}):
        refused = anna.ask("PROPFIND", "/dav/", None, **depth)
        same((refused.status, refused.condition()), (403, [D + "propfind-finite-depth"]))
    same(anna.ask("PROPFIND", "/dav/", None, Depth="2").status, 400)
    for bad in ("<d:propfind xmlns:d='DAV:'><d:allprop/><d:propname/></d:propfind>",
                "<d:propfind xmlns:d='DAV:'>", "<d:propfind/>", "text",
                "<!DOCTYPE a [<!ENTITY b 'c'>]><d:propfind xmlns:d='DAV:'>&b;</d:propfind>"):
        same(anna.ask("PROPFIND", "/dav/", bad, Depth="0").status, 400)


def walk(client):
    """Thunderbird: its properties, from the context path to the books."""
    asked = ("<d:prop><d:resourcetype/><d:displayname/><d:current-user-principal/>"
             "<d:current-user-privilege-set/></d:prop>")
    root = client.propfind("/dav/", asked).responses()
    principal = root["/dav/"][1]["200"][D + "current-user-principal"].findtext(D + "href")
    same(principal, "/dav/principals/anna/")
    found = client.propfind(principal, "<d:prop><c:addressbook-home-set/></d:prop>").responses()
    home = found[principal][1]["200"][C + "addressbook-home-set"].findtext(D + "href")
    same(home, "/dav/books/anna/")
    found = client.propfind(home, asked, "1").responses()
    books = {}
    for href, (_, props) in found.items():
        kinds = {kind.tag for kind in props["200"][D + "resourcetype"]}
        if C + "addressbook" in kinds:
            privileges = props["200"][D + "current-user-privilege-set"]
            may = {privilege[0].tag for privilege in privileges}
            books[href] = (props["200"][D + "displayname"].text, D + "write" in may)
    same(books, {
        "/dav/books/anna/own/": ("My fax numbers", True),
        "/dav/books/anna/shared/": ("Fax numbers shared with me", False),
        "/dav/books/anna/public/": ("Public fax numbers", False),
    })


def thunderbird():
    """First load, a new card without If-Match, its reading, changing, deleting."""
    anna = Client("anna")
    token = anna.token()
    path = anna.book() + "0f8b6b0e-1111-4222-8333-444455556666.vcf"
    text = card("0f8b6b0e-1111-4222-8333-444455556666", "Acme, accounts".replace(",", "\\,"),
                more="EMAIL;PREF=1:acme@example.net\r\nX-MOZILLA-HTML:FALSE\r\n"
                     "NICKNAME:acme\r\nBDAY;VALUE=DATE:19700131\r\n")
    put = anna.put(path, text)
    same(put.status, 201)
    assert "etag" not in put.headers, "the card was changed, and the tag says that it was not"
    read = anna.multiget([path])[path]
    for line in ("FN:Acme\\, accounts", "EMAIL:acme@fax.example.com", "+12125550100",
                 "X-MOZILLA-HTML:FALSE", "BDAY;VALUE=DATE:19700131", "acme@example.net",
                 "UID:0f8b6b0e-1111-4222-8333-444455556666"):
        assert line in read.replace("EMAIL;TYPE=INTERNET", "EMAIL"), (line, read)
    changed, gone, later, more = anna.sync(token)
    same((list(changed), gone, more), ([path], [], False))
    same(later, anna.token())
    same(anna.sync(later)[:2], ({}, []))
    etag = anna.etags()[path]
    same(changed[path], etag)
    # The same once more is no change.
    same(anna.put(path, read).status, 204)
    same((anna.etags()[path], anna.token()), (etag, later))
    got = anna.ask("GET", path)
    same((got.status, got.headers["etag"], got.body.decode()), (200, etag, read))
    same(got.headers["content-type"], "text/vcard; charset=utf-8")
    same(anna.ask("GET", path, If_None_Match=etag).status, 304)
    head = anna.ask("HEAD", path)
    same((head.status, head.body, head.headers["content-length"]),
         (200, b"", str(len(got.body))))
    same(anna.put(path, text.replace("0100", "0199")).status, 204)
    assert anna.etags()[path] != etag
    assert "+12125550199" in anna.multiget([path])[path]
    same(anna.ask("DELETE", path).status, 204)
    same(anna.ask("GET", path).status, 404)
    same(anna.multiget([path])[path], "HTTP/1.1 404 Not Found")
    changed, gone, _, _ = anna.sync(later)
    same((changed, gone), ({}, [path]))
    # It came and went: whoever never saw it is told at most that it is not there.
    changed, gone, _, _ = anna.sync(token)
    same((changed, gone), ({}, [path]))
    for bad in ("data:,own-0-0", "data:,shared-" + later[9:], "urn:x", "1"):
        refused = anna.sync(bad)
        same((refused.status, refused.condition()), (403, [D + "valid-sync-token"]))


def apple():
    """iOS and macOS: what they ask of principals, and files that are called otherwise than
    the cards in them."""
    anna = Client("anna")
    principal = "/dav/principals/anna/"
    found = anna.propfind(
        principal,
        "<d:prop><c:addressbook-home-set/><c:directory-gateway/><d:displayname/>"
        "<cs:email-address-set/><d:principal-collection-set/><d:principal-URL/>"
        "<d:resource-id/><d:supported-report-set/></d:prop>",
    ).responses()[principal][1]
    assert set(found["404"]) == {C + "directory-gateway", CS + "email-address-set",
                                 D + "resource-id"}, found["404"]
    same(found["200"][D + "principal-URL"].findtext(D + "href"), principal)
    same(found["200"][D + "principal-collection-set"].findtext(D + "href"), "/dav/principals/")
    home = anna.propfind(
        "/dav/books/anna/",
        "<d:prop><d:add-member/><c:addressbook-description/><cs:getctag/><d:sync-token/>"
        "<c:max-image-size/><c:max-resource-size/><d:owner/><d:quota-available-bytes/>"
        "<d:resourcetype/><d:supported-report-set/><d:current-user-privilege-set/>"
        "<x:guardian-restricted/></d:prop>", "1", Prefer="return=minimal", Brief="t",
    ).responses()
    own = home[anna.book()][1]
    assert "404" not in own, own
    same(own["200"][C + "max-resource-size"].text, "65536")
    reports = {r.find(D + "report")[0].tag for r in own["200"][D + "supported-report-set"]}
    assert {C + "addressbook-multiget", C + "addressbook-query",
            D + "sync-collection"} <= reports, reports
    found = anna.report(
        "/dav/principals/", '<d:principal-search-property-set xmlns:d="DAV:"/>', "0")
    same((found.status, found.xml.tag), (200, D + "principal-search-property-set"))
    for wanted, count in (("ann", 1), ("bob", 0), ("", 1)):
        found = anna.report(
            "/dav/principals/",
            '<d:principal-property-search xmlns:d="DAV:"><d:property-search><d:prop>'
            f"<d:displayname/></d:prop><d:match>{wanted}</d:match></d:property-search>"
            "<d:prop><d:displayname/></d:prop></d:principal-property-search>", "0")
        same(len(found.responses()), count)
    found = anna.report(
        "/dav/", '<d:expand-property xmlns:d="DAV:"><d:property name="current-user-principal">'
        '<d:property name="displayname"/><d:property name="addressbook-home-set" '
        'namespace="urn:ietf:params:xml:ns:carddav"/></d:property></d:expand-property>', "0")
    inner = found.xml.find(f".//{D}current-user-principal/{D}response")
    same(inner.findtext(D + "href"), principal)
    same(inner.find(f".//{C}addressbook-home-set").findtext(D + "href"), "/dav/books/anna/")
    refused = anna.report("/dav/", '<d:principal-match xmlns:d="DAV:"/>', "0")
    same((refused.status, refused.condition()), (403, [D + "supported-report"]))
    # The file is called otherwise than the card.
    path = anna.book() + "4A0B9E2D-0000.vcf"
    text = card("4A0B9E2D-0000:ABPerson", "Bell", more="item1.TEL;type=pref:+1 212 555 0177\r\n"
                "item1.X-ABLabel:Faxgerät\r\n", number="")
    same(anna.put(path, text, If_None_Match="*").status, 201)
    same(anna.put(path, text, If_None_Match="*").status, 412)
    read = anna.multiget([path])[path]
    assert "UID:4A0B9E2D-0000:ABPerson\r\n" in read, read
    assert "X-POSTFAX-UID" not in read and "X-ABLabel:Faxger" in read, read
    etag = anna.etags()[path]
    same(anna.put(path, text.replace("Bell", "Bella"), If_Match='"old"').status, 412)
    same(anna.put(path, text.replace("Bell", "Bella"), If_Match=etag).status, 204)
    same(anna.ask("DELETE", path, If_Match=etag).status, 412)
    # One UID, one card.
    for other in (path.replace("4A0B", "5A0B"), anna.book() + "4A0B9E2D-0000%3AABPerson.vcf"):
        refused = anna.put(other, text)
        same((refused.status, refused.condition()), (403, [C + "no-uid-conflict"]))
        same(refused.xml.find(f"{C}no-uid-conflict/{D}href").text, path)
    refused = anna.put(path, text.replace("UID:4A", "UID:5A"))
    same((refused.status, refused.condition()), (403, [C + "no-uid-conflict"]))
    # A group of macOS, and one more member that the book does not hold.
    group = anna.book() + "G-1.vcf"
    text = ("BEGIN:VCARD\r\nVERSION:3.0\r\nUID:G-1\r\nFN:Suppliers\r\nN:Suppliers;;;;\r\n"
            "X-ADDRESSBOOKSERVER-KIND:group\r\n"
            "X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:4A0B9E2D-0000:ABPerson\r\n"
            "X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:nobody\r\nEND:VCARD\r\n")
    same(anna.put(group, text).status, 201)
    read = anna.multiget([group])[group]
    assert "X-ADDRESSBOOKSERVER-KIND:group" in read and "4A0B9E2D-0000:ABPerson" in read, read
    assert "nobody" not in read, read
    token = anna.token()
    same(anna.ask("DELETE", group).status, 204)
    same(anna.ask("DELETE", path, If_Match=anna.etags()[path]).status, 204)
    same(sorted(anna.sync(token)[1]), sorted([path, group]))


def davx5():
    """DAVx5: vCard 4, and a first synchronisation in pages."""
    bob = Client("bob")
    found = bob.propfind(
        bob.book(), "<d:prop><c:supported-address-data/><c:max-resource-size/>"
        "<d:supported-report-set/><cs:getctag/><d:sync-token/></d:prop>").responses()
    data = found[bob.book()][1]["200"][C + "supported-address-data"]
    same([kind.get("version") for kind in data], ["3.0", "4.0"])
    paths = []
    for i in range(7):
        path = bob.book() + f"davx-{i}.vcf"
        text = card(f"davx-{i}", f"Number {i}", "", version="4.0",
                    more=f'TEL;VALUE=uri;TYPE="work,fax":tel:+1-212-555-010{i}\r\n')
        same(bob.put(path, text, If_None_Match="*").status, 201)
        paths.append(path)
    seen, token, pages = {}, "", 0
    while True:
        changed, gone, token, more = bob.sync(token, limit=3)
        same(gone, [])
        assert len(changed) <= 3, changed
        seen.update(changed)
        pages += 1
        if not more:
            break
    same((sorted(seen), pages), (sorted(paths), 3))
    same(seen, bob.etags())
    read = bob.multiget(paths[:2], data='<c:address-data content-type="text/vcard" version="4.0"/>')
    for path, text in read.items():
        assert "VERSION:4.0" in text and "tel:+1212555010" in text, text
    old = bob.multiget(paths[:1])[paths[0]]
    assert "VERSION:3.0" in old and "TEL;TYPE=WORK" in old.upper(), old
    newer = bob.ask("GET", paths[0], Accept="text/vcard;version=4.0")
    assert b"VERSION:4.0" in newer.body and newer.headers["vary"] == "Accept"
    refused = bob.report(
        bob.book(), '<c:addressbook-multiget xmlns:d="DAV:" '
        'xmlns:c="urn:ietf:params:xml:ns:carddav"><d:prop><c:address-data '
        f'content-type="text/vcard" version="5.0"/></d:prop><d:href>{paths[0]}</d:href>'
        "</c:addressbook-multiget>")
    same((refused.status, refused.condition()), (403, [C + "supported-address-data"]))
    part = bob.multiget(paths[:1], data='<c:address-data><c:prop name="FN"/></c:address-data>')
    same(part[paths[0]].replace("\r", "").split(),
         "BEGIN:VCARD VERSION:3.0 FN:Number 0 END:VCARD".split())
    query(bob, paths)


def query(bob, paths):
    def ask(inside, more="", depth="1"):
        return bob.report(
            bob.book(), '<c:addressbook-query xmlns:d="DAV:" '
            'xmlns:c="urn:ietf:params:xml:ns:carddav"><d:prop><d:getetag/>'
            f"<c:address-data/></d:prop>{inside}{more}</c:addressbook-query>", depth)

    def text(words, attributes=""):
        return (f'<c:filter><c:prop-filter name="FN"><c:text-match {attributes}>{words}'
                "</c:text-match></c:prop-filter></c:filter>")

    same(len(ask("").responses()), 7)
    same(len(ask("", depth="0").responses()), 0)
    same(list(ask(text("ER 3")).responses()), [paths[3]])
    same(list(ask(text("number 3", 'match-type="equals"')).responses()), [paths[3]])
    same(len(ask(text("number", 'collation="i;octet"')).responses()), 0)
    same(len(ask('<c:filter><c:prop-filter name="TEL"><c:param-filter name="TYPE">'
                 "<c:text-match>fax</c:text-match></c:param-filter></c:prop-filter></c:filter>"
                 ).responses()), 7)
    same(len(ask('<c:filter><c:prop-filter name="ORG"><c:is-not-defined/></c:prop-filter>'
                 "</c:filter>").responses()), 7)
    found = ask(text("number"), "<c:limit><c:nresults>2</c:nresults></c:limit>").responses()
    same(found[bob.book()][0], "HTTP/1.1 507 Insufficient Storage")
    same(len(found), 3)
    for inside, condition in (
        (text("a", 'collation="i;basic"'), "supported-collation"),
        (text("a", 'match-type="like"'), "supported-filter"),
    ):
        refused = ask(inside)
        same((refused.status, refused.condition()), (403, [C + condition]))
    one = bob.report(paths[2], '<c:addressbook-query xmlns:d="DAV:" '
                     'xmlns:c="urn:ietf:params:xml:ns:carddav"><d:prop><d:getetag/></d:prop>'
                     "</c:addressbook-query>", "0")
    same(list(one.responses()), [paths[2]])


def refusals():
    """What cannot be done, and the words for it."""
    anna = Client("anna")
    path = anna.book() + "r-1.vcf"
    refused = anna.put(path, card("r-1", "Nobody", number=""))
    same((refused.status, refused.condition()), (403, [C + "valid-address-data"]))
    assert "no fax number" in refused.words(), refused.words()
    refused = anna.put(path, card("r-1", "Nobody", number="",
                                  more="TEL;TYPE=CELL:+1 212 555 0101\r\n"))
    assert "no fax number" in refused.words(), refused.words()
    for body, condition, kind in (
        ("text", "valid-address-data", "text/vcard"),
        (card("r-1", "A") * 2, "valid-address-data", "text/vcard"),
        (card("r-1", "A", number="12"), "valid-address-data", "text/vcard"),
        (card("r-1", "A"), "supported-address-data", "text/calendar"),
        (card("r-1", "A", version="2.1"), "supported-address-data", "text/vcard"),
        (card("r-1", "Zoë").encode("latin-1"), "valid-address-data", "text/vcard"),
        (card("r-1", "A", more=f"NOTE:{'x' * 70000}\r\n"), "max-resource-size", "text/vcard"),
    ):
        refused = anna.put(path, body, Content_Type=kind)
        same((refused.status, refused.condition()), (403, [C + condition]))
    same(anna.put(anna.book() + "r-1", card("r-1", "A")).status, 404)
    same(anna.put(path, card("r-1", "A"), If_Match='"1"').status, 412)
    same(anna.ask("GET", path).status, 404)
    same(anna.ask("DELETE", path).status, 404)
    for book in ("shared", "public"):
        for name in ("r-1.vcf", "~bob~davx-1.vcf"):
            refused = anna.put(anna.book(book) + name, card("r-1", "A"))
            want = (404, None) if (book, name) == ("shared", "r-1.vcf") else (403, None)
            same((refused.status, None), want)
            if refused.status == 403:
                same(refused.condition(), [D + "need-privileges"])
    same(anna.put(anna.book(), card("r-1", "A")).status, 405)
    same(anna.put(path, card("r-1", "A")).status, 201)
    for method in ("MKCOL", "MOVE", "COPY", "LOCK", "UNLOCK", "POST", "ACL", "MKCALENDAR"):
        for where in (anna.book() + "new/", path, anna.book()):
            answer = anna.ask(method, where, Destination=URL + anna.book() + "other.vcf")
            assert answer.status in (404, 405), (method, where, answer.status)
            if answer.status == 405:
                assert "PROPFIND" in answer.headers["allow"], answer.headers
    same(anna.ask("DELETE", anna.book()).status, 405)
    patch = ('<d:propertyupdate xmlns:d="DAV:" xmlns:x="urn:x"><d:set><d:prop><d:displayname>x'
             "</d:displayname><x:colour>red</x:colour></d:prop></d:set></d:propertyupdate>")
    found = anna.ask("PROPPATCH", anna.book(), patch).responses()[anna.book()][1]
    same(set(found["403"]), {D + "displayname", "{urn:x}colour"})
    same(anna.ask("DELETE", path).status, 204)


def owners():
    """One UID of two owners, and a public collection that one client writes."""
    anna, bob, carl = Client("anna"), Client("bob"), Client("carl")
    public = {who.user: who.book("public") for who in (anna, bob, carl)}
    tokens = {who.user: (who.token(), who.token("public")) for who in (anna, bob, carl)}
    found = carl.propfind(public["carl"], "<d:prop><d:current-user-privilege-set/></d:prop>")
    may = found.responses()[public["carl"]][1]["200"][D + "current-user-privilege-set"]
    assert D + "write" in {privilege[0].tag for privilege in may}
    same(carl.put(public["carl"] + "one.vcf", card("one", "Town hall")).status, 201)
    same(anna.put(anna.book() + "one.vcf", card("one", "My one", "212 555 0111")).status, 201)
    # The one of anna is hers alone, the public one everybody's.
    for who, name in ((anna, "Town hall"), (bob, "Town hall")):
        path = public[who.user] + "one.vcf"
        assert f"FN:{name}" in who.multiget([path], "public")[path]
        refused = who.put(path, card("one", "Mine"))
        same((refused.status, refused.condition()), (403, [D + "need-privileges"]))
        same(who.ask("DELETE", path).status, 403)
        changed, gone, _, _ = who.sync(tokens[who.user][1], "public")
        same((list(changed), gone), ([path], []))
    assert "FN:My one" in anna.multiget([anna.book() + "one.vcf"])[anna.book() + "one.vcf"]
    # Nothing of anna's moves for bob, nor for the keeper of the public book.
    for who in (bob, carl):
        same(who.sync(tokens[who.user][0])[:2], ({}, []))
        same(who.token(), tokens[who.user][0])
    for path in (bob.book() + "one.vcf", "/dav/books/anna/own/one.vcf", "/dav/books/bob/own/x.vcf",
                 bob.book("shared") + "~anna~one.vcf", bob.book("public") + "~anna~one.vcf"):
        same(bob.multiget([path])[path], "HTTP/1.1 404 Not Found")
        same(bob.ask("GET", path).status, 404)
    same(carl.ask("DELETE", public["carl"] + "one.vcf").status, 204)
    for who in (anna, bob):
        changed, gone, _, _ = who.sync(tokens[who.user][1], "public")
        same((changed, gone), ({}, [public[who.user] + "one.vcf"]))
    same(anna.ask("DELETE", anna.book() + "one.vcf").status, 204)


def shares(step, uid, *since):
    """An entry of anna's, as bob sees it: `hidden`, `shared` or `public`, and never where
    it is not; and what he is told since two tokens, that of what is shared and that of what
    is public: that it is `there`, that it is `gone`, or `nothing`."""
    bob = Client("bob")
    places = {book: bob.book(book) + f"~anna~{uid}.vcf" for book in ("shared", "public")}
    for book, path in places.items():
        is_there = book == step
        same(path in bob.etags(book), is_there)
        same(bob.ask("GET", path).status, 200 if is_there else 404)
        same(bob.ask("DELETE", path).status, 403 if is_there else 404)
        found = bob.multiget([path], book)[path]
        assert found.startswith("BEGIN:VCARD" if is_there else "HTTP/1.1 404"), found
    for (book, path), token, wants in zip(places.items(), since[::2], since[1::2]):
        changed, gone, later, _ = bob.sync(token, book)
        same("there" if path in changed else "gone" if path in gone else "nothing", wants)
        if wants == "nothing":
            same(later, token)


def one(user, book, uid):
    """One card."""
    client = Client(user)
    same(client.put(client.book(book) + f"{uid}.vcf", card(uid, f"Card {uid}")).status, 201)


def stale(book, token):
    """A token that cannot be gone on from."""
    refused = Client("bob").sync(token, book)
    same((refused.status, refused.condition()), (403, [D + "valid-sync-token"]))


def model(file):
    """Everybody sees what a plain list says, by every way to ask, and nothing else."""
    with open(file) as text:
        told = json.load(text)
    times = {True: [], False: []}
    for user, books in told["expected"].items():
        client = Client(user)
        for book in ("own", "shared", "public"):
            expected = books.get(book, {})
            etags = client.etags(book)
            same(sorted(etags), sorted(expected))
            same(client.sync("", book)[0], etags)
            names = {}
            for at in range(0, len(etags), 200):
                names.update(client.multiget(list(etags)[at:at + 200], book))
            for path, text in names.items():
                same(text.split("FN:")[1].split("\r\n")[0], expected[path])
            # What is not in it, under every name that it could have.
            others = []
            for owner, uid in told["all"]:
                others += [f"~{owner}~{uid}", f"~~{uid}", uid]
            others = {client.book(book) + name + ".vcf" for name in others} - set(expected)
            for at in range(0, len(others), 500):
                found = client.multiget(sorted(others)[at:at + 500], book)
                assert set(found.values()) == {"HTTP/1.1 404 Not Found"}, found
            found = client.report(
                client.book(book), '<c:addressbook-query xmlns:d="DAV:" '
                'xmlns:c="urn:ietf:params:xml:ns:carddav"><d:prop><d:getetag/></d:prop>'
                '<c:filter><c:prop-filter name="FN"><c:text-match>anna 1</c:text-match>'
                "</c:prop-filter></c:filter></c:addressbook-query>").responses()
            same(sorted(found), sorted(p for p, name in expected.items() if "anna 1" in name))
    # What is hidden takes as long as what never was.
    bob = Client("bob")
    hidden = [bob.book("shared") + f"~anna~{uid}.vcf" for owner, uid in told["all"]
              if owner == "anna"]
    hidden = [path for path in hidden if path not in told["expected"]["bob"]["shared"]][:300]
    never = [path.replace("~anna~u", "~anna~v") for path in hidden]
    for pair in zip(hidden, never):
        for is_hidden, path in zip((True, False), pair):
            began = time.perf_counter()
            same(bob.ask("GET", path).status, 404)
            times[is_hidden].append(time.perf_counter() - began)
    middle = {key: sorted(all)[len(all) // 2] * 1e6 for key, all in times.items()}
    print(f"{len(told['all'])} entries; a GET of what is hidden {middle[True]:.0f} us, of what "
          f"never was {middle[False]:.0f} us (medians of {len(hidden)})")


def fill(start, count):
    """Puts cards, one after the other, and prints each that was promised."""
    anna = Client("anna")
    for i in range(int(start), int(start) + int(count)):
        try:
            status = anna.put(anna.book() + f"k-{i}.vcf",
                              card(f"k-{i}", f"Kept {i}", f"+1212555{i:04}")).status
        except (OSError, http.client.HTTPException):
            return
        same(status, 201)
        print(i, flush=True)


def large():
    """The first synchronisation of a large book."""
    anna = Client("anna")
    began = time.monotonic()
    etags = anna.etags()
    listed = time.monotonic() - began
    paths, read, worst = list(etags), 0, 0.0
    for at in range(0, len(paths), 100):
        one = time.monotonic()
        found = anna.multiget(paths[at:at + 100])
        worst = max(worst, time.monotonic() - one)
        read += sum(text.startswith("BEGIN:VCARD") for text in found.values())
    whole = time.monotonic() - began
    token = anna.token()
    one = time.monotonic()
    same(anna.sync(token)[:2], ({}, []))
    quiet = time.monotonic() - one
    same(read, len(paths))
    print(f"{len(paths)} cards: PROPFIND {listed:.2f} s, with multigets of 100 {whole:.2f} s, the "
          f"slowest {worst * 1000:.0f} ms; a sync without changes {quiet * 1000:.1f} ms")


def greedy():
    """Short questions that would have an answer without end, or one that takes minutes."""
    anna = Client("anna")
    path = anna.book() + "g-1.vcf"
    long = "".join(f"X-LONG-{n}:{'x' * 60}\r\n" for n in range(90))
    same(anna.put(path, card("g-1", "Asked for again", more=long)).status, 201)
    spelt = path.replace("g-1", "%67-1")
    read = anna.multiget([path, spelt] * 20000)
    same(list(read), [path])
    members = "".join(f"X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:n{n}\r\n" for n in range(1400))
    text = ("BEGIN:VCARD\r\nVERSION:3.0\r\nUID:g-2\r\nFN:Nobody\r\n"
            f"X-ADDRESSBOOKSERVER-KIND:group\r\n{members}END:VCARD\r\n")
    for _ in range(3):
        began = time.monotonic()
        same(anna.put(anna.book() + "g-2.vcf", text).status in (201, 204), True)
        took = time.monotonic() - began
        assert took < 5, f"{took:.1f} s for a list whose members are not there"


SCENARIOS = {f.__name__: f for f in (discovery, thunderbird, apple, davx5, refusals, owners, shares,
                                     one, stale, model, fill, large, greedy)}
if __name__ == "__main__":
    if sys.argv[2] == "tokens":
        print(*(Client(sys.argv[3]).token(book) for book in ("shared", "public")))
    elif sys.argv[2] == "etags":
        print(*Client(sys.argv[3]).etags(sys.argv[4]), sep="\n")
    else:
        SCENARIOS[sys.argv[2]](*sys.argv[3:])
