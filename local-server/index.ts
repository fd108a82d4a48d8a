export { startServer, type RunningServer, type ServerOptions } from './start-server.ts'
export type { Faults } from './faults.ts'
