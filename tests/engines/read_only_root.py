"""Run a command as in a container with a read-only root: it writes to the named folders alone.

    python read_only_root.py FOLDER... -- COMMAND...

Every file system becomes read-only for the command, and each folder an empty one of its own, as
Kubernetes' emptyDir is. What READ_ONLY_ROOT_KEEPS names, as PATH is written, stays to be read below
such a folder: what the command is made of may lie in /tmp. Linux 5.12 or later, user namespaces.
"""

import ctypes
import os
import sys

# linux/sched.h, linux/mount.h and linux/fcntl.h
NEW_NAMESPACES = 0x00020000 | 0x10000000  # CLONE_NEWNS, CLONE_NEWUSER
MOUNT_SETATTR = 442
HERE = -100  # AT_FDCWD
RECURSIVE = 0x8000  # AT_RECURSIVE
READ_ONLY = 1  # MOUNT_ATTR_RDONLY
PRIVATE = 1 << 18  # MS_PRIVATE
BOUND = 4096 | 16384  # MS_BIND, MS_REC
KEEPS = "READ_ONLY_ROOT_KEEPS"
ALWAYS = ("/dev/shm", "/dev/mqueue")  # the container runtime mounts these itself

LIBRARY = ctypes.CDLL(None, use_errno=True)


class Attributes(ctypes.Structure):
    """struct mount_attr."""

    _fields_ = [(name, ctypes.c_uint64) for name in ("set", "clear", "propagation", "owner")]


def checked(status: int) -> None:
    """Raise what a call of the C library has failed with."""
    if status != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def enter() -> None:
    """Enter namespaces in which this process may mount."""
    user, group = os.getuid(), os.getgid()
    checked(LIBRARY.unshare(NEW_NAMESPACES))
    for name, content in (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {user} 1"),
        ("gid_map", f"{group} {group} 1"),
    ):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(content)


def shut(writable: list[str]) -> None:
    """Make all that is mounted read-only, but for empty folders in the named places."""
    attributes = Attributes(set=READ_ONLY, propagation=PRIVATE)
    size = ctypes.sizeof(attributes)
    where = HERE, b"/", RECURSIVE, ctypes.byref(attributes), size
    checked(LIBRARY.syscall(MOUNT_SETATTR, *where))
    kept = [path for path in os.environ.get(KEEPS, "").split(os.pathsep) if path]
    opened = {path: os.open(path, os.O_PATH) for path in kept}
    for folder in sorted((*writable, *filter(os.path.isdir, ALWAYS)), key=len):
        checked(LIBRARY.mount(b"tmpfs", folder.encode(), b"tmpfs", 0, b"mode=1777"))
        for path, descriptor in opened.items():
            if os.path.commonpath([folder, path]) == folder != path:
                os.makedirs(path, exist_ok=True)
                source = f"/proc/self/fd/{descriptor}".encode()
                checked(LIBRARY.mount(source, path.encode(), None, BOUND, None))


if __name__ == "__main__":
    arguments = sys.argv[1:]
    middle = arguments.index("--")
    enter()
    shut(arguments[:middle])
    os.execvp(arguments[middle + 1], arguments[middle + 1 :])
