import * as vscode from 'vscode';
import type { DoctorCheck } from '../../server/protocol/doctor.js';
import { asLabError } from '../errors.js';
import type { Lab } from '../lab.js';
import { withSteps } from '../progress.js';

const SCHEME = 'model-lab-doctor';
const REPORT = vscode.Uri.from({ scheme: SCHEME, path: '/Model Lab Doctor.md' });
const STATUS: Readonly<Record<DoctorCheck['status'], string>> = { ok: 'OK', warning: 'Warning', failed: 'Failed' };

/** The doctor's report as a document: what was checked, what was found, and what to do. */
export class Doctor implements vscode.Disposable, vscode.TextDocumentContentProvider {
  readonly #changed = new vscode.EventEmitter<vscode.Uri>();
  readonly #registration = vscode.workspace.registerTextDocumentContentProvider(SCHEME, this);
  #report = '';

  readonly onDidChange = this.#changed.event;

  provideTextDocumentContent(): string {
    return this.#report;
  }

  /** Works without a server too: that it does not start is then a finding. */
  async run(lab: Lab): Promise<string> {
    const checks = await withSteps('Model Lab Doctor', async (options) => {
      const started = performance.now();
      try {
        const { checks } = await lab.server.request('lab/doctor', {}, options);
        return [serverCheck(lab, performance.now() - started), ...checks];
      } catch (error) {
        const { code, message, hint } = asLabError(error);
        if (code === 'CANCELLED') throw error;
        return [{ id: 'server', title: 'Server', status: 'failed', detail: `${code}: ${message}`, action: hint } as const];
      }
    });
    this.#report = markdown([...checks, trustCheck()]);
    this.#changed.fire(REPORT);
    await vscode.commands
      .executeCommand('markdown.showPreview', REPORT)
      .then(undefined, () => vscode.window.showTextDocument(REPORT));
    return this.#report;
  }

  dispose(): void {
    vscode.Disposable.from(this.#registration, this.#changed).dispose();
  }
}

const serverCheck = ({ server }: Lab, ms: number): DoctorCheck => ({
  id: 'server',
  title: 'Server',
  status: 'ok',
  detail: `process ${server.pid}, all checks answered in ${Math.round(ms)} ms`,
  action: '',
});

const trustCheck = (): DoctorCheck =>
  vscode.workspace.isTrusted
    ? { id: 'trust', title: 'Workspace trust', status: 'ok', detail: 'trusted: models may run', action: '' }
    : {
        id: 'trust',
        title: 'Workspace trust',
        status: 'warning',
        detail: 'not trusted: files can be inspected, models do not run',
        action: 'Trust the workspace: *Workspaces: Manage Workspace Trust*.',
      };

function markdown(checks: readonly DoctorCheck[]): string {
  const problems = checks.filter(({ status }) => status !== 'ok');
  const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
  return [
    '# Model Lab Doctor',
    '',
    problems.length === 0 ? 'All is well.' : `${problems.length} of ${checks.length} checks found something.`,
    '',
    ...problems.flatMap(({ title, status, detail, action }) => [
      `## ${title}: ${STATUS[status].toLowerCase()}`,
      '',
      detail,
      '',
      action,
      '',
    ]),
    '## All checks',
    '',
    '| Check | | Found |',
    '| --- | --- | --- |',
    ...checks.map(({ title, status, detail }) => `| ${cell(title)} | ${STATUS[status]} | ${cell(detail)} |`),
    '',
  ].join('\n');
}
