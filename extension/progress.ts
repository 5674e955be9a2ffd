import * as vscode from 'vscode';
import type { ProgressStep, RequestOptions } from './server.js';

/** Runs a request with a notification that shows its steps and cancels it. */
export function withSteps<T>(title: string, task: (options: RequestOptions) => Promise<T>): Promise<T> {
  const settings = { location: vscode.ProgressLocation.Notification, title, cancellable: true };
  const shown = vscode.window.withProgress(settings, (report, token) => {
    let percent = 0;
    const progress = ({ done, total, what }: ProgressStep) => {
      const now = total > 0 ? Math.min(100, (100 * done) / total) : 0;
      report.report({ message: what, increment: Math.max(0, now - percent) });
      percent = Math.max(percent, now);
    };
    return task({ token, progress });
  });
  return Promise.resolve(shown);
}
