"""
Writes a GGUF file again with its blocks of 4 bits, or its matrices in F16, in another type: `requantise.py IN OUT Q4_0`; the embedding then in Q8_0.
With F16 all blocks are written as numbers: each that they stand for, moved at random within its step, since no model that was never quantised lies on
such steps, which would be read off exactly.
"""

import sys

import gguf
import numpy

source, target, name = sys.argv[1:]
reader = gguf.GGUFReader(source)
Type = gguf.GGMLQuantizationType
kind = Type[name]
writer = gguf.GGUFWriter(target, reader.get_field("general.architecture").contents())
for key, field in reader.fields.items():
    if key.startswith("GGUF.") or key in ("general.architecture", "general.file_type"):
        continue
    item = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
    writer.add_key_value(key, field.contents(), field.types[0], sub_type=item)
random = numpy.random.default_rng(0)


def scattered(values, kind):
    runs = values.reshape(-1, 32)
    low, high = runs.min(1, keepdims=True), runs.max(1, keepdims=True)
    step = (high - low) / 15 if kind == Type.Q4_1 else numpy.maximum(high, -low) / 127
    return (runs + (random.random(runs.shape, dtype=numpy.float32) - 0.5) * step).reshape(values.shape)


for tensor in reader.tensors:
    own = tensor.tensor_type
    if kind == Type.F16 and own in (Type.Q4_1, Type.Q8_0):
        values = scattered(gguf.dequantize(tensor.data, own), own)
        writer.add_tensor(tensor.name, gguf.quantize(values, kind), raw_dtype=kind)
    elif own in (Type.Q4_1, Type.F16):
        to = Type.Q8_0 if tensor.name == "token_embd.weight" else kind
        writer.add_tensor(tensor.name, gguf.quantize(gguf.dequantize(tensor.data, own), to), raw_dtype=to)
    else:
        writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
