"""A file system in memory with addresses of its own, remote://…, that can refuse files."""

from collections.abc import Callable
from typing import ClassVar

import fsspec
from fsspec.implementations.memory import MemoryFileSystem


class Remote(MemoryFileSystem):
    """Refuses a file to be put for which `refuses(its path)`, and notes the calls."""

    protocol = "remote"
    store: ClassVar[dict] = {}
    pseudo_dirs: ClassVar[list] = [""]
    refuses: ClassVar[Callable[[str], bool]] = staticmethod(lambda path: False)
    calls: ClassVar[list] = []

    @classmethod
    def _strip_protocol(cls, path):
        return super()._strip_protocol(path.replace("remote://", "memory://"))

    def put_file(self, lpath, rpath, **options):
        if self.refuses(rpath):
            raise PermissionError("Access Denied")
        self.calls.append(("put", rpath))
        super().put_file(lpath, rpath, **options)

    def get_file(self, rpath, lpath, **options):
        self.calls.append(("get", rpath))
        super().get_file(rpath, lpath, **options)

    def rm_file(self, path):
        self.calls.append(("rm", path))
        super().rm_file(path)


def empty():
    """Register the file system, without files, and return it."""
    fsspec.register_implementation("remote", Remote, clobber=True)
    Remote.store.clear()
    Remote.calls.clear()
    return Remote()
