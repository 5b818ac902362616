"""Decode requests: what the decoder is asked for each sample that has been read.

Of a JPEG, a request names only the window that the sample's augmentation needs. TensorFlow creates many tensors as fast
as one, so the bytes of many requests become tensors at once, before the first is decoded.
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
        header: of the encoded image; None if there are pixels.
        image: the pixels [H, W, C], if the source or a cache holds them; None if they must be decoded.
        view: the part of the image that the sample shows; None for all of it.
    """

    sample: Sample
    header: Header | None
    image: Image | None
    view: View | None = None

    @property
    def format(self) -> str | None:
        """The format of the encoded image; None if there are pixels."""
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
    """What the decoder is asked for one sample; a sample that has pixels needs no decoding.

    Attributes:
        item: the sample.
        params_row: its row in the augmentation's parameters.
        encoded: the image file's bytes, or a tensor of them.
        window: the window that the augmentation needs; None for the whole image.
        crop: the window in the decoder's coordinates.
    """

    item: ReadSample
    params_row: int
    encoded: Any = None
    window: Window | None = None
    crop: Any = None


class DecodedSample(NamedTuple):
    """A sample with its pixels.

    Attributes:
        request: its decode request.
        image: [H, W, C]: the whole image or view, or the requested window.
    """

    request: DecodeRequest
    image: Image


def decode_requests(
    read: Sequence[ReadSample | SampleError],
    window_of: Callable[[int], Window | None],
    to_tensors: Callable[[Sequence[Any]], Sequence[Any]],
) -> Iterator[DecodeRequest | SampleError]:
    """Yield the decode request of each sample of a batch, and errors unchanged.

    Args:
        read: the samples of one batch.
        window_of: returns the window that a sample's augmentation needs, by its row in the parameters; None for the
            whole image.
        to_tensors: `Decoder.to_tensors`.
    """
    params_row = 0
    for chunk in _split_by_bytes(read):
        requests: list[DecodeRequest | SampleError] = []
        for item in chunk:
            if isinstance(item, SampleError):
                requests.append(item)
            else:
                requests.append(_make_request(item, params_row, window_of))
                params_row += 1
        _convert_to_tensors(requests, to_tensors)
        yield from requests


def decode(request: DecodeRequest, decoder: Decoder) -> Image:
    """Decode a sample's image, or the requested window of it.

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


_MOST_BYTES = 1 << 20
"""Bytes that become tensors at once, beyond one image: TensorFlow copies them, and more would not stay in the
processor's cache."""


def _split_by_bytes(read: Sequence[ReadSample | SampleError]) -> Iterator[Sequence[ReadSample | SampleError]]:
    """Split samples into sequences of at most `_MOST_BYTES` encoded bytes, or of one sample."""
    first, size = 0, 0
    for row, item in enumerate(read):
        own = 0 if isinstance(item, SampleError) else len(item.sample.encoded or b"")
        if size + own > _MOST_BYTES and row > first:
            yield read[first:row]
            first, size = row, 0
        size += own
    if read:
        yield read[first:]


def _make_request(item: ReadSample, params_row: int, window_of: Callable[[int], Window | None]) -> DecodeRequest:
    header = item.header
    if header is None:
        return DecodeRequest(item, params_row)
    # Other formats are decoded whole; so is an image that is turned upright or cropped to a view before augmentation.
    is_simple = header.format == "jpeg" and header.orientation == 1 and item.view is None
    window = window_of(params_row) if is_simple else None
    crop = None if window is None else window.scale(window.ratio)
    return DecodeRequest(item, params_row, item.sample.encoded, window, crop)


def _convert_to_tensors(
    requests: list[DecodeRequest | SampleError], to_tensors: Callable[[Sequence[Any]], Sequence[Any]]
) -> None:
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
