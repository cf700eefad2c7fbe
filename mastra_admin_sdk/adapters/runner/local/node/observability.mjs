// The differences between versions of Mastra's observability, as far as the tracer meets them.
import { findPackage, loadModule } from './packages.mjs';

const PACKAGE = '@mastra/observability';

/** Returns `{library, version}` of the package that the module `fromUrl` would get; undefined when it isn't installed. */
export function findLibrary(fromUrl) {
  const found = findPackage(PACKAGE, fromUrl);
  return found && { version: found.manifest.version, load: () => loadModule(found) };
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
