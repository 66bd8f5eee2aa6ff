# SPDX-License-Identifier: MIT
"""
What differs between the view and a plain directory on purpose.  Nothing else may; `doc/posix.md` tells users the same.
"""

import dataclasses
import stat


@dataclasses.dataclass(frozen=True)
class Difference:
    what: str
    text: str
    fields: tuple = ()  # of what `describe_status` finds
    kinds: tuple = (stat.S_IFDIR, stat.S_IFREG, stat.S_IFLNK, stat.S_IFIFO, stat.S_IFSOCK)


DIFFERENCES = [
    Difference(
        "size of directories",
        "st_size and st_blocks of a directory say nothing about its entries; st_nlink of a projected one is 1, so that "
        "programs do not count on it for the number of sub-directories.",
        ("size", "blocks", "links"),
        (stat.S_IFDIR,),
    ),
    Difference("access time", "st_atime is not maintained by reading; what utimensat sets is shown.", ("atime",)),
    Difference(
        "change time", "st_ctime of what is not on disk is the provider's, or the time of its last change.", ("ctime",)
    ),
    Difference("blocks", "st_blocks of what is not on disk is computed from its size.", ("blocks",)),
    Difference("order of a listing", "A listing has the provider's order; local items come where they fit or last."),
    Difference(
        "collapse and insert", "fallocate knows the modes that FUSE passes on: 0, KEEP_SIZE, PUNCH_HOLE, ZERO_RANGE."
    ),
    Difference("holes of the source", "A hole in a projected file may be reported as data."),
    Difference("type of file system", "statfs reports the type and the id of FUSE."),
    Difference(
        "access lists",
        "A mount of an ordinary user has no access lists: EOPNOTSUPP. So has security.* but security.capability.",
    ),
    Difference("private folder", "The name .projfs at the top of the root is not to be had."),
]


def without_differences(kind, fields):
    left_out = {name for d in DIFFERENCES if kind in d.kinds for name in d.fields}
    return {name: value for name, value in fields.items() if name not in left_out}
