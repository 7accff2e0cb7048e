// Replies that the server has not confirmed yet. They survive a reload and a server that is away.

const PLACE = "vigie.outbox";

function read() {
  try {
    return JSON.parse(localStorage.getItem(PLACE)) ?? [];
  } catch {
    return [];
  }
}

function write(replies) {
  try {
    localStorage.setItem(PLACE, JSON.stringify(replies));
  } catch {
    // A full or forbidden storage costs the safety net, not the work: the reply is still sent.
  }
}

/** A name for a reply that no other reply has. */
export function nonce() {
  return Array.from(crypto.getRandomValues(new Uint32Array(3)), (part) => part.toString(36)).join("-");
}

/** Keep a reply until it is confirmed. */
export function keep(reply) {
  write([...read(), reply]);
}

/** Forget a confirmed or refused reply. */
export function forget(name) {
  write(read().filter((reply) => reply.nonce !== name));
}

/** The replies that are not confirmed, oldest first. */
export function waiting() {
  return read();
}
