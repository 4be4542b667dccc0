#!/usr/bin/env python3
"""A Llama of Hugging Face's form in plain PyTorch, timed: the peer of `uniscale benchmark inference`.

    tests/benchmarks/pytorch_inference.py FOLDER [--batch 32] [--prompt 128] [--tokens 64] [--questions 64] [--rounds 5] [--threads 2] [--precision fp32]

FOLDER holds config.json and *.safetensors, as `uniscale export RUN --to FOLDER` writes them. The model has a key-value cache of fixed size that is written in
place, scaled_dot_product_attention, one product for queries, keys and values, and one for both halves of SwiGLU. The work is that of the benchmark: prompts,
tokens that are generated greedily behind them, and questions whose beginning is the same, each read whole in one pass of a batch. Prints JSON.
"""
import argparse
import json
import pathlib
import statistics
import struct
import time

import torch
from torch.nn import functional

TYPES = {"F32": torch.float32, "BF16": torch.bfloat16, "F16": torch.float16}


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    for name, value in (("batch", 1), ("prompt", 128), ("tokens", 64), ("questions", 64), ("rounds", 5), ("threads", 2)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    return parser.parse_args()


def weights_of(folder, dtype):
    """All tensors of a folder, by name."""
    tensors = {}
    for file in sorted(folder.glob("*.safetensors")):
        data = bytearray(file.read_bytes())
        (length,) = struct.unpack("<Q", data[:8])
        header = json.loads(data[8 : 8 + length])
        header.pop("__metadata__", None)
        for name, entry in header.items():
            begin, end = (8 + length + offset for offset in entry["data_offsets"])
            tensor = torch.frombuffer(data, dtype=TYPES[entry["dtype"]], offset=begin, count=(end - begin) // TYPES[entry["dtype"]].itemsize)
            tensors[name] = tensor.view(entry["shape"]).to(dtype, copy=True)
    return tensors


class Llama:
    """The model and its cache of keys and values."""

    def __init__(self, folder, dtype):
        config = json.loads((folder / "config.json").read_text())
        self.layers, self.heads = config["num_hidden_layers"], config["num_attention_heads"]
        self.kv_heads = config.get("num_key_value_heads", self.heads)
        self.width, self.vocabulary = config["hidden_size"], config["vocab_size"]
        self.dim, self.epsilon, self.dtype = self.width // self.heads, config["rms_norm_eps"], dtype
        base = config.get("rope_theta") or config.get("rope_parameters", {}).get("rope_theta", 10000.0)
        angles = torch.arange(config["max_position_embeddings"])[:, None] * base ** (-torch.arange(0, self.dim, 2) / self.dim)
        self.cosine, self.sine = (f(angles).repeat(1, 2).to(dtype) for f in (torch.cos, torch.sin))
        tensors = weights_of(folder, dtype)
        self.embedding = tensors["model.embed_tokens.weight"]
        self.head = tensors.get("lm_head.weight", self.embedding)
        self.norm = tensors["model.norm.weight"]
        self.blocks = []
        for layer in range(self.layers):
            part = {name.split(".", 3)[3].removesuffix(".weight"): tensor for name, tensor in tensors.items() if name.startswith(f"model.layers.{layer}.")}
            qkv = torch.cat([part[f"self_attn.{name}_proj"] for name in "qkv"])
            gate_up = torch.cat([part["mlp.gate_proj"], part["mlp.up_proj"]])
            self.blocks.append((part["input_layernorm"], qkv, part["self_attn.o_proj"], part["post_attention_layernorm"], gate_up, part["mlp.down_proj"]))

    def cache(self, batch, length):
        return [torch.zeros(2, batch, self.kv_heads, length, self.dim, dtype=self.dtype) for _ in self.blocks]

    def rotate(self, x, start):
        end = start + x.shape[2]
        first, second = x.chunk(2, dim=-1)
        return x * self.cosine[start:end] + torch.cat((-second, first), dim=-1) * self.sine[start:end]

    def rms(self, x, weight):
        return functional.rms_norm(x, (self.width,), weight, self.epsilon)

    def read(self, tokens, start=0, cache=None):
        """Logits behind the last of the tokens [batch, length]."""
        batch, length = tokens.shape
        x = functional.embedding(tokens, self.embedding)
        for number, (norm1, qkv, out, norm2, gate_up, down) in enumerate(self.blocks):
            sizes = [self.heads * self.dim, self.kv_heads * self.dim, self.kv_heads * self.dim]
            parts = functional.linear(self.rms(x, norm1), qkv).split(sizes, dim=-1)
            q, k, v = (part.view(batch, length, -1, self.dim).transpose(1, 2) for part in parts)
            q, k = self.rotate(q, start), self.rotate(k, start)
            if cache is not None:
                cache[number][0, :, :, start : start + length] = k
                cache[number][1, :, :, start : start + length] = v
                k, v = cache[number][:, :, :, : start + length]
            grouped = {"enable_gqa": True} if self.heads != self.kv_heads else {}
            y = functional.scaled_dot_product_attention(q, k, v, is_causal=length > 1, **grouped)
            x = x + functional.linear(y.transpose(1, 2).reshape(batch, length, -1), out)
            gate, up = functional.linear(self.rms(x, norm2), gate_up).chunk(2, dim=-1)
            x = x + functional.linear(functional.silu(gate) * up, down)
        return functional.linear(self.rms(x[:, -1], self.norm), self.head).float()


def timed(rounds, body):
    body()
    return [body() for _ in range(rounds)]


def main():
    arguments = parse()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(1)
    model = Llama(arguments.folder, torch.bfloat16 if arguments.precision == "bf16" else torch.float32)
    batch, prompt, count = arguments.batch, arguments.prompt, arguments.tokens
    prompts = torch.randint(model.vocabulary, (batch, prompt))
    shared = torch.randint(model.vocabulary, (1, prompt))
    questions = torch.cat((shared.expand(arguments.questions, prompt), torch.randint(model.vocabulary, (arguments.questions, max(1, prompt // 4)))), dim=1)
    choices = torch.randint(model.vocabulary, (4,))

    def read():
        cache = model.cache(batch, prompt)
        start = time.perf_counter()
        model.read(prompts, cache=cache)
        return time.perf_counter() - start

    def generate():
        cache = model.cache(batch, prompt + count)
        token = model.read(prompts, cache=cache).argmax(dim=-1, keepdim=True)
        start = time.perf_counter()
        for position in range(prompt, prompt + count):
            token = model.read(token, position, cache).argmax(dim=-1, keepdim=True)
        return time.perf_counter() - start

    def answer():
        start = time.perf_counter()
        for part in questions.split(batch):
            functional.log_softmax(model.read(part), dim=-1)[:, choices].argmax(dim=-1).tolist()
        return time.perf_counter() - start

    with torch.inference_mode():
        measured = {
            "prompt": (batch * prompt, timed(arguments.rounds, read)),
            "generation": (batch * count, timed(arguments.rounds, generate)),
            "exam": (arguments.questions, timed(arguments.rounds, answer)),
        }
    print(json.dumps({
        "torch": torch.__version__,
        "measurements": [{"name": name, "count": count, "seconds": seconds, "rate": count / statistics.median(seconds)} for name, (count, seconds) in measured.items()],
    }))


if __name__ == "__main__":
    main()
