# SPDX-License-Identifier: GPL-2.0
"""perf script -s fold.py -- OPTIONS: where the time goes, as stacks for a flame
graph, with what the compiler inlined, the source line and the instruction, and
as tables.  Modules of a User Mode Linux are unknown to perf, so code is looked
up here: by the sections that a machine, or a linker, has loaded where."""
import argparse
import bisect
import collections
import os
import re
import subprocess
import sys

# frames by kind, for flamegraph.pl's palette file
COLOURS = {"kfifo": "rgb(226,142,84)", "spscring": "rgb(104,164,214)",
           "spscring-plain": "rgb(104,164,214)", "function": "rgb(236,176,140)",
           "inlined": "rgb(244,214,150)", "line": "rgb(172,212,168)",
           "instruction": "rgb(214,226,236)"}

options = argparse.ArgumentParser()
options.add_argument("--sections", required=True, help="lines of ELF SECTION ADDRESS")
options.add_argument("--group", action="append", required=True, metavar="NAME=REGEX",
                     help="stacks whose outermost function matching REGEX is below NAME")
options.add_argument("--messages", type=int, required=True, help="how many each group moved")
options.add_argument("--folded", help="where the stacks of the first event go")
options.add_argument("--palette", help="where flamegraph.pl's colours go")
options.add_argument("--top", type=int, default=6, help="lines of the table of lines")
options = options.parse_args()
groups = [group.split("=", 1) for group in options.group]


class Code:
    """The sections that are loaded, and what is at an address of them."""

    def __init__(self, path):
        with open(path) as file:
            sections = [line.split() for line in file]
        self.sections = sorted((int(address, 16), elf, name) for elf, name, address in sections)
        self.headers = [self.header(elf, name) for _, elf, name in self.sections]
        self.known, self.texts, self.before, self.sources = {}, {}, {}, {}
        for (start, elf, name), (_, vma) in zip(self.sections, self.headers):
            self.disassemble(elf, name, start - vma)

    @staticmethod
    def header(elf, name):
        """A section's size, and the address it was linked for."""
        out = subprocess.run(["objdump", "-h", "-j", name, elf], capture_output=True, text=True,
                             check=True).stdout
        match = re.search(rf"\d+ {re.escape(name)} +([0-9a-f]+) +([0-9a-f]+)", out)
        return int(match[1], 16), int(match[2], 16)

    def section(self, address):
        i = bisect.bisect(self.sections, (address, "~")) - 1
        if i < 0 or address >= self.sections[i][0] + self.headers[i][0]:
            return None
        return i

    def look_up(self, addresses):
        """All at once: a process an address would take minutes."""
        wanted = collections.defaultdict(set)
        for address in addresses:
            section = self.section(address)
            if section is not None:
                wanted[section].add(address)
        for section, here in wanted.items():
            start, elf, name = self.sections[section]
            here = sorted(here)
            out = subprocess.run(
                ["addr2line", "-a", "-f", "-i", "-e", elf, "-j", name],
                input="\n".join(hex(address - start) for address in here), capture_output=True,
                text=True, check=True).stdout
            chains = re.split(r"^0x[0-9a-f]+\n", out, flags=re.M)[1:]
            for address, chain in zip(here, chains):
                words = chain.splitlines()
                self.known[address] = list(zip(words[::2], words[1::2]))

    def disassemble(self, elf, name, moved):
        """The text of each instruction, and which is before it, if that is certain."""
        out = subprocess.run(["objdump", "-d", "--no-show-raw-insn", "-j", name, elf],
                             capture_output=True, text=True, check=True).stdout
        targets = {moved + int(to, 16) for to in re.findall(r"\tj\w+ +([0-9a-f]+) <", out)}
        last = None
        for line in out.splitlines():
            match = re.match(r" +([0-9a-f]+):\t([^<#]*)", line)
            if not match:
                last = None
                continue
            address = moved + int(match[1], 16)
            if last and address not in targets:
                self.before[address] = last
            self.texts[address] = " ".join(match[2].split())
            last = None if re.match(r"(jmp|ret|call)", self.texts[address]) else address

    def source(self, where):
        """A line, by its file's name and its text."""
        name, _, line = where.partition(" ")[0].rpartition(":")
        if name not in self.sources:
            exists = os.path.isfile(name)
            self.sources[name] = open(name).read().splitlines() if exists else []
        lines = self.sources[name]
        known = line.isdigit() and int(line) <= len(lines)
        return f"{os.path.basename(name)}:{line} {lines[int(line) - 1].strip() if known else ''}"


def clean(text):
    """flamegraph.pl: a semicolon parts frames, <> are made (), -> parts its palette.
    No name may end with a number, as the count would: instructions are in brackets."""
    return text.replace("->", ".").replace(";", ",").replace("<", "(").replace(">", ")").strip(" ,")


samples = []


def process_event(event):
    chain = [(item["ip"], item.get("sym", {}).get("name", "")) for item in event["callchain"]]
    if not chain:
        chain = [(event["sample"]["ip"], event.get("symbol", ""))]
    # a caller's address is a return address: the instruction after the call
    chain = [chain[0]] + [(ip - 1, name) for ip, name in chain[1:]]
    samples.append((event["ev_name"].split(":")[0], event["sample"]["period"], chain))


def frames_of(code, chain):
    """From the outermost function in: (kind, name), the line and the instruction last."""
    frames = []
    for ip, name in reversed(chain):
        known = code.known.get(ip)
        if not known:
            frames.append(("function", re.sub(r"\.(isra|constprop|part|cold).*", "", name) or "?"))
            continue
        functions = [function for function, _ in reversed(known)]
        frames.append(("function", functions[0].split(".")[0]))
        frames += [("inlined", function) for function in functions[1:]]
    ip = chain[0][0]
    if ip in code.known:
        frames.append(("line", code.source(code.known[ip][0][1])[:90]))
        frames.append(("instruction", f"[+{ip & 0xfff:x} {code.texts.get(ip, '')}]"))
    return frames


def below_group(frames):
    """The stack from its group's function on, or None."""
    for i, (kind, name) in enumerate(frames):
        for group, pattern in groups:
            if kind == "function" and re.fullmatch(pattern, name):
                return [(group, group)] + frames[i:]
    return None


def print_counts(counts):
    """Per event, what each side of each group took, a message."""
    sides = sorted({side for _, side in counts})
    print("a message".ljust(24) + "".join(f"{group + ' ' + side:>28}" for group, side in sides))
    for event in dict.fromkeys(event for event, _ in counts):
        print(event.ljust(24) + "".join(
            f"{counts.get((event, side), 0) / options.messages:28.3f}" for side in sides))


def print_lines(lines):
    for side in sorted(lines):
        total = sum(lines[side].values())
        print(f"\n{side[0]} {side[1]}: the lines, share of its time")
        for (line, instruction), n in lines[side].most_common(options.top):
            print(f"  {100 * n / total:5.1f} %  {instruction:38} {line}")


def trace_end():
    code = Code(options.sections)
    for _, _, chain in samples:
        # the sampling interrupt comes after the slow instruction, so blame the one before
        chain[0] = code.before.get(chain[0][0], chain[0][0]), chain[0][1]
    code.look_up({ip for _, _, chain in samples for ip, _ in chain})
    counts, lines = collections.Counter(), collections.defaultdict(collections.Counter)
    stacks, palette = collections.Counter(), {"": "rgb(230,230,230)"}
    for event, period, chain in samples:
        stack = below_group(frames_of(code, chain))
        if not stack:
            continue
        side = stack[0][1], stack[1][1]
        counts[event, side] += period
        if event != samples[0][0]:
            continue
        stacks[";".join(clean(name) for _, name in stack)] += 1
        palette.update((clean(name), COLOURS[kind]) for kind, name in stack)
        last = [name for kind, name in stack if kind in ("line", "instruction")] or [
            stack[-1][1], ""]
        lines[side][tuple(last)] += 1
    missing = {name for name, _ in groups} - {group for _, (group, _) in counts}
    if missing and options.folded:
        sys.exit("fold: no sample is of " + ", ".join(sorted(missing)))
    print_counts(counts)
    if options.folded:
        print_lines(lines)
        with open(options.folded, "w") as file:
            file.writelines(f"{stack} {n}\n" for stack, n in sorted(stacks.items()))
    if options.palette:
        with open(options.palette, "w") as file:
            file.writelines(f"{name}->{colour}\n" for name, colour in palette.items())
