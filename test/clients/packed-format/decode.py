"""
A decoder of the packed format that was written from docs/packed-format.md alone, by somebody who had read nothing else of
recgate, and whose answers were right at once: that it stays so shows that the page says enough. Only how it is asked was
put to it afterwards: `INDEX HEX` or `INDEX default` a line, for the models that `recgate client json` describes in the file.
"""
import base64
import json
import sys


class Fail(Exception):
    def __init__(self, code, field=""):
        super().__init__(code, field)
        self.code, self.field = code, field


class ABSENT:
    pass


def exact(x):
    """A JSON number that has to be whole (may have been printed as 1e+22)."""
    n = int(x)
    assert n == x, x
    return n


class Bits:
    def __init__(self, body):
        self.body, self.pos, self.end = body, 0, len(body) * 8

    def left(self):
        return self.end - self.pos

    def read(self, n, path):
        if n == 0:
            return 0
        if self.left() < n:
            raise Fail("packed-truncated", path)
        first, last = self.pos >> 3, (self.pos + n + 7) >> 3
        v = int.from_bytes(self.body[first:last], "big")
        v >>= last * 8 - (self.pos + n)
        self.pos += n
        return v & ((1 << n) - 1)

    def read_bytes(self, n, path):
        return self.read(8 * n, path).to_bytes(n, "big")


def civil(days):
    """Proleptic Gregorian date of a day since 1970-01-01."""
    z = days + 719468
    era, doe = divmod(z, 146097)
    yoe = (doe - doe // 1460 + doe // 36524 - doe // 146096) // 365
    doy = doe - (365 * yoe + yoe // 4 - yoe // 100)
    mp = (5 * doy + 2) // 153
    d = doy - (153 * mp + 2) // 5 + 1
    m = mp + 3 if mp < 10 else mp - 9
    return yoe + era * 400 + (1 if m <= 2 else 0), m, d


def timestamp(ms, millis):
    days, rest = divmod(ms, 86400000)
    y, mo, d = civil(days)
    s, frac = divmod(rest, 1000)
    text = "%04d-%02d-%02dT%02d:%02d:%02d" % (y, mo, d, s // 3600, s // 60 % 60, s % 60)
    return text + (".%03d" % frac if millis else "") + "Z"


def read_field(b, f, path):
    if f.get("optional") and b.read(1, path) == 0:
        return ABSENT
    t = f["type"]
    if t == "bool":
        return b.read(1, path) == 1
    if t == "integer":
        lo, hi = exact(f["min"]), exact(f["max"])
        n = b.read(f["bits"], path)
        if n > hi - lo:
            raise Fail("bits-range", path)
        return lo + n
    if t == "fixed":
        n = b.read(f["bits"], path)
        if n > exact(f["steps"]):
            raise Fail("bits-range", path)
        num, den = exact(f["minUnits"]) + n * exact(f["stepUnits"]), exact(f["unitsPerOne"])
        return num // den if num % den == 0 else num / den  # int / int rounds correctly
    if t == "enum":
        n = b.read(f["bits"], path)
        if n >= f["room"]:
            raise Fail("bits-range", path)
        if n < len(f["values"]):
            return f["values"][n]
        u = f.get("unknown")
        return ABSENT if u is None else u
    if t == "timestamp":
        n = b.read(f["bits"], path)
        start, res = exact(f["fromMs"]), exact(f["resolutionMs"])
        return timestamp(start + n * res, start % 1000 != 0 or res % 1000 != 0)
    if t in ("string", "bytes"):
        n = b.read(f["lengthBits"], path)
        if n > f["maxBytes"]:
            raise Fail("length-range", path)
        raw = b.read_bytes(n, path)
        if t == "bytes":
            return base64.b64encode(raw).decode("ascii")
        try:
            return raw.decode("utf-8", "strict")
        except UnicodeDecodeError:
            raise Fail("utf8-invalid", path)
    if t == "list":
        n = b.read(f["countBits"], path)
        if n > f["maxItems"]:
            raise Fail("length-range", path)
        out = []
        for _ in range(n):
            out.append(read_field(b, f["items"], path))
        return out
    if t == "struct":
        out = {}
        for g in f["fields"]:
            v = read_field(b, g, path + "." + g["name"])
            if v is not ABSENT:
                out[g["name"]] = v
        return out
    raise ValueError("unknown type " + repr(t))


def decode(desc, body):
    if not body:
        raise Fail("packed-empty")
    b = Bits(body)
    r = b.read(8, "")
    if r == 0:
        raise Fail("revision-zero")
    out = {}
    for f in desc["fields"]:
        if f.get("since", 1) <= r:
            v = read_field(b, f, f["name"])
        else:
            v = f.get("standIn", ABSENT)
        if v is not ABSENT:
            out[f["name"]] = v
    if r <= desc["revision"]:
        left = b.left()
        if left >= 8:
            raise Fail("packed-trailing")
        if left and b.read(left, ""):
            raise Fail("padding-nonzero")
    return out


def answer(desc, asked):
    if asked == "default":
        return "none" if desc["default"] is None else json.dumps(desc["default"])
    try:
        return json.dumps(decode(desc, bytes.fromhex("" if asked == "-" else asked)))
    except Fail as e:
        return ("error %s %s" % (e.code, e.field)).rstrip()


def main():
    with open(sys.argv[1], encoding="utf-8") as fh:
        descriptions = json.load(fh)
    for line in sys.stdin:
        index, asked = line.split()
        print(answer(descriptions[int(index)], asked))


main()
