// What the runner tells the preload, by environment variables that the app and its children never see.
import fs from 'node:fs';
import { fileURLToPath } from 'node:url';
import { guarded } from './complaints.mjs';

const TAKEN = [
  'MASTRA_CLOUD_TRACES_TARGET_DIR',
  'MASTRA_RUNNER_LOGS_TARGET_DIR',
  'MASTRA_ADMIN_PROCESS_ID',
  'MASTRA_ADMIN_ENTRY',
  'MASTRA_ADMIN_STATUS_FILE',
  'MASTRA_ADMIN_SERVER',
  'MASTRA_ADMIN_SECRET_NAMES',
  'MASTRA_ADMIN_TELEMETRY_POLICY',
];

/**
 * Reads the settings out of `env`, and removes them and the preload itself from it.
 *
 * MASTRA_DEPLOYMENT_ID must go in any case: with it in the environment, @mastra/observability believes to be on Mastra's
 * own platform and takes the app's storage exporters away.
 */
export function takeSettings(env, preloadUrl) {
  const given = { ...env };
  for (const name of TAKEN) delete env[name];
  setNodeOptions(env, withoutPreload(given.NODE_OPTIONS ?? '', fileURLToPath(preloadUrl)));
  return {
    tracesFolder: given.MASTRA_CLOUD_TRACES_TARGET_DIR || null,
    logsFolder: given.MASTRA_RUNNER_LOGS_TARGET_DIR || null,
    projectId: takeId(env, 'PROJECT'),
    deploymentId: takeId(env, 'DEPLOYMENT'),
    buildId: takeId(env, 'BUILD'),
    processId: given.MASTRA_ADMIN_PROCESS_ID || null,
    entry: given.MASTRA_ADMIN_ENTRY,
    statusFile: given.MASTRA_ADMIN_STATUS_FILE || null,
    server: guarded('reading MASTRA_ADMIN_SERVER', () => parseServer(given.MASTRA_ADMIN_SERVER)) ?? null,
    secrets: readSecrets(given),
    policy: parsePolicy(given.MASTRA_ADMIN_TELEMETRY_POLICY),
  };
}

/** Ours is MASTRA_ADMIN_<NAME>_ID when it is there: then MASTRA_<NAME>_ID is the app's own, and stays. */
function takeId(env, name) {
  const key = env[`MASTRA_ADMIN_${name}_ID`] === undefined ? `MASTRA_${name}_ID` : `MASTRA_ADMIN_${name}_ID`;
  const value = env[key] || null;
  delete env[key];
  if (name === 'DEPLOYMENT') delete env.MASTRA_DEPLOYMENT_ID;
  return value;
}

function parseServer(text) {
  if (!text) return null;
  const { port, host, drainTimeout } = JSON.parse(text);
  const forced = { port, host, drainTimeout };
  return Object.fromEntries(Object.entries(forced).filter(([, value]) => value !== undefined && value !== null));
}

/** What may be written. One that can't be read stops all recording: what was to be hidden must not be shown instead. */
function parsePolicy(text) {
  const { sample = 1, keepErrors = false, fields = [], patterns = [] } = text ? JSON.parse(text) : {};
  return { sample, keepErrors, fields, patterns };
}

function readSecrets(env) {
  const names = (env.MASTRA_ADMIN_SECRET_NAMES ?? '').split(',').filter(Boolean);
  return names.map(name => env[name]).filter(Boolean);
}

function setNodeOptions(env, options) {
  if (options === '') delete env.NODE_OPTIONS;
  else env.NODE_OPTIONS = options;
}

/** NODE_OPTIONS without `--import <this preload>`; everything else stays as it was written. */
export function withoutPreload(nodeOptions, preloadPath) {
  const words = splitOptions(nodeOptions);
  const kept = [];
  for (let index = 0; index < words.length; index += 1) {
    const { text, raw } = words[index];
    if (text === '--import' && isPreload(words[index + 1]?.text, preloadPath)) index += 1;
    else if (!(text.startsWith('--import=') && isPreload(text.slice('--import='.length), preloadPath))) kept.push(raw);
  }
  return kept.join(' ');
}

/** Splits as Node does: at spaces, except between double quotes, in which a backslash escapes the next character. */
function splitOptions(options) {
  const words = options.match(/(?:"(?:\\.|[^"\\])*"?|[^\s"])+/gs) ?? [];
  return words.map(raw => ({ raw, text: raw.replace(/"((?:\\.|[^"\\])*)"?/gs, (_, quoted) => quoted.replace(/\\(.)/gs, '$1')) }));
}

function isPreload(specifier, preloadPath) {
  if (!specifier?.startsWith('file:')) return false;
  try {
    return fs.realpathSync(fileURLToPath(specifier)) === fs.realpathSync(preloadPath);
  } catch {
    return false; // an import of the app's own that isn't there: Node will say so
  }
}
