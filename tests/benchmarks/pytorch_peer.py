#!/usr/bin/env python3
"""nanoGPT's model in plain PyTorch, timed: the peer of `uniscale benchmark step` for configs/benchmarks/benchmark-a.yaml and benchmark-b.yaml.

    tests/benchmarks/pytorch_peer.py a --tuned [--precision bf16] [--steps 7] [--threads 2] [--json]
    tests/benchmarks/pytorch_peer.py attention --length 16384

--as-published  what nanoGPT does: autocast for bf16, flash attention where torch has it, torch.optim.AdamW as it comes, the whole logits.
--tuned         what a patient user gets out of the same model: bf16 parameters with fp32 masters, attention written out in bf16 (the flash kernel's
                bf16 backward is slow on CPUs), fused or foreach AdamW, torch.compile with vectorised math, tcmalloc where it is installed.
Random tokens, as Uniscale's. Written for torch 1.13 (Debian's python3-torch) and newer; in a virtual environment with a newer
torch the same commands run, and take fused AdamW, scaled_dot_product_attention and torch.compile where they exist.
"""
import argparse
import ctypes.util
import inspect
import json
import math
import os
import resource
import signal
import statistics
import subprocess
import sys
import time

SHAPES = {  # layers, heads, width, context, batch, vocabulary
    "a": (6, 6, 384, 256, 16, 8192),
    "b": (12, 12, 768, 512, 4, 32000),
}
WARMUP = 2


def restart_where_needed(arguments):
    """Sets what only the start of a process can: the allocator, and fewer instructions where oneDNN misjudges the processor."""
    environment = dict(os.environ)
    if arguments.precision == "bf16" and "DNNL_MAX_CPU_ISA" not in environment:
        # Some hypervisors show AMX and hide the leaf that describes its tiles; oneDNN then dies of an illegal instruction.
        probe = "import torch; a = torch.ones(256, 256, dtype=torch.bfloat16); torch.mm(a, a)"
        if subprocess.run([sys.executable, "-c", probe], capture_output=True, check=False).returncode == -signal.SIGILL:
            environment["DNNL_MAX_CPU_ISA"] = environment["ONEDNN_MAX_CPU_ISA"] = "AVX512_CORE_BF16"
    tcmalloc = ctypes.util.find_library("tcmalloc_minimal") or ctypes.util.find_library("tcmalloc")
    if arguments.tuned and tcmalloc and "tcmalloc" not in environment.get("LD_PRELOAD", ""):
        environment["LD_PRELOAD"] = tcmalloc
    if environment != dict(os.environ):
        os.execve(sys.executable, [sys.executable, *sys.argv], environment)


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=[*SHAPES, "attention"])
    parser.add_argument("--as-published", dest="tuned", action="store_false")
    parser.add_argument("--tuned", dest="tuned", action="store_true")
    parser.set_defaults(tuned=True)
    parser.add_argument("--precision", choices=["bf16", "fp32"], default="bf16")
    parser.add_argument("--steps", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--length", type=int, default=16384, help="tokens of the one sequence of 'attention'")
    parser.add_argument("--no-compile", action="store_true", help="leave torch.compile out")
    parser.add_argument("--fused-attention", action="store_true", help="scaled_dot_product_attention where tuned by hand too: the better one in fp32")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


ARGUMENTS = parse()
restart_where_needed(ARGUMENTS)

import torch  # noqa: E402  (after the restart)
from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from pytorch_update import update  # noqa: E402

HAS_FLASH = hasattr(functional, "scaled_dot_product_attention")


class Block(nn.Module):
    """A layer of GPT-2: x + attention(norm(x)), then x + mlp(norm(x)), biases everywhere."""

    def __init__(self, width, heads, written_out):
        super().__init__()
        self.heads, self.written_out = heads, written_out
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def attend(self, x, mask):
        batch, length, width = x.shape
        q, k, v = (part.view(batch, length, self.heads, -1).transpose(1, 2) for part in self.qkv(x).split(width, dim=2))
        if HAS_FLASH and not self.written_out:
            y = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            scores = (q @ k.transpose(-2, -1)) * (1 / math.sqrt(k.shape[-1]))
            y = functional.softmax(scores + mask.to(scores.dtype), dim=-1) @ v
        return self.out(y.transpose(1, 2).reshape(batch, length, width))

    def forward(self, x, mask):
        x = x + self.attend(self.norm1(x), mask)
        return x + self.down(functional.gelu(self.up(self.norm2(x))))


class Model(nn.Module):
    def __init__(self, layers, heads, width, context, vocabulary, written_out):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(vocabulary, width), nn.Embedding(context, width)
        self.blocks = nn.ModuleList(Block(width, heads, written_out) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.register_buffer("mask", torch.full((context, context), -math.inf).triu(1))
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:
                writes_residual = name.endswith(("out.weight", "down.weight"))
                nn.init.normal_(parameter, std=0.02 / (math.sqrt(2 * layers) if writes_residual else 1))

    def forward(self, tokens, targets):
        x = self.tokens(tokens) + self.positions.weight[: tokens.shape[1]]
        for block in self.blocks:
            x = block(x, self.mask)
        logits = functional.linear(self.norm(x), self.tokens.weight)
        return functional.cross_entropy(logits.view(-1, logits.shape[-1]).float(), targets.reshape(-1))


def optimizer_of(parameters, tuned):
    groups = [
        {"params": [p for p in parameters if p.dim() == 2], "weight_decay": 0.1},
        {"params": [p for p in parameters if p.dim() != 2], "weight_decay": 0.0},
    ]
    options = {"lr": 6e-4, "betas": (0.9, 0.95)}
    if tuned:
        known = inspect.signature(torch.optim.AdamW.__init__).parameters
        try:
            if "fused" in known:
                return torch.optim.AdamW(groups, fused=True, **options)
        except RuntimeError:
            pass  # fused on CPUs came later than the word
        if "foreach" in known:
            return torch.optim.AdamW(groups, foreach=True, **options)
    return torch.optim.AdamW(groups, **options)


class Trainer:
    """One optimizer step: forward, backward, clip at 1, AdamW."""

    def __init__(self, shape, tuned, precision):
        layers, heads, width, context, batch, vocabulary = shape
        self.size, self.vocabulary = (batch, context), vocabulary
        model = Model(layers, heads, width, context, vocabulary, written_out=tuned and not ARGUMENTS.fused_attention)
        self.parameters = list(model.parameters())
        self.masters = self.parameters
        if tuned and precision == "bf16":
            self.masters = [nn.Parameter(p.detach().clone().float()) for p in self.parameters]
            model = model.bfloat16()
            self.parameters = list(model.parameters())
        self.autocast = not tuned and precision == "bf16"
        self.optimizer = optimizer_of(self.masters, tuned)
        self.compiled = tuned and hasattr(torch, "compile") and not ARGUMENTS.no_compile
        self.model = torch.compile(model) if self.compiled else model

    def step(self):
        batch, context = self.size
        tokens = torch.randint(self.vocabulary, (batch, context + 1))
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.autocast):
            loss = self.model(tokens[:, :-1], tokens[:, 1:])
        loss.backward()
        update(self.parameters, self.masters, self.optimizer)
        return loss.item()


def timed(steps, body):
    for _ in range(WARMUP):
        body()
    seconds = []
    for _ in range(steps):
        start = time.perf_counter()
        body()
        seconds.append(time.perf_counter() - start)
    return seconds


def train(arguments):
    shape = SHAPES[arguments.what]
    layers, _, width, context, batch, vocabulary = shape
    trainer = Trainer(shape, arguments.tuned, arguments.precision)
    seconds = timed(arguments.steps, trainer.step)
    median = statistics.median(seconds)
    count = sum(p.numel() for p in trainer.parameters)
    flops = 6 * (count - context * width) + 12 * layers * width * context
    return {
        "torch": torch.__version__, "compiled": trainer.compiled, "optimizer": optimizer_name(trainer.optimizer),
        "parameters": count, "vocabulary": vocabulary, "seconds": seconds, "median_seconds": median,
        "tokens_per_second": batch * context / median, "model_flops": batch * context / median * flops,
        "peak_resident_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def optimizer_name(optimizer):
    return next((f"AdamW, {name}" for name in ("fused", "foreach") if optimizer.defaults.get(name)), "AdamW")


def attention(arguments):
    """Causal attention of one long sequence at config A's width, forward and backward: torch's own where it has one, else head by head written out."""
    heads, dim, length = 6, 64, arguments.length
    q, k, v = (torch.randn(1, heads, length, dim, dtype=torch.bfloat16 if arguments.precision == "bf16" else torch.float32).requires_grad_() for _ in range(3))
    mask = None if HAS_FLASH else torch.full((length, length), -math.inf, dtype=q.dtype).triu(1)

    def body():
        if HAS_FLASH:
            functional.scaled_dot_product_attention(q, k, v, is_causal=True).sum().backward()
            return
        for head in range(heads):
            scores = (q[0, head] @ k[0, head].T) * (1 / math.sqrt(dim)) + mask
            (functional.softmax(scores, dim=-1) @ v[0, head]).sum().backward()

    global WARMUP
    WARMUP = 1
    seconds = timed(arguments.steps, body)
    return {
        "torch": torch.__version__, "seconds": seconds, "median_seconds": statistics.median(seconds),
        "peak_resident_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def main():
    torch.set_num_threads(ARGUMENTS.threads)
    torch.manual_seed(1)
    result = attention(ARGUMENTS) if ARGUMENTS.what == "attention" else train(ARGUMENTS)
    result["loaded"] = {name: os.environ[name] for name in ("LD_PRELOAD", "DNNL_MAX_CPU_ISA") if name in os.environ}
    if ARGUMENTS.json:
        print(json.dumps(result))
        return
    for name, value in result.items():
        print(f"{name:22} {value}")


if __name__ == "__main__":
    main()
