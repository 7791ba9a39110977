"""Make mnist.pt: train the network for seconds on digits that are drawn, not downloaded.

They are those of Pillow's own font, white on black as in the real data set, moved, tilted, scaled
and with noise over them. Run in this folder: python train_mnist.py
"""

import numpy as np
import torch
from mnist import Net
from PIL import Image, ImageDraw, ImageFont
from torch import nn

CLASSES = 10
SIDE = 28
MEAN, STD = 0.1307, 0.3081  # of the real data set's pixels
DRAWN = 6000
STEPS = 1000
BATCH = 64


def digits(count: int, generator: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """`count` drawn digits, uint8 [count, 1, 28, 28], and which ones they are [count]."""
    classes = generator.integers(CLASSES, size=count)
    pixels = np.stack([_drawn(digit, generator) for digit in classes])
    return torch.from_numpy(pixels[:, np.newaxis]), torch.from_numpy(classes)


def _drawn(digit: int, generator: np.random.Generator) -> np.ndarray:
    """One digit [28, 28], somewhere near the middle."""
    picture = Image.new("L", (SIDE, SIDE))
    place = SIDE / 2 + generator.uniform(-2, 2, size=2)
    ImageDraw.Draw(picture).text(
        tuple(place),
        str(digit),
        fill=int(generator.integers(180, 256)),
        font=ImageFont.load_default(size=generator.uniform(21, 27)),
        anchor="mm",
        stroke_width=int(generator.integers(2)),
    )
    angle = generator.uniform(-12, 12)
    tilted = np.asarray(picture.rotate(angle, Image.Resampling.BILINEAR), dtype=np.float64)
    noise = generator.normal(scale=12, size=tilted.shape)
    return (tilted + noise).clip(0, 255).astype(np.uint8)


def normalized(pixels: torch.Tensor) -> torch.Tensor:
    """What the network takes, of uint8 pixels."""
    return (pixels.float() / 255 - MEAN) / STD


def train(seed: int = 0) -> Net:
    """The trained network, on the CPU and in evaluation mode."""
    torch.manual_seed(seed)
    generator = np.random.default_rng(seed)
    pixels, classes = digits(DRAWN, generator)
    net = Net()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    for _ in range(STEPS):
        chosen = generator.integers(DRAWN, size=BATCH)
        loss = nn.functional.cross_entropy(net(normalized(pixels[chosen])), classes[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return net.eval()


def main() -> None:
    net = train()
    torch.save(net.state_dict(), "mnist.pt")
    pixels, classes = digits(1000, np.random.default_rng(1))
    with torch.inference_mode():
        best, found = net(normalized(pixels)).softmax(1).max(1)
    right = (found == classes).float().mean()
    sure = (best > 0.9).float().mean()
    print(f"mnist.pt: {right:.1%} of 1000 new digits right, {sure:.1%} answered above 0.9")


if __name__ == "__main__":
    main()
