"""The lecture's MNIST training in PyTorch: the peer that Kiln's `train` is measured against.

    pip install -r requirements.txt
    python lecture_mnist.py --epochs 10 --seed 1 --threads 1 --loader memory --json

`--loader memory` keeps both sets as normalised tensors and indexes them with a new permutation each epoch: the least
that PyTorch can spend on data. `--loader dataloader` works as the lecture's script does: a Dataset of PIL images,
torchvision's transforms and a DataLoader in the same process. Training and test batches are 64 in both.
Seconds are wall time; images/s counts the training part of an epoch alone.
"""

import argparse
import json
import time
from importlib import metadata
from pathlib import Path

import torch
from torch.nn import functional as F
from torch.utils.data import DataLoader

from idx import MEAN, STD, read_idx
from lecture_cnn import LectureCnn

MNIST = Path(__file__).resolve().parents[2] / "assets" / "mnist"
BATCH = 64


class MemoryLoader:
    """The whole set as tensors; iterating yields batches of 64, the last one short."""

    def __init__(self, images, labels, shuffle):
        pixels = torch.tensor(images, dtype=torch.float32).unsqueeze(1)
        self.images = pixels.div_(255).sub_(MEAN).div_(STD)
        self.labels = torch.tensor(labels)
        self.shuffle = shuffle

    def __iter__(self):
        count = len(self.labels)
        if not self.shuffle:
            return zip(self.images.split(BATCH), self.labels.split(BATCH))
        return ((self.images[rows], self.labels[rows]) for rows in torch.randperm(count).split(BATCH))


def loaders(kind, data_dir):
    """The shuffled training loader and the test loader, in file order."""
    train, test = read_idx(data_dir, "train"), read_idx(data_dir, "t10k")
    if kind == "memory":
        return MemoryLoader(*train, shuffle=True), MemoryLoader(*test, shuffle=False)
    # torchvision is not loaded where nobody needs it.
    from idx_dataset import IdxDataset

    return (
        DataLoader(IdxDataset(*train), batch_size=BATCH, shuffle=True),
        DataLoader(IdxDataset(*test), batch_size=BATCH, shuffle=False),
    )


def train_epoch(model, optimizer, loader, epoch):
    """One pass over the training set; returns the number of images."""
    running, seen = 0.0, 0
    for iteration, (images, labels) in enumerate(loader, 1):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        running += loss.item()
        seen += len(labels)
        if iteration % 300 == 0:
            print(f"[{epoch},{iteration:5}] loss:{running / 300:.3f}", flush=True)
            running = 0.0
    return seen


@torch.no_grad()
def evaluate(model, loader):
    """The accuracy, 0..1."""
    correct = total = 0
    for images, labels in loader:
        correct += (model(images).argmax(1) == labels).sum().item()
        total += len(labels)
    return correct / total


def train(seed, epochs, train_loader, test_loader):
    """Trains from `seed`, printing as the lecture does; returns one dict an epoch."""
    torch.manual_seed(seed)
    model = LectureCnn()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.5)
    history = []
    for epoch in range(1, epochs + 1):
        start = time.perf_counter()
        seen = train_epoch(model, optimizer, train_loader, epoch)
        trained = time.perf_counter()
        accuracy = evaluate(model, test_loader)
        training, whole = trained - start, time.perf_counter() - start
        speed = seen / training
        print(f"Accuracy on test set:{int(100 * accuracy)} %")
        seconds = f"training {training:.2f} s, with evaluation {whole:.2f} s"
        print(f"  {accuracy:.4f}, {seconds}, {speed:.0f} images/s", flush=True)
        history.append(
            {
                "epoch": epoch,
                "accuracy": accuracy,
                "seconds_training": round(training, 3),
                "seconds": round(whole, 3),
                "images_per_second": round(speed, 1),
            }
        )
    return history


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, help="default: PyTorch's own choice")
    parser.add_argument("--loader", choices=["memory", "dataloader"], default="memory")
    parser.add_argument("--data-dir", default=MNIST)
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)

    start = time.perf_counter()
    train_loader, test_loader = loaders(options.loader, options.data_dir)
    loading = time.perf_counter() - start
    history = train(options.seed, options.epochs, train_loader, test_loader)
    if options.json:
        report = {
            "peer": "pytorch",
            "torch": torch.__version__,
            "torchvision": metadata.version("torchvision"),
            "seed": options.seed,
            "threads": torch.get_num_threads(),
            "loader": options.loader,
            "seconds_loading": round(loading, 3),
            "epochs": history,
        }
        print(json.dumps(report))


if __name__ == "__main__":
    main()
