// A server's writer, the real one, without a server: records the lines of a folder that telemetry_truth.py made, within
// so many seconds. Says on stdout how many it recorded by now, and at its end once more.
//
//   node writer.mjs <folder> <seconds>      settings come as the runner gives them to the preload
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const NODE = new URL('../../mastra_admin_sdk/adapters/runner/local/node/', import.meta.url);
const load = name => import(new URL(name, NODE));
const [{ takeSettings }, { Redactor }, { Rules }, { Status }, { Telemetry }] = await Promise.all(
  ['environment.mjs', 'redaction.mjs', 'rules.mjs', 'status.mjs', 'telemetry.mjs'].map(load),
);

const TICK_MS = 20;
const [folder, seconds] = process.argv.slice(2);
const settings = takeSettings(process.env, new URL('activate.mjs', NODE).href);
const status = new Status(settings.statusFile);
const telemetry = new Telemetry(settings, status, new Redactor(settings.secrets, new Rules(settings.policy)));
status.save();

const lines = [...readLines('spans'), ...readLines('logs')];
const begin = performance.now();
let produced = 0;
process.on('exit', () => {
  telemetry.finish();
  status.save();
  fs.writeSync(1, `ended ${produced}\n`);
});
while (produced < lines.length) {
  const due = Math.min(lines.length, Math.ceil((lines.length * (performance.now() - begin)) / (Number(seconds) * 1000)));
  for (; produced < due; produced += 1) record(lines[produced]);
  fs.writeSync(1, `${produced}\n`);
  await sleep(TICK_MS);
}
if (process.env.DRILL_WAITS) await telemetry.flush();

function record({ type, event, data }) {
  if (type === 'span') telemetry.recordSpan(event, data);
  else telemetry.recordLog(data);
}

function readLines(stream) {
  const files = fs.readdirSync(path.join(folder, stream)).sort();
  return files.flatMap(name => fs.readFileSync(path.join(folder, stream, name), 'utf8').split('\n').slice(0, -1)).map(line => JSON.parse(line));
}
