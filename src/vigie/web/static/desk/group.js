// The panel of one group: its kept messages, the most unlike first, of which some can be excepted from the answer.

const STEP = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 };
const FRESH_MS = 1500; // a question shown for less has not been thought about: what was excepted may go before it

export const groupTemplate = `
<dialog ref="group" class="group-dialog" aria-labelledby="group-title" @close="closeGroup" @click.self="closeGroup">
  <template v-if="group">
    <header><h2 id="group-title">{{ texts.group }}</h2><button type="button" class="close" @click="closeGroup" :aria-label="texts.close">×</button></header>
    <p class="quiet">{{ group.about }}</p>
    <p v-if="group.alone" class="alone">{{ group.alone }}</p>
    <ul class="kept" role="listbox" aria-multiselectable="true" tabindex="0" ref="kept" :aria-label="texts.group_messages" :aria-activedescendant="'kept-' + at" :aria-busy="String(!group.messages)">
      <li v-for="(message, place) in group.messages" :id="'kept-' + place" :key="place" role="option" :aria-selected="String(ticked.includes(message.text))"
          :aria-disabled="String(!message.can_tick)" :class="{ at: at === place }" @click="tickAt(place)">
        <span class="tick" aria-hidden="true"></span>
        <pre dir="auto"><template v-for="part in message.parts"><mark v-if="part[1]" class="varies">{{ part[0] }}</mark><template v-else>{{ part[0] }}</template></template></pre>
        <small v-if="message.note">{{ message.note }}</small>
      </li>
    </ul>
    <p class="group-labels">{{ groupLabels }}</p>
    <div class="actions">
      <button type="button" class="action primary" @click="acceptGroup('click')" aria-keyshortcuts="Enter"><kbd>↵</kbd>{{ groupAccept }}</button>
      <span class="quiet group-keys">{{ texts.group_keys }}</span>
    </div>
  </template>
</dialog>`;

export const group = {
  data: () => ({ group: null, at: 0, ticked: [] }),
  computed: {
    groupAccept() {
      const n = this.ticked.length;
      if (!n) return this.texts.accept;
      return this.fill(n === 1 ? this.texts.accept_but_one : this.texts.accept_but, { n });
    },
    groupLabels() {
      const labels = Object.values(this.chosen).join(" · ");
      return labels ? this.fill(this.texts.group_labels, { labels }) : this.texts.choose_first;
    },
  },
  methods: {
    openGroup() {
      if (!this.current) return;
      if (this.current.single) return this.say(this.texts.one_message);
      this.panel = null;
      this.group = { id: this.current.id, about: "" };
      this.at = 0;
      this.ticked = this.current.ticked ?? [];
      this.$refs.group.showModal();
      this.$refs.group.focus();
      this.$emit("open", { question_id: this.current.id });
    },
    /** The server tells what is in the group. */
    showGroup(found) {
      if (this.group?.id !== found.id) return;
      this.group = found;
      this.ticked = this.ticked.filter((text) => found.messages.some((message) => message.text === text));
      this.$nextTick(() => this.$refs.kept?.focus());
    },
    closeGroup() {
      if (this.current && this.group?.id === this.current.id) this.current.ticked = this.ticked;
      this.group = null;
      if (!this.$refs.group.open) return;
      this.$refs.group.close(); // gives the focus back, but what was clicked with the mouse must not keep Enter for itself
      if (this.clicked) document.activeElement?.blur();
    },
    tickAt(place) {
      this.at = place;
      const message = this.group.messages?.[place];
      if (!message?.can_tick) return;
      const others = this.ticked.filter((text) => text !== message.text);
      this.ticked = others.length < this.ticked.length ? others : [...this.ticked, message.text];
    },
    acceptGroup(key) {
      if (!this.group || this.isDoubleClick(key)) return;
      if (!Object.keys(this.chosen).length) return this.say(this.texts.choose_first, "problem");
      const exceptions = [...this.ticked];
      this.closeGroup();
      this.accept(key, { exceptions });
    },
    /** Return what a key does while the panel is open; labels can be chosen as ever, except by the keys that move. */
    pressInGroup(key, event) {
      const step = STEP[event.key] ?? STEP[key];
      if (step) {
        const last = (this.group.messages?.length ?? 1) - 1;
        return () => this.moveTo(Math.min(Math.max(this.at + step, 0), last));
      }
      if (event.key === " ") return () => this.tickAt(this.at);
      if (key === "Enter") return () => this.acceptGroup(key);
      if (key === "Escape" || key === "o") return () => this.closeGroup(); // at once: the dialog by itself would say so later
      const found = this.labelOf(key);
      return found && (() => (this.chosen = { ...this.chosen, [found.dimension.name]: found.label.name }));
    },
    moveTo(place) {
      this.at = place;
      this.$nextTick(() => this.$refs.kept?.querySelector(".at")?.scrollIntoView({ block: "nearest" }));
    },
    /** What was excepted comes next: at once, unless somebody is reading another question already. */
    deliverNext(questions) {
      const isNew = (question) => question.id !== this.current?.id && this.queue.every((one) => one.id !== question.id);
      const fresh = questions.filter(isNew);
      if (!fresh.length) return;
      const isRead = this.current && performance.now() - this.shownAt > FRESH_MS;
      this.queue.unshift(...(isRead ? fresh : fresh.slice(1)));
      if (!isRead) this.show(fresh[0], true);
    },
    /** Questions that are not asked any more. */
    drop(ids) {
      this.queue = this.queue.filter((question) => !ids.includes(question.id));
      if (this.current && ids.includes(this.current.id)) this.current = null;
    },
  },
};
