/** Preloaded (`--import`) into a gateway: its writer thread dies when the file DIE_AS_WRITER names comes to be. */
import { existsSync } from 'node:fs'
import { isMainThread, workerData } from 'node:worker_threads'

const file = process.env.DIE_AS_WRITER
const isWriter = !isMainThread && typeof workerData === 'object' && 'segmentOctets' in workerData
if (isWriter && file !== undefined)
  setInterval(() => {
    if (existsSync(file)) throw new Error('as the test wants it')
  }, 5)
