"""Examples are written and parsed without TensorFlow, as TensorFlow does it."""

import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from pipeline.records.example import (
    Raw,
    encode_pieces,
    example,
    get_int_feature,
    get_other_features,
    get_values,
    parse_example,
)

VALUES = st.one_of(
    st.binary(max_size=300),
    st.integers(-(2**63), 2**63 - 1),
    st.sampled_from([b"x" * size for size in (127, 128, 16_383, 16_384, 16_385, 2_100_000)]),
)


def theirs(value: bytes | int) -> tf.train.Feature:
    """Make TensorFlow's feature of a value."""
    if isinstance(value, bytes):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
    return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))


def message(features: dict[str, bytes | int]) -> tf.train.Example:
    """Make TensorFlow's message."""
    made = tf.train.Example(
        features=tf.train.Features(feature={name: theirs(value) for name, value in features.items()})
    )
    made.features.SetInParent()
    return made


@given(features=st.dictionaries(st.text(max_size=40), VALUES, max_size=6))
def test_tensorflow_reads_what_is_written(features: dict[str, bytes | int]) -> None:
    """Whatever the names, kinds and lengths; and the pieces make up the whole."""
    data = example(features)
    assert b"".join(encode_pieces(features)) == data
    assert tf.train.Example.FromString(data) == message(features)


@given(features=st.dictionaries(st.text(min_size=8, max_size=8), VALUES, max_size=6))
def test_an_example_is_what_tensorflow_writes(features: dict[str, bytes | int]) -> None:
    """Byte for byte, where no name begins another (TensorFlow puts the longer one first then)."""
    assert example(features) == message(features).SerializeToString(deterministic=True)


@given(data=st.binary(max_size=60))
def test_any_bytes_are_parsed_or_refused_as_by_tensorflow(data: bytes) -> None:
    """What TensorFlow refuses is a ValueError, and nothing else is."""
    try:
        tf.train.Example.FromString(data)
    except Exception:
        with pytest.raises(ValueError, match=r"is not a tf\.train\.Example"):
            parse_example(data)
    else:
        parse_example(data)


def test_the_kind_and_values_of_a_feature_are_told() -> None:
    """Bytes, floats and integers, any number of them; a feature that is missing or empty has no kind."""
    features = {
        "bytes": tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"x", b"y"])),
        "floats": tf.train.Feature(float_list=tf.train.FloatList(value=[0.5])),
        "ints": tf.train.Feature(int64_list=tf.train.Int64List(value=[3, -1])),
        "empty": tf.train.Feature(int64_list=tf.train.Int64List()),
        "unset": tf.train.Feature(),
    }
    data = tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()
    parsed = parse_example(data)
    found = {name: (kind, list(values)) for name in features for kind, values in [get_values(parsed, name)]}
    assert found == {
        "bytes": ("bytes", [b"x", b"y"]),
        "floats": ("float", [0.5]),
        "ints": ("int64", [3, -1]),
        "empty": ("", []),
        "unset": ("", []),
    }
    assert get_values(parsed, "missing") == ("", ())


def test_unknown_features_are_passed_on_as_they_are() -> None:
    """Lists and floats survive being parsed and written again."""
    original = tf.train.Example(
        features=tf.train.Features(
            feature={
                "a": theirs(3),
                "floats": tf.train.Feature(float_list=tf.train.FloatList(value=[0.5, -1.0])),
                "many": tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"x", b"y"])),
                "none": tf.train.Feature(),
            }
        )
    )
    data = original.SerializeToString(deterministic=True)
    parsed = parse_example(data)
    extra = get_other_features(parsed, ["a"])
    assert [name for name, _ in extra] == ["floats", "many", "none"]
    assert all(isinstance(value, Raw) for _, value in extra)
    assert example({"a": get_int_feature(parsed, "a") or 0, **dict(extra)}) == data
