#!/usr/bin/env python3
"""Fine-tuning and reward training of a Llama in plain PyTorch, timed: the peer of `uniscale benchmark step` with objective sft or reward.

    tests/benchmarks/pytorch_alignment.py sft|reward [--precision bf16] [--steps 7] [--threads 2] [--no-compile]

scaled_dot_product_attention or the same written out (whose backward is faster in bf16), one product for queries, keys and values and one for both halves of
SwiGLU, fused AdamW, bf16 parameters with fp32 masters, and torch.compile where it works. Prints JSON. Random tokens without padding, so nothing is lost to it: sft has a loss on half of them; reward scores the last token of each
sequence, and compares neighbours.
"""
import argparse
import json
import statistics
import time

import torch
from torch import nn
from torch.nn import functional

from pytorch_update import update

WARMUP = 3


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("objective", choices=["sft", "reward"])
    parser.add_argument("--precision", choices=["bf16", "fp32"], default="fp32")
    sizes = (("layers", 6), ("hidden", 384), ("heads", 6), ("ffn", 1024), ("vocabulary", 8192), ("context", 256), ("batch", 16), ("steps", 7), ("threads", 2))
    for name, value in sizes:
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--no-compile", action="store_true")
    return parser.parse_args()


class Block(nn.Module):
    """A layer of Llama: x + attention(norm(x)), then x + swiglu(norm(x))."""

    def __init__(self, sizes, written_out):
        super().__init__()
        hidden, self.heads, self.written_out = sizes.hidden, sizes.heads, written_out
        self.norm1, self.norm2 = nn.RMSNorm(hidden, eps=1e-5), nn.RMSNorm(hidden, eps=1e-5)
        self.qkv, self.out = nn.Linear(hidden, 3 * hidden, bias=False), nn.Linear(hidden, hidden, bias=False)
        self.gate_up, self.down = nn.Linear(hidden, 2 * sizes.ffn, bias=False), nn.Linear(sizes.ffn, hidden, bias=False)

    def forward(self, x, cosine, sine):
        batch, length, hidden = x.shape
        q, k, v = (part.view(batch, length, self.heads, -1).transpose(1, 2) for part in self.qkv(self.norm1(x)).split(hidden, dim=2))
        q, k = (part * cosine + torch.cat((-part.chunk(2, -1)[1], part.chunk(2, -1)[0]), dim=-1) * sine for part in (q, k))
        y = self.written(q, k, v) if self.written_out else functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(y.transpose(1, 2).reshape(batch, length, hidden))
        gate, up = self.gate_up(self.norm2(x)).chunk(2, dim=-1)
        return x + self.down(functional.silu(gate) * up)

    @staticmethod
    def written(q, k, v):
        hidden = torch.full((q.shape[2], q.shape[2]), float("-inf"), dtype=q.dtype).triu(1)
        return functional.softmax(q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5 + hidden, dim=-1) @ v


class Model(nn.Module):
    def __init__(self, sizes, outputs, written_out):
        super().__init__()
        self.tokens = nn.Embedding(sizes.vocabulary, sizes.hidden)
        self.blocks = nn.ModuleList(Block(sizes, written_out) for _ in range(sizes.layers))
        self.norm, self.head = nn.RMSNorm(sizes.hidden, eps=1e-5), nn.Linear(sizes.hidden, outputs, bias=False)
        dim = sizes.hidden // sizes.heads
        angles = torch.arange(sizes.context)[:, None] * 10000 ** (-torch.arange(0, dim, 2) / dim)
        self.register_buffer("cosine", angles.cos().repeat(1, 2))
        self.register_buffer("sine", angles.sin().repeat(1, 2))
        for parameter in self.parameters():
            if parameter.dim() == 2:
                nn.init.normal_(parameter, std=0.02)

    def body(self, tokens):
        x = self.tokens(tokens)
        for block in self.blocks:
            x = block(x, self.cosine, self.sine)
        return self.norm(x)


class FineTuning(Model):
    def forward(self, tokens, targets):
        logits = self.head(self.body(tokens))
        return functional.cross_entropy(logits.view(-1, logits.shape[-1]).float(), targets.reshape(-1), ignore_index=-100)


class Reward(Model):
    def forward(self, tokens, _):
        scores = self.head(self.body(tokens)[:, -1]).float().view(-1, 2)
        return -functional.logsigmoid(scores[:, 0] - scores[:, 1]).mean()


class Trainer:
    """One optimizer step: forward, backward, clip at 1, AdamW."""

    def __init__(self, arguments, written_out, compiled):
        self.arguments = arguments
        model = FineTuning(arguments, arguments.vocabulary, written_out) if arguments.objective == "sft" else Reward(arguments, 1, written_out)
        self.parameters = self.masters = list(model.parameters())
        if arguments.precision == "bf16":
            self.masters = [nn.Parameter(p.detach().clone()) for p in self.parameters]
            model = model.bfloat16()
            self.parameters = list(model.parameters())
        self.optimizer = torch.optim.AdamW(self.masters, lr=1e-4, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
        self.model = torch.compile(model) if compiled else model

    def step(self):
        tokens = torch.randint(self.arguments.vocabulary, (self.arguments.batch, self.arguments.context + 1))
        targets = tokens[:, 1:].masked_fill(torch.rand(tokens.shape[0], tokens.shape[1] - 1) < 0.5, -100)
        self.model(tokens[:, :-1], targets).backward()
        update(self.parameters, self.masters, self.optimizer)


def measure(arguments, written_out, compiled=False):
    torch.manual_seed(1)
    trainer = Trainer(arguments, written_out, compiled)
    seconds = []
    for number in range(WARMUP + arguments.steps):
        start = time.perf_counter()
        trainer.step()
        if number >= WARMUP:
            seconds.append(time.perf_counter() - start)
    return seconds


def main():
    arguments = parse()
    torch.set_num_threads(arguments.threads)
    ways = {"its attention": measure(arguments, written_out=False), "attention written out": measure(arguments, written_out=True)}
    written_out = statistics.median(ways["attention written out"]) < statistics.median(ways["its attention"])
    if not arguments.no_compile:
        ways["compiled, attention written out" if written_out else "compiled"] = measure(arguments, written_out, compiled=True)
    best = min(ways, key=lambda way: statistics.median(ways[way]))
    tokens = arguments.batch * arguments.context
    print(json.dumps({"torch": torch.__version__, "best": best, "seconds": ways, "tokens_per_second": tokens / statistics.median(ways[best])}))


if __name__ == "__main__":
    main()
