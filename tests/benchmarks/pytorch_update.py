"""The end of an optimizer step in PyTorch, of parameters that may be bf16 copies of fp32 masters."""
import torch
from torch import nn


def update(parameters, masters, optimizer):
    """Clips gradients at 1, takes the step, and brings the masters' values back to their copies."""
    if masters is not parameters:
        for master, parameter in zip(masters, parameters):
            master.grad = parameter.grad.float()
    nn.utils.clip_grad_norm_(masters, 1.0)
    optimizer.step()
    for parameter in parameters:
        parameter.grad = None
    if masters is not parameters:
        with torch.no_grad():
            for master, parameter in zip(masters, parameters):
                parameter.copy_(master)
