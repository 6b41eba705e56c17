import { defineConfig } from 'vitest/config'

const timeouts = { testTimeout: 30_000, hookTimeout: 60_000 }

/** `npm test` runs `main`; the others need servers or a browser of their own, and run by name. */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'main',
          include: ['test/**/*.test.ts'],
          exclude: ['test/bench/**', 'test/topologies/**', 'test/browser/**'],
          globalSetup: ['test/support/global-redis.ts'],
          ...timeouts,
        },
      },
      {
        test: {
          name: 'browser',
          include: ['test/browser/**/*.test.ts'],
          globalSetup: ['test/support/global-redis.ts'],
          ...timeouts,
        },
      },
    ],
  },
})
