import { LabError } from '../protocol/errors.js';

const hints = {
  IMAGE_UNKNOWN: 'Give a PNG or a JPEG.',
  IMAGE_INVALID: 'The file is damaged: open it in an image editor and save it again.',
  IMAGE_UNSUPPORTED: 'Save it as a PNG, or as a baseline or progressive JPEG.',
  FILE_NOT_FOUND: 'Check the path.',
  FILE_UNREADABLE: 'Check that it is a regular file and that you may read it.',
  IMAGE_TOO_BIG: 'Make the image smaller; models see a few hundred pixels a side.',
} as const;

/** An error about an image file. */
export const imageError = (code: keyof typeof hints, file: string, message: string): LabError =>
  new LabError({ code, message, hint: hints[code], file });
