import type { Concept } from '../concept.js';
import { papers } from './papers.js';

const config = (names: readonly string[], title: string, what: string, more: Partial<Concept> = {}): Concept => ({
  kind: 'config',
  names,
  title,
  what,
  ...more,
});
const module = (names: readonly string[], title: string, what: string, more: Partial<Concept> = {}): Concept => ({
  ...config(names, title, what, more),
  kind: 'module',
});
const family = (names: readonly string[], title: string, what: string, paper: Concept['paper']): Concept => ({
  kind: 'family',
  names,
  title,
  what,
  ...(paper && { paper }),
});
const probe = (name: string, title: string, what: string, more: Partial<Concept> = {}): Concept => ({
  kind: 'probe',
  names: [name],
  title,
  what,
  ...(name.startsWith('state.') ? { states: [name.slice('state.'.length)] } : { probes: [name] }),
  ...more,
});

const families: readonly Concept[] = [
  family(
    ['vit', 'ViTModel', 'ViTForImageClassification'],
    'Vision Transformer (ViT)',
    'An image cut into patches, each one token, behind a class token whose last state stands for the image. Attention sees all patches at once.',
    papers.vit,
  ),
  family(
    ['dinov2', 'Dinov2Model', 'Dinov2ForImageClassification'],
    'DINOv2',
    'A ViT trained without labels. What each sublayer adds is scaled feature by feature, and positions are resampled for images of any size.',
    papers.dinov2,
  ),
  family(
    ['clip', 'CLIPModel'],
    'CLIP',
    'A vision tower and a text tower that meet in one space: the cosine of an image and a text says how well they fit. The text tower looks back only and is read at its end.',
    papers.clip,
  ),
  family(
    ['clip_vision_model', 'CLIPVisionModel', 'CLIPVisionModelWithProjection', 'CLIPForImageClassification'],
    'Vision tower of CLIP',
    'A ViT with a norm before its first block; its class token is projected into the space that texts share.',
    papers.clip,
  ),
  family(
    ['clip_text_model', 'CLIPTextModel', 'CLIPTextModelWithProjection'],
    'Text tower of CLIP',
    'A causal Transformer without a vocabulary to predict: the state at the end-of-text token stands for the text.',
    papers.clip,
  ),
  family(
    ['siglip', 'SiglipModel'],
    'SigLIP',
    'CLIP with a sigmoid for each pair in place of a softmax over all. No class token: the image is pooled by attention, the text read at its last token, padding included.',
    papers.siglip,
  ),
  family(
    ['siglip_vision_model', 'SiglipVisionModel', 'SiglipForImageClassification'],
    'Vision tower of SigLIP',
    'A ViT of patches alone, pooled by one learned query that attends to all of them.',
    papers.siglip,
  ),
  family(
    ['siglip_text_model', 'SiglipTextModel'],
    'Text tower of SigLIP',
    'A Transformer that sees the text in both directions, filled up to a fixed length and read at its last token.',
    papers.siglip,
  ),
  family(
    ['vim', 'VisionMamba'],
    'Vision Mamba (Vim)',
    'Patches with the class token in their middle, read by two selective scans, one in each direction, whose outputs are added.',
    papers.vim,
  ),
  family(
    [
      'bert',
      'BertModel',
      'BertForMaskedLM',
      'BertForPreTraining',
      'BertForSequenceClassification',
      'BertForTokenClassification',
      'BertForQuestionAnswering',
      'BertForNextSentencePrediction',
    ],
    'BERT',
    'Every token sees every other; trained to fill in hidden words. Norms stand behind the sums, and the first token, `[CLS]`, stands for the text.',
    papers.bert,
  ),
];

const keys: readonly Concept[] = [
  config(
    ['image_size'],
    'Side of the image',
    'Pixels a side of the images whose positions were learned: one number, or height and width.',
  ),
  config(
    ['patch_size'],
    'Side of a patch',
    'Pixels a side of what becomes one token. Half the side makes four times the tokens.',
    {
      formula: 'N = ⌊H/P⌋ · ⌊W/P⌋',
      paper: papers.vit,
    },
  ),
  config(['num_channels'], 'Channels of the image', '3 for red, green and blue.'),
  config(
    ['projection_dim', 'projection_size'],
    'Width of the shared space',
    'Size of the vectors in which images and texts meet.',
    {
      paper: papers.clip,
    },
  ),
  config(['logit_scale_init_value'], 'First value of the logit scale', 'Cosines are multiplied by e to this learned number.', {
    formula: 'logits = e^s · cos(image, text)',
    paper: papers.clip,
  }),
  config(['vision_config'], 'Config of the vision tower', 'The tower’s own config, as it would stand alone.'),
  config(
    ['text_config'],
    'Config of the text tower',
    'The tower’s, or the language model’s, own config, as it would stand alone.',
  ),
  config(['vision_use_head'], 'Pooling head', 'Whether the image is pooled by attention.', { paper: papers.siglip }),
  config(
    ['pooler_output_size'],
    'Width of the pooled output',
    'Size of what the pooler makes of the first token; the hidden size by default.',
  ),
  config(['pooler_act'], 'Activation of the pooler', 'Applied to the pooled vector; tanh by default.'),
  config(
    ['layerscale_value'],
    'First value of the layer scale',
    'What each sublayer adds is multiplied by a learned vector that starts here.',
    {
      paper: papers.layerScale,
    },
  ),
  config(['use_swiglu_ffn'], 'SwiGLU in the MLP', 'A gated MLP, two thirds as wide and rounded up to a multiple of 8.', {
    paper: papers.glu,
  }),
  config(['type_vocab_size'], 'Kinds of segments', 'Rows of the table that tells the first text of a pair from the second.', {
    paper: papers.bert,
  }),
  config(['id2label'], 'Names of the classes', 'What each logit of a classifier stands for.'),
];

const modules: readonly Concept[] = [
  module(
    ['cls_token', 'class_embedding'],
    'Class token',
    'A learned row that stands before the patches; its last state stands for the image.',
    {
      paper: papers.vit,
    },
  ),
  module(
    ['patch_embeddings', 'patch_embedding', 'patch_embed'],
    'Patch embedding',
    'A convolution whose stride is its size: one matrix that turns each patch into a token.',
    { formula: 'x_p = W · pixels_p + b', paper: papers.vit, probes: ['patch_embed'] },
  ),
  module(['mask_token'], 'Mask token', 'A learned row that stood in for hidden patches in training.', { paper: papers.dinov2 }),
  module(['pre_layrnorm'], 'Norm before the first block', 'Spelled so in the checkpoints.', { paper: papers.clip }),
  module(
    ['visual_projection', 'text_projection'],
    'Projection into the shared space',
    'From the pooled vector of a tower, without a bias.',
    {
      paper: papers.clip,
      probes: ['image_embeds', 'text_embeds'],
    },
  ),
  module(['logit_scale'], 'Logit scale', 'The logarithm of what cosines are multiplied by: an inverse temperature.', {
    paper: papers.clip,
  }),
  module(['logit_bias'], 'Logit bias', 'Added to every pair: most pairs do not fit.', { paper: papers.siglip }),
  module(
    ['layer_scale1', 'layer_scale2', 'lambda1'],
    'Layer scale',
    'A learned factor for each feature of what a sublayer adds.',
    {
      paper: papers.layerScale,
    },
  ),
  module(['pooler'], 'Pooler', 'A linear layer and tanh over the first token.', { paper: papers.bert, probes: ['pooler'] }),
  module(['token_type_embeddings'], 'Segment embedding', 'Tells the first text of a pair from the second.', {
    paper: papers.bert,
  }),
  module(['token_embedding'], 'Word embedding', 'One row a word of the vocabulary.'),
];

const probes: readonly Concept[] = [
  probe(
    'patch_embed',
    'Embedded patches',
    'Each patch through the patch embedding, before positions and the class token: [N, D].',
    {
      paper: papers.vit,
    },
  ),
  probe(
    'last_hidden_state',
    'Last hidden state',
    'Every token behind the last block, and behind the final norm where the family has it there: [T, D].',
  ),
  probe('pooler', 'Pooled output', 'One vector for the whole input: of the first token, or of a pooling head: [D].'),
  probe(
    'image_embeds',
    'Image embedding',
    'The image in the space that texts share: [P]; of length 1 where both towers are there.',
    {
      paper: papers.clip,
    },
  ),
  probe(
    'text_embeds',
    'Text embedding',
    'The text in the space that images share: [P]; of length 1 where both towers are there.',
    {
      paper: papers.clip,
    },
  ),
  probe('logits_per_image', 'Logits of images by texts', 'Scaled cosines: [images, texts].', { paper: papers.clip }),
  probe(
    'head.pattern',
    'Pattern of the pooling head',
    'How much each patch counts in the pooled vector, head by head: [H, 1, T].',
    {
      paper: papers.siglip,
    },
  ),
  ...(['fwd', 'bwd'] as const).flatMap((way) => {
    const side = way === 'fwd' ? 'first token on' : 'last token back';
    const own = (name: string, title: string, what: string) =>
      probe(`${name}_${way}`, `${title}, from the ${side}`, what, { paper: papers.vim });
    return [
      own('mixer.conv', 'After the convolution', 'Inner channels as this direction’s scan reads them: [T, d_inner].'),
      own('mixer.delta', 'Step size Δ', 'How far each channel moves at this token: [T, d_inner].'),
      own('mixer.B', 'Input direction B', 'Where in the state this token writes: [T, N].'),
      own('mixer.C', 'Output direction C', 'Which direction of the state this token reads: [T, N].'),
      own('mixer.decay', 'Decay', 'The factor the state is multiplied by: [T, d_inner, N].'),
      own('mixer.write', 'Write', 'What this token adds to the state: [T, d_inner, N].'),
      own('mixer.skip', 'Skip', 'What passes the state by: [T, d_inner].'),
      own('mixer.y', 'Scan’s output', 'What is read from the state, with the skip: [T, d_inner].'),
      own('state.ssm', 'SSM state', 'The state after this token, in the order of this direction: [T, d_inner, N].'),
    ];
  }),
];

/** Models that see images, and those that read a text in both directions. */
export const vision: readonly Concept[] = [...families, ...keys, ...modules, ...probes];
