"""
Writes a GGUF file again with its blocks of 4 bits in another type, everything else as it is: `requantise.py IN OUT Q4_0`.
With F16 all blocks are written as the numbers that they stand for.
"""

import sys

import gguf

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
for tensor in reader.tensors:
    blocks = tensor.tensor_type not in (Type.F32, Type.F16, Type.BF16)
    if tensor.tensor_type == Type.Q4_1 or (blocks and kind == Type.F16):
        values = gguf.dequantize(tensor.data, tensor.tensor_type)
        writer.add_tensor(tensor.name, gguf.quantize(values, kind), raw_dtype=kind)
    else:
        writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
