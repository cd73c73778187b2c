"""Makes preprocessed.bin: torchvision's evaluation transform of the sample pictures here, as float32 tensors.

    python crates/data/tests/pictures/torchvision_golden.py        (Pillow 13.0, torchvision 0.29, numpy 2.4)

The pictures are pillow.py's, and two that this script makes: a CMYK JPEG and one that is much wider than high. Where Kiln
reads more than `Image.convert("RGB")` does, the script says so: EXIF orientation, transparency over white, 16 bits.
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from torchvision import transforms

HERE = Path(__file__).parent
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# Resize, CenterCrop: the three pairs of torchvision's weights, divided by sixteen.
SIZES = [(16, 14), (15, 14), (21, 18)]
PICTURES = [
    "source.png", "wide.png", "gray.png", "gray16.png", "palette.png", "rgba.png", "bilevel.png",
    "rgb.jpg", "gray.jpg", "cmyk.jpg", "progressive.jpg", "orientation6.jpg",
]


def rgb(path: Path) -> Image.Image:
    image = ImageOps.exif_transpose(Image.open(path))
    if image.mode.startswith("I"):
        # convert() would clip everything above 255.
        image = Image.fromarray(np.round(np.asarray(image, dtype=np.float64) / 257).astype(np.uint8))
    if "A" in image.mode or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def main() -> None:
    source = Image.open(HERE / "source.png").convert("RGB")
    source.resize((151, 40)).save(HERE / "wide.png")
    source.convert("CMYK").save(HERE / "cmyk.jpg", quality=95)
    parts = []
    for name in PICTURES:
        for resize, crop in SIZES:
            transform = transforms.Compose(
                [transforms.Resize(resize), transforms.CenterCrop(crop), transforms.ToTensor(), transforms.Normalize(MEAN, STD)]
            )
            parts.append(transform(rgb(HERE / name)).numpy().astype("<f4").tobytes())
    (HERE / "preprocessed.bin").write_bytes(b"".join(parts))


main()
