"""A GPT-2 of a Hugging Face folder as transformers.js runs it: `exportOnnx.py FOLDER OUT` writes OUT/config.json and OUT/onnx/model.onnx in fp32.

Keys and values go in and come out, and of the logits those of the last token, which is all that generation needs.
"""

import pathlib
import shutil
import sys

import torch
from transformers import AutoModelForCausalLM
from transformers.cache_utils import DynamicCache

folder, out = map(pathlib.Path, sys.argv[1:])
model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="sdpa").eval()
config = model.config
heads, width = config.num_attention_heads, config.hidden_size // config.num_attention_heads


class Cached(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = model

    def forward(self, input_ids, attention_mask, position_ids, *past):
        cache = DynamicCache()
        for layer in range(config.num_hidden_layers):
            cache.update(past[2 * layer], past[2 * layer + 1], layer)
        given = {"attention_mask": attention_mask, "position_ids": position_ids, "past_key_values": cache}
        result = self.inner(input_ids=input_ids, use_cache=True, logits_to_keep=1, **given)
        return (result.logits, *(t for layer in cache.layers for t in (layer.keys, layer.values)))


past = [f"past_key_values.{layer}.{kind}" for layer in range(config.num_hidden_layers) for kind in ("key", "value")]
present = [name.replace("past_key_values", "present") for name in past]
P, N = 5, 3
example = (
    torch.randint(0, config.vocab_size, (1, N)),
    torch.ones(1, P + N, dtype=torch.long),
    torch.arange(P, P + N)[None],
    *(torch.randn(1, heads, P, width) for _ in past),
)
axes = {name: {1: "tokens"} for name in ("input_ids", "position_ids")} | {"attention_mask": {1: "all_tokens"}}
axes |= {name: {2: "past_tokens"} for name in past} | {name: {2: "all_tokens"} for name in present}
(out / "onnx").mkdir(parents=True, exist_ok=True)
shutil.copy(folder / "config.json", out / "config.json")
torch.onnx.export(
    Cached(),
    example,
    out / "onnx" / "model.onnx",
    dynamo=False,
    opset_version=17,
    input_names=["input_ids", "attention_mask", "position_ids", *past],
    output_names=["logits", *present],
    dynamic_axes=axes,
)
