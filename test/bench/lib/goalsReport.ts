// Prints every goal with what the benchmarks measured last, and writes it to .cache/bench/goals.{md,json}.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { boundsTable } from './bounds.js';
import { goals, goalsTable, outcome, type Result } from './goals.js';
import type { Profile } from './profile.js';
import { results } from './report.js';

const measured = new Map<string, Result>();
const profiles = new Map<string, Profile>();
for (const { line, profile = line } of goals) {
  const [file, profiled] = [path.join(results, `${line}.json`), path.join(results, `${profile}.profile.json`)];
  if (existsSync(file)) measured.set(line, JSON.parse(readFileSync(file, 'utf8')));
  if (existsSync(profiled)) profiles.set(line, JSON.parse(readFileSync(profiled, 'utf8')));
}
const text = `${goalsTable(measured)}\n${boundsTable(measured, profiles)}`;
console.log(`\n${text}`);
const found = goals.map((goal) => {
  const result = measured.get(goal.line);
  return { work: goal.work, peer: goal.peer, reach: goal.reach, outcome: result ? outcome(goal, result) : null };
});
if (measured.size > 0) {
  writeFileSync(path.join(results, 'goals.md'), text);
  writeFileSync(path.join(results, 'goals.json'), JSON.stringify(found, null, 2));
}
