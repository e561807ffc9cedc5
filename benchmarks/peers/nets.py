"""Networks of about as many parameters in PyTorch: this project's U-Net, and MONAI's. Tensors are `(batch, channel, i,
j, k)`."""

import numpy as np
import torch
from monai.networks.nets import BasicUNet, UNet
from torch import nn

LEAK = 0.1
FILTERS = (16, 32, 64, 64, 112)


def _convolve(channels, filters):
    return nn.Sequential(nn.Conv3d(channels, filters, 3, padding=1), nn.LeakyReLU(LEAK, inplace=True))


def _level(channels, filters):
    return nn.Sequential(_convolve(channels, filters), _convolve(filters, filters))


class SameUNet(nn.Module):
    """`tf_msgan.networks.unet`, layer by layer; gives logits. Sizes divide by 16."""

    def __init__(self, modalities: int = 2, classes: int = 4):
        super().__init__()
        *upper, deepest = FILTERS
        self.down = nn.ModuleList(_level(n, m) for n, m in zip((modalities, *upper), upper, strict=False))
        self.deep = _level(upper[-1], deepest)
        above = (*upper[1:], deepest)
        self.doubled = nn.ModuleList(
            nn.Sequential(nn.ConvTranspose3d(n, m, kernel_size=2, stride=2), nn.LeakyReLU(LEAK, inplace=True))
            for n, m in zip(above, upper, strict=True)
        )
        self.up = nn.ModuleList(_level(2 * n, n) for n in upper)
        self.head = nn.Conv3d(upper[0], classes, 1)

    def forward(self, x):
        skips = []
        for level in self.down:
            x = level(x)
            skips.append(x)
            x = nn.functional.max_pool3d(x, 2)
        x = self.deep(x)
        for doubled, level, skip in reversed(list(zip(self.doubled, self.up, skips, strict=True))):
            x = level(torch.cat([doubled(x), skip], 1))
        return self.head(x)

    def load_keras(self, path):
        """Takes the weights of `tf_msgan.networks.unet` from an `.npz` of its arrays in order."""
        levels = [*self.down, self.deep]
        for doubled, level in reversed(list(zip(self.doubled, self.up, strict=True))):
            levels += [doubled, level]
        ours = [p for level in [*levels, self.head] for p in level.parameters()]
        with np.load(path) as arrays, torch.no_grad():
            for parameter, name in zip(ours, arrays.files, strict=True):
                array = arrays[name]
                # Kernels are (i, j, k, in, out), of transposed convolutions (i, j, k, out, in).
                parameter.copy_(torch.from_numpy(array.transpose(4, 3, 0, 1, 2) if array.ndim == 5 else array))
        return self


def make_net(name: str) -> nn.Module:
    """Returns a network for two modalities and four classes: "SameUNet", "BasicUNet" or "UNet"."""
    if name == "BasicUNet":
        return BasicUNet(spatial_dims=3, in_channels=2, out_channels=4, features=(18, 18, 36, 72, 144, 18))
    if name == "UNet":
        widths = {"channels": (20, 40, 80, 160), "strides": (2, 2, 2), "num_res_units": 2}
        return UNet(spatial_dims=3, in_channels=2, out_channels=4, **widths)
    return SameUNet()


def count_parameters(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())
