/** The part of the Hub's own library that is used, in a file of its own: it is loaded when the Hub is first asked for something. */
export { listFiles, modelInfo } from '@huggingface/hub';
