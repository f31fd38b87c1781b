# SPDX-License-Identifier: GPL-2.0
"""The comments of the headers: what they document, and their text as man(7) source."""
import errno
import os
import re
import textwrap
from dataclasses import dataclass, field
from pathlib import Path

COMMENT = re.compile(r"/\*(\*?)(?!\*)(.*?)\*/", re.S)
ERRNO = r"-?E[A-Z0-9]{3,}\b"
# what the calls have in common, where a comment only names it
COMMON = {"EINVAL": "A bad value, or an unknown flag.", "EFAULT": "A bad address.",
          "E2BIG": "A longer struct than the kernel knows, with bytes that are not 0.",
          "ETIMEDOUT": "The deadline has passed.",
          "EMFILE": "The process has too many files open.",
          "ENFILE": "The system has too many files open.", "ENOMEM": "No memory.",
          "EOPNOTSUPP": "A 32\\-bit caller."}


def common(name):
    return [COMMON.get(name) or rich(os.strerror(getattr(errno, name)) + ".")]


# a caller's errno, and those that share its explanation
ERRORS = re.compile(rf"({ERRNO}(?:, {ERRNO})*)(?:\s+|$)(.*)", re.S)
# a paragraph that ends in a list of them
WITH_ERRORS = re.compile(rf"(.*?\b(?:Errors|errno|top|end\.h|struct \w+)\b[^:;.]*): ({ERRNO}\b.*)$")


@dataclass
class Entry:
    """What one kernel-doc comment documents."""
    kind: str               # "function", "struct" or "typedef"
    name: str
    purpose: str
    fields: list            # (name, lines): a struct's fields, a function's parameters
    body: list              # lines
    returns: list           # lines
    code: str               # the declaration that follows the comment
    header: str             # the file, as a program includes it
    others: list = field(default_factory=list)      # prototypes that share the comment


def lines_of(text):
    """A comment's lines without their stars, with tabs expanded where they stood."""
    out = []
    for line in text.split("\n"):
        line = line.expandtabs(8)
        line = re.sub(r"^ \* ?", "", line) if line.startswith(" *") else line.strip()
        out.append(line.rstrip())
    while out and not out[0]:
        out.pop(0)
    while out and not out[-1]:
        out.pop()
    return out


def comments(path):
    """(is kernel-doc, lines, the code that follows) of each comment at the margin."""
    text = Path(path).read_text()
    for m in COMMENT.finditer(text):
        if m.start() == 0 or text[m.start() - 1] == "\n":
            yield bool(m.group(1)), lines_of(m.group(2)), text[m.end():].lstrip("\n")


def prototypes(code):
    """The prototypes that stand right after a comment, up to the first blank line or body."""
    if m := re.match(r"#define (\w+\([^)]*\))", code):
        return [m.group(1) + ";"]
    out = []
    for block in re.split(r"(?<=;)\n", code):
        if "{" in block:
            block = block[:block.index("{")]
        m = re.match(r"(?:static |inline |SPSCRING_INLINE |SPSCRING_NOINLINE )*([^;#/]*?\)"
                     r")(?: SPSCRING_COLD| __attribute__.*)?\s*;?\s*$", block, re.S)
        if not m or block.startswith("\n"):
            break
        out.append(re.sub(r"\s+", " ", m.group(1)).replace("* ", "*").strip() + ";")
        if not block.rstrip().endswith(";"):
            break
    return out


def parse(lines, code, header):
    """The entry of one kernel-doc comment, or None."""
    m = re.match(r"(struct |typedef )?(\w+)(\(\))? - (.*)", lines[0])
    if not m:
        return None
    kind = (m.group(1) or "function").strip()
    e = Entry(kind, m.group(2), m.group(4).rstrip("."), [], [], [], "", header)
    at = e.body
    for line in lines[1:]:
        if p := re.match(r"@([\w.]+):\s*(.*)", line):
            at = [p.group(2)]
            e.fields.append((p.group(1), at))
        elif p := re.match(r"(?:Return|Returns):? ?(.*)", line):
            at = e.returns
            # the ABI writes a sentence: "Returns 0 once ..."
            at.append(p.group(1) if line.startswith("Return:") else line)
        elif re.match(r"(?:Errors|Context): ", line):
            at = e.returns if line.startswith("Errors") else e.body
            at += ["", line]
        elif not line and at is not e.body and at is not e.returns:
            at = e.body
        elif not e.fields and at is e.body and not e.body and line:
            e.purpose = f"{e.purpose} {line.strip()}".rstrip(".")
        elif at is not e.body and at is not e.returns:
            at.append(line.strip())
        else:
            at.append(line)
    if kind == "struct":
        e.code = code[:code.index("\n};") + 3] if code.startswith("struct ") else ""
    elif kind == "typedef":
        e.code = code[:code.index(";") + 1]
    else:
        e.others = prototypes(code)
        if not e.others:
            raise SystemExit(f"{header}: {e.name}: no prototype after its comment")
        e.code = e.others.pop(0)
    return e


def entries(path, header, names=None):
    """What the kernel-doc comments of a file document; only @names, if there are any."""
    return [e for doc, lines, code in comments(path) if doc and lines
            and (not names or re.split(r"\W", lines[0].removeprefix("struct "))[0] in names)
            and (e := parse(lines, code, header))]


def comment(path, begin, end=None):
    """The text of the comment that has a line beginning with @begin, from there to @end.
    Of @begin's "title~words" the title is left out."""
    title, tilde, words = begin.rpartition("~")
    for _, lines, _ in comments(path):
        for n, line in enumerate(lines):
            if not re.sub(r"\s+", " ", line.strip()).startswith(re.sub(r"\s+", " ", title + words)):
                continue
            out = [re.sub(rf"^\s*{re.escape(title.strip())}\s*", "", line) if tilde else line]
            for line in lines[n + 1:]:
                if end and end in line:
                    return [*out, line[:line.index(end)].rstrip()]
                out.append(line)
            return out
    raise SystemExit(f"{path}: no comment has a line that begins with '{begin}'")


def defines(path, pattern):
    """(name, value, comment) of the constants whose name matches all of @pattern."""
    out, text = [], Path(path).read_text()
    for m in re.finditer(r"(?:^/\* (?P<before>[^\n]*) \*/\n)?"
                         r"^#define (?P<name>\w+)[ \t]+(?P<value>[^\n]*?)"
                         r"(?:[ \t]*/\* (?P<after>.*?) \*/)?$", text, re.M):
        if re.fullmatch(pattern, m["name"]):
            # a comment before several constants is a title of all
            before = "" if text.startswith("\n#define", m.end()) else m["before"]
            out.append((m["name"], m["value"].strip(), m["after"] or before or ""))
    if not out:
        raise SystemExit(f"{path}: no constant is called {pattern}")
    return out


# ------------------------------------------------------------------ man(7)

def escape(text):
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("^", "\\(ha")
    text = text.replace("~", "\\(ti").replace("`", "\\(ga").replace("'", "\\(aq")
    return "\\&" + text if text[:1] in ".'\\" and text[:2] != "\\-" else text


def rich(text):
    """Text with its names in bold and what a caller passes in italics."""
    out = escape(text)
    # no hyphen in a name
    out = re.sub(r"(?<![\w%])(?!E[A-Z0-9]{3,}\b|SPSCRING)(?=[A-Z][A-Z0-9_]{5,}\b)", r"\\%", out)
    out = re.sub(r"(?<![\w%])(?=spscring[_/])(?!spscring_\w+\(\d?\))", r"\\%", out)
    out = re.sub(r"@(\w+)", r"\\fI\1\\fP", out)
    out = re.sub(r"\b(spscring_\w+|poll|read|write|mmap|ioctl|fcntl|strerror|sendmsg|recvmsg|"
                 r"writev|readv|fork|membarrier|vmsplice|waitpid|clone3|openat2)\((\d?)\)",
                 r"\\fB\\%\1\\fP(\2)", out)
    out = re.sub(r"(?<![\w<])(SPSCRING_[A-Z0-9_]+\*?)", r"\\fB\\%\1\\fP", out)
    out = re.sub(r"(?<!\w)((?:\\-)?E[A-Z][A-Z0-9]{2,})\b(?!_)",
                 lambda m: f"\\fB\\%{m.group(1)}\\fP" if m.group(1).strip("\\-") not in
                 ("EPOLLIN", "EPOLLOUT", "EPOLLERR", "ERRORS") else m.group(1), out)
    # the sign forbids hyphens only where a word begins with it
    return " ".join("\\%" + word.replace("\\%", "") if "\\%" in word else word
                    for word in out.split(" "))


def capital(text):
    """Begin a sentence, unless with a name."""
    return text if "_" in text.split(" ")[0] else text[:1].upper() + text[1:]


def sentences(lines):
    """Source lines of a paragraph: each sentence begins one."""
    text = re.sub(r"\s+", " ", " ".join(lines)).strip()
    out = []
    for s in re.split(r"(?<=[a-z0-9A-Z)\]>\"][.?]) +(?=[A-Z@])", text):
        for line in textwrap.wrap(rich(s), 78, break_long_words=False, break_on_hyphens=False):
            out.append("\\&" + line if line[:1] in ".'" else line)
    return out


GAP = re.compile(r"^( {4,})(\S.*?)(?:  +|\t)(\S.*)$")


def indent(line):
    return len(line) - len(line.lstrip())


def table(block):
    """(term, text) rows of an indented block in two columns, or None if it is no such table."""
    base, rows = indent(block[0]), []
    if not any(GAP.match(line) and indent(line) == base for line in block[:1]):
        return None
    for line in block:
        m = GAP.match(line)
        if indent(line) == base:
            if line.strip().startswith(("- ", "|", "+")):
                return None
            rows.append([m.group(2), m.group(3)] if m else [line.strip(), ""])
        elif rows and not rows[-1][1] and m and indent(line) < base + 20:
            rows[-1][0] += " " + m.group(2)
            rows[-1][1] = m.group(3)
        elif rows:
            rows[-1][1] += " " + line.strip()
        else:
            return None
    if any(re.search(r"\S {3,}\S", text) for _, text in rows) or not all(t for _, t in rows):
        return None
    return rows


def literal(block):
    base = min(indent(line) for line in block if line)
    return [".RS 4", ".EX", *(escape(line[base:]) for line in block), ".EE", ".RE"]


def bullets(block):
    out, base = [], indent(block[0])
    for line in block:
        if indent(line) == base:
            out.append([line.strip()[2:]])
        else:
            out[-1].append(line.strip())
    return [part for item in out for part in (".IP \\(bu 3", *sentences(item))]


def error_list(text):
    """The errors of "E1 why; E2, E3 why": terms and texts."""
    out = []
    text, _, rest = re.sub(r"[;,] (or (?:one|those|as|what|another)\b.*)$", r"\n\1",
                           text.rstrip(".")).partition("\n")
    # where a sentence follows the list, it stays a sentence
    for part in re.split(rf"; (?={ERRNO})|(?<=[a-z)])\. +(?={ERRNO} )", text):
        m = ERRORS.match(part)
        term, why = (m.group(1), m.group(2)) if m else (part, "")
        names = [n.lstrip("-") for n in term.split(", ")]
        for name in names if not why else [", ".join(names)]:
            out += [".TP", ".B " + escape(name),
                    *(sentences([capital(why) + "."]) if why else common(name))]
    return out + ([".P", *sentences([capital(rest) + "."])] if rest else [])


def paragraphs(lines, first=".PP"):
    """man(7) source of a comment's text."""
    out, para, k = [], [], 0
    lines = [*lines, ""]
    while k < len(lines):
        line = lines[k]
        if line.startswith("    ") or (not para and line.startswith("  ")):
            if para:
                out += [first, *sentences(para)]
                para = []
            block = []
            while k < len(lines) and (not lines[k] or indent(lines[k]) >= 2):
                block.append(lines[k])
                k += 1
            while not block[-1]:
                block.pop()
            solid = [b for b in block if b]
            if rows := table(solid):
                for term, text in rows:
                    out += [".TP", "\\fB" + escape(term) + "\\fP",
                            *sentences([capital(text)])]
            elif all(b.strip().startswith("- ") or indent(b) > indent(solid[0]) for b in solid):
                out += bullets(solid)
            else:
                out += [first, *literal(block)]
            continue
        if line:
            para.append(line)
        elif para:
            text = re.sub(r"\s+", " ", " ".join(para))
            if m := WITH_ERRORS.match(text):
                before = m.group(1).removesuffix("Errors").strip()
                if before != m.group(1):
                    out += [first, *sentences([before])] if before else []
                    out += [first, "Errors:"]
                else:
                    out += [first, *sentences([before.rstrip(",;:") +
                                               ("" if before.endswith(".") else ":")])]
                out += error_list(m.group(2))
            else:
                out += [first, *sentences(para)]
            para = []
        k += 1
    return out


def fields(pairs):
    out = []
    for name, lines in pairs:
        out += [".TP", ".I " + escape(name), *sentences(lines)]
    return out


def code(text):
    return [".EX", *(escape(line.expandtabs(8)) for line in text.split("\n")), ".EE"]
