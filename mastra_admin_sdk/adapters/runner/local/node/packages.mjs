// Finds the packages that the app itself would get, and loads their ES modules without waiting.
import fs from 'node:fs';
import * as module from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const CONDITIONS = new Set(['import', 'node', 'module', 'default']);

/** Returns `{folder, manifest}` of the package `name` as seen from the module `fromUrl`; undefined when it isn't there. */
export function findPackage(name, fromUrl) {
  const file = findManifest(name, fromUrl);
  return file && { folder: path.dirname(file), manifest: JSON.parse(fs.readFileSync(file, 'utf8')) };
}

function findManifest(name, fromUrl) {
  try {
    return module.findPackageJSON(name, fromUrl);
  } catch (error) {
    if (error.code === 'ERR_MODULE_NOT_FOUND') return undefined;
    throw error;
  }
}

/**
 * Loads what `import '<package>/<subpath>'` would give, which is the same instance; undefined when there is no such export.
 *
 * The resolution of `require` would give the CommonJS build: a second copy, with classes of its own.
 */
export function loadModule(found, subpath = '.') {
  const file = findFile(found, subpath);
  // From inside of the package: from elsewhere, Node 22 prints a warning about require() of an ES module.
  return file && module.createRequire(path.join(found.folder, 'package.json'))(file);
}

/** The same for modules that can't be loaded without waiting: with a top-level await, or just being imported elsewhere. */
export async function importModule(found, subpath = '.') {
  const file = findFile(found, subpath);
  return file && import(pathToFileURL(file).href);
}

function findFile({ folder, manifest }, subpath) {
  const target = findTarget(manifest.exports ?? {}, subpath);
  const file = target && path.join(folder, target);
  return file && fs.existsSync(file) ? file : undefined;
}

function findTarget(exports, subpath) {
  return pickTarget(exports[subpath]) ?? pickTarget(exports['./*'])?.replace('*', subpath.slice('./'.length));
}

function pickTarget(target) {
  if (typeof target === 'string' || !target) return target || undefined;
  for (const [condition, next] of Object.entries(target)) {
    const found = CONDITIONS.has(condition) ? pickTarget(next) : undefined;
    if (found) return found;
  }
  return undefined;
}
