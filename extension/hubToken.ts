import * as vscode from 'vscode';
import type { Server } from './server.js';

const KEY = 'modelLab.huggingFaceToken';

/** Gives the server the access token of the Hugging Face Hub, whenever it starts and whenever the token changes. The token leaves the secret store for nothing else. */
export class HubToken implements vscode.Disposable {
  readonly #secrets: vscode.SecretStorage;
  readonly #server: Server;
  readonly #subscriptions: vscode.Disposable;

  constructor(secrets: vscode.SecretStorage, server: Server) {
    this.#secrets = secrets;
    this.#server = server;
    this.#subscriptions = vscode.Disposable.from(
      server.onStatus((status) => status === 'ready' && void this.#tell()),
      secrets.onDidChange(({ key }) => key === KEY && void this.#tell()),
    );
  }

  get(): Thenable<string | undefined> {
    return this.#secrets.get(KEY);
  }

  /** Null clears it. Resolves when the server has it. */
  async set(token: string | null): Promise<void> {
    await (token === null ? this.#secrets.delete(KEY) : this.#secrets.store(KEY, token));
    await this.#tell();
  }

  dispose(): void {
    this.#subscriptions.dispose();
  }

  async #tell(): Promise<void> {
    const token = (await this.get()) ?? null;
    if (this.#server.status === 'ready') await this.#server.request('hub/token', { token }).catch(() => undefined);
  }
}
