import type { Machine } from '../protocol/fit.js';

const TERA = 1e12;
const GIGA = 1e9;

/** `fp16` of matrix units with single-precision sums where the vendor tells both; all without sparsity. */
const machine = (
  id: string,
  name: string,
  memory: number | null,
  bandwidth: number,
  tera: Readonly<Partial<Record<'fp32' | 'fp16' | 'bf16' | 'int8', number>>>,
  source: string,
): Machine => ({
  id,
  name,
  memory: memory === null ? null : memory * GIGA,
  bandwidth: bandwidth * GIGA,
  flops: Object.fromEntries(Object.entries(tera).map(([type, value]) => [type, value * TERA])),
  source,
  measured: null,
});

/** Machines by what their makers publish. What they do not publish, or could not be looked up again, is left out: Apple says nothing of operations a
 * second, Intel of Arc's in 16 bits. */
export const presets: readonly Machine[] = [
  machine('t4', 'NVIDIA T4', 16, 320, { fp32: 8.1, fp16: 65, int8: 130 }, 'NVIDIA T4 data sheet, 2019'),
  machine('v100', 'NVIDIA V100 SXM2 32 GB', 32, 900, { fp32: 15.7, fp16: 125 }, 'NVIDIA V100 data sheet, 2020'),
  machine('l4', 'NVIDIA L4', 24, 300, { fp32: 30.3, fp16: 121, bf16: 121, int8: 242.5 }, 'NVIDIA L4 data sheet, 2023'),
  machine('l40s', 'NVIDIA L40S', 48, 864, { fp32: 91.6, fp16: 362.05, bf16: 362.05, int8: 733 }, 'NVIDIA L40S data sheet, 2023'),
  machine(
    'a100-40',
    'NVIDIA A100 SXM 40 GB',
    40,
    1555,
    { fp32: 19.5, fp16: 312, bf16: 312, int8: 624 },
    'NVIDIA A100 data sheet, 2021',
  ),
  machine(
    'a100-80',
    'NVIDIA A100 SXM 80 GB',
    80,
    2039,
    { fp32: 19.5, fp16: 312, bf16: 312, int8: 624 },
    'NVIDIA A100 data sheet, 2021',
  ),
  machine(
    'h100',
    'NVIDIA H100 SXM',
    80,
    3350,
    { fp32: 66.9, fp16: 989.4, bf16: 989.4, int8: 1978.9 },
    'NVIDIA H100 architecture whitepaper, 2023',
  ),
  machine(
    'h200',
    'NVIDIA H200 SXM',
    141,
    4800,
    { fp32: 66.9, fp16: 989.4, bf16: 989.4, int8: 1978.9 },
    'NVIDIA H200 data sheet, 2024',
  ),
  machine('rtx3090', 'NVIDIA GeForce RTX 3090', 24, 936, { fp32: 35.6, fp16: 71 }, 'NVIDIA GA102 architecture whitepaper, 2021'),
  machine(
    'rtx4090',
    'NVIDIA GeForce RTX 4090',
    24,
    1008,
    { fp32: 82.6, fp16: 165.2, bf16: 165.2, int8: 660.6 },
    'NVIDIA Ada architecture whitepaper, 2023',
  ),
  machine('rtx5090', 'NVIDIA GeForce RTX 5090', 32, 1792, { fp32: 104.8 }, 'NVIDIA RTX Blackwell architecture whitepaper, 2025'),
  machine(
    'mi300x',
    'AMD Instinct MI300X',
    192,
    5300,
    { fp32: 163.4, fp16: 1307.4, bf16: 1307.4, int8: 2614.9 },
    'AMD Instinct MI300X data sheet, 2023',
  ),
  machine('gaudi3', 'Intel Gaudi 3', 128, 3670, { bf16: 1835 }, 'Intel Gaudi 3 at Hot Chips, August 2024'),
  machine('arc-a770', 'Intel Arc A770, 16 GB', 16, 560, {}, 'Intel product specifications of Arc A770, 2022'),
  machine('arc-b580', 'Intel Arc B580', 12, 456, { int8: 233 }, 'Intel announcement of Arc B580, 3 December 2024'),
  machine('epyc9654', 'AMD EPYC 9654, one socket', null, 460.8, {}, 'AMD EPYC 9004 data sheet, 2022: 12 channels of DDR5-4800'),
  machine('m2-ultra', 'Apple M2 Ultra', 192, 800, {}, 'Apple press release, 5 June 2023'),
  machine('m3-ultra', 'Apple M3 Ultra', 512, 819, {}, 'Apple press release, 5 March 2025'),
  machine('m4', 'Apple M4', 32, 120, {}, 'Apple press release, 30 October 2024'),
  machine('m4-pro', 'Apple M4 Pro', 64, 273, {}, 'Apple press release, 30 October 2024'),
  machine('m4-max', 'Apple M4 Max', 128, 546, {}, 'Apple press release, 30 October 2024'),
  machine('m5', 'Apple M5', 32, 153, {}, 'Apple press release, 15 October 2025'),
  machine('m5-pro', 'Apple M5 Pro', 64, 307, {}, 'Apple press release, 3 March 2026'),
  machine('m5-max', 'Apple M5 Max', 128, 614, {}, 'Apple press release, 3 March 2026'),
];
