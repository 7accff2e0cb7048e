// What this browser remembers of its annotator.

/** Read a remembered value, or a default. */
export function recall(name, otherwise) {
  try {
    return JSON.parse(localStorage.getItem(`vigie.${name}`)) ?? otherwise;
  } catch {
    return otherwise;
  }
}

/** Remember a value. */
export function remember(name, value) {
  try {
    localStorage.setItem(`vigie.${name}`, JSON.stringify(value));
  } catch {
    // Without storage the page works; it only forgets.
  }
}

/** The annotator's name, made up at the first visit. */
export function annotator() {
  const known = recall("annotator", "");
  if (known) return known;
  const name = `guest-${crypto.getRandomValues(new Uint32Array(1))[0].toString(36).slice(-4)}`;
  remember("annotator", name);
  return name;
}

const today = () => new Date().toLocaleDateString("sv");

/** How many answers were given here today, after adding some. */
export function countToday(name, more = 0) {
  const kept = recall("today", {});
  const known = kept.day === today() && kept.name === name ? kept.n : 0;
  const n = Math.max(known + more, 0);
  if (more) remember("today", { day: today(), name, n });
  return n;
}
