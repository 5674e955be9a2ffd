import type { AnalysisMethod } from './analyses/analysis.js';
import { graphOutline, segmentGraph } from './analyses/modelGraph.js';
import { analyses } from './analyses/registry.js';
import { fitHandlers } from './fitHandlers.js';
import { modelType } from './formats/checkpoint.js';
import { openCheckpoint } from './formats/registry.js';
import type { Handler, Handlers } from './handlers.types.js';
import { isHubPath } from './hub/reference.js';
import { hubHandlers } from './hubHandlers.js';
import { usualSize } from './image/preprocess.js';
import { doctor } from './lab/doctor.js';
import { command, exportRun, fileCommand } from './lab/exportRun.js';
import { findModels } from './lab/finder.js';
import type { Lab } from './lab/lab.js';
import { aboutProbe } from './language/knowledge.js';
import { LabError } from './protocol/errors.js';
import { summarise } from './summary.js';
import type { Tensor } from './tensor/tensor.js';
import { tokenHandlers } from './tokenHandlers.js';
import { weightHandlers } from './weightHandlers.js';

/** A probe sent whole must fit a message. */
const WHOLE_PROBE = 64 << 20;

const tooLarge = (probe: string, bytes: number) =>
  new LabError({
    code: 'PROBE_TOO_LARGE',
    message: `${probe} is ${(bytes / 2 ** 20).toFixed(0)} MB; at most ${WHOLE_PROBE / 2 ** 20} MB travel at once.`,
    hint: 'Export the run to a file instead.',
  });

/** What the server answers, joined from its parts. One line a request. */
export const handlers = (lab: Lab) =>
  ({
    'lab/doctor': () => doctor(lab),
    'models/find': ({ folders }) => findModels(lab, folders),
    'models/inspect': async ({ path }, { signal }) =>
      isHubPath(path) ? lab.hub.inspect(path, signal) : summarise(await openCheckpoint(path)),
    'models/open': async ({ path }, context) => (await lab.open(path, undefined, context)).info,
    'models/command': (asked) => ({ command: fileCommand(asked) }),
    'models/close': async ({ model }) => {
      await lab.close(model);
      return {};
    },
    'models/list': () => lab.models.list.map((m) => m.info),
    ...hubHandlers(lab),
    ...tokenHandlers(lab),
    'runs/start': async (recipe, context) => {
      await lab.open(recipe.path, recipe.dtype, context);
      return lab.runs.start(recipe);
    },
    'runs/stop': ({ run }) => {
      lab.runs.stop(run);
      return {};
    },
    'runs/remove': async ({ run }) => {
      await lab.runs.remove(run);
      return {};
    },
    'runs/list': () => lab.runs.list.map((run) => run.info),
    'runs/get': ({ run }) => lab.runs.get(run).detail,
    'runs/divergence': ({ run }, context) => lab.runs.divergence(run, context),
    'runs/branch': ({ run, token, id }) => lab.runs.branch(run, token, id),
    'runs/export': async ({ run, file, probes }, context) => ({
      files: await lab.runs.use(run, context, (view) => exportRun(lab.runs.get(run), view, file, probes, context.signal)),
    }),
    'runs/picture': ({ run }) => lab.runs.get(run).picture(),
    'runs/outputs': ({ run }, { signal }) => lab.runs.get(run).outputs(lab.runs.list, signal),
    'runs/command': ({ run, probes }) => {
      const { recipe, tower } = lab.runs.get(run).info;
      return { command: command(recipe, probes, tower) };
    },
    'probe/read': async ({ run, probe }, context) => {
      const read = await lab.runs.use(run, context, (view, { signal }) => view.probes([probe], { signal }));
      const tensor = read.get(probe) as Tensor;
      if (tensor.data.byteLength > WHOLE_PROBE) throw tooLarge(probe, tensor.data.byteLength);
      return tensor;
    },
    ...analysisHandlers(lab),
    ...weightHandlers(lab),
    ...fitHandlers(lab),
    'model/outline': async ({ path }, { signal }) => graphOutline(await lab.checkpointAt(path, signal), lab.device),
    'model/segment': async ({ path, ...wanted }, { signal }) => {
      const checkpoint = await lab.checkpointAt(path, signal);
      const pixels = usualSize(checkpoint.preprocessor ?? null, modelType(checkpoint)) ?? undefined;
      return segmentGraph(checkpoint, { ...wanted, pixels }, aboutProbe, lab.device);
    },
    'language/active': (active) => {
      lab.active = active;
      return {};
    },
  }) satisfies Handlers;

/** Every analysis as the handler of its method: the run's view, then the parameters. */
function analysisHandlers(lab: Lab): { readonly [M in AnalysisMethod]: Handler<M> } {
  const handler =
    <M extends AnalysisMethod>(method: M): Handler<M> =>
    (params, context) =>
      lab.runs.use(params.run, context, (view, watched) => analyses[method](view, params, watched));
  return Object.fromEntries((Object.keys(analyses) as AnalysisMethod[]).map((method) => [method, handler(method)])) as never;
}
