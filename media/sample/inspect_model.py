"""Names that the lab explains: hover over them."""

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("../models/tiny-llama")
model = AutoModelForCausalLM.from_pretrained("../models/tiny-llama")


def attend(layer, x, past_key_values=None):
    """One attention layer by hand. x: [batch, tokens, hidden_size]."""
    attention = model.model.layers[layer].self_attn
    heads = model.config.num_attention_heads
    kv_heads = model.config.num_key_value_heads
    q = attention.q_proj(x).unflatten(-1, (heads, -1)).transpose(1, 2)
    k = attention.k_proj(x).unflatten(-1, (kv_heads, -1)).transpose(1, 2)
    v = attention.v_proj(x).unflatten(-1, (kv_heads, -1)).transpose(1, 2)
    z = scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
    return attention.o_proj(z.transpose(1, 2).flatten(-2))


def scan(mixer, u, delta, A, B, C, D):
    """The recurrence of a Mamba layer; `mixer` is model.backbone.layers[i].mixer of tiny-mamba."""
    from mamba_ssm.ops.selective_scan_interface import selective_scan_fn

    return selective_scan_fn(u, delta, A, B, C, D, z=None, delta_bias=mixer.dt_proj.bias, delta_softplus=True)


with torch.no_grad():
    prompt = tokenizer("Anna has the red kite. Tom has the green key.", return_tensors="pt")
    output = model(**prompt, use_cache=True)
    print(output.logits.shape, output.past_key_values.get_seq_length())
