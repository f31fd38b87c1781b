# SPDX-License-Identifier: GPL-2.0
"""Where the rings of the tests are: in memfds, or, with --device, of the module."""
import os
import signal

import pytest

import spscring


def pytest_addoption(parser):
    parser.addoption("--device", action="store_true", help="rings of /dev/spscring, not memfds")


def pytest_configure(config):
    config.addinivalue_line("markers", "device: about what rings in memfds have not")


def pytest_collection_modifyitems(config, items):
    if not config.getoption("--device"):
        items[:] = [item for item in items if not item.get_closest_marker("device")]


@pytest.fixture
def memfd(request):
    return not request.config.getoption("--device")


@pytest.fixture
def make(memfd):
    """Ring(), where the tests' rings are."""
    def ring(*args, **kwargs):
        return spscring.Ring(*args, memfd=memfd, **kwargs)
    return ring


@pytest.fixture
def pair(make):
    """Both ends of a new ring."""
    def ends(*args, **kwargs):
        ring = make(*args, **kwargs)
        return ring.producer(), ring.consumer()
    return ends


class Child:
    """A forked process that runs function(*args), and exits with 0 if that returns."""

    def __init__(self, function, *args):
        self.pid = os.fork()
        if self.pid:
            return
        try:
            function(*args)
        except BaseException as e:
            os.write(2, f"{function.__name__}: {e!r}\n".encode())
            os._exit(1)
        os._exit(0)

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)
        self.wait()

    def wait(self):
        _, status = os.waitpid(self.pid, 0)
        self.pid = 0
        return os.waitstatus_to_exitcode(status)


@pytest.fixture
def child():
    """Children that are killed where a test has not waited for them."""
    children = []

    def start(function, *args):
        children.append(Child(function, *args))
        return children[-1]
    yield start
    for one in children:
        if one.pid:
            one.kill()


@pytest.fixture(autouse=True)
def watchdog():
    """A test that hangs ends with a traceback, and says where it was."""
    import faulthandler
    faulthandler.dump_traceback_later(300, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()
