// The core is the main export; `moult/agent` and `moult/release` are imported by name, so that nobody loads a side that
// they do not use.
export * from './manifests/index.ts'
