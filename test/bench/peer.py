"""A peer that is kept running: reads one JSON request a line, answers one JSON line with the time and memory it took.

load {library, folder, threads, …} · prefill {ids} · context {ids} · decode {ids} · run_with_cache {ids} · ablate {ids} · end of input ends it.
"""

import importlib.metadata
import json
import os
import re
import sys
import time

import psutil
import torch

process = psutil.Process()
# What libraries print must not mix with the answers.
answers = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)


class Transformers:
    packages = ("torch", "transformers")

    def __init__(self, folder):
        from transformers import AutoConfig, AutoModelForCausalLM

        # Mamba has no attention to choose
        attention = {} if AutoConfig.from_pretrained(folder).model_type == "mamba" else {"attn_implementation": "sdpa"}
        self.model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, **attention).eval()
        self.cache = "cache_params" if self.model.config.model_type == "mamba" else "past_key_values"
        self.state = None

    def prefill(self, ids):
        """All tokens with the cache that generation needs, and the logits of the last."""
        return self.model(torch.tensor([ids]), use_cache=True, logits_to_keep=1).logits[0, -1]

    def context(self, ids):
        self.state = self.model(torch.tensor([ids]), use_cache=True, logits_to_keep=1)[self.cache]

    def decode(self, ids):
        for id in ids:
            out = self.model(torch.tensor([[id]]), use_cache=True, logits_to_keep=1, **{self.cache: self.state})
            self.state = out[self.cache]
        return out.logits[0, -1]


class TransformerLens:
    packages = ("torch", "transformers", "transformer_lens")

    def __init__(self, folder):
        from tokenizers import Tokenizer, models
        from transformer_lens.model_bridge import TransformerBridge
        from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
        # it insists on a tokenizer, though it is given ids; without a beginning token it does not look for it elsewhere
        unused = PreTrainedTokenizerFast(
            tokenizer_object=Tokenizer(models.WordLevel({"?": 0}, unk_token="?")), eos_token="?", pad_token="?"
        )
        self.bridge = TransformerBridge.boot_transformers(folder, hf_model=model, tokenizer=unused, device="cpu")

    def run_with_cache(self, ids):
        """Every activation of every layer, and the logits of the last token."""
        logits, self.cache = self.bridge.run_with_cache(torch.tensor([ids]), logits_to_keep=1)
        return logits[0, -1]


class Captum:
    """Captum on transformers' GPT-2: what the logit of token 0 loses with each head of a block."""

    packages = ("torch", "transformers", "captum")

    def __init__(self, folder, block):
        from captum.attr import LayerFeatureAblation
        from transformers import AutoModelForCausalLM

        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="sdpa").eval()
        self.heads, self.width = model.config.n_head, model.config.n_embd
        # what enters the output projection: the heads side by side
        self.ablation = LayerFeatureAblation(
            lambda ids: model(ids, use_cache=False, logits_to_keep=1).logits[:, -1, 0], model.transformer.h[block].attn.c_proj
        )

    def ablate(self, ids):
        size = self.width // self.heads
        heads = torch.arange(self.width) // size
        lost = self.ablation.attribute(torch.tensor([ids]), layer_mask=heads[None, None], attribute_to_layer_input=True)
        lost = lost[0] if isinstance(lost, tuple) else lost
        return lost[0, 0, ::size]


class Rwkv:
    """RWKV's own package. It reads its own files only, so the weights are renamed into one first."""

    packages = ("torch", "rwkv")

    def __init__(self, folder):
        # whether TorchScript compiles it, PYTORCH_JIT says: for RWKV-7 the package does not look at RWKV_JIT_ON
        os.environ.update(RWKV_V7_ON="1", RWKV_CUDA_ON="0")
        from rwkv.model import RWKV
        from safetensors.torch import load_file

        weights = load_file(os.path.join(folder, "model.safetensors"))
        file = os.path.join(folder, f"rwkv7-{os.getpid()}")
        torch.save(dict(rwkv_name(name, tensor) for name, tensor in weights.items()), f"{file}.pth")
        self.model = RWKV(file, "cpu fp32")
        self.state = None

    def prefill(self, ids):
        return self.model.forward(list(ids), None)[0]

    def context(self, ids):
        self.state = self.model.forward(list(ids), None)[1]

    def decode(self, ids):
        for id in ids:
            logits, self.state = self.model.forward([id], self.state)
        return logits


RWKV_TOP = {"model.embeddings": "emb", "model.norm": "ln_out", "lm_head": "head"}
RWKV_PARTS = (
    ("model.layers.", "blocks."),
    ("pre_norm", "ln0"),
    ("attn_norm", "ln1"),
    ("ffn_norm", "ln2"),
    ("attn.g_norm", "att.ln_x"),
    ("attn.r_proj", "att.receptance"),
    ("attn.k_proj", "att.key"),
    ("attn.v_proj", "att.value"),
    ("attn.o_proj", "att.output"),
    ("attn.", "att."),
)


def rwkv_name(name, tensor):
    """A tensor of Hugging Face's port as RWKV's own files hold it."""
    top, _, kind = name.rpartition(".")
    if top in RWKV_TOP:
        return f"{RWKV_TOP[top]}.{kind}", tensor
    for theirs, own in RWKV_PARTS:
        name = name.replace(theirs, own)
    low_rank = re.sub(r"\.(\w)_lora\.lora\.(0|2)\.(weight|bias)$", lora, name)
    return low_rank, tensor.T.contiguous() if low_rank != name and tensor.dim() == 2 else tensor


def lora(match):
    letter, part, kind = match.groups()
    return f".{letter}{'0' if kind == 'bias' else 1 if part == '0' else 2}"


libraries = {"transformers": Transformers, "transformer_lens": TransformerLens, "captum": Captum, "rwkv": Rwkv}
peer = None


def load(library, folder, threads, **options):
    global peer
    torch.set_num_threads(threads)
    peer = libraries[library](folder, **options)
    versions = {name: importlib.metadata.version(name) for name in peer.packages}
    return {"versions": {"Python": sys.version.split()[0], **versions}}


def timed(work, ids):
    cpu, wall = time.process_time(), time.perf_counter()
    logits = work(ids)
    took = {"wall": 1000 * (time.perf_counter() - wall), "cpu": 1000 * (time.process_time() - cpu)}
    # enough of the logits to see that both sides did the same work
    return {**took, "rss": process.memory_info().rss, "logits": [] if logits is None else logits[:64].tolist()}


with torch.inference_mode():
    for line in sys.stdin:
        request = json.loads(line)
        try:
            do = request.pop("do")
            answer = load(**request) if do == "load" else timed(getattr(peer, do), request["ids"])
        except Exception as error:  # told to the benchmark, which reports the peer as unable
            answer = {"error": f"{type(error).__name__}: {error}".splitlines()[0]}
        print(json.dumps(answer), file=answers, flush=True)
