"""Make cifar10.pt: train the network for seconds on made-up pictures, one pattern a class.

The real data set is not needed to show that a served answer equals the model's; answers that
are well apart are. Run in this folder: python train_cifar10.py
"""

import torch
from cifar10 import Net
from torch import nn

CLASSES = 10
STEPS = 300


def pictures(count: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """`count` uint8 pictures [count, 3, 32, 32] and their classes [count].

    Each class is stripes of its own colour, direction and width, with noise over them.
    """
    classes = torch.randint(CLASSES, (count,), generator=generator)
    rows, columns = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
    angle = (classes * torch.pi / CLASSES).view(-1, 1, 1)
    phase = torch.rand(count, 1, 1, generator=generator) * 6.28
    along = rows * torch.cos(angle) + columns * torch.sin(angle)
    stripes = 0.5 + 0.5 * torch.sin(along * (0.4 + 0.05 * classes.view(-1, 1, 1)) + phase)
    colour = torch.stack([classes % 3, classes % 4, classes % 5], dim=1) / 4
    noise = torch.randn(count, 3, 32, 32, generator=generator) * 0.08
    clean = stripes.unsqueeze(1) * (0.4 + 0.6 * colour.view(count, 3, 1, 1))
    return ((clean + noise).clamp(0, 1) * 255).to(torch.uint8), classes


def train(seed: int = 0) -> Net:
    """The trained network, on the CPU and in evaluation mode."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    net = Net(num_classes=CLASSES)
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    for _ in range(STEPS):
        images, classes = pictures(64, generator)
        scores = net((images.float() / 255 - 0.5) / 0.5)
        loss = nn.functional.cross_entropy(scores, classes)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return net.eval()


def main() -> None:
    net = train()
    torch.save(net.state_dict(), "cifar10.pt")
    images, classes = pictures(1000, torch.Generator().manual_seed(1))
    right = (net((images.float() / 255 - 0.5) / 0.5).argmax(1) == classes).float().mean()
    print(f"cifar10.pt: {right:.1%} of 1000 new pictures right")


if __name__ == "__main__":
    main()
