"""Make landmarks.pt: train the network for a minute on made-up pictures, one pattern a class.

No photograph is needed to show that an answer of the exported program equals the model's; answers
that are well apart are. Run in this folder: python train_landmarks.py
"""

import torch
from landmarks import Net
from torch import nn

CLASSES = 50
STEPS = 250
SIDE = 224
MEAN = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)


def pictures(count: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """`count` uint8 pictures [count, 3, 224, 224] and their classes [count].

    Each class is stripes of its own colour (ten) and direction (five), with noise over them.
    """
    classes = torch.randint(CLASSES, (count,), generator=generator)
    colour, direction = classes % 10, classes // 10
    rows, columns = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    angle = (direction * torch.pi / 5).view(-1, 1, 1)
    phase = torch.rand(count, 1, 1, generator=generator) * 6.28
    along = rows * torch.cos(angle) + columns * torch.sin(angle)
    stripes = 0.5 + 0.5 * torch.sin(along * 0.35 + phase)
    hue = (colour.view(-1, 1) / 10 + torch.tensor([0, 1 / 3, 2 / 3])) * 2 * torch.pi
    tint = (0.5 + 0.5 * torch.cos(hue)).view(count, 3, 1, 1)
    noise = torch.randn(count, 3, SIDE, SIDE, generator=generator) * 0.08
    clean = stripes.unsqueeze(1) * (0.2 + 0.8 * tint)
    return ((clean + noise).clamp(0, 1) * 255).to(torch.uint8), classes


def normalized(images: torch.Tensor) -> torch.Tensor:
    """What the network takes of pictures [N, 3, 224, 224]: float32 around zero."""
    return (images.float() / 255 - MEAN) / STD


def train(seed: int = 0) -> Net:
    """The trained network, on the CPU and in evaluation mode."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    net = Net(num_classes=CLASSES)
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
    for _ in range(STEPS):
        images, classes = pictures(32, generator)
        loss = nn.functional.cross_entropy(net(normalized(images)), classes)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return net.eval()


def main() -> None:
    net = train()
    torch.save(net.state_dict(), "landmarks.pt")
    images, classes = pictures(200, torch.Generator().manual_seed(1))
    right = (net(normalized(images)).argmax(1) == classes).float().mean()
    print(f"landmarks.pt: {right:.1%} of 200 new pictures right")


if __name__ == "__main__":
    main()
