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
          exclude: [
            'test/bench/**',
            'test/topologies/**',
            'test/browser/**',
            'test/faults/**',
            'test/airflow/**',
            'test/clients/**',
            'test/openapi/**',
          ],
          globalSetup: ['test/support/global-redis.ts'],
          // Many tests wait for servers more than they compute.
          maxWorkers: 4,
          ...timeouts,
        },
      },
      {
        test: {
          name: 'faults',
          include: ['test/faults/**/*.test.ts'],
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
      {
        test: {
          name: 'clients',
          include: ['test/clients/**/*.test.ts'],
          globalSetup: ['test/support/global-redis.ts'],
          // Compilers with sanitizers: minutes of one core for a program with all schemas.
          testTimeout: 120_000,
          hookTimeout: 300_000,
        },
      },
      {
        test: {
          name: 'openapi',
          include: ['test/openapi/**/*.test.ts'],
          globalSetup: ['test/support/global-redis.ts'],
          testTimeout: 180_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'airflow',
          include: ['test/airflow/**/*.test.ts'],
          globalSetup: ['test/support/global-redis.ts'],
          // Airflow's first import compiles itself: 40 s on two busy cores, and 10 s later on.
          testTimeout: 60_000,
          hookTimeout: 240_000,
        },
      },
      {
        test: {
          name: 'topologies',
          // What every implementation of a port must do holds on a Cluster, too.
          include: ['test/topologies/**/*.test.ts', 'test/contract/**/*.test.ts'],
          globalSetup: ['test/support/global-cluster.ts'],
          // Each file has up to six servers of its own, which two cores can't carry twice.
          maxWorkers: 1,
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
})
