// Makes what the package's main points to, as a compiler would.
import fs from 'node:fs';

const hello = fs.readFileSync(new URL('src/hello.txt', import.meta.url), 'utf8').trim();
fs.mkdirSync('dist', { recursive: true });
fs.writeFileSync('dist/index.js', `export const hello = ${JSON.stringify(hello)};\n`);
