"""Training steps in PyTorch, in an environment of requirements-peers.txt.

    python -m benchmarks.peers.step THREADS FORMAT NET PRECISION PATCH BATCH

Prints a line of JSON: seconds of a step of cross-entropy and Dice with AdamW and clipped gradients in the memory
format, or in the better one of `both`; that format; peak memory; parameters.
"""

import json
import sys

import torch
from monai.losses import DiceCELoss

from benchmarks.peers.nets import count_parameters, make_net
from benchmarks.resident import peak_gib
from benchmarks.timing import median_seconds

FORMATS = {"contiguous": torch.contiguous_format, "channels_last_3d": torch.channels_last_3d}


def make_step(net, precision, patch, batch, memory_format):
    net = net.to(memory_format=memory_format)
    image = torch.randn(batch, 2, patch, patch, patch).to(memory_format=memory_format)
    labels = torch.randint(0, 4, (batch, 1, patch, patch, patch))
    loss = DiceCELoss(to_onehot_y=True, softmax=True)
    optimizer = torch.optim.AdamW(net.parameters(), 1e-3, weight_decay=1e-4, fused=True)

    def step():
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "mixed_bfloat16"):
            logits = net(image)
        value = loss(logits.float(), labels)
        value.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        return value.item()

    return step


def main(threads, memory_format, name, precision, patch, batch):
    torch.manual_seed(0)
    torch.set_num_threads(int(threads))
    net = make_net(name)
    tried = FORMATS if memory_format == "both" else [memory_format]
    seconds = {each: median_seconds(make_step(net, precision, int(patch), int(batch), FORMATS[each])) for each in tried}
    best = min(seconds, key=seconds.get)
    figures = {"seconds": seconds[best], "format": best, "peak_gib": peak_gib()}
    print(json.dumps({**figures, "parameters": count_parameters(net)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
