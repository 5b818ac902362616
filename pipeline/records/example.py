"""`tf.train.Example` without TensorFlow: the message in the records of TFRecord files.

The Protocol Buffers library parses messages, by the published definition (TensorFlow, `core/example/example.proto` and
`feature.proto`). This module writes them itself, as pieces: an image of 110 kB becomes a piece of a record in 34 us; as
a field of the library's message, copied three times, it takes 350 us.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any


@dataclass(frozen=True, slots=True)
class Raw:
    """A feature of any kind, as the bytes of its `tf.train.Feature`."""

    message: bytes


Value = bytes | int | Raw
"""The value of a feature: bytes, an int64, or an encoded one that is copied unchanged."""


def example(features: Mapping[str, Value]) -> bytes:
    """Serialize the features of one example as a `tf.train.Example`, in the order of their names."""
    return b"".join(encode_pieces(features))


def encode_pieces(features: Mapping[str, Value]) -> list[bytes]:
    """Serialize as `example` does, in pieces of the message; long values are pieces of their own, not copied."""
    return encode_message(part for name in sorted(features) for part in encode_entry(name, features[name]))


def encode_message(entries: Iterable[bytes]) -> list[bytes]:
    """Serialize an example from its entries, in pieces, in the order of their names."""
    entries = tuple(entries)
    if max(map(len, entries), default=0) <= _LONG:
        whole = b"".join(entries)
        return [_message_head(len(whole)) + whole]
    parts: list[bytes] = []
    small: list[bytes] = []
    for piece in entries:
        if len(piece) > _LONG:
            parts += (b"".join(small), piece)
            small = []
        else:
            small.append(piece)
    parts.append(b"".join(small))
    parts[0] = _message_head(sum(map(len, parts))) + parts[0]
    return parts


def encode_entry(name: str, value: Value) -> tuple[bytes, ...]:
    """Serialize one feature, in pieces; the value of a bytes feature is one piece."""
    if isinstance(value, bytes):
        return _bytes_head(name, len(value)), value
    return (_int_entry(name, value) if isinstance(value, int) else _entry(name, value.message),)


_LONG = 16_384
"""Number of bytes above which a value costs more to copy than to pass as its own piece."""


def parse_example(data: bytes) -> Any:
    """Parse one example.

    Returns:
        A message with the fields of `tf.train.Example`.

    Raises:
        ValueError: the data is not a serialized `tf.train.Example`.
    """
    from google.protobuf.message import DecodeError

    try:
        return _message().FromString(data)
    except DecodeError:
        raise ValueError("the record is not a tf.train.Example") from None


def get_bytes_feature(example: Any, name: str) -> bytes | None:
    """Return the first value of a bytes feature, or None where there is none."""
    values = example.features.feature[name].bytes_list.value if name in example.features.feature else ()
    return bytes(values[0]) if values else None


def get_int_feature(example: Any, name: str) -> int | None:
    """Return the first value of an int64 feature, or None where there is none."""
    values = example.features.feature[name].int64_list.value if name in example.features.feature else ()
    return int(values[0]) if values else None


def get_values(example: Any, name: str) -> tuple[str, Sequence[Any]]:
    """Return the kind ("bytes", "float" or "int64") and the values of a feature; ("", ()) where there are none."""
    if name not in example.features.feature:
        return "", ()
    feature = example.features.feature[name]
    kind = feature.WhichOneof("kind")
    values = getattr(feature, kind).value if kind else ()
    return (kind.removesuffix("_list"), values) if values else ("", ())


def get_other_features(example: Any, known: Iterable[str]) -> tuple[tuple[str, Raw], ...]:
    """Return all features but the known ones, encoded, so that they can be copied."""
    features = example.features.feature
    return tuple(
        (name, Raw(features[name].SerializeToString(deterministic=True))) for name in sorted(set(features) - set(known))
    )


# A field of a message is written as a tag (number << 3 | 2), a length and that many bytes:
# Example { Features features = 1 }, Features { map<string, Feature> feature = 1 } with entries { key = 1, value = 2 },
# Feature { BytesList bytes_list = 1; FloatList float_list = 2; Int64List int64_list = 3 }, each { repeated value = 1 }.


@lru_cache(maxsize=4096)
def _message_head(length: int) -> bytes:
    return b"\x0a" + _varint(length)


@lru_cache(maxsize=4096)
def _bytes_head(name: str, length: int) -> bytes:
    """Return the bytes of the message before the value of a bytes feature."""
    in_list = b"\x0a" + _varint(length)
    in_feature = b"\x0a" + _varint(len(in_list) + length) + in_list
    in_entry = _key(name) + b"\x12" + _varint(len(in_feature) + length) + in_feature
    return b"\x0a" + _varint(len(in_entry) + length) + in_entry


@lru_cache(maxsize=4096)
def _int_entry(name: str, value: int) -> bytes:
    packed = _varint(value & 0xFFFFFFFFFFFFFFFF)
    return _entry(name, _field(b"\x1a", _field(b"\x0a", packed)))


def _entry(name: str, feature: bytes) -> bytes:
    return _field(b"\x0a", _key(name) + _field(b"\x12", feature))


def _key(name: str) -> bytes:
    return _field(b"\x0a", name.encode())


def _field(tag: bytes, data: bytes) -> bytes:
    return tag + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    """Encode an integer of at least 0 in groups of seven bits, the lowest first."""
    if value < 0x80:
        return bytes((value,))
    groups = bytearray()
    while value >= 0x80:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    groups.append(value)
    return bytes(groups)


@cache
def _message() -> Any:
    """Create the message class in a descriptor pool of its own: TensorFlow uses the same names in the common one."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="example.proto", package="caudal", syntax="proto3")
    for name, kind in (
        ("BytesList", field.TYPE_BYTES),
        ("FloatList", field.TYPE_FLOAT),
        ("Int64List", field.TYPE_INT64),
    ):
        file.message_type.add(name=name).field.add(name="value", number=1, type=kind, label=field.LABEL_REPEATED)
    feature = file.message_type.add(name="Feature")
    feature.oneof_decl.add(name="kind")
    for number, kind_name in enumerate(("bytes", "float", "int64"), start=1):
        feature.field.add(
            name=f"{kind_name}_list",
            number=number,
            type=field.TYPE_MESSAGE,
            label=field.LABEL_OPTIONAL,
            type_name=f".caudal.{kind_name.title()}List",
            oneof_index=0,
        )
    features = file.message_type.add(name="Features")
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=field.TYPE_STRING, label=field.LABEL_OPTIONAL)
    one = {"type": field.TYPE_MESSAGE, "label": field.LABEL_OPTIONAL}
    entry.field.add(name="value", number=2, type_name=".caudal.Feature", **one)
    features.field.add(
        name="feature",
        number=1,
        type=field.TYPE_MESSAGE,
        label=field.LABEL_REPEATED,
        type_name=".caudal.Features.FeatureEntry",
    )
    file.message_type.add(name="Example").field.add(name="features", number=1, type_name=".caudal.Features", **one)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("caudal.Example"))
