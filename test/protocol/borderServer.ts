// A server with the real border and handlers that do to it what no healthy lab does on command.
import { serve } from '../../server/connection.js';
import type { Handlers } from '../../server/handlers.types.js';
import { endWithParent, parentConnection } from '../../server/process.js';
import { cancelled, LabError } from '../../server/protocol/errors.js';
import { schemas } from '../../server/schemas.js';

endWithParent();
const connection = parentConnection();
connection.onInitialize(() => ({ capabilities: {} }));

const unused = () => {
  throw new Error('not asked by any test');
};

serve(connection, {
  ...(Object.fromEntries(Object.keys(schemas).map((method) => [method, unused])) as unknown as Handlers),
  'models/list': () => [],
  'probe/read': () => ({ shape: [4], data: Float32Array.of(1.5, Number.NaN, Number.NEGATIVE_INFINITY, -0) }),
  'models/inspect': ({ path }) => {
    throw new LabError({ code: 'FORMAT_BAD', message: 'bad header', hint: 'get another file', file: path, offset: 8 });
  },
  'models/open': (_, { signal, progress }) =>
    new Promise((_, reject) => {
      progress(1, 3, 'weights');
      signal.addEventListener('abort', () => reject(cancelled()));
    }),
  'models/close': () => {
    setImmediate(() => {
      throw new Error('a bug outside of any request');
    });
    return new Promise(() => undefined);
  },
  'runs/stop': () => {
    void Promise.reject(new Error('a promise nobody awaits'));
    return {};
  },
});
connection.listen();
