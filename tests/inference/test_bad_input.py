"""What nobody should send: each gets one message, and the server answers on."""

from __future__ import annotations

import gzip
import io
import json
import re
import socket
import struct
import time
import zlib
from contextlib import suppress

import numpy as np
import psutil
import pytest
from PIL import Image

from tests.support.answering import PERSON
from tests.support.served import eventually

JSON, CSV, FORM = "application/json", "text/csv", "multipart/form-data; boundary=x"
HEAD = "a,b,city,member,joined,rooms\n"
ROW = "1,0.5,Oslo,yes,2024-01-02,\n"
MIB = 2**20


def image(mode: str = "RGB", kind: str = "PNG", size: tuple[int, int] = (6, 4), **how) -> bytes:
    file = io.BytesIO()
    Image.new(mode, size).save(file, kind, **how)
    return file.getvalue()


def noise() -> bytes:
    file = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (99, 99), np.uint8)
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def bomb(side: int) -> bytes:
    """A small PNG file of very many pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        sum_ = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + sum_

    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(10_000), 9)
    signature = b"\x89PNG\r\n\x1a\n"
    return signature + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def pages() -> bytes:
    first = Image.new("L", (6, 4))
    file = io.BytesIO()
    first.save(file, "TIFF", save_all=True, append_images=[first])
    return file.getvalue()


def person(**other) -> bytes:
    return json.dumps([PERSON | other]).encode()


def without(name: str) -> bytes:
    return json.dumps([{key: value for key, value in PERSON.items() if key != name}]).encode()


def scans(count: int) -> bytes:
    """A JPEG image whose last scan is there so many times more."""
    content = image(kind="JPEG", progressive=True)
    last = content[content.rfind(b"\xff\xda") : -2]
    return content[:-2] + last * count + content[-2:]


POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 6 4\n(/etc/passwd) (r) file\n"
# Pipeline, content type, body, status, and what is said.
TWO = (
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n'
    b"Content-Type: image/png\r\n\r\n" + image() + b"\r\n"
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="new.csv"\r\n'
    b"Content-Type: text/csv\r\n\r\na,b\r\n1,2\r\n--x--"
)
LONG_HEAD = TWO.replace(b'"a.png"', b'"' + b";" * 100_000 + b'"')
BODIES = {
    "an empty body": ("pictures", "image/png", b"", 422, "The body is empty. Expected an image"),
    "a text file called .png": ("pictures", "image/png", b"hello", 422, "cannot identify image"),
    "half an image": ("pictures", "image/png", noise()[:9000], 422, "image cannot be read"),
    "a decompression bomb": ("pictures", "image/png", bomb(30_000), 422, "exceeds limit"),
    "a bomb just above the limit": ("pictures", "image/png", bomb(5_001), 422, "exceeds limit"),
    "16 bits a channel": ("pictures", "image/png", image("I;16"), 422, "more than 8 bits"),
    "an image of 101 scans": ("pictures", "image/jpeg", scans(101), 422, "more than 100 scans"),
    "an image of many pages": ("pictures", "image/tiff", pages(), 422, "it has 2 pages, so save"),
    "a GIF": ("pictures", "image/gif", image("P", "GIF"), 422, "Expected a PNG, JPEG, WebP, BMP"),
    "PostScript": ("pictures", "image/png", POSTSCRIPT, 422, "cannot identify image file"),
    "SVG": ("pictures", "image/svg+xml", b"<svg onload='x()'/>", 422, "cannot identify image"),
    "an image to a table": ("people", "image/png", image(), 422, "takes no images. Expected CSV"),
    "an image of no kind to a table": ("people", "", image(), 422, "takes no images. Expected CSV"),
    "CSV to images": ("pictures", CSV, (HEAD + ROW).encode(), 422, "takes no CSV. Expected an im"),
    "a PDF": ("people", "application/pdf", b"%PDF-1.7", 415, "application/pdf. Expected an image"),
    "a pickle": ("points", "application/x-pickle", b"\x80\x04N.", 415, "Expected an image"),
    "an .npz file": ("points", "", b"PK\x03\x04" + bytes(40), 422, "the request"),
    "CSV without a column": ("people", CSV, b"a,b\n1,2\n", 422, "no columns city, member, joined"),
    "two columns of one name": ("people", CSV, f"a,{HEAD}1,{ROW}".encode(), 422, "named a"),
    "CSV without rows": ("people", CSV, HEAD.encode(), 422, "There is one line"),
    "CSV whose line ends curl took out": (
        "people", CSV, (HEAD + ROW).replace("\n", "").encode(), 422, "curl --data-binary @FILE"
    ),
    "CSV with semicolons": (
        "people", CSV, (HEAD + ROW).replace(",", ";").encode(), 422, "`;` stands between.*`,`"
    ),
    "an image as CSV": ("people", CSV, noise(), 422, "the request is a PNG image. Expected a"),
    "an Excel sheet as CSV": ("people", CSV, b"PK\x03\x04\xff\n\xff", 422, "save that as CSV"),
    "a word for a number": ("people", CSV, f"{HEAD}x{ROW}".encode(), 422, "column a has 'x1' in r"),
    "a date that is none": (
        "people", CSV, f"{HEAD}1,2,Oslo,yes,soon,1\n".encode(), 422, "joined has 'soon'.*such as 20"
    ),
    "the moment of the question": (
        "people", CSV, f"{HEAD}1,2,Oslo,yes,now,1\n".encode(), 422, "joined has 'now'.*such as 20"
    ),
    "the year -2024": (
        "people", CSV, f"{HEAD}1,2,Oslo,yes,-2024-01-02,1\n".encode(), 422, "has '-2024-01-02' in"
    ),
    "a charset that is none": (
        "people", f"{CSV}; charset=utf-7", HEAD.encode(), 415, "The charset is utf-7. Expected UTF"
    ),
    "JSON in a wrong charset": (
        "people", f"{JSON}; charset=ascii", person(city="Orl\xe9ans").replace(rb"\u00e9", b"\xe9"),
        422, "The body is no ascii: 'ascii' codec",
    ),
    "CSV that is not UTF-8": ("people", CSV, HEAD.encode() + b"1,2,\xff\n", 422, "not UTF-8"),
    "a NUL byte": ("people", CSV, b"\0" * 100 + b"\n1\n", 422, "a character is 0"),
    "an open quote": ("people", CSV, f'{HEAD}"1{ROW}'.encode(), 422, "cannot be read"),
    "longer rows than names": ("people", CSV, f"{HEAD}{ROW[:-1]}7,8\n".encode(), 422, "more val"),
    "10,001 rows": ("points", CSV, b"1,2\n" * 10_001, 422, "more than 10,000 rows"),
    "10,000,000 rows": ("points", CSV, b"1,2\n" * 10_000_000, 413, "at most 16 MiB"),
    "names and no row": ("points", CSV, b"x1,x2\n", 422, "There are no rows. Expected"),
    "a row that is half of numbers": ("points", CSV, b"1,\n2,3\n", 422, "row 1 is `nan`"),
    "a first row with 0x10": ("points", CSV, b"0x10,1\n2,3\n", 422, "of row 1 is `0x10`. Expect"),
    "numbers too many": ("points", CSV, b"1,2,3\n", 422, "a row has 3 values.*on 2"),
    "no JSON": ("people", JSON, b"{'a': 1}", 422, "is not JSON: Expecting property name"),
    "JSON that is not UTF-8": ("people", JSON, b'["\xff"]', 422, "is not JSON"),
    "NaN in JSON": ("points", JSON, b"[[NaN, 1]]", 422, "NaN is not a number there; null stands"),
    "Infinity in JSON": ("points", JSON, b"[[1, -Infinity]]", 422, "-Infinity is not a number"),
    "a number beyond float64": ("points", JSON, b"[[1e999, 1]]", 422, "too large for float32"),
    "10^400 as a whole number": ("points", JSON, f"[[1{'0' * 400}, 1]]".encode(), 422, "too large"),
    "5,000 digits": ("points", JSON, f"[[1{'0' * 5000}, 1]]".encode(), 422, "is not JSON"),
    "too large for float32": ("points", JSON, b"[[1e300, 1]]", 422, "too large for float32"),
    "too large for the model": ("people", JSON, person(a=1e38), 422, "row 1: .*is not finite"),
    "the same to a regression": ("points", JSON, b"[[1, 2], [3.5e38, 1]]", 422, "^row 2: the mod"),
    "JSON nested 10^5 deep": ("people", JSON, b"[" * 100_000, 422, "nested too deeply|not JSON"),
    "a list 10^5 deep": ("points", JSON, b"[" * 100_000 + b"]" * 100_000, 422, "nested too deeply"),
    "5,000,000 lists": ("points", JSON, b"[" + b"[]," * 5_000_000 + b"[]]", 422, "1,048,576 lists"),
    "no rows": ("points", JSON, b"[]", 422, "There are no rows. Expected rows of 2 numbers"),
    "a number alone": ("points", JSON, b"3", 422, "The JSON has no rows"),
    "rows of several lengths": ("points", JSON, b"[[1, 2], [3]]", 422, "differ in shape"),
    "text in an array": ("points", JSON, b'[["1", 2]]', 422, "A value is not a number"),
    "a boolean in an array": ("points", JSON, b"[[true, false]]", 422, "A value is not a number"),
    "another shape": ("points", JSON, b"[[[1, 2]]]", 422, r"has the shape \(1, 2\). Expected \(2,"),
    "pixels of 300": ("pictures", JSON, json.dumps(np.full((1, 4, 6, 3), 300).tolist()).encode(),
                      422, "no whole number from 0 to 255"),
    "pixels of 0.5": ("pictures", JSON, json.dumps(np.full((1, 4, 6, 3), 0.5).tolist()).encode(),
                      422, "no whole number from 0 to 255"),
    "a row that is a list": ("people", JSON, b"[[1, 2]]", 422, "A row is not an object"),
    "a name twice in a row": ("people", JSON, b'[{"a": 1, "a": 2}]', 422, "an object has a twice"),
    "the rows twice": ("points", JSON, b'{"rows": [[1, 2]], "rows": []}', 422, "has rows twice"),
    "a row without a column": ("people", JSON, without("city"), 422, "row 1 has no column city"),
    "a cell that is a list": ("people", JSON, person(a=[1]), 422, "column a has .1.. Expected one"),
    "a word in a number's cell": ("people", JSON, person(a="x"), 422, "a has 'x' in row 1. Expect"),
    "true in a number's cell": ("people", JSON, person(a=True), 422, "a has 'true' in row 1"),
    "a number in a date's cell": ("people", JSON, person(joined=5), 422, "joined has '5' in row"),
    "10^400 in a cell": ("people", JSON, person(a=10**400), 422, "Expected finite numbers"),
    "a form without its boundary": ("pictures", FORM[:19], b"--x\r\n", 422, "not whole"),
    "half a form": ("pictures", FORM, b"--x\r\n\r\nhello", 422, "The form is not whole"),
    "a form with nothing": ("pictures", FORM, b"--x--\r\n", 422, "The form is not whole"),
    "a form with an empty file": ("pictures", FORM, b"--x\r\n\r\n\r\n--x--", 422, "File 1 .* emp"),
    "a file with a head of 100 kB": ("pictures", FORM, LONG_HEAD, 422, "longer than 2,000 bytes"),
    "a content type of 9 kB": (
        "people", f'{CSV}; charset="{";" * 9000}', HEAD.encode(), 415, "longer than 2,000 bytes"
    ),
    "an image and a table": ("pictures", FORM, TWO, 422, r"^new\.csv: This model takes no CSV"),
}  # fmt: skip


@pytest.mark.parametrize("what", BODIES)
def test_a_body_that_is_wrong_gets_one_message(servers, what):
    pipeline, kind, content, status, says = BODIES[what]
    answer = servers(pipeline).predict(content, kind)
    said = answer.json()["error"]
    assert re.search(says, said), said
    assert answer.status_code == status
    assert len(said.splitlines()) == 1
    assert not re.search(r"Traceback|/tmp|0x[0-9a-f]{6}|params\.yaml", said), said


def raw(server, *parts: bytes, pause: float = 0) -> str:
    """What is answered to bytes."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        with suppress(ConnectionResetError):  # a slow machine sends longer than anybody listens
            for part in parts:
                time.sleep(pause)
                connection.sendall(part.replace(b"HOST", f"127.0.0.1:{server.port}".encode()))
        found = b""
        with suppress(ConnectionResetError):
            while part := connection.recv(65536):
                found += part
    return found.decode("latin-1")


POST = b"POST /predict HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n"
REQUESTS = {
    "no HTTP": (b"hello\r\n\r\n", 400, "Invalid HTTP"),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(80) + b"\r\n\r\n", 400, ""),
    "no Host": (b"GET / HTTP/1.1\r\n\r\n", 400, "Invalid HTTP"),
    "two Hosts": (b"GET / HTTP/1.1\r\nHost: HOST\r\nHost: HOST\r\n\r\n", 400, "Invalid HTTP"),
    "another Host": (b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", 403, "Host or Origin"),
    "another Origin": (POST + b"Origin: http://evil.example\r\n\r\n", 403, "Host or Origin"),
    "both lengths": (
        POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "not both"
    ),
    "two lengths": (POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400, "Invalid"),
    "a length below 0": (POST + b"Content-Length: -1\r\n\r\n", 400, "Invalid HTTP"),
    "a coding that is none": (POST + b"Transfer-Encoding: xchunked\r\n\r\n", 400, "Invalid"),
    "a chunk that is none": (POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400, ""),
    "a line of 100 kB": (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n", 400, "Invalid HTTP"),
    "a head of 1 MB": (POST + b"X: y\r\n" * 200_000 + b"\r\n", 400, "Invalid HTTP"),
    "gzip": (
        POST + b"Content-Encoding: gzip\r\nContent-Length: 23\r\n\r\n" + gzip.compress(b"[1]"),
        415, "is compressed",
    ),
    "a body of 1 GB": (POST + b"Content-Length: 1000000000\r\n\r\n" + bytes(10_000), 413, "too la"),
    "chunks of 20 MB": (
        POST + b"Transfer-Encoding: chunked\r\n\r\n" + (b"100000\r\n" + bytes(MIB) + b"\r\n") * 20,
        413, "too large",
    ),
    "another method": (POST.replace(b"POST", b"DELETE") + b"\r\n", 405, "Method Not Allowed"),
    "another path": (b"GET /%2e%2e/etc/passwd HTTP/1.1\r\nHost: HOST\r\n"
                     b"Connection: close\r\n\r\n", 404, "Not Found"),
    "another model": (b"GET /v2/models/else HTTP/1.1\r\nHost: HOST\r\n"
                      b"Connection: close\r\n\r\n", 404, "Expected the model people"),
}  # fmt: skip


@pytest.mark.parametrize("what", REQUESTS)
def test_a_request_that_is_wrong_gets_one_message(servers, what):
    content, status, says = REQUESTS[what]
    said = raw(servers("people"), content)
    assert said.startswith(f"HTTP/1.1 {status} "), said[:300]
    assert says in said


def test_an_upload_of_1_GB_ends_early_and_takes_no_memory(servers):
    server = servers("people")
    before = psutil.Process(server.process.pid).memory_info().rss
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(POST.replace(b"HOST", f"127.0.0.1:{server.port}".encode()))
        connection.sendall(b"Content-Length: 1000000000\r\n\r\n")
        memory = psutil.Process(server.process.pid).memory_info
        with pytest.raises(OSError, match=r"reset|Broken pipe|timed out"):
            [connection.send(bytes(MIB)) for _ in range(1000) if memory().rss < before + 40 * MIB]
    assert server.answers()


def test_who_goes_away_in_the_middle_costs_nothing(servers):
    server = servers("people")
    for _ in range(50):
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            head = POST.replace(b"HOST", f"127.0.0.1:{server.port}".encode())
            connection.sendall(head + b"Content-Length: 1000\r\n\r\nhalf")
    eventually(lambda: server.count("serve_waiting") == 0, 10)
    assert server.predict(person(), JSON).status_code == 200


def test_after_all_this_the_server_is_alive_and_small(servers):
    for pipeline in ("pictures", "people", "points"):
        server = servers(pipeline)
        assert server.answers()
        assert "Traceback" not in server.log.read_text()
        assert psutil.Process(server.process.pid).memory_info().rss < 400 * MIB
