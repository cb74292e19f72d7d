"""A small convolutional network on CIFAR-10, trained from a pixstore store or from the batches as they are published.

    python examples/cifar_convnet.py cifar10.pixstore
    python examples/cifar_convnet.py cifar-10-python.tar.gz

Needs pixstore[torch]. Three epochs reach about 73 % of the 10,000 test images, in one to two minutes on two CPUs.
"""

from __future__ import annotations

import argparse
import time

import pyarrow.compute as pc
import torch
from torch import nn

import pixstore
from pixstore.loader.transforms import HorizontalFlip, Normalize, RandomCrop, ToFloat
from pixstore.torch import Batches

# The mean and the spread of CIFAR-10's training images, per channel.
TENSOR = [ToFloat(), Normalize((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616))]
LEARNING_RATE = 0.01


def block(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


def network(classes: int) -> nn.Module:
    layers = nn.Sequential(
        block(3, 32, stride=2),
        block(32, 64),
        nn.MaxPool2d(2),
        block(64, 128),
        nn.MaxPool2d(2),
        block(128, 128),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(128, classes),
    )
    # The layout that batches have anyway: nothing is moved.
    return layers.to(memory_format=torch.channels_last)


def train(model: nn.Module, batches: Batches, epochs: int) -> None:
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=epochs * len(batches))
    model.train()
    for epoch in range(epochs):
        total = 0.0
        for batch in batches:
            loss = nn.functional.cross_entropy(model(batch["image"]), batch["label"])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item() * len(batch)
        print(f"epoch {epoch + 1} of {epochs}: loss {total / batches.loader.row_count:.3f}", flush=True)


@torch.inference_mode()
def accuracy(model: nn.Module, batches: Batches) -> float:
    model.eval()
    right = sum(int((model(batch["image"]).argmax(1) == batch["label"]).sum()) for batch in batches)
    return right / batches.loader.row_count


def main() -> None:
    parser = argparse.ArgumentParser(description="Train a small convolutional network on CIFAR-10.")
    parser.add_argument("source", help="a pixstore store of CIFAR-10, or its python batches (a folder or the archive)")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=256)
    arguments = parser.parse_args()

    start = time.monotonic()
    torch.manual_seed(0)
    dataset = pixstore.open(arguments.source)
    training = dataset.filter(pc.field("split") == "train")
    test = dataset.filter(pc.field("split") == "test")
    model = network(len(dataset.classes) or 10)
    augmented = [RandomCrop(32, padding=4), HorizontalFlip(), *TENSOR]
    train(model, Batches(training.loader(arguments.batch_size, shuffle=True, transforms=augmented)), arguments.epochs)
    share = accuracy(model, Batches(test.loader(500, transforms=TENSOR)))
    print(f"{share:.1%} of {len(test):,} test images are right, after {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
