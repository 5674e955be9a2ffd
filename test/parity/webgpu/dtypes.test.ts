import { onWebGpu } from './group.js';

onWebGpu('dtypes');
