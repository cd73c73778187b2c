"""Makes the small images and golden bytes that tests/pictures.rs compares with, using Pillow and torchvision.

    python crates/data/tests/pictures/pillow.py        (Pillow 13.0, torchvision 0.29, numpy 2.4)

Everything is computed from a formula; running it again gives the same pixels.
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from torchvision import transforms
from torchvision.transforms import InterpolationMode

HERE = Path(__file__).parent
FILTERS = [
    (Image.Resampling.BILINEAR, InterpolationMode.BILINEAR),
    (Image.Resampling.BICUBIC, InterpolationMode.BICUBIC),
    (Image.Resampling.NEAREST, InterpolationMode.NEAREST),
]
SIZES = [(14, 20), (11, 53), (61, 80), (90, 7), (1, 1), (37, 53)]  # height, width
CROPS = [(24, 20, 20), (25, 20, 22), (51, 41, 44), (26, 25, 25)]  # Resize, CenterCrop height, width


def planes(image: Image.Image) -> bytes:
    """[C, H, W] bytes."""
    array = np.asarray(image)
    return (array if array.ndim == 2 else array.transpose(2, 0, 1)).tobytes()


def source() -> Image.Image:
    """53 x 37 RGB: smooth waves, hard edges and noise."""
    y, x = np.mgrid[0:37, 0:53]
    noise = np.random.default_rng(1).integers(0, 256, (37, 53, 3))
    waves = np.stack([128 + 127 * np.sin(x / 5), 255.0 * ((x // 7 + y // 6) % 2), 255 * y / 36], axis=2)
    return Image.fromarray(np.where((x + y)[..., None] % 5 == 0, noise, waves).round().astype(np.uint8))


def write(name: str, parts: list[bytes]) -> None:
    (HERE / name).write_bytes(b"".join(parts))


def resizing(image: Image.Image) -> None:
    image.save(HERE / "source.png")
    write("gray.bin", [planes(image.convert("L"))])
    write("resized.bin", [planes(image.resize((w, h), pil)) for pil, _ in FILTERS for h, w in SIZES])
    tall = image.transpose(Image.Transpose.TRANSPOSE)
    cropped = []
    for _, mode in FILTERS:
        for resize, height, width in CROPS:
            steps = transforms.Compose([transforms.Resize(resize, mode), transforms.CenterCrop((height, width))])
            cropped += [planes(steps(image)), planes(steps(tall))]
    write("cropped.bin", cropped)


def normalising() -> None:
    """All 256 bytes through ToTensor and Normalize: MNIST's, then ImageNet's three channels."""
    ramp = np.arange(256, dtype=np.uint8)[None]
    mnist = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])
    imagenet = transforms.Compose(
        [transforms.ToTensor(), transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))]
    )
    rgb = np.repeat(ramp[..., None], 3, axis=2)
    outputs = [mnist(Image.fromarray(ramp)), imagenet(Image.fromarray(rgb))]
    write("normalised.bin", [output.numpy().astype("<f4").tobytes() for output in outputs])


def decoding(image: Image.Image) -> None:
    """One file of each kind; decoded.bin has what each must decode to, in the order of the calls."""
    small = image.crop((0, 0, 24, 16))
    gray = small.convert("L")
    expected = []

    def save(name: str, picture: Image.Image, golden: Image.Image | None = None, **options) -> None:
        picture.save(HERE / name, **options)
        if golden is None:
            golden = Image.open(HERE / name).convert("L" if picture.mode in ("L", "1") else "RGB")
        expected.append(planes(golden))

    save("gray.png", gray)
    wide = (np.asarray(gray).astype(np.uint16) * 256 + np.arange(24, dtype=np.uint16) * 10)
    save("gray16.png", Image.fromarray(wide), Image.fromarray(np.round(wide / 257).astype(np.uint8)))
    save("bilevel.png", gray.point(lambda v: 255 * (v > 127)).convert("1"))
    save("palette.png", small.quantize(16))
    alpha = Image.fromarray((np.mgrid[0:16, 0:24][1] * 11).astype(np.uint8))
    clear = small.copy()
    clear.putalpha(alpha)
    save("rgba.png", clear, over_white(clear))
    # Black ink on a transparent page, as drawing programs export it: the page must become white.
    ink = Image.new("LA", (24, 16), (0, 0))
    ink.paste((0, 255), (8, 4, 12, 13))
    save("ink.png", ink, over_white(ink).convert("L"))
    save("rgb.bmp", small)
    save("lossless.webp", small, lossless=True)
    save("rgb.jpg", smooth(24, 16), quality=95, subsampling=0)
    save("gray.jpg", smooth(24, 16).convert("L"), quality=95)
    save("progressive.jpg", smooth(24, 16), quality=95, subsampling=0, progressive=True)
    # Lossy with transparency, two frames: the kind of file whose damage image-webp does not notice by itself.
    clear.save(HERE / "two-frames.webp", save_all=True, append_images=[clear.rotate(180)], quality=60, method=0)
    first = small.quantize(16)
    save("two-frames.gif", first, first.convert("RGB"), save_all=True, append_images=[ImageOps.invert(small).quantize(16)])
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        name = f"orientation{orientation}.jpg"
        picture = smooth(24, 16).convert("L")
        picture.save(HERE / name, quality=95, exif=exif)
        expected.append(planes(ImageOps.exif_transpose(Image.open(HERE / name))))
    write("decoded.bin", expected)


def smooth(width: int, height: int) -> Image.Image:
    """No hard edges, so that JPEG decoders differ by rounding only; no symmetry, so that orientations differ."""
    y, x = np.mgrid[0:height, 0:width]
    return Image.fromarray(np.stack([x * 10, y * 15, (x * 3 + y * 9)], axis=2).astype(np.uint8))


def over_white(image: Image.Image) -> Image.Image:
    page = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(page, image.convert("RGBA")).convert("RGB")


if __name__ == "__main__":
    picture = source()
    resizing(picture)
    normalising()
    decoding(picture)
