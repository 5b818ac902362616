"""Names of exported files: always inside the destination, and unchanged where possible.

A key such as `ants/0013035.jpg` is a path from a file system, or untrusted text. Two levels of care:

* always: a name has no `..`, no NUL, is at most as long as a file system allows, and stays below its class's folder;
* portable, for keys that do not come from a file system: in addition, no name is reserved or forbidden by Windows, none
  is hidden (loaders ignore hidden files), and no two differ only in case or in the Unicode form of accents.
"""

import hashlib
import re
import unicodedata
from pathlib import PurePosixPath

from pipeline.images.formats import EXTENSIONS

_MAX_BYTES = 255
"""Maximum length of a name on Linux file systems (`NAME_MAX`)."""

_MAX_DEPTH = 32
"""Maximum number of nested folders; a path has at most 4,096 bytes (`PATH_MAX`)."""

_MAX_PATH_BYTES = 1_024

_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"|?*\\]')
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE)  # Windows' device names
_KNOWN = {extension: image_format for image_format, known in EXTENSIONS.items() for extension in known}


def make_path(key: str, class_name: str, image_format: str | None, *, portable: bool) -> str:
    """Return the path of a record's file, relative to the destination.

    Args:
        key: the record's key.
        class_name: the name of its class; the first folder of the path.
        image_format: the format of the content; None if the key's extension is right.
        portable: see above.

    Returns:
        `class/.../name.extension`; the key itself if it is a legal name.
    """
    parts = key.split("/")
    if len(parts) < 2 or parts[0] != class_name:
        parts = [class_name, *parts]
    parts = [
        parts[0],
        *(part for part in parts[1:-1] if part not in ("", ".")),
        _set_extension(parts[-1], image_format),
    ]
    safe = [_sanitize_component(part, portable=portable) for part in parts]
    path = "/".join(safe)
    if len(safe) > _MAX_DEPTH or len(_encode(path)) > _MAX_PATH_BYTES:
        path = f"{safe[0]}/{_shorten(safe[-1], key)}"
    return path


def make_class_folder(class_name: str, *, portable: bool) -> str:
    """Return the folder of a class: its name, if that is legal."""
    return _sanitize_component(class_name, portable=portable)


def is_renamed(path: str, key: str, class_name: str) -> bool:
    """Whether the path of a record's file differs from its key in more than the extension and the class's folder."""
    if path in (key, usual := f"{class_name}/{key}"):
        return False  # without parsing extensions: thousands of files per second
    return remove_extension(path) not in (remove_extension(key), remove_extension(usual))


def get_format(key: str) -> str | None:
    """Return the format that a key's extension stands for, or None."""
    return _KNOWN.get(PurePosixPath(key).suffix.lower())


def remove_extension(path: str) -> str:
    """Return an image's path without its extension."""
    return path if get_format(path) is None else path[: -len(PurePosixPath(path).suffix)]


class Names:
    """Assigns a unique path to every record, in the order of the calls.

    Args:
        portable: whether names that differ only in case or in the form of accents count as the same.
    """

    def __init__(self, *, portable: bool) -> None:
        self._portable = portable
        self._claimed: set[bytes] = set()
        self._folders: dict[str, str] = {"": ""}

    def claim_class(self, class_name: str) -> str:
        """Return the folder of a class, or one with a number if another class has it."""
        folder = self._claim_free("", make_class_folder(class_name, portable=self._portable))
        self._folders[folder] = folder
        return folder

    def claim(self, path: str) -> str:
        """Return the path, or one with a number if a file or folder already has it: `a.png`, `a~2.png`."""
        folder, _, name = path.rpartition("/")
        above = self._claim_folder(folder)
        return self._claim_free(above and above + "/", name)

    def claim_key(self, key: str) -> str:
        """Return the key, or one with a number if it is a duplicate."""
        folder, slash, name = key.rpartition("/")
        return self._claim_free(folder + slash, name)

    def _claim_folder(self, path: str) -> str:
        if path not in self._folders:
            above, _, name = path.rpartition("/")
            above = self._claim_folder(above)
            self._folders[path] = self._claim_free(above and above + "/", name)
        return self._folders[path]

    def _claim_free(self, above: str, name: str) -> str:
        number = 1
        while True:
            path = above + (name if number == 1 else _add_number(name, number))
            identity = self._hash_identity(path)
            if identity not in self._claimed:
                self._claimed.add(identity)
                return path
            number += 1

    def _hash_identity(self, path: str) -> bytes:
        if self._portable:
            path = unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())
        return hashlib.blake2b(_encode(path), digest_size=16).digest()


def _set_extension(name: str, image_format: str | None) -> str:
    """Give a name an extension of the format, so that loaders recognize the image."""
    known = get_format(name)
    if image_format is None or known == image_format:
        return name
    stem = (name or "_") if known is None else name[: -len(PurePosixPath(name).suffix)]
    return stem + EXTENSIONS[image_format][0]


def _sanitize_component(name: str, *, portable: bool) -> str:
    if portable:
        name = _FORBIDDEN.sub("_", name)
        name = name if not name.startswith(".") else "_" + name[1:]
        name = re.sub(r"[. ]$", "_", name)
        name = f"_{name}" if _RESERVED.fullmatch(name) else name
    name = name.replace("\0", "_").replace("/", "_")
    if name in ("", ".", ".."):
        name = "_" * max(1, len(name))
    return name if len(_encode(name)) <= _MAX_BYTES else _shorten(name, name)


def _shorten(name: str, whole: str) -> str:
    """Truncate a name, and append a hash of the whole."""
    suffix = PurePosixPath(name).suffix
    suffix = suffix if len(_encode(suffix)) <= 16 else ""
    mark = "~" + hashlib.blake2b(_encode(whole), digest_size=6).hexdigest()
    stem = _encode(name.removesuffix(suffix))[: _MAX_BYTES - 16 - len(mark) - len(suffix)]
    return stem.decode("utf-8", "ignore") + mark + suffix


def _add_number(name: str, number: int) -> str:
    path = PurePosixPath(name)
    numbered = f"{path.stem}~{number}{path.suffix}"
    return numbered if len(_encode(numbered)) <= _MAX_BYTES else _shorten(numbered, numbered)


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
