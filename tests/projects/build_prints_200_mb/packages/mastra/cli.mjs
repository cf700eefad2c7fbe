#!/usr/bin/env node
// A build that prints 200 MB before it succeeds.
import fs from 'node:fs';

const chunk = `${'x'.repeat(999)}\n`.repeat(1000);
for (let index = 0; index < 200; index++) fs.writeSync(1, chunk);
fs.mkdirSync('.mastra/output', { recursive: true });
fs.writeFileSync('.mastra/output/index.mjs', fs.readFileSync('server.mjs'));
fs.writeSync(1, 'the last words\n');
