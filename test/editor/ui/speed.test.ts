import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Frame } from 'playwright-core';
import { root } from '../codeServer.js';
import { theEditor } from '../editor.js';
import { settled, uiTest, type Workbench } from '../ui.js';
import { oracleOf, promptModel } from './runs.js';

const FRAMES = 120;
const MB = 1e6;

/** Resident bytes of the server that this editor started, null where there is no /proc. */
async function serverMemory(): Promise<number | null> {
  const { userData } = await theEditor();
  const pids = (() => {
    try {
      return readdirSync('/proc').filter((name) => /^\d+$/.test(name));
    } catch {
      return [];
    }
  })();
  const resident = pids.flatMap((pid) => {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      if (!command.includes('dist/server.js') || !command.includes('--node-ipc') || !command.includes(userData)) return [];
      const pages = readFileSync(`/proc/${pid}/status`, 'utf8').match(/VmRSS:\s+(\d+) kB/)?.[1];
      return pages ? [Number(pages) * 1024] : [];
    } catch {
      return [];
    }
  });
  return resident.length === 1 ? (resident[0] as number) : null;
}

/** Bytes of JavaScript objects where a view lives, which views may share. */
const heapOf = (view: Frame): Promise<number> =>
  view.evaluate(() => (performance as unknown as { memory: { usedJSHeapSize: number } }).memory.usedJSHeapSize);

/** Pans a heat map a little before each frame; returns the milliseconds of the frames and how long each gesture took to answer. */
const pan = (view: Frame, frames: number) =>
  view.evaluate(async (count) => {
    const stage = document.querySelector('.heatmap-stage') as HTMLElement; // the view's first picture
    const { left, top, width, height } = stage.getBoundingClientRect();
    const at = { clientX: left + width / 2, clientY: top + height / 2, bubbles: true, cancelable: true };
    for (let i = 0; i < 8; i++) stage.dispatchEvent(new WheelEvent('wheel', { ...at, deltaY: -60, ctrlKey: true }));
    const [times, work]: [number[], number[]] = [[], []];
    let last = await new Promise<number>((done) => requestAnimationFrame(done));
    for (let i = 0; i < count; i++) {
      const started = performance.now();
      stage.dispatchEvent(new WheelEvent('wheel', { ...at, deltaX: i % 40 < 20 ? 12 : -12, deltaY: 0 }));
      await new Promise<void>((done) => queueMicrotask(done));
      work.push(performance.now() - started);
      const now = await new Promise<number>((done) => requestAnimationFrame(done));
      times.push(now - last);
      last = now;
    }
    return { times, work };
  }, frames);

/** Milliseconds from the first message after a key to the first frame that something new is drawn in. */
const paintAfterData = async (view: Frame, key: string): Promise<number> => {
  await view.evaluate(() => {
    const marks = window as unknown as { labData: number; labPaint: number };
    [marks.labData, marks.labPaint] = [0, 0];
    window.addEventListener('message', () => {
      marks.labData ||= performance.now();
    });
    new MutationObserver(() =>
      requestAnimationFrame(() => {
        if (marks.labData > 0) marks.labPaint ||= performance.now();
      }),
    ).observe(document.body, { childList: true, subtree: true, characterData: true, attributes: true });
  });
  await view.locator('body').press(key);
  await view.waitForFunction(() => (window as unknown as { labPaint: number }).labPaint > 0);
  return view.evaluate(() => {
    const { labData, labPaint } = window as unknown as { labData: number; labPaint: number };
    return labPaint - labData;
  });
};

const quantile = (values: readonly number[], at: number): number =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * at))] as number;

async function show(lab: Workbench, title: string, view: string): Promise<Frame> {
  await lab.command(`Model Lab: ${title}`);
  return lab.webview(view);
}

/** Prints how fast the first picture of a view comes after its data, and follows a gesture. */
async function quick(view: Frame, name: string, key: string): Promise<void> {
  await view.locator('.heatmap-stage').first().waitFor();
  await settled(view);
  const painted = await paintAfterData(view, key);
  console.log(`# ${name}: first paint ${painted.toFixed(0)} ms after its data`);
  assert.ok(painted > 0 && painted < 5000, 'the picture changed after its data came');
  await settled(view);
  const { times, work } = await pan(view, FRAMES);
  assert.equal(times.length, FRAMES);
  console.log(
    `# ${name} panned: ${(1000 / quantile(times, 0.5)).toFixed(0)} frames/s, p95 ${quantile(times, 0.95).toFixed(1)} ms a frame, gesture p95 ${quantile(work, 0.95).toFixed(1)} ms`,
  );
}

uiTest(
  'pictures follow a gesture, and ten inspectors take little more than one',
  { width: 1600, height: 1000, folder: path.join(root, 'media') },
  async (lab) => {
    const { prompt } = await oracleOf('tiny-llama');
    const side = await promptModel(lab, 'tiny-llama', prompt.repeat(8), 0);
    const attention = await show(lab, 'Show Attention', 'attention');
    await quick(attention, 'attention', ']');
    const one = { server: await serverMemory(), views: Math.max(await heapOf(side), await heapOf(attention)) };
    await quick(await show(lab, 'Show KV Cache', 'cache'), 'cache', ']');

    let views = one.views;
    const opened = async (frame: Frame) => {
      await settled(frame);
      views = Math.max(views, await heapOf(frame));
    };
    for (const [title, view] of [
      ['Show State', 'state'],
      ['Show Weights', 'weights'],
      ['Compare Runs', 'compare'],
      ['Show Architecture', 'architecture'],
      ['Open Tokenizer Lab', 'tokenizer'],
    ] as const)
      await opened(await show(lab, title, view));
    for (const model of ['tiny-llama', 'tiny-mamba', 'tiny-rwkv7']) {
      await lab.openFile(`${model}/model.safetensors`);
      await opened(await lab.webview('checkpoint'));
    }
    const server = await serverMemory();
    if (one.server !== null && server !== null) {
      console.log(`# server with one inspector ${(one.server / MB).toFixed(0)} MB, with ten ${(server / MB).toFixed(0)} MB`);
      assert.ok(server < 2 * one.server, 'inspectors share what the server holds');
    }
    console.log(
      `# largest heap of a page: ${(one.views / MB).toFixed(0)} MB with one inspector, ${(views / MB).toFixed(0)} MB with ten`,
    );
    assert.ok(views < 4 * one.views, 'views do not each bring a copy of everything');
  },
);

uiTest('pictures of a state follow a gesture', { width: 1600, height: 1000 }, async (lab) => {
  const { prompt } = await oracleOf('tiny-rwkv7');
  await promptModel(lab, 'tiny-rwkv7', prompt.repeat(16), 0);
  const view = await show(lab, 'Show State', 'state');
  await quick(view, 'state', ']');
});
