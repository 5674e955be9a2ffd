import { onWebGpu } from './group.js';

onWebGpu('hybrid');
