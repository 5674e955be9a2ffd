import { onWebGpu } from './group.js';

onWebGpu('experts');
