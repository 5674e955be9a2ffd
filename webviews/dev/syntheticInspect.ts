import type { Params } from '../../server/protocol/requests.js';
import { type CacheScene, cacheMap, cacheOverview, cacheReceived, cacheSlice } from './syntheticCache.js';

/** Answers of the cache, state and weights inspectors; null for anything else. */
export function inspect(method: string, params: unknown, scene: CacheScene): unknown {
  switch (method) {
    case 'cache/overview':
      return cacheOverview(scene);
    case 'cache/map':
      return cacheMap(params as Params<'cache/map'>, scene);
    case 'cache/received':
      return cacheReceived(params as Params<'cache/received'>, scene);
    case 'cache/slice':
      return cacheSlice(params as Params<'cache/slice'>, scene);
    default:
      return null;
  }
}
