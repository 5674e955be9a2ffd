export interface DoctorCheck {
  readonly id: string;
  readonly title: string;
  readonly status: 'ok' | 'warning' | 'failed';
  /** What was found, with numbers. */
  readonly detail: string;
  /** What to do about it; empty when all is well. */
  readonly action: string;
}

export interface DoctorReport {
  readonly checks: readonly DoctorCheck[];
}
