// What goes wrong with telemetry is said once on stderr, in the terms of the person who runs the server.
const said = new Set();
const printError = console.error.bind(console); // the original, before the console is recorded

/** Prints `message` on stderr, the first time only that something of this `kind` happens. Never throws. */
export function complain(kind, message) {
  if (said.has(kind)) return;
  said.add(kind);
  try {
    printError(`[mastra-admin] ${message}`);
  } catch {
    // stderr is gone; there is nobody left to tell
  }
}

/** Runs `action` for its effect on telemetry; whatever it throws is reported and never reaches the app. */
export function guarded(what, action) {
  try {
    return action();
  } catch (error) {
    complain(what, `Telemetry: ${what} failed, the app goes on without it: ${error?.stack ?? error}`);
    return undefined;
  }
}
