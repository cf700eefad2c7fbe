// How the preload finds and wraps the Mastra class. The packages here are stand-ins of a few lines, because real ones can
// not be made to break; tests/integration/test_traced_apps.py runs really built apps.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { makeFolder, readLines, runServer } from './helpers.mjs';

const CORE = `
class NoObservability { listInstances() { return new Map(); } registerInstance() {} }
export class Mastra {
  #observability; #server; #config;
  static version = 'static';
  constructor(config) {
    if (config?.fail) throw new TypeError('the constructor of Mastra');
    this.#config = config; this.#server = config?.server; this.#observability = config?.observability ?? new NoObservability();
  }
  get observability() { return this.#observability; }
  getServer() { return this.#server; }
  setServer(server) { this.#server = server; }
  registerExporter(exporter, instance, entrypoint) { this.#observability = entrypoint; entrypoint.registerInstance('default', instance); }
  __registerFsObservability(observability) { this.#observability = observability; }
}
export const other = 'other';
`;

const OBSERVABILITY = `
export class SensitiveDataFilter {}
export class DefaultObservabilityInstance {
  constructor(config) { this.config = config; }
  getExporters() { return [...this.config.exporters ?? []]; }
  registerExporter(exporter) { (this.config.exporters ??= []).push(exporter); }
  emit(name) { for (const each of this.getExporters()) each.onTracingEvent({ type: 'span_ended', exportedSpan: { name } }); }
}
export class Observability {
  #instances = new Map();
  listInstances() { return new Map(this.#instances); }
  registerInstance(name, instance) { this.#instances.set(name, instance); }
}
`;

/** A folder with node_modules; `packages` maps names to the source of their ES module. */
function makeApp(test, packages = { '@mastra/core': CORE, '@mastra/observability': OBSERVABILITY }) {
  const folder = makeFolder(test);
  for (const [name, source] of Object.entries(packages)) {
    const home = path.join(folder, 'node_modules', name);
    fs.mkdirSync(path.join(home, 'dist'), { recursive: true });
    const exports = Object.fromEntries(['.', './mastra'].map(subpath => [subpath, { import: './dist/index.js', require: './dist/index.cjs' }]));
    fs.writeFileSync(path.join(home, 'package.json'), JSON.stringify({ name, version: '1.2.3', type: 'module', exports }));
    fs.writeFileSync(path.join(home, 'dist', 'index.js'), source);
    fs.writeFileSync(path.join(home, 'dist', 'index.cjs'), 'exports.Mastra = class Mastra {};');
  }
  return folder;
}

async function run(test, source, { packages, variables } = {}) {
  const server = await runServer(test, source, { folder: makeApp(test, packages), variables });
  return { ...server, status: server.readStatus(), spans: readLines(server.traces).map(line => line.data.name) };
}

test('the wrapped class is the class, by every look at it', async t => {
  const { stdout, stderr } = await run(t, `
    import * as root from '@mastra/core';
    import { Mastra, other } from '@mastra/core/mastra';
    const { Mastra: dynamic } = await import('@mastra/core');
    class Mine extends Mastra { constructor() { super({}); this.mine = true; } getServer() { return { mine: true, ...super.getServer() }; } }
    const mine = new Mine(), plain = new Mastra();
    console.log(JSON.stringify([
      root.Mastra === Mastra, dynamic === Mastra, other, Mastra.name, Mastra.version, Mastra.length,
      plain instanceof Mastra, mine instanceof Mine, mine instanceof Mastra, mine.mine, mine.constructor.name,
      Object.keys(plain), mine.getServer(), plain.observability.listInstances().size,
    ]));`);
  assert.equal(stderr, '');
  assert.deepEqual(JSON.parse(stdout), [true, true, 'other', 'Mastra', 'static', 1, true, true, true, true, 'Mine', [], { mine: true }, 1]);
});

test('an app without observability gets an instance, with a filter and all logs', async t => {
  const { status, stdout, spans } = await run(t, `
    import { Mastra } from '@mastra/core';
    const [instance] = new Mastra().observability.listInstances().values();
    const { exporters, spanOutputProcessors, logging, sampling } = instance.config;
    console.log(JSON.stringify([exporters.length, spanOutputProcessors[0].constructor.name, logging, sampling]));
    instance.emit('hello');`);
  assert.deepEqual(JSON.parse(stdout), [1, 'SensitiveDataFilter', { enabled: true, level: 'debug' }, { type: 'always' }]);
  assert.deepEqual([status.observability, status.instances, status.traced, status.reason], ['added', 1, true, null]);
  assert.deepEqual([status.core_version, status.observability_version], ['1.2.3', '1.2.3']);
  assert.deepEqual(spans, ['hello']);
});

test('every instance of an app gets the exporter once, the later ones too', async t => {
  const { status, stdout, spans } = await run(t, `
    import { Mastra } from '@mastra/core';
    import { DefaultObservabilityInstance, Observability } from '@mastra/observability';
    const own = { name: 'own', onTracingEvent: event => console.log('own', event.exportedSpan.name) };
    const make = () => new DefaultObservabilityInstance({ exporters: [own] });
    const observability = new Observability(), [one, two, late] = [make(), make(), make()];
    observability.registerInstance('one', one); observability.registerInstance('two', two); observability.registerInstance('again', one);
    new Mastra({ observability }); new Mastra({ observability });
    observability.registerInstance('late', late);
    one.emit('from one'); two.emit('from two'); late.emit('from the late one');`);
  assert.deepEqual(spans, ['from one', 'from two', 'from the late one']);
  assert.equal(stdout, 'own from one\nown from two\nown from the late one\n');
  assert.deepEqual([status.observability, status.instances, status.traced], ['configured', 3, true]);
});

test('observability of a file that is registered after all takes the place of ours', async t => {
  const { status, spans } = await run(t, `
    import { Mastra } from '@mastra/core';
    import { DefaultObservabilityInstance, Observability } from '@mastra/observability';
    const mastra = new Mastra(), observability = new Observability(), instance = new DefaultObservabilityInstance({});
    observability.registerInstance('file', instance);
    mastra.__registerFsObservability(observability);
    instance.emit('from the file');`);
  assert.deepEqual(spans, ['from the file']);
  assert.deepEqual([status.observability, status.instances, status.traced], ['configured', 1, true]);
});

test('the server is configured as the runner says, over what the app says, also later', async t => {
  const variables = { MASTRA_ADMIN_SERVER: '{"port":4100,"host":"127.0.0.1","drainTimeout":60000}' };
  const { stdout, status } = await run(t, `
    import { Mastra } from '@mastra/core';
    const mastra = new Mastra({ server: { port: 3000, host: '0.0.0.0', apiPrefix: '/v1', studioBase: '/ui', https: { key: 'k' } } });
    const same = mastra.getServer() === mastra.getServer();
    console.log(JSON.stringify([same, mastra.getServer(), new Mastra().getServer()]));
    mastra.setServer({ ...mastra.getServer(), port: 1, cors: false });
    console.log(JSON.stringify(mastra.getServer()));`, { variables });
  const forced = { port: 4100, host: '127.0.0.1', drainTimeout: 60000 };
  const [first, later] = stdout.trim().split('\n').map(line => JSON.parse(line));
  assert.deepEqual(first, [true, { ...forced, apiPrefix: '/v1', studioBase: '/ui' }, forced]);
  assert.deepEqual(later, { ...forced, apiPrefix: '/v1', studioBase: '/ui', cors: false });
  assert.equal(status.api_prefix, '/v1');
  assert.equal(status.studio_base, '/ui');
});

test('what the constructor throws reaches the app as it is', async t => {
  const { code, stderr, stdout } = await run(t, `
    import { Mastra } from '@mastra/core';
    try { new Mastra({ fail: true }); } catch (error) { console.log(error instanceof TypeError, error.message); }
    new Mastra({ fail: true });`);
  assert.equal(stdout, 'true the constructor of Mastra\n');
  assert.equal(code, 1);
  assert.match(stderr, /TypeError: the constructor of Mastra/);
  assert.doesNotMatch(stderr, /mastra-admin\]/);
});

for (const [name, library, reason] of [
  ['is not there', undefined, /@mastra\/observability is not in its build output/],
  ['fails to load', 'throw new Error("broken package");', /broken package/],
  ['is another than expected', 'export const unexpected = 1;', /not a constructor/],
  ['does not fit to core', 'import { missing } from "@mastra/core"; export const x = missing;', /missing/],
]) {
  test(`an app runs untraced, and the status says why, when @mastra/observability ${name}`, async t => {
    const packages = { '@mastra/core': CORE, ...(library && { '@mastra/observability': library }) };
    const { code, stdout, status } = await run(t, `
      import { Mastra } from '@mastra/core';
      new Mastra(); new Mastra(); console.log('runs');`, { packages });
    assert.deepEqual([code, stdout], [0, 'runs\n']);
    assert.deepEqual([status.mastra, status.traced, status.observability], [true, false, 'missing']);
    assert.match(status.reason, reason);
  });
}

test('a library that can only be waited for is', async t => {
  const packages = { '@mastra/core': CORE, '@mastra/observability': `await 0; ${OBSERVABILITY}` };
  const { status, spans, stderr } = await run(t, `
    import { Mastra } from '@mastra/core';
    const mastra = new Mastra(), early = new Mastra();
    await new Promise(resolve => setTimeout(resolve, 100));
    for (const each of [mastra, early]) [...each.observability.listInstances().values()][0].emit('hello');`, { packages });
  assert.equal(stderr, '');
  assert.deepEqual(spans, ['hello', 'hello']);
  assert.deepEqual([status.observability, status.instances, status.traced, status.reason], ['added', 2, true, null]);
});

test('an app that loads Mastra with require() runs untraced, and the status says why', async t => {
  const { stdout, status } = await run(t, `
    import { createRequire } from 'node:module';
    const { Mastra } = createRequire(import.meta.url)('@mastra/core');
    new Mastra(); console.log('runs');`);
  assert.equal(stdout, 'runs\n');
  assert.match(status.reason, /with require\(\)/);
});

test('an import that fails, fails as without us', async t => {
  const { stdout } = await run(t, `
    for (const name of ['@mastra/core/none', '@mastra/core', './none.mjs']) {
      try { console.log(Object.keys(await import(name))); } catch (error) { console.log(error.code); }
    }`, { packages: { '@mastra/other': '' } });
  assert.equal(stdout, 'ERR_MODULE_NOT_FOUND\nERR_MODULE_NOT_FOUND\nERR_MODULE_NOT_FOUND\n');
});

test('import.meta.resolve gives the address of a file', async t => {
  const { stdout } = await run(t, `
    import { existsSync } from 'node:fs'; import { fileURLToPath } from 'node:url';
    console.log(existsSync(fileURLToPath(import.meta.resolve('@mastra/core'))));`);
  assert.equal(stdout, 'true\n');
});
