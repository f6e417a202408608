"""Trains the network of this example on simulated vibration and exports it: model.onnx and data.npz.

    pip install torch onnx onnxscript numpy
    python train.py

Needs no data set: every sample is made here. The model in this folder is a network of this shape, trained on
windows of this kind; a new run gives one with other weights and about the same accuracy.
"""

import numpy as np
import torch
from torch import nn

CLASSES = ["healthy", "imbalance", "misalignment", "bearing fault"]
RATE = 1024.0  # samples a second
LENGTH = 128  # samples a window


def sample(kind: int, random: np.random.Generator) -> np.ndarray:
    """One window of acceleration in three axes, shape [3, 128]."""
    t = np.arange(LENGTH) / RATE
    speed = random.uniform(24, 40)  # revolutions a second
    phase = random.uniform(0, 2 * np.pi, 8)
    gain = random.uniform(0.7, 1.3)
    axes = np.zeros((3, LENGTH))

    def turn(order: float, amplitudes: tuple[float, float, float], start: float) -> None:
        for axis, amplitude in enumerate(amplitudes):
            angle = 2 * np.pi * order * speed * t + start + axis * np.pi / 2
            axes[axis] += gain * amplitude * np.sin(angle)

    turn(1, (0.4, 0.3, 0.1), phase[0])  # every rotor has some imbalance
    if kind == 1:
        turn(1, (0.9, 0.8, 0.1), phase[0])
    elif kind == 2:
        turn(2, (0.6, 0.6, 0.6), phase[1])
    elif kind == 3:
        # An outer race is hit a few times a revolution; each hit rings and dies away.
        period = 1 / (random.uniform(3.0, 4.0) * speed)
        for start in np.arange(random.uniform(0, period), LENGTH / RATE, period):
            age = np.clip(t - start, 0, None)
            ring = (t >= start) * np.exp(-age * 200) * np.sin(2 * np.pi * 250 * age)
            axes += gain * np.array([[0.9], [0.8], [0.7]]) * ring
    return axes + random.normal(0, 0.23, axes.shape)


def data_set(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    y = random.integers(0, len(CLASSES), count)
    x = np.stack([sample(int(kind), random) for kind in y]).astype(np.float32)
    return x, y.astype(np.int64)


class Network(nn.Module):
    """Three temporal convolutions, a mean over time and a linear layer: 4,764 weights."""

    def __init__(self) -> None:
        super().__init__()
        self.f = nn.Sequential(
            nn.Conv1d(3, 16, 7, stride=2, padding=3),
            nn.BatchNorm1d(16),
            nn.ReLU(),
            nn.Conv1d(16, 24, 5, stride=2, padding=4, dilation=2),
            nn.BatchNorm1d(24),
            nn.LeakyReLU(0.1),
            nn.MaxPool1d(2),
            nn.Conv1d(24, 32, 3, padding=1),
            nn.ELU(),
        )
        self.h = nn.Linear(32, len(CLASSES))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.h(self.f(x).mean(dim=2))


def main() -> None:
    torch.manual_seed(0)
    x, y = data_set(3000, seed=1)
    held_x, held_y = data_set(1000, seed=2)
    network = Network()
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    for epoch in range(30):
        network.train()
        order = torch.randperm(len(x))
        for batch in order.split(64):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(network(torch.tensor(x)[batch]), torch.tensor(y)[batch])
            loss.backward()
            optimizer.step()
        network.eval()
        with torch.no_grad():
            right = (network(torch.tensor(held_x)).argmax(1).numpy() == held_y).mean()
        print(f"epoch {epoch + 1}: loss {loss.item():.3f}, held-out accuracy {right:.3f}")
    torch.onnx.export(
        network,
        (torch.zeros(1, 3, LENGTH),),
        "model.onnx",
        input_names=["input"],
        output_names=["output"],
        dynamo=True,
        external_data=False,
    )
    # x and y are held out for evaluation; calib are training samples, from which the int8 ranges are taken.
    np.savez("data.npz", x=held_x, y=held_y, calib=x[:256])


if __name__ == "__main__":
    main()
