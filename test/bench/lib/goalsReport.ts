// Prints every goal with what the benchmarks measured last, and writes it to .cache/bench/goals.{md,json}.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { goals, goalsTable, outcome, type Result } from './goals.js';
import { results } from './report.js';

const measured = new Map<string, Result>();
for (const { line } of goals) {
  const file = path.join(results, `${line}.json`);
  if (existsSync(file)) measured.set(line, JSON.parse(readFileSync(file, 'utf8')));
}
const text = goalsTable(measured);
console.log(`\n${text}`);
const found = goals.map((goal) => {
  const result = measured.get(goal.line);
  return { work: goal.work, peer: goal.peer, reach: goal.reach, outcome: result ? outcome(goal, result) : null };
});
if (measured.size > 0) {
  writeFileSync(path.join(results, 'goals.md'), text);
  writeFileSync(path.join(results, 'goals.json'), JSON.stringify(found, null, 2));
}
