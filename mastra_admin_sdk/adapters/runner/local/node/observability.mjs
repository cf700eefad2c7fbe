// The differences between versions of Mastra's observability, as far as the tracer meets them.
import { findPackage, importModule, loadModule } from './packages.mjs';

const PACKAGE = '@mastra/observability';

/** Returns `{version, load, import}` for the package that the module `fromUrl` would get; undefined when it isn't there. */
export function findLibrary(fromUrl) {
  const found = findPackage(PACKAGE, fromUrl);
  return found && { version: found.manifest.version, load: () => loadModule(found), import: () => importModule(found) };
}

// What require() says of an ES module that has a top-level await, or that somebody else is just importing.
const NEEDS_WAITING = new Set(['ERR_REQUIRE_ASYNC_MODULE', 'ERR_REQUIRE_ESM_RACE_CONDITION', 'ERR_REQUIRE_CYCLE_MODULE']);

/** Loads the package once: at once if that is possible, as it nearly always is, else a little later. */
export class Library {
  #found;
  #onFailure;
  #loaded;
  #waiting = null;

  constructor(found, onFailure) {
    this.#found = found;
    this.#onFailure = onFailure;
  }

  /** Returns the package; undefined when it failed, or isn't there yet, in which case `later` is called when it is. */
  get(later) {
    if (this.#loaded === undefined) this.#load();
    if (this.#waiting) this.#waiting.push(later);
    return this.#loaded ?? undefined;
  }

  #load() {
    this.#loaded = null; // asked a second time, Node tells another story than the first
    try {
      this.#loaded = this.#found.load();
    } catch (error) {
      if (NEEDS_WAITING.has(error.code)) this.#import();
      else this.#onFailure(error);
    }
  }

  #import() {
    this.#waiting = [];
    this.#found.import().then(library => {
      const waiting = this.#waiting;
      this.#loaded = library;
      this.#waiting = null;
      for (const later of waiting) later();
    }, this.#onFailure);
  }
}

/** What `@mastra/core` before 1.0 has inside instead of the package; undefined for a newer one. */
export function findBuiltIn(core) {
  const tracing = core && loadModule(core, './ai-tracing');
  if (!tracing?.getAllAITracing) return undefined;
  const library = { DefaultObservabilityInstance: tracing.DefaultAITracing, SensitiveDataFilter: tracing.SensitiveDataFilter };
  const registry = {
    listInstances: () => tracing.getAllAITracing(),
    registerInstance: (name, instance, isDefault) => tracing.registerAITracing(name, instance, isDefault),
  };
  return { version: core.manifest.version, load: () => library, registry };
}

/** An instance for apps that configure none: everything is sampled, and Mastra's own filter hides what is sensitive. */
export function createInstance({ DefaultObservabilityInstance, SensitiveDataFilter }, exporter) {
  const filters = [new SensitiveDataFilter()];
  return new DefaultObservabilityInstance({
    name: 'default',
    serviceName: 'mastra',
    sampling: { type: 'always' },
    exporters: [exporter],
    spanOutputProcessors: filters,
    processors: filters, // their name before 1.0
    logging: { enabled: true, level: 'debug' },
  });
}

/** Adds `exporter` to an instance, unless it has it. */
export function addExporter(instance, exporter) {
  if (instance.getExporters().includes(exporter)) return;
  if (typeof instance.registerExporter === 'function') instance.registerExporter(exporter);
  else if (typeof instance.getObservabilityBus === 'function') instance.getObservabilityBus().registerExporter(exporter);
  else instance.getConfig().exporters.push(exporter); // before 1.5: the list that is in use
}
