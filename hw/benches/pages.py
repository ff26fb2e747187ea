#!/usr/bin/env python3
"""Documents to fax pages: our renderer beside ghostscript, poppler and libtiff, on the
same input in the same run.

    cargo build --release -p postfax-hw --example render-child
    hw/benches/pages.py [--json] [--sample 3] [--pages 200] [--rounds 3]
                        [--ours PROGRAM] [--keep FOLDER]

PROGRAM is called as `PROGRAM draw OUT.tif FILE` with RESOLUTION in its environment. What
is not installed is left out. For each document: milliseconds a page, bytes of all pages
as MMR, seconds on the line at 14.4 kbit/s, and of every hundred words of the known text
how many tesseract does not read.
"""
import argparse
import json
import operator
import os
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import zlib

BIT_RATE = 14_400
PROSE = """The line was engaged when we called at noon and so the letter went out an hour later
than it was meant to. All nineteen pages of it arrived in one piece, which the machine at the
other end confirmed before it hung up. Please send the signed copy back to this office before
Friday, or call us if the figures on the second sheet differ from your own. Invoices that were
paid in March are not listed here; those from April follow in a separate mail. Our new number
is valid from Monday, while the old one will answer until the end of the year. The warehouse is
closed on public holidays, and drivers should ring twice at the yellow gate beside the river.
Kindly note that prices are given without tax and that quantities below forty are rounded up.
""".split()
A4 = (595, 842)


def prose(page, words):
    """The words of a page, other ones on each."""
    chance = random.Random(page)
    start = chance.randrange(len(PROSE))
    return [PROSE[(start + i) % len(PROSE)] for i in range(words)]


def lines_of(words, length=84):
    lines, line = [], ""
    for word in words:
        if len(line) + 1 + len(word) > length:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    return lines + [line]


def pdf(objects):
    """A file of numbered objects, the first of which is the catalog."""
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(objects) + 1
    return out + (b"xref\n0 %d\n0000000000 65535 f \n%strailer << /Size %d /Root 1 0 R >>\n"
                  b"startxref\n%d\n%%%%EOF\n" % (size, table, size, len(out)))


def stream(head, body):
    return b"<< %s /Length %d >>\nstream\n%s\nendstream" % (head, len(body), body)


def text_pdf(texts):
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", None,
               b"<< /Type /Font /Subtype /Type1 /BaseFont /Times-Roman >>"]
    kids = []
    for words in texts:
        shown = "".join(f"({line}) Tj T* " for line in lines_of(words))
        body = f"BT /F 11 Tf 14 TL 72 770 Td {shown}ET".encode()
        kids.append(b"%d 0 R" % (len(objects) + 1))
        objects.append(b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %d %d] /Contents %d 0 R "
                       b"/Resources << /Font << /F 3 0 R >> >> >>" % (*A4, len(objects) + 2))
        objects.append(stream(b"", body))
    objects[1] = b"<< /Type /Pages /Count %d /Kids [%s] >>" % (len(texts), b" ".join(kids))
    return pdf(objects)


def picture_pdf(pictures):
    """Pages that are pictures: (filter, width, height, bytes)."""
    objects, kids = [b"<< /Type /Catalog /Pages 2 0 R >>", None], []
    for kind, width, height, data in pictures:
        at = len(objects) + 1
        kids.append(b"%d 0 R" % at)
        objects.append(b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %d %d] /Contents %d 0 R "
                       b"/Resources << /XObject << /P %d 0 R >> >> >>" % (*A4, at + 1, at + 2))
        objects.append(stream(b"", b"%d 0 0 %d 0 0 cm /P Do" % A4))
        objects.append(stream(b"/Type /XObject /Subtype /Image /Width %d /Height %d /ColorSpace "
                              b"/DeviceGray /BitsPerComponent 8 /Filter /%s"
                              % (width, height, kind), data))
    objects[1] = b"<< /Type /Pages /Count %d /Kids [%s] >>" % (len(pictures), b" ".join(kids))
    return pdf(objects)


def run(*words, env=None):
    """Seconds, and what was printed."""
    begun = time.monotonic()
    done = subprocess.run([str(word) for word in words], env=env and {**os.environ, **env},
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=900)
    took = time.monotonic() - begun
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, words))}: {done.stderr.decode()[-400:]}")
    return took, done.stdout.decode(errors="replace")


def pgm(data):
    head = re.match(rb"P5\s+(\d+)\s+(\d+)\s+255\s", data)
    width, height = int(head[1]), int(head[2])
    pixels = data[head.end():]
    return [pixels[y * width:(y + 1) * width] for y in range(height)]


def scanned(rows, seed):
    """A degree askew, on grey paper that is darker at the foot, with noise."""
    chance, width, height = random.Random(seed), len(rows[0]), len(rows)
    margin, slope, pieces, out = 100, 0.0175, 60, []
    rows = [b"\xff" * margin + row + b"\xff" * margin for row in rows]
    # Three dice make noise that is mostly small: 0 to 45, 22 in the middle.
    dice = bytes(sum(chance.randrange(16) for _ in range(3)) for _ in range(65_536))
    noisy = [min(max(value - 22, 0), 255) for value in range(256 + 46)]
    edges = [piece * width // pieces for piece in range(pieces + 1)]
    for y in range(height):
        shift, row = margin + int((y - height / 2) * slope), b""
        for left, right in zip(edges, edges[1:]):
            source = y - int((left - width / 2) * slope)
            line = rows[min(max(source, 0), height - 1)]
            row += line[left + shift:right + shift]
        start = chance.randrange(65_536 - width)
        shade = row.translate(SHADES[226 - 30 * y // height])
        out.append(bytes(map(noisy.__getitem__, map(operator.add, shade, dice[start:]))))
    return width, height, b"".join(out)


# Ink is not black and paper not white: for each shade of paper what white and black become.
SHADES = {paper: bytes(40 + value * (paper - 40) // 255 for value in range(256))
          for paper in range(150, 256)}


def scan_pdf(folder, source, pages, dots=250):
    """Pages of a PDF printed and scanned, as JPEG."""
    pictures = []
    for page in range(1, pages + 1):
        one = ["-f", page, "-l", page, "-singlefile", "-r", dots, "-gray"]
        run("pdftoppm", *one, source, folder / "clean")
        width, height, pixels = scanned(pgm((folder / "clean.pgm").read_bytes()), page)
        raw = folder / "raw.pdf"
        raw.write_bytes(picture_pdf([(b"FlateDecode", width, height, zlib.compress(pixels, 1))]))
        run("gs", "-q", "-dNOPAUSE", "-dBATCH", "-dSAFER", "-sDEVICE=jpeggray", "-dJPEGQ=75",
            f"-r{dots}", f"-sOutputFile={folder / 'scan.jpg'}", raw)
        jpeg = (folder / "scan.jpg").read_bytes()
        at = jpeg.index(b"\xff\xc0")
        height, width = struct.unpack(">HH", jpeg[at + 5:at + 9])
        pictures.append((b"DCTDecode", width, height, jpeg))
    return picture_pdf(pictures)


def plain_pages(folder, tiff):
    """Rows and lines an inch of each page of a TIFF file, black is 1."""
    plain = folder / "plain.tif"
    run("tiffcp", "-c", "none", "-f", "msb2lsb", "-r", 100_000, tiff, plain)
    data, pages = plain.read_bytes(), []
    order = "<" if data[:2] == b"II" else ">"
    get = lambda kind, at: struct.unpack_from(order + kind, data, at)[0]
    at = get("I", 4)
    while at:
        tags = {}
        for entry in range(at + 2, at + 2 + 12 * get("H", at), 12):
            short = get("H", entry + 2) == 3
            tags[get("H", entry)] = get("H" if short else "I", entry + 8)
        lines_per_inch = get("I", tags[283]) / get("I", tags[283] + 4) if 283 in tags else 196
        stride = (tags[256] + 7) // 8
        rows = [data[tags[273] + y * stride:][:stride] for y in range(tags[257])]
        if tags.get(262) == 1:
            rows = [bytes(255 - byte for byte in row) for row in rows]
        pages.append((tags[256], rows, lines_per_inch))
        at = get("I", at + 2 + 12 * get("H", at))
    return pages


def distance(one, other):
    """How many words must be changed, added or taken away; the texts repeat themselves, so
    that matching their longest parts first would count most of them as wrong."""
    above = list(range(len(other) + 1))
    for i, word in enumerate(one, 1):
        row = [i]
        for j, found in enumerate(other, 1):
            row.append(min(above[j] + 1, row[-1] + 1, above[j - 1] + (word != found)))
        above = row
    return above[-1]


def unread(folder, tiff, texts):
    """Of the words of the texts, how many of a hundred tesseract does not read."""
    if not shutil.which("tesseract"):
        return None
    missed = total = 0
    for (width, rows, dots), words in zip(plain_pages(folder, tiff), texts):
        times = max(1, round(204 / dots))
        pbm = folder / "page.pbm"
        body = b"".join(row * times for row in rows)
        pbm.write_bytes(b"P4\n%d %d\n" % (width, len(rows) * times) + body)
        _, read = run("tesseract", pbm, "-", "--dpi", 204, "--psm", 6, "-l", "eng",
                      env={"OMP_THREAD_LIMIT": "1"})
        missed += min(distance(words, read.split()), len(words))
        total += len(words)
    return 100 * missed / total


def resolution(lines):
    return "standard" if lines == 98 else "fine"


def by_ours(ours, source, out, lines):
    _, said = run(ours, "draw", out, source, env={"RESOLUTION": resolution(lines)})
    # Its own figure leaves out the previews that the example makes as well.
    return int(re.search(r"(\d+) ms", said)[1]) / 1000


def by_ghostscript(source, out, lines):
    return run("gs", "-q", "-dNOPAUSE", "-dBATCH", "-dSAFER", "-sDEVICE=tiffg4",
               f"-r204x{lines}", "-sPAPERSIZE=a4", "-dPDFFitPage", f"-sOutputFile={out}",
               source)[0]


def by_poppler(source, out, lines, *kind):
    folder = out.parent / f"poppler{time.monotonic_ns()}"
    folder.mkdir()
    took, _ = run("pdftoppm", "-rx", 204, "-ry", lines, *kind, source, folder / "page")
    if "-tiff" in kind:
        pages = sorted(folder.iterdir())
        more, _ = run("tiffcp", "-c", "g4", *pages, out)
        took += more
    shutil.rmtree(folder)
    return took


def by_libtiff(source, out, lines):
    """Only coding: from pixels that ghostscript drew."""
    pixels = out.parent / "pixels.tif"
    by_ghostscript(source, out, lines)
    run("tiffcp", "-c", "none", out, pixels)
    return run("tiffcp", "-c", "g4", pixels, out)[0]


def measure(folder, name, source, texts, lines, rounds, ours, read):
    ways = [("ours", lambda out: by_ours(ours, source, out, lines), True)] if ours else []
    if shutil.which("gs"):
        ways.append(("ghostscript", lambda out: by_ghostscript(source, out, lines), True))
    if shutil.which("pdftoppm"):
        mono = ["-mono", "-tiff"]
        ways.append(("pdftoppm -mono", lambda out: by_poppler(source, out, lines, *mono), True))
        ways.append(("pdftoppm -gray", lambda out: by_poppler(source, out, lines, "-gray"), False))
    if shutil.which("gs") and shutil.which("tiffcp"):
        ways.append(("libtiff, coding only", lambda out: by_libtiff(source, out, lines), True))
    results = []
    for way, draw, keeps in ways:
        out = folder / "out.tif"
        took = min(draw(out) for _ in range(rounds))
        size = out.stat().st_size if keeps else None
        result = {"document": name, "lines": lines, "way": way, "pages": len(texts),
                  "ms_a_page": round(1000 * took / len(texts), 2), "bytes": size,
                  "line_s": size and round(size * 8 / BIT_RATE, 1), "unread_percent": None}
        if read and keeps and not way.startswith("libtiff"):
            result["unread_percent"] = round(unread(folder, out, texts), 2)
        results.append(result)
    return results


def show(result):
    size = "" if result["bytes"] is None else \
        f"{result['bytes']:>10} B {result['line_s']:>8} s on the line"
    unread_words = "" if result["unread_percent"] is None else \
        f"  {result['unread_percent']:>5} % of words unread"
    print(f"{result['document']:14} {result['lines']:>3} {result['way']:21} "
          f"{result['ms_a_page']:>8} ms a page {size}{unread_words}", flush=True)


def main():
    from pathlib import Path
    here = Path(__file__).resolve().parents[2]
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--json", action="store_true")
    arguments.add_argument("--pages", type=int, default=200, help="of the long document")
    arguments.add_argument("--sample", type=int, default=3, help="pages of the short ones")
    arguments.add_argument("--rounds", type=int, default=3)
    target = Path(os.environ.get("CARGO_TARGET_DIR", here / "target"))
    arguments.add_argument("--ours", type=Path, default=target / "release/examples/render-child")
    arguments.add_argument("--keep", type=Path, help="write documents and pages there")
    options = arguments.parse_args()
    ours = options.ours if options.ours.exists() else None
    if not ours:
        print(f"{options.ours} is not there: ours is left out", file=sys.stderr)
    folder = options.keep or Path(tempfile.mkdtemp(prefix="pages-"))
    folder.mkdir(parents=True, exist_ok=True)
    text, long, scan = folder / "text.pdf", folder / "long.pdf", folder / "scan.pdf"
    texts = [prose(page, 420) for page in range(options.sample)]
    many = [prose(page, 420) for page in range(options.pages)]
    text.write_bytes(text_pdf(texts))
    long.write_bytes(text_pdf(many))
    scan.write_bytes(scan_pdf(folder, text, len(texts)))
    results = []
    for name, source, words, rounds, read in [
            ("text", text, texts, options.rounds, True),
            ("scan", scan, texts, options.rounds, True),
            (f"{options.pages} pages", long, many, 1, False)]:
        for lines in [98, 196] if read else [196]:
            for result in measure(folder, name, source, words, lines, rounds, ours, read):
                results.append(result)
                if not options.json:
                    show(result)
    if options.json:
        print(json.dumps(results, indent=1))
    if not options.keep:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
