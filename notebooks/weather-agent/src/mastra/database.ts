import { createClient } from '@libsql/client';
import { LibSQLStore } from '@mastra/libsql';

// Relative to the server's working directory, as in Mastra's own templates.
const url = 'file:../mastra.db';

/** Where Mastra keeps workflow runs and the like. */
export const storage = new LibSQLStore({ id: 'weather-storage', url });

const client = createClient({ url });

/** Counts one more visit in a table of this app's own, and returns how many there were so far. */
export async function countVisit(): Promise<number> {
  await client.execute('CREATE TABLE IF NOT EXISTS visits (id INTEGER PRIMARY KEY, at TEXT NOT NULL)');
  await client.execute({ sql: 'INSERT INTO visits (at) VALUES (?)', args: [new Date().toISOString()] });
  return countVisits();
}

/** Returns how many visits there were so far; 0 before the first one. */
export async function countVisits(): Promise<number> {
  const tables = await client.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'visits'");
  if (tables.rows.length === 0) return 0;
  const result = await client.execute('SELECT COUNT(*) AS visits FROM visits');
  return Number(result.rows[0]!.visits);
}
