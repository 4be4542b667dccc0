#!/usr/bin/env python3
"""Writes the golden values that the model is held to: one safetensors file a preset, beside this script.

Run by hand with PyTorch (1.13 was used): python3 generate.py

A file holds weights (exact in bf16), tokens, targets, and for two runs of the same weights
  fp32: logits, loss and every gradient, computed in double precision and stored in single;
  bf16: the same with bf16 parameters and activations, norms, rotations, softmax and loss in fp32.
The model is written here once more, from its formulas and with autograd doing the rest.
"""
import json
import math
import os
import struct

import torch
import torch.nn.functional as F

HERE = os.path.dirname(os.path.abspath(__file__))
COMMON = dict(layers=2, hidden=32, heads=4, kv_heads=4, head_dim=8, ffn=64, context=16, vocabulary=53, base=10000.0,
              scaling="none", factor=1.0, epsilon=1e-5, documents=False)
PRESETS = {
    "gpt2": dict(norm="layer", activation="gelu", positions="learned", qkv_bias=True, out_bias=True, ffn_bias=True, tied=True),
    "llama": dict(norm="rms", activation="swiglu", positions="rope", qkv_bias=False, out_bias=False, ffn_bias=False, tied=False),
    "internlm": dict(norm="rms", activation="swiglu", positions="rope", qkv_bias=True, out_bias=True, ffn_bias=False, tied=False,
                     documents=True, scaling="linear", factor=2.0),
    "internlm2": dict(norm="rms", activation="swiglu", positions="rope", qkv_bias=False, out_bias=False, ffn_bias=False,
                      tied=False, kv_heads=2, base=1e6, scaling="ntk", factor=2.0),
}


def make_weights(c, generator):
    def normal(*shape, std=0.08):
        return (torch.randn(*shape, generator=generator) * std).bfloat16().double()

    def around_one(n):
        return (1 + 0.1 * torch.randn(n, generator=generator)).bfloat16().double()

    weights = {"embedding.tokens.weight": normal(c["vocabulary"], c["hidden"], std=0.5)}
    if c["positions"] == "learned":
        weights["embedding.positions.weight"] = normal(c["context"], c["hidden"], std=0.3)

    def norm(name):
        weights[name + ".weight"] = around_one(c["hidden"])
        if c["norm"] == "layer":
            weights[name + ".bias"] = normal(c["hidden"])

    def linear(name, out, inp, bias):
        weights[name + ".weight"] = normal(out, inp, std=1 / math.sqrt(inp))
        if bias:
            weights[name + ".bias"] = normal(out)

    query, key = c["heads"] * c["head_dim"], c["kv_heads"] * c["head_dim"]
    for layer in range(c["layers"]):
        p = f"layers.{layer}"
        norm(p + ".attention_norm")
        linear(p + ".attention.wq", query, c["hidden"], c["qkv_bias"])
        linear(p + ".attention.wk", key, c["hidden"], c["qkv_bias"])
        linear(p + ".attention.wv", key, c["hidden"], c["qkv_bias"])
        linear(p + ".attention.wo", c["hidden"], query, c["out_bias"])
        norm(p + ".ffn_norm")
        linear(p + ".ffn.w1", c["ffn"], c["hidden"], c["ffn_bias"])
        if c["activation"] == "swiglu":
            linear(p + ".ffn.w3", c["ffn"], c["hidden"], c["ffn_bias"])
        linear(p + ".ffn.w2", c["hidden"], c["ffn"], c["ffn_bias"])
    norm("head.norm")
    if not c["tied"]:
        weights["head.output.weight"] = normal(c["vocabulary"], c["hidden"], std=0.2)
    return weights


def apply_norm(c, w, name, x, wide):
    y = x.to(wide)
    if c["norm"] == "layer":
        y = y - y.mean(-1, keepdim=True)
    y = y * torch.rsqrt(y.square().mean(-1, keepdim=True) + c["epsilon"]) * w[name + ".weight"].to(wide)
    if c["norm"] == "layer":
        y = y + w[name + ".bias"].to(wide)
    return y.to(x.dtype)


def rotate(c, x, positions, wide):
    d = c["head_dim"]
    base = c["base"] * (c["factor"] ** (d / (d - 2)) if c["scaling"] == "ntk" else 1)
    frequency = base ** (-torch.arange(0, d, 2, dtype=torch.float64) / d) / (c["factor"] if c["scaling"] == "linear" else 1)
    angle = positions[:, :, None, None].double() * frequency
    angle = torch.cat([angle, angle], -1)
    cosine, sine = angle.cos().to(wide), angle.sin().to(wide)
    y = x.to(wide)
    turned = torch.cat([-y[..., d // 2:], y[..., : d // 2]], -1)
    return (y * cosine + turned * sine).to(x.dtype)


def attention(c, w, p, x, positions, documents, wide):
    batch, length, _ = x.shape

    def project(name, heads):
        return F.linear(x, w[f"{p}.{name}.weight"], w.get(f"{p}.{name}.bias")).view(batch, length, heads, c["head_dim"])

    q, k, v = project("wq", c["heads"]), project("wk", c["kv_heads"]), project("wv", c["kv_heads"])
    if c["positions"] == "rope":
        q, k = rotate(c, q, positions, wide), rotate(c, k, positions, wide)
    k = k.repeat_interleave(c["heads"] // c["kv_heads"], 2)
    v = v.repeat_interleave(c["heads"] // c["kv_heads"], 2)
    scores = torch.einsum("bqhd,bkhd->bhqk", q.to(wide), k.to(wide)) / math.sqrt(c["head_dim"])
    hidden = torch.ones(length, length, dtype=torch.bool).triu(1)[None] | (documents[:, :, None] != documents[:, None, :])
    probabilities = scores.masked_fill(hidden[:, None], -math.inf).softmax(-1)
    out = torch.einsum("bhqk,bkhd->bqhd", probabilities, v.to(wide)).to(x.dtype).flatten(2)
    return F.linear(out, w[f"{p}.wo.weight"], w.get(f"{p}.wo.bias"))


def feed_forward(c, w, p, x, wide):
    up = F.linear(x, w[p + ".w1.weight"], w.get(p + ".w1.bias"))
    if c["activation"] == "gelu":
        z = up.to(wide)
        a = (0.5 * z * (1 + torch.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z ** 3)))).to(x.dtype)
    else:
        a = (F.silu(up.to(wide)) * F.linear(x, w[p + ".w3.weight"], w.get(p + ".w3.bias")).to(wide)).to(x.dtype)
    return F.linear(a, w[p + ".w2.weight"], w.get(p + ".w2.bias"))


def run(c, weights, tokens, targets, positions, documents, dtype, wide):
    w = {name: value.to(dtype).requires_grad_() for name, value in weights.items()}
    x = w["embedding.tokens.weight"][tokens]
    if c["positions"] == "learned":
        x = x + w["embedding.positions.weight"][positions]
    for layer in range(c["layers"]):
        p = f"layers.{layer}"
        x = x + attention(c, w, p + ".attention", apply_norm(c, w, p + ".attention_norm", x, wide), positions, documents, wide)
        x = x + feed_forward(c, w, p + ".ffn", apply_norm(c, w, p + ".ffn_norm", x, wide), wide)
    x = apply_norm(c, w, "head.norm", x, wide)
    logits = F.linear(x, w.get("head.output.weight", w["embedding.tokens.weight"])).to(wide)
    loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=-100, reduction="mean")
    gradients = dict(zip(w, torch.autograd.grad(loss, list(w.values()))))
    return logits.detach(), loss.detach(), gradients


def save(path, tensors, metadata):
    names = {torch.float32: "F32", torch.bfloat16: "BF16", torch.int64: "I64"}
    header, blobs, offset = {"__metadata__": metadata}, [], 0
    for name, tensor in tensors.items():
        raw = tensor.contiguous()
        data = (raw.view(torch.int16) if raw.dtype == torch.bfloat16 else raw).numpy().tobytes()
        header[name] = {"dtype": names[raw.dtype], "shape": list(raw.shape), "data_offsets": [offset, offset + len(data)]}
        blobs.append(data)
        offset += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def main():
    for index, (name, preset) in enumerate(PRESETS.items()):
        c = {**COMMON, **preset}
        generator = torch.Generator().manual_seed(1000 + index)
        weights = make_weights(c, generator)
        batch, length = 2, c["context"]
        tokens = torch.randint(c["vocabulary"], (batch, length), generator=generator)
        targets = torch.randint(c["vocabulary"], (batch, length), generator=generator)
        targets[0, :3] = -100
        targets[1, -1] = -100
        documents = torch.zeros(batch, length, dtype=torch.int64)
        positions = torch.arange(length).repeat(batch, 1)
        if c["documents"]:
            for row, cut in enumerate([5, 11]):
                documents[row, cut:] = 1
                positions[row, cut:] -= cut
        out = {f"weight/{n}": t.bfloat16() for n, t in weights.items()}
        out.update(tokens=tokens, targets=targets, documents=documents, positions=positions)
        for run_name, dtype, wide, stored in [("fp32", torch.float64, torch.float64, torch.float32),
                                              ("bf16", torch.bfloat16, torch.float32, torch.bfloat16)]:
            logits, loss, gradients = run(c, weights, tokens, targets, positions, documents, dtype, wide)
            out[f"{run_name}/logits"] = logits.float()
            out[f"{run_name}/loss"] = loss.float()
            out.update({f"{run_name}/gradient/{n}": g.to(stored) for n, g in gradients.items()})
        save(os.path.join(HERE, name + ".safetensors"), out, {"preset": name, "torch": torch.__version__})
        print(name, float(out["fp32/loss"]), float(out["bf16/loss"]))


if __name__ == "__main__":
    main()
