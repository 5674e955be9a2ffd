import type { Params } from '../../server/protocol/requests.js';
import { type CacheScene, cacheMap, cacheOverview, cacheReceived, cacheSlice } from './syntheticCache.js';
import { type StateScene, stateOverview, stateRanks, stateSeries, stateStep } from './syntheticState.js';
import { checkpoint, tensorPicture } from './syntheticWeights.js';

/** Answers of the cache, state and weights inspectors; null for anything else. */
export function inspect(method: string, params: unknown, scene: CacheScene & StateScene): unknown {
  switch (method) {
    case 'cache/overview':
      return cacheOverview(scene);
    case 'cache/map':
      return cacheMap(params as Params<'cache/map'>, scene);
    case 'cache/received':
      return cacheReceived(params as Params<'cache/received'>, scene);
    case 'cache/slice':
      return cacheSlice(params as Params<'cache/slice'>, scene);
    case 'state/overview':
      return stateOverview(scene);
    case 'state/series':
      return stateSeries(params as Params<'state/series'>, scene);
    case 'state/ranks':
      return stateRanks(params as Params<'state/ranks'>, scene);
    case 'state/step':
      return stateStep(params as Params<'state/step'>, scene);
    case 'models/inspect':
      return checkpoint((params as Params<'models/inspect'>).path, scene.layers);
    case 'weights/tensor':
      return tensorPicture(params as Params<'weights/tensor'>, scene.layers);
    default:
      return null;
  }
}
