// The panel of similar groups: one answer for many. It is part of the desk, which it is mixed into.

const MOVES = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 };

const nothing = () => ({ question: null, groups: null, progress: "", active: 0, ticks: {}, armed: false });

export const similar = {
  data: () => ({ similar: nothing() }),
  computed: {
    tickedGroups() {
      return (this.similar.groups ?? []).filter(this.isTicked);
    },
    similarTotal() {
      const language = document.documentElement.lang;
      const plural = (n, one, many) => (new Intl.PluralRules(language).select(n) === "one" ? one : many);
      const written = (n) => new Intl.NumberFormat(language).format(n);
      const n = this.tickedGroups.reduce((sum, group) => sum + group.count, this.current?.count ?? 0);
      const groups = this.tickedGroups.length + 1;
      const text = plural(n, this.texts.similar_covers_one, this.texts.similar_covers_many);
      const of = groups === 1 ? this.texts.similar_groups_one : this.texts.similar_groups_many;
      return this.fill(text, { n: written(n), groups: this.fill(of, { n: written(groups) }) });
    },
    activeGroup() {
      return this.similar.groups?.[this.similar.active] ?? null;
    },
  },
  methods: {
    openSimilar() {
      if (!this.current) return;
      if (this.current.single) return this.say(this.texts.one_message);
      if (this.current.audit) return this.say(this.texts.similar_alone);
      if (!Object.keys(this.chosen).length && !this.single) return this.say(this.texts.choose_first, "problem");
      this.similar = { ...nothing(), question: this.current.id };
      this.panel = "similar";
      this.$nextTick(() => this.$refs.similarList.focus());
      this.$emit("similar", { question_id: this.current.id });
    },

    // What the server calls
    alike(question, view) {
      if (this.panel !== "similar" || this.similar.question !== question) return;
      Object.assign(this.similar, view);
      // Keys count only once the groups have been painted: until then nobody can have meant them.
      requestAnimationFrame(() => requestAnimationFrame(() => (this.similar.armed = true)));
    },
    noneAlike(question, problem) {
      if (this.similar.question !== question) return;
      if (this.panel === "similar") this.panel = null;
      this.say(problem, "problem");
    },
    applied(taken, closed, text) {
      this.countToday(taken);
      this.queue = this.queue.filter((question) => !closed.includes(question.id));
      if (closed.includes(this.current?.id)) this.next();
      this.say(text);
    },

    /** Where the model does not surely say what was chosen: what it says instead, or how sure it is. */
    doubts(group) {
      return Object.entries(this.chosen)
        .map(([dimension, label]) => ({ dimension, chosen: label, ...group.beliefs[dimension] }))
        .filter((one) => one.label !== one.chosen || one.confidence < this.setup.sure_from);
    },
    isTicked(group) {
      const byRule = Object.keys(this.chosen).length > 0 && !this.doubts(group).length;
      return this.similar.ticks[group.id] ?? byRule;
    },
    tick(group, place) {
      this.similar.active = place;
      this.similar.ticks[group.id] = !this.isTicked(group);
    },
    moveToSimilar(place) {
      this.similar.active = Math.min(Math.max(place, 0), (this.similar.groups?.length ?? 1) - 1);
      this.$nextTick(() => document.getElementById(`similar-${this.activeGroup?.id}`)?.scrollIntoView({ block: "nearest" }));
    },
    applySimilar(key = "click") {
      if (!this.similar.armed) return;
      const also = this.tickedGroups.map((group) => group.id);
      if (!Object.keys(this.chosen).length) return this.say(this.texts.choose_first, "problem");
      this.accept(key, { also });
    },

    onSimilarKey(event, key) {
      const onButton = event.target.closest?.("button");
      if ((key === "Enter" || key === " ") && onButton) return;
      const press = this.similarPressOf(event.key in MOVES ? event.key : key);
      if (!press) return;
      event.preventDefault();
      if (event.repeat && !(event.key in MOVES)) return;
      press();
    },
    similarPressOf(key) {
      if (key in MOVES) return () => this.moveToSimilar(this.similar.active + MOVES[key]);
      if (key === "Enter") return () => this.applySimilar(key);
      if (key === " ") return () => this.activeGroup && this.tick(this.activeGroup, this.similar.active);
      if (key === "Escape" || key === "m") return () => (this.panel = null);
      const found = this.labelOf(key);
      return found && (() => (this.chosen = { ...this.chosen, [found.dimension.name]: found.label.name }));
    },
  },
};
