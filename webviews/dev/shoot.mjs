// Pictures of the views, to be looked at: `node webviews/dev/shoot.mjs [--live] OUT NAME=QUERY@WIDTHxHEIGHT…`
// e.g. `node webviews/dev/shoot.mjs /tmp/shots attention-light='view=attention&theme=light@800x600'`.
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import chromium from '@sparticuz/chromium';
import { chromium as playwright } from 'playwright-core';
import { serve } from './serve.mjs';

const live = process.argv.includes('--live');
const [folder, ...shots] = process.argv.slice(2).filter((argument) => argument !== '--live');
mkdirSync(folder, { recursive: true });
const server = await serve(0, live);
const browser = await playwright.launch({
  executablePath: await chromium.executablePath(),
  args: ['--no-sandbox'],
  headless: true,
});
for (const shot of shots) {
  const [, name, query, width, height, actions] = shot.match(/^([^=]+)=(.*?)@(\d+)x(\d+)(?:!(.*))?$/) ?? [];
  const page = await browser.newPage({ viewport: { width: Number(width), height: Number(height) } });
  page.on('console', (message) => ['error', 'warning'].includes(message.type()) && console.log(`${name}: ${message.text()}`));
  page.on('pageerror', (error) => console.log(`${name}: ${error.stack}`));
  await page.goto(`http://127.0.0.1:${server.address().port}/?${query}`);
  await page.locator('#root > *').first().waitFor({ timeout: 60_000 });
  await page.waitForTimeout(live ? 1500 : 700);
  // Actions: `click:SELECTOR`, `hover:SELECTOR`, `press:KEY`, `type:TEXT`, `wait:MS`, in order, separated by `;`.
  for (const action of actions?.split(';') ?? []) {
    const [verb, ...rest] = action.split(':');
    const what = rest.join(':');
    if (verb === 'click') await page.locator(what).first().click();
    else if (verb === 'hover') await page.locator(what).first().hover();
    else if (verb === 'press') await page.keyboard.press(what);
    else if (verb === 'type') await page.keyboard.type(what);
    else if (verb === 'wait') await page.waitForTimeout(Number(what));
  }
  await page.waitForTimeout(actions ? 400 : 0);
  await page.screenshot({ path: path.join(folder, `${name}.png`) });
  await page.close();
}
await browser.close();
server.close();
