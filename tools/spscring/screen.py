#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""screen.py COMMAND FEW: run "COMMAND top" on terminals of several kinds and sizes, and look at what a
person would see: headings, rows that fit, the order by keys, scrolling, another size, the end.
SPSCRING_RINGS names a sample of 100 rings, FEW one of 5.
"""
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time

import pyte

PATIENCE = 120      # seconds
ROW = re.compile(r"^ +(\d+) ring \d+|^ +(\d+) ring")


def key_of(term, name):
    """What a key sends, or b""."""
    sent = subprocess.run(["tput", "-T", term, name], capture_output=True, check=False)
    return sent.stdout


class Terminal:
    def __init__(self, command, term, lines, columns):
        self.screen = pyte.Screen(columns, lines)
        self.stream = pyte.ByteStream(self.screen)
        self.down, self.page_down = key_of(term, "kcud1"), key_of(term, "knp")
        self.pid, self.fd = pty.fork()
        if not self.pid:
            os.environ["TERM"] = term
            # the child sets the size itself, so that it is there when the program asks
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
            os.execv(command, ["spscring", "top", "--delay=0.2"])

    def size(self, lines, columns):
        self.screen.resize(lines, columns)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def key(self, keys):
        os.write(self.fd, keys)

    def read(self):
        """Show what comes; False once the program has ended."""
        if select.select([self.fd], [], [], 0.1)[0]:
            try:
                self.stream.feed(os.read(self.fd, 65536))
            except OSError:
                return False
        return True

    def until(self, what, condition):
        end = time.monotonic() + PATIENCE
        while not condition():
            if not self.read() or time.monotonic() > end:
                print(f"not seen: {what}", *self.screen.display, sep="\n")
                sys.exit(1)

    def ids(self):
        """The ids of the rows, from top to bottom."""
        rows = [ROW.match(line) for line in self.screen.display[3:]]
        return [int(row.group(1) or row.group(2)) for row in rows if row]

    def end(self):
        self.key(b"q")
        while self.read():
            pass
        status = os.waitpid(self.pid, 0)[1]
        if status:
            sys.exit(f"ended by {status}")


def shown(terminal, lines):
    """Each line below the headings is a row: none is wrapped, none is missing."""
    terminal.until("headings", lambda: terminal.screen.display[2].lstrip().startswith("ID NAME"))
    terminal.until(f"{lines - 3} rows", lambda: len(terminal.ids()) == min(lines - 3, 100))


def main(command, few):
    for term, lines, columns in (("xterm-256color", 24, 80), ("vt100", 10, 60), ("linux", 40, 140),
                                 ("vt100", 5, 30)):
        terminal = Terminal(command, term, lines, columns)
        shown(terminal, lines)
        terminal.until("by id", lambda t=terminal: t.ids()[:2] == [1, 2])
        terminal.key(b"f")
        terminal.until("by fill", lambda t=terminal: t.ids()[:2] == [2, 4])
        terminal.key(b"R")
        terminal.until("reversed", lambda t=terminal: t.ids()[:2] == [99, 97])
        terminal.key(b"Ri")
        terminal.until("by id again", lambda t=terminal: t.ids()[:2] == [1, 2])
        terminal.key(terminal.down)
        terminal.until("scrolled by one", lambda t=terminal: t.ids()[0] == 2)
        terminal.key(terminal.page_down or terminal.down)
        terminal.until("scrolled on", lambda t=terminal: t.ids()[0] > 2)
        terminal.size(30, 100)
        shown(terminal, 30)
        terminal.end()
    # what does not fit in a line is not below it
    os.environ["SPSCRING_RINGS"] = few
    terminal = Terminal(command, "vt100", 24, 60)
    terminal.until("5 rows", lambda: terminal.ids() == [1, 2, 3, 4, 5])
    terminal.until("nothing below", lambda: not "".join(terminal.screen.display[8:]).strip())
    terminal.end()


if __name__ == "__main__":
    main(*sys.argv[1:])
