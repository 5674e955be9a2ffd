import type { Format } from './checkpoint.js';
/** A PyTorch checkpoint (torch.save, zip format of PyTorch ≥ 1.6). Its pickle is read, never executed. RWKV's is presented as Hugging Face's. */
export declare const pth: Format;
