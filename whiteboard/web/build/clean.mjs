// Empties dist but for the file that keeps the folder in the repository.
import { readdirSync, rmSync } from 'node:fs';

for (const name of readdirSync('dist')) if (name !== '.gitignore') rmSync(`dist/${name}`, { recursive: true });
