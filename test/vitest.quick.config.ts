/** `npm run check`, before each commit: what needs no processes of its own and is quick. `npm test` runs all there is. */
import { defineConfig } from 'vitest/config'
import whole from './vitest.config.ts'

export default defineConfig({
  test: {
    ...whole.test,
    include: [
      'test/*.test.ts',
      'test/{audit,imap/sorting,mapping,model,outbound,queue,rules,support,urlauth,wire}/**/*.test.ts',
    ],
    exclude: ['test/conform.test.ts', 'test/readme.test.ts'],
  },
})
