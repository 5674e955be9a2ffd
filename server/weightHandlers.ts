import { tensorPicture } from './analyses/tensorPicture.js';
import { tensorChannels } from './analyses/weightChannels.js';
import { diff, diffTensor } from './analyses/weightDiff.js';
import { matrixProduct } from './analyses/weightProduct.js';
import { quantisation } from './analyses/weightQuantisation.js';
import { tensorSpectrum } from './analyses/weightSpectrum.js';
import { openCheckpoint } from './formats/registry.js';
import type { Handlers } from './handlers.types.js';
import type { Lab } from './lab/lab.js';
import { idSpeller } from './lab/tokens.js';
import { LabError } from './protocol/errors.js';
import type { Method } from './protocol/requests.js';
import { LanguageModel } from './runtime/languageModel.js';

type WeightMethod = Extract<Method, `weights/${string}`>;

const notOurs = (name: string) =>
  new LabError({
    code: 'TENSOR_NO_PRODUCT',
    message: `${name} runs as the graph of its file; where its matrices are used is not known.`,
    hint: 'Any value of the graph can be read by its name.',
  });

/** What the server answers about stored tensors. */
export const weightHandlers = (lab: Lab): Pick<Handlers, WeightMethod> => ({
  'weights/tensor': async ({ path, tensor, rows, cols, bins }, { signal }) =>
    tensorPicture(await lab.checkpointAt(path, signal), tensor, rows, cols, bins, signal),
  'weights/spectrum': async ({ path, tensor }, context) =>
    tensorSpectrum(await lab.checkpointAt(path, context.signal), tensor, context),
  'weights/channels': async ({ path, tensor }, { signal }) =>
    tensorChannels(await lab.checkpointAt(path, signal), tensor, signal),
  'weights/quantisation': async ({ path, tensor }, { signal }) =>
    quantisation(await lab.checkpointAt(path, signal), tensor, signal),
  'weights/product': ({ run, ...request }, context) => {
    const open = lab.runs.get(run).model;
    const { tokenizer, info } = open;
    if (!('model' in open && open.model instanceof LanguageModel)) throw notOurs(info.name);
    const speller = tokenizer ?? idSpeller;
    const word = (id: number) => ({ text: speller.text(id), bytes: [...speller.bytes(id)] });
    const { blocks } = open.model;
    return lab.runs.use(run, context, (view, watched) => matrixProduct(blocks, view, request, word, watched));
  },
  'weights/diff': async ({ a, b }, context) => diff(await openCheckpoint(a), await openCheckpoint(b), context),
  'weights/diffTensor': async ({ a, b, tensor, ...grid }, context) =>
    diffTensor(await openCheckpoint(a), await openCheckpoint(b), tensor, grid, context),
});
