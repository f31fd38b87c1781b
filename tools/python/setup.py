# SPDX-License-Identifier: GPL-2.0
"""Build the package where it is in the tree: the Makefile compiles the extension."""
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

HERE = Path(__file__).resolve().parent


class MakeExtension(build_ext):
    def build_extension(self, ext):
        out = Path(self.build_temp).resolve()
        subprocess.check_call(["make", "-C", HERE, f"O={out}", f"PYTHON={sys.executable}",
                               "extension"])
        to = Path(self.get_ext_fullpath(ext.name))
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(out / "python" / "spscring" / to.name, to)


def version():
    """The layout of the shared memory, then releases for it: as the library's."""
    abi = (HERE.parent.parent / "uapi/linux/spscring.h").read_text()
    return re.search(r"#define SPSCRING_VERSION\s+(\d+)", abi)[1] + ".0"


os.chdir(HERE)
setup(
    version=version(),
    ext_modules=[Extension("spscring._core", sources=[], py_limited_api=True)],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
    cmdclass={"build_ext": MakeExtension},
)
