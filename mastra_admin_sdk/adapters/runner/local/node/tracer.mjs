// Attaches the exporter to the Mastra instances of the app, gives observability to those that have none, and makes the
// server listen where the runner says.
import fs from 'node:fs';
import { pathToFileURL } from 'node:url';
import { guarded } from './complaints.mjs';
import { identify, tapLogs } from './exporter.mjs';
import { addExporter, createInstance, findBuiltIn, findLibrary, Library } from './observability.mjs';
import { findPackage, loadModule } from './packages.mjs';

export class Tracer {
  #settings;
  #status;
  #exporter;
  #wrapped = new WeakMap();
  #attached = new WeakSet();
  #resolveSpan = () => undefined;
  #builtIn;
  #found;
  #library;

  constructor(settings, status, exporter) {
    this.#settings = settings;
    this.#status = status;
    this.#exporter = exporter;
  }

  /** Ids of the span in which the app is right now. */
  findSpan() {
    return guarded('finding the current span', () => identify(this.#resolveSpan()));
  }

  /** Returns the class whose instances are adopted. A proxy, not a subclass: it is the same class to `instanceof`. */
  wrap(Mastra, url) {
    const known = this.#wrapped.get(Mastra);
    if (known) return known;
    this.#guarded('looking at @mastra/core', () => this.#meetCore(url));
    const wrapped = new Proxy(Mastra, { construct: (target, args, newTarget) => this.#construct(target, args, newTarget, wrapped) });
    this.#wrapped.set(Mastra, wrapped);
    return wrapped;
  }

  #construct(Mastra, args, newTarget, wrapped) {
    const given = this.#guarded('adding observability to the configuration', () => this.#completeConfig(Mastra, args)) ?? args;
    const mastra = Reflect.construct(Mastra, given, newTarget === wrapped ? Mastra : newTarget);
    this.#guarded('setting where the server listens', () => this.#forceServer(mastra));
    this.#guarded('adding telemetry to Mastra', () => this.#adopt(mastra));
    return mastra;
  }

  /** Older versions take observability only here. Newer ones take it later, too, which leaves room for an observability.ts. */
  #completeConfig(Mastra, [config, ...rest]) {
    const library = Mastra.prototype.registerExporter || config?.observability || this.#builtIn ? undefined : this.#loadLibrary(() => {});
    if (!library) return undefined;
    const observability = new library.Observability({ configs: { default: createInstance(library, this.#exporter) } });
    this.#noteObservability('added');
    return [{ ...config, observability }, ...rest];
  }

  #meetCore(url) {
    const core = findPackage('@mastra/core', url);
    this.#status.update({ core_version: core?.manifest.version ?? null, reason: 'no Mastra instance was made yet' });
    if (!core) return;
    this.#builtIn = findBuiltIn(core);
    this.#resolveSpan = loadModule(core, './observability')?.resolveCurrentSpan ?? this.#resolveSpan;
  }

  /** The app's own values would go before PORT and MASTRA_HOST. TLS ends at the router, so the server speaks plain HTTP. */
  #forceServer(mastra) {
    const { server } = this.#settings;
    if (!server || typeof mastra.getServer !== 'function') return;
    let own;
    let forced = { ...server };
    override(mastra, 'getServer', original => {
      const given = original();
      if (given === own) return forced; // one object for one configuration, as without us
      own = given;
      // Clients of the deployment find its API by this.
      if (typeof given?.apiPrefix === 'string') this.#status.update({ api_prefix: given.apiPrefix });
      if (typeof given?.studioBase === 'string') this.#status.update({ studio_base: given.studioBase });
      return (forced = omitHttps({ ...given, ...server }));
    });
  }

  #adopt(mastra) {
    this.#status.update({ mastra: true });
    this.#observe(mastra);
    // An app with file-system routing brings its observability.ts after it has made the instance.
    if (typeof mastra.__registerFsObservability === 'function') {
      override(mastra, '__registerFsObservability', (original, ...args) => {
        const before = mastra.observability;
        const result = original(...args);
        if (mastra.observability !== before) this.#guarded('adding telemetry to observability.ts', () => this.#change(mastra, before));
        return result;
      });
    }
  }

  /** Observability that the app brings later takes the place of what it had, which may have been ours. */
  #change(mastra, before) {
    const { instances } = this.#status.state;
    this.#status.update({ instances: instances - before.listInstances().size });
    this.#noteObservability('configured');
    this.#observe(mastra);
  }

  #observe(mastra) {
    const registry = this.#findRegistry(mastra);
    if (!registry) return this.#giveUp(`@mastra/core ${this.#status.state.core_version} has no tracing to attach to`);
    if (registry.listInstances().size === 0) this.#addObservability(mastra, registry);
    else if (this.#status.state.observability !== 'added') this.#noteObservability('configured');
    return this.#attachRegistry(this.#findRegistry(mastra));
  }

  #findRegistry(mastra) {
    return typeof mastra.observability?.listInstances === 'function' ? mastra.observability : this.#builtIn?.registry;
  }

  #addObservability(mastra, registry) {
    const library = this.#loadLibrary(() => this.#observe(mastra));
    if (!library) return;
    const instance = createInstance(library, this.#exporter);
    registry.registerInstance('default', instance, true);
    // The registry of an app without observability accepts an instance and forgets it.
    if (registry.listInstances().size === 0) mastra.registerExporter(this.#exporter, instance, new library.Observability({}));
    this.#noteObservability('added');
  }

  #attachRegistry(registry) {
    for (const instance of registry.listInstances().values()) this.#attach(instance);
    if (this.#attached.has(registry)) return;
    this.#attached.add(registry);
    override(registry, 'registerInstance', (original, name, instance, ...rest) => {
      const result = original(name, instance, ...rest);
      this.#guarded('adding telemetry to an observability instance', () => this.#attach(instance));
      return result;
    });
  }

  #attach(instance) {
    if (this.#attached.has(instance)) return;
    addExporter(instance, this.#exporter);
    this.#attached.add(instance);
    tapLogs(instance, this.#exporter);
    this.#status.update({ instances: this.#status.state.instances + 1, traced: true, reason: null });
  }

  /** Returns what instances are made with; undefined when there is nothing, or not yet, in which case `later` is called. */
  #loadLibrary(later) {
    const found = this.#findLibrary();
    if (!found) return this.#giveUp('the app configures no observability, and @mastra/observability is not in its build output');
    this.#library ??= new Library(found, error => this.#fail('loading @mastra/observability', error));
    return this.#library.get(() => this.#guarded('adding telemetry to Mastra', later));
  }

  #findLibrary() {
    this.#found ??= this.#builtIn ?? findLibrary(pathToFileURL(fs.realpathSync(this.#settings.entry)).href);
    return this.#found;
  }

  #noteObservability(observability) {
    this.#status.update({ observability, observability_version: this.#findLibrary()?.version ?? null });
  }

  /** Always returns undefined. What is traced already stays the better news. */
  #giveUp(reason) {
    if (!this.#status.state.traced) this.#status.update({ reason });
  }

  #guarded(what, action) {
    try {
      return action();
    } catch (error) {
      return this.#fail(what, error);
    }
  }

  #fail(what, error) {
    this.#giveUp(`${what} failed: ${error?.message ?? error}`);
    guarded(what, () => {
      throw error;
    });
  }
}

function omitHttps({ https: _https, ...rest }) {
  return rest;
}

/** Replaces a method of one object; `replace` gets the original, bound, and the arguments. */
function override(object, name, replace) {
  const original = object[name].bind(object);
  const value = (...args) => replace(original, ...args);
  Object.defineProperty(object, name, { value, configurable: true, writable: true, enumerable: false });
}
