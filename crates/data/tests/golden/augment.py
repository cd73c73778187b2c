"""Writes augment.bin: what torchvision makes of two small pictures.

    python crates/data/tests/golden/augment.py        (torch 2.15, torchvision 0.29, Pillow 13.0)

All numbers are little-endian. The file starts with the pictures: their number (u8), then for each the channels,
height and width (u8) and its bytes. The cases follow until the end of the file:

    length of the name (u8), name, picture (u8), number of parameters (u8), parameters (f64),
    channels, height, width of the result (u8), bytes of the result
"""

import struct
from pathlib import Path

import torch
import torchvision
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

MAGNITUDES = [(0, 1), (9, 1), (9, -1), (20, 1), (30, -1)]
BILINEAR = v2.InterpolationMode.BILINEAR


def pictures():
    """A colour picture with smooth parts, noise and flat grey parts, and a grey one that looks like a digit."""
    random = torch.Generator().manual_seed(7)
    y, x = torch.meshgrid(torch.arange(16.0), torch.arange(20.0), indexing="ij")
    waves = [127 + 120 * torch.sin(x / 5 + phase) * torch.cos(y / 4 - phase) for phase in (0.0, 1.0, 2.5)]
    colour = torch.stack(waves).round().to(torch.uint8)
    colour[:, 3:9, 11:19] = torch.randint(0, 256, (3, 6, 8), generator=random, dtype=torch.uint8)
    colour[:, 12:15, 2:7] = torch.arange(0, 256, 17, dtype=torch.uint8)[:15].reshape(3, 5)
    y, x = torch.meshgrid(torch.arange(24.0), torch.arange(20.0), indexing="ij")
    ring = ((y - 11).square() / 2 + (x - 9).square()).sqrt()
    grey = (255 - 90 * (ring - 6).abs()).clamp(0, 255).round().to(torch.uint8)[None]
    grey[0, 18:, :6] = torch.randint(30, 90, (6, 6), generator=random, dtype=torch.uint8)
    return [colour, grey]


class Writer:
    def __init__(self, pictures):
        self.pictures = pictures
        self.data = bytearray([len(pictures)])
        for picture in pictures:
            self.data += self.tensor(picture)

    @staticmethod
    def tensor(picture):
        assert picture.dtype == torch.uint8 and picture.ndim == 3
        return bytes(picture.shape) + picture.contiguous().numpy().tobytes()

    def case(self, name, parameters, function):
        """Runs the function on each picture."""
        for index, picture in enumerate(self.pictures):
            self.data += bytes([len(name)]) + name.encode() + bytes([index, len(parameters)])
            self.data += struct.pack(f"<{len(parameters)}d", *parameters)
            self.data += self.tensor(function(picture.clone()))


def geometry(writer):
    writer.case("flip_horizontal", [], F.horizontal_flip)
    writer.case("flip_vertical", [], F.vertical_flip)
    for padding, top, left, fill in [(4, 0, 0, 0), (4, 4, 4, 9), (4, 8, 1, 200), (30, 7, 55, 3)]:

        def crop(picture):
            return F.crop(F.pad(picture, padding, fill=fill), top, left, *picture.shape[1:])

        writer.case("crop_padded", [padding, top, left, fill], crop)
    maps = [
        (0, (0, 0), 1, (0, 0)),
        (30, (0, 0), 1, (0, 0)),
        (0, (3, -2), 1, (0, 0)),
        (0, (0.3, 0.6), 1, (0, 0)),
        (0, (0, 0), 1.3, (0, 0)),
        (0, (0, 0), 0.6, (0, 0)),
        (0, (0, 0), 1, (20, 0)),
        (0, (0, 0), 1, (0, -25)),
        (-77.5, (2, 1), 0.85, (12, -7)),
        (180, (40, 0), 1, (0, 0)),
    ]
    for angle, translate, scale, shear in maps:
        for fill in (0, 140):

            def affine(picture):
                return F.affine(picture, angle, translate, scale, shear, interpolation=BILINEAR, fill=fill)

            writer.case("affine", [angle, *translate, scale, *shear, fill], affine)


def resized_crops(writer):
    """On Pillow images, as training recipes use them."""
    for top, left, height, width in [(0, 0, 16, 20), (2, 3, 9, 14), (5, 4, 11, 2), (15, 19, 1, 1), (1, 0, 11, 15)]:
        for size in [(8, 10), (14, 15), (20, 6), (5, 16)]:

            def crop(picture):
                image = F.to_pil_image(picture)
                return F.pil_to_tensor(F.resized_crop(image, top, left, height, width, size, interpolation=BILINEAR))

            # Since Pillow 13 the vertical pass comes first where it shrinks much more; the horizontal one did always.
            vertical_first = height > size[0] and height - size[0] > 2 * (width - size[1])
            name = "resized_crop_vertical_first" if vertical_first else "resized_crop"
            writer.case(name, [top, left, height, width, *size], crop)


def colours(writer):
    adjustments = {
        "brightness": (F.adjust_brightness, [0.0, 0.6, 1.0, 1.37, 4.0]),
        "contrast": (F.adjust_contrast, [0.0, 0.6, 1.0, 1.37, 4.0]),
        "saturation": (F.adjust_saturation, [0.0, 0.6, 1.0, 1.37, 4.0]),
        "sharpness": (F.adjust_sharpness, [0.0, 0.6, 1.0, 1.37, 4.0]),
        "hue": (F.adjust_hue, [-0.5, -0.21, 0.0, 0.04, 0.3]),
    }
    for name, (function, factors) in adjustments.items():
        for factor in factors:
            writer.case(name, [factor], lambda picture: function(picture, factor))


def elastic(writer):
    """ElasticTransform with noise that is made up here, in place of torch.rand."""

    def noise(height, width):
        return (torch.arange(2 * height * width) * 7919 % 1009 / 504 - 1).reshape(2, 1, 1, height, width)

    for alpha, sigma, fill in [(50, 3.6, 0), (34, 2, 100), (4, 0.6, 0), (2, 0, 0)]:

        def deform(picture):
            transform = v2.ElasticTransform(alpha=alpha, sigma=sigma, fill=fill)
            uniform = [field / 2 + 0.5 for field in noise(*picture.shape[1:])]
            rand = torch.rand
            torch.rand = lambda *size: uniform.pop(0)
            try:
                return transform(picture)
            finally:
                torch.rand = rand

        writer.case("elastic", [alpha, sigma, fill], deform)


def rand_augment(writer):
    transform = v2.RandAugment(interpolation=BILINEAR, fill=30)
    space = transform._AUGMENTATION_SPACE
    for number, (name, (magnitudes, signed)) in enumerate(space.items()):
        varied = magnitudes(31, 1, 1) is not None
        for magnitude, sign in MAGNITUDES if varied else [(0, 1)]:
            if signed or sign == 1:

                def apply(picture):
                    amount = sign * float(magnitudes(31, *picture.shape[1:])[magnitude]) if varied else 0.0
                    return transform._apply_image_or_video_transform(
                        picture, name, amount, interpolation=BILINEAR, fill=transform._fill
                    )

                writer.case("rand_augment", [number, magnitude, sign, 30], apply)


if __name__ == "__main__":
    writer = Writer(pictures())
    geometry(writer)
    resized_crops(writer)
    colours(writer)
    elastic(writer)
    rand_augment(writer)
    path = Path(__file__).with_suffix(".bin")
    path.write_bytes(writer.data)
    print(f"{path.name}: {len(writer.data)} bytes, torchvision {torchvision.__version__}")
