// Puts our wrapper around the Mastra class of whatever @mastra/core the app imports. A module hook answers those imports
// with a small module that exports everything of the real one, and a wrapped Mastra.
import * as module from 'node:module'; // as a namespace: Node before 22.15 has no registerHooks, and must not fail here
import { guarded } from './complaints.mjs';

const CORE = new Set(['@mastra/core', '@mastra/core/mastra']);
const MARK = '?mastra-admin';
const MASTRAS_OWN = /[\\/]node_modules[\\/]@mastra[\\/]/; // they import it for themselves, mostly for its types

let wrapClass = (Mastra, _url) => Mastra;

/**
 * Installs the hook. `wrap(Mastra, url)` gets each class with the address of its module; `onRequire(specifier)` hears of
 * imports by require(), which get the CommonJS build and are left alone. Returns false on a Node without such hooks.
 */
export function installHooks(wrap, onRequire) {
  if (typeof module.registerHooks !== 'function') return false;
  wrapClass = wrap;
  module.registerHooks({
    resolve(specifier, context, next) {
      const resolved = next(specifier, context);
      return guarded('resolving an import', () => answer(specifier, context, resolved, onRequire)) ?? resolved;
    },
    load(url, context, next) {
      if (!url.endsWith(MARK)) return next(url, context);
      return { format: 'module', shortCircuit: true, source: writeModule(url.slice(0, -MARK.length)) };
    },
  });
  return true;
}

/** Called by the module below, when the real one has been loaded. */
export function wrapMastra(Mastra, url) {
  return typeof Mastra === 'function' ? wrapClass(Mastra, url) : Mastra;
}

/** Returns what is to be loaded instead of the real module; undefined for all that isn't Mastra's core. */
function answer(specifier, { parentURL, conditions }, resolved, onRequire) {
  if (!CORE.has(specifier) || !isOfApp(parentURL)) return undefined;
  if (new Set(conditions).has('require')) return void onRequire(specifier);
  return { ...resolved, url: resolved.url + MARK, format: 'module', shortCircuit: true };
}

function isOfApp(parentUrl) {
  return Boolean(parentUrl) && !parentUrl.endsWith(MARK) && !MASTRAS_OWN.test(parentUrl);
}

/** An own export goes before a starred one of the same name. */
function writeModule(url) {
  const real = JSON.stringify(url);
  return `import * as real from ${real};
import { wrapMastra } from ${JSON.stringify(import.meta.url)};
export * from ${real};
const Mastra = wrapMastra(real.Mastra, ${real});
export { Mastra };
`;
}
