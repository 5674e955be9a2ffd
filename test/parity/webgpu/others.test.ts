import { onWebGpu } from './group.js';

onWebGpu('others');
