import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import * as vscode from 'vscode';
import type { ModelLabApi } from '../../../extension/extension.js';
import { embedded, eventually, extension, lab, tabs } from './lab.js';

const RESTART_LIMIT_MS = 2000;

suite('Server process', () => {
  test('activation takes less than 50 ms', async () => {
    const { activationMs } = await lab();
    assert.ok(activationMs < 50, `${activationMs} ms`);
  });

  test('starts by itself and finds the embedded models', async () => {
    const { server } = await lab();
    const entries = await server.request('models/find', { folders: [] });
    const names = entries.filter(({ source }) => source === 'embedded').map((entry) => path.basename(entry.path));
    assert.deepEqual(names.sort(), readdirSync(embedded()).sort());
    assert.equal(server.status, 'ready');
  });

  test('errors arrive with their code and file', async () => {
    const { server } = await lab();
    const file = path.join(extension().extensionPath, 'package.json');
    await assert.rejects(server.request('models/inspect', { path: file }), (error) => {
      assert.ok(error instanceof Error && 'code' in error && error.code !== 'INTERNAL', String(error));
      return true;
    });
  });

  /** Kills the server and waits until another one answers; milliseconds. */
  async function killAndWait(server: ModelLabApi['server']): Promise<number> {
    await server.request('models/list', {});
    const { pid } = server;
    assert.ok(pid);
    const pending = server.request('lab/doctor', {});
    const started = performance.now();
    process.kill(pid, 'SIGKILL');
    await assert.rejects(pending, (error) => error instanceof Error && 'code' in error && error.code === 'SERVER_LOST');
    assert.deepEqual(await server.request('models/list', {}), []);
    assert.notEqual(server.pid, pid);
    return performance.now() - started;
  }

  test('is back within two seconds after it was killed, and says what was lost', async () => {
    const { server } = await lab();
    const times: number[] = [];
    // The best of three: a busy machine may hold up any one of them.
    while (times.length < 3 && !times.some((ms) => ms < RESTART_LIMIT_MS)) times.push(await killAndWait(server));
    assert.ok(Math.min(...times) < RESTART_LIMIT_MS, `${times} ms`);
    await vscode.commands.executeCommand('modelLab.restartServer');
  });

  test('brings runs back after a crash, computed again', async () => {
    const { server } = await lab();
    const sampling = { temperature: 0, topK: null, topP: null, seed: 1 };
    const recipe = {
      path: embedded('tiny-mamba'),
      prompt: 'Anna has',
      ids: null,
      chat: false,
      maxTokens: 3,
      sampling,
      branch: null,
    };
    const { id } = await server.request('runs/start', recipe);
    const done = async () => {
      for (;;) {
        const run = await server.request('runs/get', { run: id });
        if (run.status === 'done') return run.tokenInfos;
        assert.equal(run.error, null);
      }
    };
    const tokens = await done();
    const restored = new Promise((resolve) => {
      const listener = server.onEvent(({ event, payload }) => {
        if (event !== 'restored') return;
        listener.dispose();
        resolve(payload);
      });
    });
    process.kill(server.pid ?? 0, 'SIGKILL');
    assert.deepEqual(await restored, { models: ['m1'], runs: [id] });
    assert.deepEqual(await done(), tokens);
    await server.request('models/close', { model: 'm1' });
  });

  test('restarts on command', async () => {
    const { server } = await lab();
    const { pid } = server;
    await vscode.commands.executeCommand('modelLab.restartServer');
    assert.equal(server.status, 'ready');
    assert.notEqual(server.pid, pid);
  });
});

suite('A server that cannot live', () => {
  const node = () => vscode.workspace.getConfiguration('modelLab.server');
  const coded = (code: string) => (error: unknown) => error instanceof Error && 'code' in error && error.code === code;
  const restart = () => vscode.commands.executeCommand('modelLab.restartServer');

  suiteTeardown(async () => {
    await node().update('node', undefined, vscode.ConfigurationTarget.Global);
    await restart();
    const { server } = await lab();
    assert.equal(server.status, 'ready');
    assert.equal(server.failure, null);
  });

  test('a setting that names no node is an error with a way out', async () => {
    const { server } = await lab();
    await node().update('node', '/nowhere/node', vscode.ConfigurationTarget.Global);
    void restart();
    await eventually(() => server.failure?.code === 'NODE_UNUSABLE', 'the failure is known');
    assert.equal(server.status, 'stopped');
    await assert.rejects(server.request('models/list', {}), coded('NODE_UNUSABLE'));
  });

  test('one that dies again and again is given up, and stays down until it is restarted', async () => {
    const { server } = await lab();
    const dying = path.join(mkdtempSync(path.join(tmpdir(), 'model-lab-')), 'node');
    writeFileSync(dying, '#!/bin/sh\n[ "$1" = --version ] && echo v20.0.0 || exit 3\n', { mode: 0o755 });
    await node().update('node', dying, vscode.ConfigurationTarget.Global);
    void restart();
    await eventually(() => server.failure?.code === 'SERVER_STOPPED', 'it was given up');
    assert.equal(server.status, 'stopped');
    await assert.rejects(server.request('models/list', {}), coded('SERVER_STOPPED'));
  });
});

suite('Views', () => {
  test('a weights file opens in the checkpoint editor', async () => {
    await vscode.commands.executeCommand('vscode.open', vscode.Uri.file(embedded('tiny-mamba', 'model.safetensors')));
    const tab = await eventually(() => vscode.window.tabGroups.activeTabGroup.activeTab, 'a tab opened');
    assert.ok(tab.input instanceof vscode.TabInputCustom);
    assert.equal(tab.input.viewType, 'modelLab.checkpoint');
  });

  test('a model folder opens in the checkpoint editor', async () => {
    await vscode.commands.executeCommand('modelLab.inspectPath', embedded('tiny-rwkv7'));
    const tab = await eventually(
      () => tabs().find(({ input }) => input instanceof vscode.TabInputCustom && input.uri.fsPath === embedded('tiny-rwkv7')),
      'the folder opened',
    );
    assert.equal(tab.label, 'tiny-rwkv7');
  });

  for (const [command, viewType] of [
    ['modelLab.showAttention', 'modelLab.attention'],
    ['modelLab.showCache', 'modelLab.cache'],
    ['modelLab.showState', 'modelLab.state'],
    ['modelLab.showWeights', 'modelLab.weights'],
    ['modelLab.showCompare', 'modelLab.compare'],
  ] as const) {
    test(`${command} opens its inspector, once`, async () => {
      await vscode.commands.executeCommand(command);
      await vscode.commands.executeCommand(command);
      const inspectors = () =>
        tabs().filter(({ input }) => input instanceof vscode.TabInputWebview && input.viewType.endsWith(viewType));
      await eventually(() => inspectors().length > 0, 'the inspector opened');
      assert.equal(inspectors().length, 1);
    });
  }

  suiteTeardown(async () => {
    await vscode.window.tabGroups.close(tabs());
  });
});

suite('Relay', () => {
  /** Asks `request` from inside a real webview and returns what `report`, a JavaScript expression, makes of the answer. */
  async function fromWebview(request: object, report: string): Promise<unknown> {
    const { relay } = await lab();
    const panel = vscode.window.createWebviewPanel('modelLab.test', 'Test', vscode.ViewColumn.Active, { enableScripts: true });
    const attached = relay.attach(panel.webview);
    const reported = new Promise<unknown>((resolve) => {
      panel.webview.onDidReceiveMessage((message) => message.kind === 'report' && resolve(message.report));
    });
    panel.webview.html = `<script>
      const api = acquireVsCodeApi();
      addEventListener('message', ({ data: message }) => {
        if (message.id === 7) api.postMessage({ kind: 'report', report: ${report} });
      });
      api.postMessage(${JSON.stringify({ kind: 'request', id: 7, ...request })});
    </script>`;
    try {
      return await reported;
    } finally {
      attached.dispose();
      panel.dispose();
    }
  }

  test('carries typed arrays into a webview', async () => {
    const path = embedded('tiny-llama', 'model.safetensors');
    const { server } = await lab();
    const { tensors } = await server.request('models/inspect', { path });
    const params = { path, tensor: tensors[0]?.name, rows: 8, cols: 8, bins: 16 };
    const seen = await fromWebview(
      { method: 'weights/tensor', params },
      '[message.kind, message.result?.heatmap.data instanceof Float32Array, message.result?.heatmap.data.length]',
    );
    assert.deepEqual(seen, ['result', true, 64]);
  });

  test('carries errors with their code', async () => {
    const seen = await fromWebview({ method: 'runs/get', params: { run: 7 } }, '[message.kind, message.error.code]');
    assert.deepEqual(seen, ['error', 'PARAMS_INVALID']);
  });

  test('tells a page that loaded again nothing of what the one before had asked', async () => {
    const { relay } = await lab();
    const heard: unknown[] = [];
    let said = (_: unknown) => {};
    const webview = {
      onDidReceiveMessage: (listener: (message: unknown) => void) => {
        said = listener;
        return new vscode.Disposable(() => {});
      },
      postMessage: async (message: unknown) => heard.push(message) > 0,
    } as unknown as vscode.Webview;
    const attached = relay.attach(webview);
    said({ kind: 'request', id: 1, method: 'runs/list', params: {} });
    said({ kind: 'ready' });
    said({ kind: 'request', id: 1, method: 'models/list', params: {} });
    const answers = () => heard.filter((message) => 'id' in (message as object));
    await eventually(() => answers().length > 0, 'an answer');
    await (await lab()).server.request('runs/list', {});
    attached.dispose();
    const { server } = await lab();
    assert.deepEqual(answers(), [{ kind: 'result', id: 1, result: await server.request('models/list', {}) }]);
  });

  test('refuses malformed requests of the host', async () => {
    const seen = await fromWebview({ method: 'host/select', params: { layer: 'x' } }, '[message.kind, message.error.code]');
    assert.deepEqual(seen, ['error', 'PARAMS_INVALID']);
  });
});
