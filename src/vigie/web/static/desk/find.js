// The panel that finds a label by typing: where there are more labels than keys. It is part of the desk, which it is mixed into.

const MOVES = { ArrowDown: 1, ArrowUp: -1 };

export const findTemplate = `
<dialog ref="find" class="find-dialog" :aria-label="texts.find" @close="panel = panel === 'find' ? null : panel" @click.self="panel = null">
  <input ref="findInput" v-model="find.typed" class="find-input" type="text" role="combobox" maxlength="60" spellcheck="false" autocomplete="off"
         aria-expanded="true" aria-controls="find-list" aria-autocomplete="list" :aria-label="texts.find" :placeholder="texts.find_hint"
         :aria-activedescendant="foundLabels.length ? 'found-' + find.at : undefined" @input="find.at = 0" @keydown="onFindKey">
  <ul id="find-list" class="found" role="listbox" :aria-label="texts.find">
    <li v-for="(one, place) in foundLabels" :id="'found-' + place" :key="one.dimension.name + '/' + one.label.name" role="option"
        :aria-selected="String(place === find.at)" :class="{ at: place === find.at }" @click="takeFound(one, 'click')">
      <b>{{ one.label.name }}</b><span v-if="!single" class="quiet">{{ one.dimension.name }}</span>
      <small v-if="one.label.guideline">{{ one.label.guideline }}</small>
    </li>
  </ul>
  <p v-if="!foundLabels.length" class="quiet find-none" role="status">{{ texts.find_none }}</p>
</dialog>`;

const plain = (text) => text.normalize("NFKD").replace(/\p{Diacritic}/gu, "").toLowerCase();
const wordsOf = (text) => text.split(/[\s_\-./]+/).filter(Boolean);

/** How well a label fits what was typed: 0 its name begins so, 1 its words do, 2 its name has it, 3 its guideline; null not at all. */
function fit(label, typed) {
  const name = plain(label.name);
  const [asked, words] = [wordsOf(typed), wordsOf(name)];
  if (name.startsWith(typed)) return 0;
  if (asked.every((part) => words.some((word) => word.startsWith(part)))) return 1;
  if (asked.every((part) => name.includes(part))) return 2;
  return asked.every((part) => plain(label.guideline).includes(part)) ? 3 : null;
}

export const find = {
  data: () => ({ find: { typed: "", at: 0 } }),
  computed: {
    foundLabels() {
      const typed = plain(this.find.typed.trim());
      const all = this.setup.dimensions.flatMap((dimension) => dimension.labels.map((label) => ({ dimension, label })));
      const fitting = all.map((one) => ({ ...one, fit: fit(one.label, typed) })).filter((one) => one.fit !== null);
      return fitting.sort((first, second) => first.fit - second.fit); // stable: of equal ones, as the project lists them
    },
  },
  methods: {
    openFind() {
      if (!this.current) return;
      this.find = { typed: "", at: 0 };
      this.panel = "find";
      this.$nextTick(() => this.$refs.findInput.focus());
    },
    onFindKey(event) {
      if (event.isComposing) return;
      if (event.key in MOVES) this.moveToFound(this.find.at + MOVES[event.key]);
      else if (event.key === "Enter" && !event.repeat) this.takeFound(this.foundLabels[this.find.at], "Enter");
      else if (event.key === "Escape") this.panel = null;
      else return;
      event.preventDefault();
    },
    moveToFound(place) {
      this.find.at = Math.min(Math.max(place, 0), this.foundLabels.length - 1);
      this.$nextTick(() => document.getElementById(`found-${this.find.at}`)?.scrollIntoView({ block: "nearest" }));
    },
    takeFound(one, key) {
      if (!one) return;
      this.panel = null;
      this.choose(one.dimension, one.label, key);
      this.left = { key, at: performance.now() }; // pressed twice by accident, it does not save what was only chosen
    },
  },
};
