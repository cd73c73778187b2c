"""MNIST's files."""

import gzip
from pathlib import Path

import numpy as np

MEAN, STD = 0.1307, 0.3081


def read_idx(data_dir, split):
    """Images u8 [N, 28, 28] and labels i64 [N] of "train" or "t10k", from the gzipped IDX files."""
    images = gzip.decompress((Path(data_dir) / f"{split}-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((Path(data_dir) / f"{split}-labels-idx1-ubyte.gz").read_bytes())
    return (
        np.frombuffer(images, np.uint8, offset=16).reshape(-1, 28, 28),
        np.frombuffer(labels, np.uint8, offset=8).astype(np.int64),
    )
