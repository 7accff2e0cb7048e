// The label page's desk. Questions are delivered ahead, so a key press shows the next one at once, without the network;
// replies wait in an outbox, kept in the browser's storage, until the server says that they are stored.
import { enterIsTaken, find, group, isForPage, keyOf, memory, neighbour, outbox, similar, template } from "vigie-desk";

const SAME_KEY_MS = 250; // a key pressed twice by accident comes again within this; nobody reads a message that fast
const DOUBLE_CLICK_MS = 400;
const NOTICE_MS = 6000;

export default {
  template,
  mixins: [find, group, similar],
  props: { setup: Object },
  data() {
    return {
      annotator: memory.annotator(),
      queue: [],
      current: null,
      chosen: {},
      pane: 0,
      armed: false,
      status: null,
      notice: { text: "", tone: "" },
      panel: null,
      unsent: 0,
      today: 0,
      modelIsFresh: false,
      savesOnKey: memory.recall("saves-on-key", true),
    };
  },
  computed: {
    texts() {
      return this.setup.texts;
    },
    single() {
      return this.setup.dimensions.length === 1;
    },
    isGuest() {
      return this.annotator.startsWith("guest-");
    },
    acceptText() {
      const n = Object.keys(this.chosen).length;
      const all = this.setup.dimensions.length;
      return !this.current || n === all ? this.texts.accept : this.fill(this.texts.accept_some, { n, all });
    },
    unsentText() {
      return this.fill(this.unsent === 1 ? this.texts.unsent_one : this.texts.unsent_many, { n: this.unsent });
    },
  },
  watch: {
    savesOnKey(value) {
      memory.remember("saves-on-key", value);
    },
    panel(value) {
      for (const name of ["find", "keys", "similar"]) {
        const dialog = this.$refs[name];
        if (value === name) dialog.showModal();
        else if (dialog.open) dialog.close();
      }
    },
  },
  mounted() {
    this.today = memory.countToday(this.annotator);
    window.addEventListener("keydown", this.onKey);
    window.addEventListener("beforeunload", this.onLeave);
    this.watcher = setInterval(this.countUnsent, 1000);
    this.sitDown();
  },
  unmounted() {
    window.removeEventListener("keydown", this.onKey);
    window.removeEventListener("beforeunload", this.onLeave);
    clearInterval(this.watcher);
  },
  methods: {
    fill: (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]),
    sitDown() {
      this.$emit("sit", { annotator: this.annotator });
      for (const { question, at, ...reply } of outbox.waiting()) this.$emit("reply", reply);
    },
    rename(value) {
      const name = value.trim().slice(0, 60);
      if (!name || name === this.annotator) return;
      this.annotator = name;
      memory.remember("annotator", name);
      this.today = memory.countToday(name);
      [this.queue, this.current] = [[], null];
      this.sitDown();
    },

    // What the server calls
    deliver(questions) {
      const known = new Set([this.current?.id, ...this.queue.map((question) => question.id)]);
      this.queue.push(...questions.filter((question) => !known.has(question.id)));
      if (!this.current) this.next();
    },
    confirm(nonce) {
      outbox.forget(nonce);
      this.countUnsent();
    },
    refuse(nonce, gone, problem) {
      const reply = outbox.waiting().find((one) => one.nonce === nonce);
      outbox.forget(nonce);
      this.countUnsent();
      if (reply?.action === "answer") this.countToday(-1);
      if (reply?.question && !gone) this.show({ ...reply.question, chosen: reply.labels });
      this.say(this.fill(gone ? this.texts.gone : this.texts.not_stored, { problem }), "problem");
    },
    restore(question, labels, text, answers, dropped = [], excepted = []) {
      this.countToday(-answers);
      this.closeGroup();
      this.drop([question.id, ...dropped]);
      this.show({ ...question, ticked: excepted, chosen: answers ? labels : undefined });
      this.say(text);
    },
    withdraw(ids) {
      this.queue = this.queue.filter((question) => !ids.includes(question.id));
      if (!this.current || !ids.includes(this.current.id)) return;
      this.next();
      this.say(this.texts.withdrawn, "problem");
    },
    repredict(predictions) {
      for (const question of this.queue) Object.assign(question, predictions[question.id]);
    },
    tell(status) {
      const before = this.status?.model;
      this.status = status;
      if (before === undefined || before === status.model || !status.model) return;
      this.modelIsFresh = true;
      setTimeout(() => (this.modelIsFresh = false), NOTICE_MS);
      this.say(status.model_changed, "news");
    },
    say(text, tone = "") {
      this.notice = { text, tone };
      clearTimeout(this.noticeTimer);
      if (tone !== "problem") this.noticeTimer = setTimeout(() => (this.notice = { text: "", tone: "" }), NOTICE_MS);
    },

    // Questions
    next() {
      const question = this.queue.shift() ?? null;
      this.put(question);
    },
    show(question, asPredicted = false) {
      if (this.current && this.current.id !== question.id) this.queue.unshift({ ...this.current, chosen: asPredicted ? this.current.chosen : this.chosen });
      this.put(question);
    },
    put(question) {
      if (this.group && this.group.id !== question?.id) this.closeGroup();
      this.armed = false;
      if (["find", "similar"].includes(this.panel)) this.panel = null;
      this.current = question;
      this.chosen = question ? (question.chosen ?? this.predicted(question)) : {};
      this.shownAt = performance.now();
      if (question) this.$nextTick(this.keepPane);
      // Keys count only once the question has been painted: until then nobody can have meant it.
      if (question) requestAnimationFrame(() => requestAnimationFrame(() => (this.armed = this.current === question || this.current?.id === question.id)));
    },
    /** The box of the message never shrinks (label.css says how far it grows), so that the labels below stay where they are. */
    keepPane() {
      this.pane = Math.max(this.pane, this.$refs.message?.offsetHeight ?? 0);
    },
    predicted(question) {
      const known = (dimension) => dimension.labels.some((label) => label.name === question.beliefs[dimension.name]?.label);
      const sure = this.setup.dimensions.filter(known);
      return Object.fromEntries(sure.map(({ name }) => [name, question.beliefs[name].label]));
    },
    belief(dimension) {
      return this.current?.beliefs[dimension.name];
    },
    guideline(dimension) {
      const label = dimension.labels.find((one) => one.name === this.chosen[dimension.name]);
      return label?.guideline ?? "";
    },

    // What the annotator does
    choose(dimension, label, key = "click") {
      if (!this.current || this.isDoubleClick(key)) return;
      this.chosen = { ...this.chosen, [dimension.name]: label.name };
      if (this.single && this.savesOnKey) this.accept(key);
    },
    accept(key = "click", more = {}) {
      if (!this.current || this.isDoubleClick(key)) return;
      if (!Object.keys(this.chosen).length) return this.say(this.texts.choose_first, "problem");
      this.countToday(1);
      this.send("answer", { labels: { ...this.chosen }, ...more }, key);
      this.say(this.fill(this.texts.saved, { labels: Object.values(this.chosenBefore).join(" · ") }));
    },
    act(name, key = "click") {
      if (name === "undo") this.$emit("undo", {});
      else if (name === "open") this.openGroup();
      else if (name === "similar") this.openSimilar();
      else if (name === "find") this.openFind();
      else if (name === "keys" || name === "guidelines") this.panel = this.panel === name ? null : name;
      else if (this.current && !this.isDoubleClick(key)) {
        this.send(name, { labels: {} }, key);
        this.say(this.texts[name === "skip" ? "skipped" : "flagged"]);
      }
    },
    send(action, more, key) {
      const reply = {
        nonce: outbox.nonce(),
        annotator: this.annotator,
        action,
        question_id: this.current.id,
        model_version: this.current.model,
        duration_seconds: (performance.now() - this.shownAt) / 1000,
        ...more,
      };
      this.chosenBefore = this.chosen;
      this.left = { key, at: performance.now() };
      outbox.keep({ ...reply, question: this.current, at: Date.now() });
      this.next();
      this.$emit("reply", reply);
    },
    countToday(more) {
      this.today = memory.countToday(this.annotator, more);
    },
    countUnsent() {
      const late = outbox.waiting().filter((reply) => Date.now() - reply.at > 2000);
      this.unsent = late.length;
    },

    // Keys
    onKey(event) {
      if (!isForPage(event)) return;
      const key = keyOf(event);
      if (this.group) return this.onGroupKey(key, event);
      if (this.panel === "similar") return this.onSimilarKey(event, key);
      if (key === null || (key === "Enter" && enterIsTaken(event.target))) return;
      if (key === "Escape") return (this.panel = null);
      if (this.$refs.keys.open && key !== "?") return;
      const press = this.pressOf(key);
      if (!press) return;
      event.preventDefault();
      if (event.repeat || this.isAccident(key)) return;
      this.left = null;
      press();
    },
    onGroupKey(key, event) {
      if (key === "Enter" && enterIsTaken(event.target)) return; // a button hears it
      const press = this.pressInGroup(key, event);
      if (!press) return;
      event.preventDefault();
      if (!event.repeat || key === "j" || key === "k" || event.key.startsWith("Arrow")) press();
    },
    labelOf(key) {
      for (const dimension of this.setup.dimensions) {
        const label = dimension.labels.find((one) => one.key === key);
        if (label) return { dimension, label };
      }
      return null;
    },
    pressOf(key) {
      if (key === "Enter") return () => this.accept(key);
      const action = this.setup.actions.find((one) => one.key === key);
      if (action) return () => this.act(action.name, key);
      const found = this.labelOf(key);
      return found && (() => this.choose(found.dimension, found.label, key));
    },
    isAccident(key) {
      if (["?", "/", "g", "u", "o"].includes(key)) return false;
      return this.hasJustLeft(key, SAME_KEY_MS) || (this.current !== null && !this.armed);
    },
    isDoubleClick(key) {
      return key === "click" && this.hasJustLeft(key, DOUBLE_CLICK_MS);
    },
    hasJustLeft(key, ms) {
      return this.left?.key === key && performance.now() - this.left.at < ms;
    },
    onArrow(event, dimension) {
      const label = neighbour(dimension.labels, this.chosen[dimension.name], event.key);
      if (!label || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      this.chosen = { ...this.chosen, [dimension.name]: label.name };
      const row = event.currentTarget;
      this.$nextTick(() => row.querySelector("[aria-checked=true]")?.focus());
    },
    /** What was clicked with the mouse must not keep Enter for itself. */
    dropFocus(event) {
      this.clicked = event.detail > 0;
      if (this.clicked) event.target.closest("button, summary")?.blur();
    },
    onLeave(event) {
      if (outbox.waiting().length) event.preventDefault();
    },
  },
};
