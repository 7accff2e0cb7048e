export { find } from "./find.js";
export { group } from "./group.js";
export * from "./keys.js";
export * as memory from "./memory.js";
export * as outbox from "./outbox.js";
export { template } from "./template.js";
export { similar } from "./similar.js";
