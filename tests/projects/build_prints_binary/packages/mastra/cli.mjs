#!/usr/bin/env node
// A build that prints every byte there is, on both streams.
import fs from 'node:fs';

const bytes = Buffer.from(Array.from({ length: 256 * 64 }, (_, index) => index % 256));
fs.writeSync(1, bytes);
fs.writeSync(2, bytes);
fs.mkdirSync('.mastra/output', { recursive: true });
fs.writeFileSync('.mastra/output/index.mjs', fs.readFileSync('server.mjs'));
console.log('\nBuild successful');
