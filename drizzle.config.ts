import { defineConfig } from 'drizzle-kit';

export default defineConfig({
  dialect: 'postgresql',
  schema: './src/archive/schema/tables.ts',
  out: './migrations',
});
