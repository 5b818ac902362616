"""Samples that have been read, and what is to be decoded of each.

Of a JPEG, only the part that its augmentation needs. TensorFlow takes as long to begin with the bytes of one image as
with those of many, so that many are handed over at once, before the first of them is decoded.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from augment.plan.plan import Window
from augment.transform import Image
from augment.views import View
from pipeline.decode import KERNELS, Decoder
from pipeline.errors import DecodeError
from pipeline.header import Header
from pipeline.sources.base import Sample


class Taken(NamedTuple):
    """A sample that has been read, and is not decoded yet unless its source or a cache holds pixels."""

    sample: Sample
    header: Header | None
    image: Image | None
    view: View | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the upright image, or of its view."""
        if self.view is not None:
            return self.view.height, self.view.width
        if self.image is not None:
            return self.image.shape[0], self.image.shape[1]
        assert self.header is not None  # noqa: S101  # there are pixels or a header
        return self.header.upright_size


class Request(NamedTuple):
    """What a decoder is asked for; nothing where there are pixels.

    Attributes:
        encoded: the image file's bytes, or what the decoder's `hand_over` made of them.
        window: the part that its augmentation needs; None for all of it.
        crop: that part as the decoder takes it.
    """

    encoded: Any = None
    window: Window | None = None
    crop: Any = None


def requests(items: Sequence[Taken], decoder: Decoder, window_of: Callable[[int], Window | None]) -> Iterator[Request]:
    """Say what is to be decoded of each of some samples.

    Args:
        items: of one batch.
        decoder: that will be asked.
        window_of: gives the part that the augmentation of the sample at a place among them needs; None for all of it.
    """
    row = 0
    for chunk in _chunks(items):
        asked = [_request(item, row, window_of) for row, item in enumerate(chunk, row)]
        row += len(chunk)
        yield from _handed_over(asked, chunk, decoder)


def decoded(item: Taken, request: Request, decoder: Decoder) -> Image:
    """Decode a sample, or the part of it that is asked for, where it is not pixels already.

    Raises:
        DecodeError: it is damaged.
    """
    if item.image is not None:
        return item.image
    assert item.header is not None  # noqa: S101  # for the type checker: there are no pixels
    try:
        if request.window is not None:
            return decoder.window(request.encoded, item.header, request.crop, request.window.ratio)
        return decoder(request.encoded, item.header)
    except ValueError as error:
        raise DecodeError(item.sample.key, str(error)) from None


_MOST_HANDED_OVER = 1 << 20
"""Bytes that TensorFlow is handed at once, beyond one image: it copies them, and more would not stay in the cache."""


def _chunks(items: Sequence[Taken]) -> Iterator[Sequence[Taken]]:
    """Part samples into runs of so many encoded bytes."""
    first, size = 0, 0
    for place, item in enumerate(items):
        own = len(item.sample.encoded or b"")
        if size + own > _MOST_HANDED_OVER and place > first:
            yield items[first:place]
            first, size = place, 0
        size += own
    if items:
        yield items[first:]


def _request(item: Taken, row: int, window_of: Callable[[int], Window | None]) -> Request:
    header = item.header
    if header is None or item.image is not None:
        return Request()
    # Other formats are decoded whole, and so is what has to be turned or of which a view is taken first.
    is_simple = header.format == "jpeg" and header.orientation == 1 and item.view is None
    window = window_of(row) if is_simple else None
    return Request(item.sample.encoded, window, None if window is None else window.scaled(window.ratio))


def _handed_over(asked: list[Request], items: Sequence[Taken], decoder: Decoder) -> list[Request]:
    """Replace the bytes and the windows of some requests by what the decoder takes in place of them."""
    places = [place for place, item in enumerate(items) if item.header is not None and item.header.format in KERNELS]
    parts = [place for place in places if asked[place].window is not None]
    files = {id(asked[place].encoded): asked[place].encoded for place in places}  # several views may be of one
    if parts:
        crops = decoder.hand_over([asked[place].crop for place in parts])
        for place, crop in zip(parts, crops, strict=True):
            asked[place] = asked[place]._replace(crop=crop)
    if files:
        handed = dict(zip(files, decoder.hand_over(list(files.values())), strict=True))
        for place in places:
            asked[place] = asked[place]._replace(encoded=handed[id(asked[place].encoded)])
    return asked
