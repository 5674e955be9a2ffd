/** The one error type of the lab. Callers compare `code`, never text; `hint` says what to do about it. */
export interface LabErrorData {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
  /** File the error is about, when there is one. */
  readonly file?: string;
  /** Byte offset in `file`, when known. */
  readonly offset?: number;
}

export class LabError extends Error implements LabErrorData {
  readonly code: string;
  readonly hint: string;
  readonly file?: string;
  readonly offset?: number;

  constructor(data: LabErrorData, options?: ErrorOptions) {
    super(data.message, options);
    this.name = 'LabError';
    this.code = data.code;
    this.hint = data.hint;
    if (data.file !== undefined) this.file = data.file;
    if (data.offset !== undefined) this.offset = data.offset;
  }

  toData(): LabErrorData {
    const { code, message, hint, file, offset } = this;
    return {
      code,
      message,
      hint,
      ...(file !== undefined && { file }),
      ...(offset !== undefined && { offset }),
    };
  }
}

export const cancelled = () =>
  new LabError({ code: 'CANCELLED', message: 'The request was cancelled.', hint: 'Run it again when you need it.' });

/** A bug of ours: anything that reaches a border without being a LabError. */
export const internal = (cause: unknown) =>
  new LabError(
    {
      code: 'INTERNAL',
      message: cause instanceof Error ? cause.message : String(cause),
      hint: 'This is a bug in Model Lab. Please report it with the log of the Model Lab output channel.',
    },
    { cause },
  );

export const toLabError = (error: unknown): LabError => (error instanceof LabError ? error : internal(error));
