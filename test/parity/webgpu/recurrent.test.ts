import { onWebGpu } from './group.js';

onWebGpu('recurrent');
