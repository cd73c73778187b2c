"""MNIST as the lecture's script loads it."""

from PIL import Image
from torch.utils.data import Dataset
from torchvision import transforms

from idx import MEAN, STD


class IdxDataset(Dataset):
    """What torchvision.datasets.MNIST gives, without its download: a PIL image through the transform, and a label."""

    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((MEAN,), (STD,))])

    def __init__(self, images, labels):
        self.images, self.labels = images, labels

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return self.transform(Image.fromarray(self.images[index])), int(self.labels[index])
