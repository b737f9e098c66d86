#!/usr/bin/env node
// Runs the program with the Node.js that the package pins, whatever Node.js started this file.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const at = (path) => fileURLToPath(new URL(path, import.meta.url))
const pinned = [at('../../node_modules/node/bin/node'), at('../../../node/bin/node')].find(existsSync)
const child = spawn(pinned ?? process.execPath, [at('../main.ts'), ...process.argv.slice(2)], {
  stdio: 'inherit',
})
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal))
child.on('exit', (code, signal) => process.exit(signal ? 1 : (code ?? 1)))
