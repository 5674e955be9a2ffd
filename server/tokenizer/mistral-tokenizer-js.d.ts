/** The package has no declarations of its own. */
declare module 'mistral-tokenizer-js' {
  const vocabulary: import('./llama.js').UnpackedVocabulary;
  export default vocabulary;
}
