import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { makeFolder, PRELOAD } from './helpers.mjs';

const { takeSettings, withoutPreload } = await import(path.join(PRELOAD, 'environment.mjs'));
const preload = path.join(PRELOAD, 'activate.mjs');
const url = pathToFileURL(preload).href;

for (const [name, given, left] of [
  ['nothing else', `--import ${url}`, ''],
  ['with an equals sign', `--import=${url}`, ''],
  ['in quotes', `--import "${url}"`, ''],
  ['before others', `--import ${url} --max-old-space-size=256`, '--max-old-space-size=256'],
  ['between others', `--enable-source-maps --import ${url} --import file:///own/hook.mjs`, '--enable-source-maps --import file:///own/hook.mjs'],
  ['beside quoted ones', `--require "./a file.cjs" --import ${url} --title="a \\"b\\""`, '--require "./a file.cjs" --title="a \\"b\\""'],
  ['not there', '--import file:///own/activate.mjs', '--import file:///own/activate.mjs'],
  ['not there, and a package', '--import tsx --no-warnings', '--import tsx --no-warnings'],
  ['nothing at all', '', ''],
]) {
  test(`NODE_OPTIONS without the preload: ${name}`, () => assert.equal(withoutPreload(given, preload), left));
}

test('a preload in a folder with a space or through a link is recognised', t => {
  const folder = makeFolder(t, 'a folder ');
  fs.symlinkSync(PRELOAD, path.join(folder, 'node modules'));
  const linked = pathToFileURL(path.join(folder, 'node modules', 'activate.mjs')).href;
  assert.match(linked, /%20/);
  assert.equal(withoutPreload(`--import ${linked} --trace-warnings`, preload), '--trace-warnings');
});

function makeEnv(more = {}) {
  return {
    PATH: '/bin',
    NODE_OPTIONS: `--import ${url}`,
    MASTRA_CLOUD_TRACES_TARGET_DIR: '/t',
    MASTRA_RUNNER_LOGS_TARGET_DIR: '/l',
    MASTRA_PROJECT_ID: 'p',
    MASTRA_DEPLOYMENT_ID: 'd',
    MASTRA_BUILD_ID: 'b',
    MASTRA_ADMIN_PROCESS_ID: 'x',
    MASTRA_ADMIN_ENTRY: '/e',
    MASTRA_ADMIN_STATUS_FILE: '/s',
    MASTRA_ADMIN_SERVER: '{"port":4100,"host":"127.0.0.1","drainTimeout":60000}',
    MASTRA_ADMIN_HOME: '/home',
    ...more,
  };
}

test('the settings are read, and only what marks the home stays', () => {
  const env = makeEnv();
  const settings = takeSettings(env, url);
  assert.deepEqual(settings, {
    tracesFolder: '/t', logsFolder: '/l', projectId: 'p', deploymentId: 'd', buildId: 'b', processId: 'x', entry: '/e', statusFile: '/s',
    server: { port: 4100, host: '127.0.0.1', drainTimeout: 60000 }, secrets: [],
    policy: { sample: 1, keepErrors: false, fields: [], patterns: [] },
  });
  assert.deepEqual(env, { PATH: '/bin', MASTRA_ADMIN_HOME: '/home' });
});

test('the app keeps ids of its own', () => {
  const env = makeEnv({ MASTRA_PROJECT_ID: 'of the app', MASTRA_ADMIN_PROJECT_ID: 'ours' });
  assert.equal(takeSettings(env, url).projectId, 'ours');
  assert.equal(env.MASTRA_PROJECT_ID, 'of the app');
  assert.equal(env.MASTRA_ADMIN_PROJECT_ID, undefined);
});

test('a deployment id never stays, because Mastra takes it for its own platform', () => {
  const env = makeEnv({ MASTRA_ADMIN_DEPLOYMENT_ID: 'ours' });
  assert.equal(takeSettings(env, url).deploymentId, 'ours');
  assert.equal(env.MASTRA_DEPLOYMENT_ID, undefined);
});

test('the values of secret variables are known, and stay in the environment of the app', () => {
  const env = makeEnv({ MASTRA_ADMIN_SECRET_NAMES: 'OPENAI_API_KEY,UNSET', OPENAI_API_KEY: 'value' });
  assert.deepEqual(takeSettings(env, url).secrets, ['value']);
  assert.equal(env.OPENAI_API_KEY, 'value');
  assert.equal(env.MASTRA_ADMIN_SECRET_NAMES, undefined);
});

test('a broken description of the server is said and ignored', t => {
  t.mock.method(console, 'error', () => {});
  assert.equal(takeSettings(makeEnv({ MASTRA_ADMIN_SERVER: '{broken' }), url).server, null);
});
