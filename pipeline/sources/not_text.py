"""Files that are not rows of text, recognized by how they start."""

import re

_BINARY = (
    (b"\x1f\x8b", "a gzip archive", "decompress it"),
    (b"\xfd7zXZ\0", "an xz archive", "decompress it"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive", "decompress it"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "extract it"),
    (b"Rar!\x1a\x07", "a RAR archive", "extract it"),
    (b"PK\x03\x04", "a ZIP archive, or an Excel or Word file", "extract it, or export it as CSV"),
    (b"PK\x05\x06", "an empty ZIP archive", "give a file of rows"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel or Word file", "export it as CSV"),
    (b"\xff\xd8\xff", "a JPEG image", "give a file of rows"),
    (b"\x89PNG\r\n\x1a\n", "a PNG image", "give a file of rows"),
    (b"II*\0", "a TIFF image", "give a file of rows"),
    (b"MM\0*", "a TIFF image", "give a file of rows"),
    (b"%PDF-", "a PDF file", "extract its text"),
    (b"{\\rtf", "an RTF file", "save it as text"),
    (b"Obj\x01", "an Avro file", "export it as CSV or JSON lines"),
    (b"SQLite format 3\0", "an SQLite database", "export it as CSV"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file", "export it as CSV or JSON lines"),
    (b"\x93NUMPY", "a NumPy file", "export it as CSV or JSON lines"),
    (b"\x7fELF", "a program", "give a file of rows"),
    (b"\xff\xfe\0\0", "in UTF-32", "convert it to UTF-8"),
    (b"\0\0\xfe\xff", "in UTF-32", "convert it to UTF-8"),
    (b"\xff\xfe", "in UTF-16", "convert it to UTF-8"),
    (b"\xfe\xff", "in UTF-16", "convert it to UTF-8"),
)
"""How files that are not UTF-8 text start, what they are, and what to do."""

_PATTERNS = (
    (rb"BZh[1-9]1AY&SY", "a bzip2 archive", "decompress it"),
    (rb"GIF8[79]a[^\0]*\0", "a GIF image", "give a file of rows"),
    (rb"PAR1[^\0]*\0", "a Parquet file", "export it as CSV or JSON lines"),
    (rb"ARROW1[^\0]*\0", "an Arrow file", "export it as CSV or JSON lines"),
    (rb"\x80[\x02-\x05][\x95}\](cX\x8c]", "a pickle", "export it as CSV or JSON lines"),
    (rb"RIFF.{4}WEBP", "a WebP image", "give a file of rows"),
    (rb"RIFF.{4}(WAVE|AVI )", "sound or video", "give a file of rows"),
    (rb"\0\0\0.ftyp", "a video, or an image", "give a file of rows"),
)
_HTML = re.compile(rb"\s*<(!doctype\s+html|html)\b", re.IGNORECASE)
_JSON_DOCUMENT = re.compile(r'\s*(\[\s*($|[{\["\]])|\{\s*$)')


def recognize_binary(head: bytes) -> tuple[str, str]:
    """Return what a file is, and what to do, if its first bytes are not UTF-8 text; else ("", "")."""
    for signature, what, remedy in _BINARY:
        if head.startswith(signature):
            return what, remedy
    for pattern, what, remedy in _PATTERNS:
        if re.match(pattern, head, re.DOTALL):
            return what, remedy
    return "", ""


def describe_binary(head: bytes) -> str:
    """Return a message that says what a file is, and what to do, if its first bytes are not UTF-8 text; else ""."""
    what, remedy = recognize_binary(head)
    if what:
        return f"is {what}, not UTF-8 text; {remedy}"
    if b"\0" in head:
        return "contains NUL bytes: it is binary, or in UTF-16 or UTF-32; convert it to UTF-8 text"
    return ""


def describe_document(head: bytes, first: str) -> str:
    """Return what a file is and what to do, if it is one document and not rows; else "".

    Args:
        head: its first bytes.
        first: its first line.
    """
    if _HTML.match(head):
        return "is an HTML page, not rows of text; give a file of rows"
    if _JSON_DOCUMENT.match(first):
        return 'is one JSON document; write one JSON object per line, and set format="jsonl"'
    return ""
