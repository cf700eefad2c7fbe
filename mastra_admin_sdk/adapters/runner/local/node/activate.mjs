// The entry of the preload. A runner starts a Mastra server with
//   NODE_OPTIONS="--import file:///…/activate.mjs"
// and everything that follows happens in that one process: the check below keeps it out of npm, of worker threads and
// of the app's child processes, so it is small, runs on any Node, and imports the rest only when it is wanted.
import fs from 'node:fs';
import { isMainThread } from 'node:worker_threads';

if (isServer(process.env.MASTRA_ADMIN_ENTRY, process.argv[1])) {
  try {
    const { startSession } = await import('./session.mjs');
    startSession(import.meta.url);
  } catch (error) {
    // A telemetry module that can't load must not keep the app from starting.
    console.error(`[mastra-admin] This server is not traced: ${error?.stack ?? error}`);
  }
}

function isServer(entry, program) {
  if (!isMainThread || !entry || !program) return false;
  try {
    return fs.realpathSync(entry) === fs.realpathSync(program);
  } catch {
    return false; // one of them is not a file, so it is not our server
  }
}
