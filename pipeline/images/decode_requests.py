"""Samples that have been read, and the requests by which they are decoded.

A request asks for only the part of a JPEG that the sample's augmentation needs. TensorFlow takes as long to make one
tensor as to make many, so many requests become tensors at once, before the first of them is decoded.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

from augment.plan.window import Window
from augment.transform import Image
from augment.views import View
from pipeline.errors import DecodeError, SampleError
from pipeline.images.decode import KERNELS, Decoder
from pipeline.images.header import Header
from pipeline.sources.base import Sample


class ReadSample(NamedTuple):
    """A sample that has been read.

    Attributes:
        sample: as its source returned it.
        header: of the encoded image; None where there are pixels.
        image: the pixels [H, W, C], where the source or a cache holds them; None where they must be decoded.
        view: the part of the image that is the sample; None for all of it.
    """

    sample: Sample
    header: Header | None
    image: Image | None
    view: View | None = None

    @property
    def format(self) -> str | None:
        """The format of the encoded image; None where there are pixels."""
        return None if self.header is None else self.header.format

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
    """What a decoder is asked for; nothing where there are pixels.

    Attributes:
        item: the sample.
        params_row: its row in the augmentation's parameters.
        encoded: the image file's bytes, or the tensor that the decoder made of them.
        window: the part that the augmentation needs; None for all of it.
        crop: that part as the decoder takes it.
    """

    item: ReadSample
    params_row: int
    encoded: Any = None
    window: Window | None = None
    crop: Any = None


class DecodedSample(NamedTuple):
    """A sample whose pixels are there.

    Attributes:
        request: by which it was decoded.
        image: [H, W, C], all of its image or view, or the requested window.
    """

    request: DecodeRequest
    image: Image


def decode_requests(
    read: Sequence[ReadSample | SampleError],
    window_of: Callable[[int], Window | None],
    to_tensors: Callable[[Sequence[Any]], Sequence[Any]],
) -> Iterator[DecodeRequest | SampleError]:
    """Yield the decode request of each sample of a batch; errors pass.

    Args:
        read: the samples of one batch.
        window_of: returns the part that a sample's augmentation needs, by its row in the parameters; None for all.
        to_tensors: the decoder's, see `Decoder.to_tensors`.
    """
    params_row = 0
    for chunk in _chunks(read):
        requests: list[DecodeRequest | SampleError] = []
        for item in chunk:
            if isinstance(item, SampleError):
                requests.append(item)
            else:
                requests.append(_request(item, params_row, window_of))
                params_row += 1
        _convert(requests, to_tensors)
        yield from requests


def decode(request: DecodeRequest, decoder: Decoder) -> Image:
    """Decode a sample's image, or the window of it that is requested.

    Raises:
        DecodeError: it is damaged.
    """
    sample, header = request.item.sample, request.item.header
    assert header is not None  # noqa: S101  # for the type checker: there are no pixels
    try:
        if request.window is not None:
            return decoder.window(request.encoded, header, request.crop, request.window.ratio)
        return decoder(request.encoded, header)
    except ValueError as error:
        raise DecodeError(sample.key, str(error)) from None


class ViewDecoder:
    """Decodes one request after the other; views of one image that follow each other decode it once.

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
    """Yield what a step makes of each good item; the error of a sample travels on in its place."""
    for item in items:
        if isinstance(item, SampleError):
            yield item
            continue
        try:
            result: _Out | SampleError = step(item)
        except SampleError as error:
            result = error
        yield result


_MOST_BYTES = 1 << 20
"""Bytes that become tensors at once, beyond one image: TensorFlow copies them, and more would not stay in the cache."""


def _chunks(read: Sequence[ReadSample | SampleError]) -> Iterator[Sequence[ReadSample | SampleError]]:
    """Split samples into runs of at most so many encoded bytes."""
    first, size = 0, 0
    for row, item in enumerate(read):
        own = 0 if isinstance(item, SampleError) else len(item.sample.encoded or b"")
        if size + own > _MOST_BYTES and row > first:
            yield read[first:row]
            first, size = row, 0
        size += own
    if read:
        yield read[first:]


def _request(item: ReadSample, params_row: int, window_of: Callable[[int], Window | None]) -> DecodeRequest:
    header = item.header
    if header is None:
        return DecodeRequest(item, params_row)
    # Other formats are decoded whole, and so is an image that is turned, or cut to a view, before its augmentation.
    is_simple = header.format == "jpeg" and header.orientation == 1 and item.view is None
    window = window_of(params_row) if is_simple else None
    crop = None if window is None else window.scale(window.ratio)
    return DecodeRequest(item, params_row, item.sample.encoded, window, crop)


def _convert(requests: list[DecodeRequest | SampleError], to_tensors: Callable[[Sequence[Any]], Sequence[Any]]) -> None:
    """Replace the bytes and crops of the requests that TensorFlow decodes by tensors."""
    ours = {
        row: request
        for row, request in enumerate(requests)
        if isinstance(request, DecodeRequest) and request.encoded is not None and request.item.format in KERNELS
    }
    if not ours:
        return
    files = {id(request.encoded): request.encoded for request in ours.values()}  # several views may share one
    crops = {row: request.crop for row, request in ours.items() if request.window is not None}
    if crops:
        crops = dict(zip(crops, to_tensors(list(crops.values())), strict=True))
    contents = dict(zip(files, to_tensors(list(files.values())), strict=True))
    for row, request in ours.items():
        requests[row] = request._replace(encoded=contents[id(request.encoded)], crop=crops.get(row))
