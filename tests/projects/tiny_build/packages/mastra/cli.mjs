#!/usr/bin/env node
// Stands for the Mastra CLI where only what the runner does around it matters: no network, no bundler, half a second.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';

const behaviour = fs.existsSync('behaviour.txt') ? fs.readFileSync('behaviour.txt', 'utf8').trim() : 'works';
const behaviours = {
  works() {
    fs.mkdirSync('.mastra/output/assets', { recursive: true });
    fs.writeFileSync('.mastra/output/index.mjs', fs.readFileSync('server.mjs'));
    fs.writeFileSync('.mastra/output/assets/environment.json', JSON.stringify(process.env));
    fs.writeFileSync('.mastra/output/assets/priority.json', String(os.getPriority()));
    console.log('Build successful');
  },
  slow() {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1500);
    behaviours.works();
  },
  fails() {
    console.log('Analyzing dependencies...');
    console.error('ERROR: src/mastra/index.ts exports no mastra');
    process.exit(4);
  },
  forgets() {
    console.log('Nothing to do');
  },
  hangs() {
    // A helper in a session and with an environment of its own, as build tools' daemons are.
    spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { detached: true, stdio: 'inherit', env: {} });
    console.log('hanging');
    setInterval(() => {}, 1000);
  },
  floods() {
    const chunk = `${'x'.repeat(999)}\n`.repeat(1000);
    for (let index = 0; index < 40; index++) fs.writeSync(1, chunk);
    fs.writeSync(1, Buffer.alloc(8 << 20, 'y'));
    fs.writeSync(2, '\nthe last words\n');
    process.exit(1);
  },
};
behaviours[behaviour]();
