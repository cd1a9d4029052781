"""Disks that are full or read-only, for tests that run as root."""

import contextlib
import os
import shutil
import subprocess

import pytest


def _mount(*arguments):
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("needs root to mount a file system")
    if subprocess.run(["mount", *map(str, arguments)], check=False, stderr=subprocess.DEVNULL).returncode:
        pytest.skip("needs the right to mount a file system")


@contextlib.contextmanager
def small(folder, size):
    """Make `folder` and mount a file system of a size such as "512k" there."""
    folder.mkdir()
    _mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@contextlib.contextmanager
def read_only(folder):
    """Make an existing folder a read-only file system."""
    _mount("--bind", folder, folder)
    try:
        _mount("-o", "remount,bind,ro", folder)
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
