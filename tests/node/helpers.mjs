// What the suites share: temporary folders, programs run under the preload, and reading what it wrote.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';

export const PRELOAD = fileURLToPath(new URL('../../mastra_admin_sdk/adapters/runner/local/node/', import.meta.url));

/** A folder that goes with the test. */
export function makeFolder(test, name = 'mastra admin ') {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), name));
  test.after(() => fs.rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export async function until(what, condition, deadlineMs = 10_000) {
  const end = Date.now() + deadlineMs;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`waited ${deadlineMs} ms for ${what}`);
    await sleep(5);
  }
}

/** The names of the telemetry files in `folder`, oldest first. */
export function listFiles(folder) {
  return fs.existsSync(folder) ? fs.readdirSync(folder).sort() : [];
}

/** All lines in `folder`, parsed, in the order of their files; a broken line fails here. */
export function readLines(folder) {
  return readTexts(folder).map(text => JSON.parse(text));
}

/** All whole lines in `folder` as texts. Only a file that is still open may end in a torn one. */
export function readTexts(folder) {
  return listFiles(folder).flatMap(name => {
    const text = fs.readFileSync(path.join(folder, name), 'utf8');
    if (text !== '' && !text.endsWith('\n') && !name.endsWith('.open')) throw new Error(`${name} ends in a torn line: ${text.slice(-80)}`);
    return text.split('\n').slice(0, -1);
  });
}

/**
 * Runs `source` as the entry of a server under the preload, and returns what came of it. `variables` are added to its
 * environment, `node` is another Node, `preload` another folder with the modules.
 */
export async function runServer(test, source, options = {}) {
  const server = startServer(test, source, options);
  const exit = await server.exited;
  return { ...server, ...exit };
}

export function startServer(test, source, { variables = {}, node = process.execPath, preload = PRELOAD, folder } = {}) {
  const home = folder ?? makeFolder(test);
  const entry = path.join(home, 'server.mjs');
  fs.writeFileSync(entry, source);
  const files = { home, traces: path.join(home, 'spans'), logs: path.join(home, 'logs'), status: path.join(home, 'status.json') };
  const env = { PATH: process.env.PATH, HOME: home, ...settings(entry, files, preload), ...variables };
  const child = spawn(node, [entry], { env: dropUnset(env), cwd: home, stdio: ['ignore', 'pipe', 'pipe'] });
  test.after(() => child.kill('SIGKILL'));
  const output = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', text => (output.stdout += text));
  child.stderr.setEncoding('utf8').on('data', text => (output.stderr += text));
  const exited = new Promise(resolve => child.on('close', (code, signal) => resolve({ code, signal, ...output })));
  return { ...files, child, output, exited, readStatus: () => JSON.parse(fs.readFileSync(files.status, 'utf8')) };
}

function settings(entry, { traces, logs, status }, preload) {
  return {
    NODE_OPTIONS: `--import ${pathToFileURL(path.join(preload, 'activate.mjs'))}`,
    MASTRA_CLOUD_TRACES_TARGET_DIR: traces,
    MASTRA_RUNNER_LOGS_TARGET_DIR: logs,
    MASTRA_PROJECT_ID: 'project-1',
    MASTRA_DEPLOYMENT_ID: 'deployment-1',
    MASTRA_BUILD_ID: 'build-1',
    MASTRA_ADMIN_PROCESS_ID: 'process-1',
    MASTRA_ADMIN_ENTRY: entry,
    MASTRA_ADMIN_STATUS_FILE: status,
    MASTRA_ADMIN_HOME: path.dirname(entry),
  };
}

function dropUnset(env) {
  return Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined));
}
