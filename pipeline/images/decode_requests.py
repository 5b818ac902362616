"""Decode requests: what the decoder is asked for each sample that has been read.

Of a JPEG, a request names only the window that the sample's augmentation needs.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, TypeVar

from augment.plan.deferred import DeferredImage
from augment.plan.window import Window
from augment.transform import Image
from augment.views import View
from pipeline.errors import DecodeError, SampleError
from pipeline.images.decode import Decoder
from pipeline.images.header import Header
from pipeline.sources.base import Sample


class ReadSample(NamedTuple):
    """A sample that has been read.

    Attributes:
        sample: as its source returned it.
        header: of the encoded image; None if there are pixels.
        image: the pixels [H, W, C], if the source or a cache holds them; None if they must be decoded.
        view: the part of the image that the sample shows; None for all of it.
    """

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


class DecodeRequest(NamedTuple):
    """What the decoder is asked for one sample; a sample that has pixels needs no decoding.

    Attributes:
        item: the sample.
        params_row: its row in the augmentation's parameters.
        window: the window that the augmentation needs; None for the whole image.
    """

    item: ReadSample
    params_row: int
    window: Window | None = None


class DecodedSample(NamedTuple):
    """A sample with its pixels, which may be deferred.

    Attributes:
        request: its decode request.
        image: [H, W, C]: the whole image or view, or the requested window.
    """

    request: DecodeRequest
    image: Image | DeferredImage


def decode_requests(
    read: Sequence[ReadSample | SampleError], window_of: Callable[[int], Window | None]
) -> Iterator[DecodeRequest | SampleError]:
    """Yield the decode request of each sample of a batch, and errors unchanged.

    Args:
        read: the samples of one batch.
        window_of: returns the window that a sample's augmentation needs, by its row in the parameters; None for the
            whole image.
    """
    params_row = 0
    for item in read:
        if isinstance(item, SampleError):
            yield item
            continue
        header = item.header
        # Other formats are decoded whole; so is an image that is turned upright or cropped to a view first.
        has_window = header is not None and header.format == "jpeg" and header.orientation == 1 and item.view is None
        yield DecodeRequest(item, params_row, window_of(params_row) if has_window else None)
        params_row += 1


def decode(request: DecodeRequest, decoder: Decoder) -> Image:
    """Decode a sample's image, or the requested window of it.

    Raises:
        DecodeError: it is damaged.
    """
    sample, header, window = request.item.sample, request.item.header, request.window
    assert header is not None is not sample.encoded  # noqa: S101  # for the type checker: there are no pixels
    try:
        if window is not None:
            return decoder.window(sample.encoded, header, window.scale(window.ratio), window.ratio)
        return decoder(sample.encoded, header)
    except ValueError as error:
        raise DecodeError(sample.key, str(error)) from None


def defer_decoding(request: DecodeRequest, decoder: Decoder) -> DeferredImage | None:
    """Defer `decode`; None if that cannot be deferred."""
    encoded, header, window = request.item.sample.encoded, request.item.header, request.window
    if header is None or encoded is None:
        return None
    if window is None:
        return decoder.defer(encoded, header)
    return decoder.defer(encoded, header, window.scale(window.ratio), window.ratio)


class ViewDecoder:
    """Decodes requests one by one; consecutive views of one image decode it once.

    Args:
        pixels: decodes the image of a request.
    """

    def __init__(self, pixels: Callable[[DecodeRequest], Image]) -> None:
        self._pixels = pixels
        self._whole: tuple[Sample, Image] | None = None

    def __call__(self, request: DecodeRequest) -> DecodedSample:
        """Decode a request.

        Raises:
            DecodeError: the image is damaged.
        """
        item = request.item
        if item.view is None:
            return DecodedSample(request, self._pixels(request))
        if self._whole is None or self._whole[0] is not item.sample:
            self._whole = (item.sample, self._pixels(request))
        return DecodedSample(request, item.view.crop(self._whole[1]))


_In = TypeVar("_In")
_Out = TypeVar("_Out")


def map_good(step: Callable[[_In], _Out], items: Iterable[_In | SampleError]) -> Iterator[_Out | SampleError]:
    """Yield `step(item)` of each good item, or the sample's error in its position."""
    for item in items:
        if isinstance(item, SampleError):
            yield item
            continue
        try:
            result: _Out | SampleError = step(item)
        except SampleError as error:
            result = error
        yield result
