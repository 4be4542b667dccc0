#!/usr/bin/env python3
"""The model of configs/quickstart.yaml in plain PyTorch, trained on the same tokens in the same order.

    tests/benchmarks/pytorch_twin.py [--steps 80] [--stop 15] [--batch 16] [--lr 1e-3] [--warmup 0.2] [--corpus data/corpus-small]
                                     [--threads 2] [--weights FILE.safetensors]

--batch, --lr and --warmup are batch.global, optimizer.lr and schedule.warmup_ratio of the run it is put beside. Asks `scripts/uniscale curriculum show` which tokens the steps are made of, reads them from the shards, and trains with
torch.optim.AdamW. Prints the training loss of each step and the validation loss of each source, in the words of `uniscale train`,
so that both can be put side by side. First weights are drawn from the same distributions, or read from a checkpoint of a run of one
step with a learning rate of 1e-12 (--weights), which is where Uniscale begins.
Needs python3-torch and python3-numpy; written for torch 1.13 and newer.
"""
import argparse
import json
import math
import os
import re
import struct
import subprocess
import time

import numpy
import torch
from torch import nn
from torch.nn import functional

LAYERS, HIDDEN, HEADS, FFN, CONTEXT, VOCABULARY = 6, 384, 6, 1024, 256, 8192
FINAL, DECAY, CLIP = 0.1, 0.1, 1.0
DOMAINS = ["web", "encyclopedia", "books", "papers", "code", "others"]


class RmsNorm(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(HIDDEN))

    def forward(self, x):
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-5) * self.weight


def rotate(x, cosine, sine):
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cosine - second * sine, second * cosine + first * sine], dim=-1)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention_norm, self.ffn_norm = RmsNorm(), RmsNorm()
        self.wq, self.wk, self.wv, self.wo = (nn.Linear(HIDDEN, HIDDEN, bias=False) for _ in range(4))
        self.w1, self.w3 = nn.Linear(HIDDEN, FFN, bias=False), nn.Linear(HIDDEN, FFN, bias=False)
        self.w2 = nn.Linear(FFN, HIDDEN, bias=False)

    def forward(self, x, cosine, sine, mask):
        b, t, _ = x.shape
        h = self.attention_norm(x)
        q, k, v = (w(h).view(b, t, HEADS, -1).transpose(1, 2) for w in (self.wq, self.wk, self.wv))
        q, k = rotate(q, cosine, sine), rotate(k, cosine, sine)
        scores = (q @ k.transpose(-1, -2)) / math.sqrt(q.shape[-1]) + mask
        x = x + self.wo((scores.softmax(-1) @ v).transpose(1, 2).reshape(b, t, HIDDEN))
        h = self.ffn_norm(x)
        return x + self.w2(functional.silu(self.w1(h)) * self.w3(h))


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, HIDDEN)
        self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
        self.norm = RmsNorm()
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:
                writes_residual = name.endswith(("wo.weight", "w2.weight"))
                nn.init.normal_(parameter, std=0.02 / (math.sqrt(2 * LAYERS) if writes_residual else 1))
        half = HIDDEN // HEADS // 2
        angles = torch.arange(CONTEXT)[:, None] * 10000.0 ** (-torch.arange(half) / half)
        self.register_buffer("cosine", angles.cos())
        self.register_buffer("sine", angles.sin())
        self.register_buffer("mask", torch.full((CONTEXT, CONTEXT), -math.inf).triu(1))

    def forward(self, tokens, targets):
        x = self.embedding(tokens)
        for block in self.blocks:
            x = block(x, self.cosine, self.sine, self.mask)
        logits = functional.linear(self.norm(x), self.embedding.weight)
        return functional.cross_entropy(logits.view(-1, VOCABULARY), targets.reshape(-1), ignore_index=-100)


def shard(prefix):
    return numpy.memmap(prefix + ".bin", dtype=numpy.uint16, mode="r")


def order(steps, batch, corpus):
    """For each step the (shard, first token) of its sequences, from Uniscale's own account: the order is a function of the position, so one large step asks for all."""
    text = subprocess.run(
        ["scripts/uniscale", "curriculum", "show", "configs/quickstart.yaml", "--set", "train.steps=1", "--set", f"batch.global={steps * batch}",
         "--at", "0", "--samples", str(steps * batch)],
        env=dict(os.environ, UNISCALE_CORPUS=corpus), capture_output=True, text=True, check=True).stdout
    places = [(path, int(first)) for path, first in re.findall(r"sample \d+: .*?epoch \d+, (\S+) tokens (\d+) to", text)]
    assert len(places) == steps * batch, text[-2000:]
    return [places[first:first + batch] for first in range(0, len(places), batch)]


def learning_rate(peak, warmup, progress):
    """The rate once this share of the run is consumed: linear up to the share `warmup`, then a cosine."""
    if progress < warmup:
        return peak * progress / warmup
    return peak * (FINAL + (1 - FINAL) * 0.5 * (1 + math.cos(math.pi * (progress - warmup) / (1 - warmup))))


def sequences_at(places):
    rows = torch.stack([torch.from_numpy(shard(path)[first:first + CONTEXT + 1].astype(numpy.int64)) for path, first in places])
    return rows[:, :-1], rows[:, 1:]


def validate(model, corpus, sequences):
    total, count = 0.0, 0
    with torch.no_grad():
        for domain in DOMAINS:
            tokens = shard(f"{corpus}/tokens/{domain}.validation")
            loss_sum, judged = 0.0, 0
            for index in range(min(sequences, (len(tokens) - 1 + CONTEXT - 1) // CONTEXT)):
                row = torch.from_numpy(tokens[index * CONTEXT:index * CONTEXT + CONTEXT + 1].astype(numpy.int64))
                row = torch.cat([row, torch.full((CONTEXT + 1 - len(row),), -100)])
                valid = int((row[1:] >= 0).sum())
                loss_sum += model(row[None, :-1].clamp_min(0), row[None, 1:]).item() * valid
                judged += valid
            print(f"validation | {domain} | loss {loss_sum / judged:.4f} | {judged} tokens", flush=True)
            total, count = total + loss_sum, count + judged
    print(f"validation | all | loss {total / count:.4f} | {count} tokens")


def load(model, path):
    """First weights out of a checkpoint's safetensors file."""
    with open(path, "rb") as file:
        length = struct.unpack("<Q", file.read(8))[0]
        header = json.loads(file.read(length))

        def read(parameter, name):
            begin, end = header[name]["data_offsets"]
            file.seek(8 + length + begin)
            values = numpy.frombuffer(file.read(end - begin), dtype=numpy.float32).reshape(header[name]["shape"])
            parameter.data.copy_(torch.from_numpy(values.copy()))

        read(model.embedding.weight, "embedding.tokens.weight")
        read(model.norm.weight, "head.norm.weight")
        for index, block in enumerate(model.blocks):
            prefix = f"layers.{index}."
            for norm in ("attention_norm", "ffn_norm"):
                read(getattr(block, norm).weight, f"{prefix}{norm}.weight")
            for matrix in ("wq", "wk", "wv", "wo"):
                read(getattr(block, matrix).weight, f"{prefix}attention.{matrix}.weight")
            for matrix in ("w1", "w2", "w3"):
                read(getattr(block, matrix).weight, f"{prefix}ffn.{matrix}.weight")


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--steps", type=int, default=80)
    arguments.add_argument("--batch", type=int, default=16, help="sequences of a step")
    arguments.add_argument("--lr", type=float, default=1e-3, help="peak learning rate")
    arguments.add_argument("--warmup", type=float, default=0.2, help="share of the steps in which the learning rate rises")
    arguments.add_argument("--corpus", default="data/corpus-small")
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--seed", type=int, default=1234)
    arguments.add_argument("--stop", type=int, help="steps to run of --steps; no validation then")
    arguments.add_argument("--weights", help="safetensors file of a checkpoint to begin with")
    arguments = arguments.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    model = Model()
    if arguments.weights:
        load(model, arguments.weights)
    decayed = [p for p in model.parameters() if p.dim() == 2]
    others = [p for p in model.parameters() if p.dim() != 2]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": DECAY}, {"params": others, "weight_decay": 0.0}], lr=arguments.lr, betas=(0.9, 0.95), eps=1e-8)
    places = order(arguments.steps, arguments.batch, arguments.corpus)[:arguments.stop]
    start = time.time()
    for step, step_places in enumerate(places):
        rate = learning_rate(arguments.lr, arguments.warmup, (step + 1) / arguments.steps)
        for group in optimizer.param_groups:
            group["lr"] = rate
        tokens, targets = sequences_at(step_places)
        loss = model(tokens, targets)
        optimizer.zero_grad()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        speed = (step + 1) * arguments.batch * CONTEXT / (time.time() - start)
        print(f"step {step + 1}/{arguments.steps} | loss {loss.item():.4f} | grad {norm:.3f} | lr {rate:.2e} | {speed:.0f} tok/s", flush=True)
    if arguments.stop is None:
        validate(model, arguments.corpus, sequences=16)


if __name__ == "__main__":
    main()
