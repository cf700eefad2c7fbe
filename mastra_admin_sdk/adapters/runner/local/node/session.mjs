// One run of the server, from the first line of the preload to the last of the process.
import { guarded } from './complaints.mjs';
import { ConsoleRecorder } from './console.mjs';
import { takeSettings } from './environment.mjs';
import { createExporter } from './exporter.mjs';
import { installHooks } from './hooks.mjs';
import { forceListening } from './listening.mjs';
import { Redactor } from './redaction.mjs';
import { Rules } from './rules.mjs';
import { Status } from './status.mjs';
import { Telemetry } from './telemetry.mjs';
import { Tracer } from './tracer.mjs';

/** Cleans the environment first of all, then starts recording. Called once, before anything of the app is loaded. */
export function startSession(preloadUrl) {
  const settings = takeSettings(process.env, preloadUrl);
  const status = new Status(settings.statusFile);
  const redactor = new Redactor(settings.secrets, new Rules(settings.policy));
  const telemetry = new Telemetry(settings, status, redactor);
  let tracer;
  const recorder = new ConsoleRecorder(telemetry, redactor, () => tracer.findSpan());
  tracer = new Tracer(settings, status, createExporter(telemetry, recorder));
  guarded('setting where servers listen', () => forceListening(settings.server ?? {}));
  guarded('installing the module hooks', () => watchImports(tracer, status));
  if (settings.logsFolder) guarded('recording the console', () => recordConsole(recorder, telemetry));
  status.save();
  process.on('exit', () => {
    guarded('recording the console', () => recorder.finish());
    telemetry.finish();
    status.save();
  });
}

function watchImports(tracer, status) {
  const installed = installHooks(
    (Mastra, url) => tracer.wrap(Mastra, url),
    specifier => status.update({ reason: `the app loads ${specifier} with require(); only ES modules are traced` }),
  );
  if (!installed) status.update({ reason: `Node ${process.version} has no module.registerHooks; 22.15 and later have` });
}

function recordConsole(recorder, telemetry) {
  recorder.install();
  // Only looks on: what happens to an exception that nobody caught stays as it is.
  process.on('uncaughtExceptionMonitor', error => {
    guarded('recording a crash', () => {
      recorder.release();
      telemetry.keepAll();
      telemetry.recordLog({ timestamp: new Date(), level: 'fatal', message: error?.stack ?? String(error), source: 'process' });
    });
  });
}
