import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import * as vscode from 'vscode';
import type { Boot } from '../server/protocol/host.js';

const resources = (root: vscode.Uri) => [vscode.Uri.joinPath(root, 'dist'), vscode.Uri.joinPath(root, 'media')];

export const webviewOptions = (root: vscode.Uri): vscode.WebviewOptions => ({
  enableScripts: true,
  enableCommandUris: false,
  localResourceRoots: resources(root),
});

/** The page of a view: its script and style from dist/webviews, its boot data as JSON, and nothing from anywhere else. */
export function page(webview: vscode.Webview, root: vscode.Uri, title: string, boot: Boot): string {
  const nonce = randomBytes(16).toString('base64');
  const file = (name: string) => vscode.Uri.joinPath(root, 'dist', 'webviews', name);
  const styles = ['codicon.css', `${boot.view}.css`].filter((name) => existsSync(file(name).fsPath));
  const links = styles.map((name) => `<link rel="stylesheet" href="${webview.asWebviewUri(file(name))}">`);
  const policy = [
    "default-src 'none'",
    `script-src 'nonce-${nonce}'`,
    `style-src ${webview.cspSource} 'nonce-${nonce}'`,
    `font-src ${webview.cspSource}`,
    `img-src ${webview.cspSource} data:`,
  ].join('; ');
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta property="csp-nonce" content="${nonce}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
${links.join('\n')}
</head>
<body>
<div id="root"></div>
<script type="application/json" id="boot">${JSON.stringify(boot).replaceAll('<', '\\u003c')}</script>
<script type="module" nonce="${nonce}" src="${webview.asWebviewUri(file(`${boot.view}.js`))}"></script>
</body>
</html>`;
}

const escapeHtml = (text: string) => text.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`);
