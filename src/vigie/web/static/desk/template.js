// What the desk looks like. Texts of messages only ever go through {{ }}, which writes text, never markup.

import { findTemplate } from "./find.js";
import { groupTemplate } from "./group.js";

const message = `
<header class="question-head">
  <span class="covers">{{ current.covers }}</span>
  <span v-if="current.audit" class="badge">{{ texts.audit }}</span>
  <span v-if="current.why" class="why">{{ current.why }}</span>
</header>
<pre ref="message" class="message" :class="{ long: current.long }" dir="auto" tabindex="0" :aria-label="texts.message"><template v-for="part in current.parts"><mark v-if="part[1]" class="varies">{{ part[0] }}</mark><template v-else>{{ part[0] }}</template></template></pre>
<p v-if="current.cut" class="quiet">{{ current.cut }}</p>
<div class="others"><details v-if="current.samples.length" class="samples" :key="'samples' + current.id">
  <summary>{{ current.samples_title }}</summary>
  <pre v-for="sample in current.samples" class="sample" dir="auto">{{ sample }}</pre>
</details></div>`;

const rows = `
<div v-for="dimension in setup.dimensions" :key="dimension.name" class="dimension" role="radiogroup"
     :aria-label="dimension.question || dimension.name" @keydown="onArrow($event, dimension)">
  <div class="dimension-head">
    <h2>{{ dimension.name }}</h2>
    <span v-if="dimension.question" class="dimension-question">{{ dimension.question }}</span>
    <span v-if="belief(dimension)" class="belief">
      <span v-if="belief(dimension).confidence" class="meter" aria-hidden="true"><i :style="{ width: belief(dimension).confidence * 100 + '%' }"></i></span>
      <b v-if="dimension.labels.length > 12">{{ belief(dimension).label }}</b>
      {{ belief(dimension).text }}
    </span>
  </div>
  <div class="labels">
    <button v-for="(label, place) in dimension.labels" :key="label.name" type="button" role="radio" class="label"
            :aria-checked="String(chosen[dimension.name] === label.name)" :data-label="label.name" :title="label.guideline"
            :tabindex="chosen[dimension.name] === label.name || (!chosen[dimension.name] && !place) ? 0 : -1"
            :class="{ predicted: belief(dimension)?.label === label.name }" :aria-keyshortcuts="label.key || undefined"
            @click="choose(dimension, label)">
      <kbd v-if="label.key" aria-hidden="true">{{ label.key }}</kbd><span>{{ label.name }}</span>
    </button>
  </div>
  <p class="guideline">{{ guideline(dimension) }}</p>
</div>`;

const actions = `
<div class="actions">
  <button type="button" class="action primary" :disabled="!current" @click="accept()" aria-keyshortcuts="Enter"><kbd>↵</kbd>{{ acceptText }}</button>
  <button v-for="action in setup.actions" type="button" class="action" :class="'action-' + action.name" :disabled="action.needs_question && !current"
          @click="act(action.name)" :aria-keyshortcuts="action.key"><kbd>{{ action.key }}</kbd>{{ action.text }}</button>
</div>
<div class="dock-foot">
  <p class="notice" :class="notice.tone" role="status" aria-live="polite">{{ notice.text }}</p>
  <label v-if="single" class="setting"><input type="checkbox" v-model="savesOnKey"> {{ texts.saves_on_key }}</label>
</div>`;

const margin = `
<aside v-if="status" class="margin" :aria-label="texts.progress">
  <section>
    <h3>{{ texts.model }}</h3>
    <p class="badge model" :class="{ fresh: modelIsFresh }" :data-model="status.model || ''">{{ status.model_text }}</p>
  </section>
  <section class="accuracies">
    <h3>{{ texts.accuracy }}</h3>
    <div v-for="one in status.accuracy" class="accuracy" :data-dimension="one.dimension">
      <span class="name">{{ one.dimension }}</span><span class="value">{{ one.value ?? "–" }}</span>
      <span v-if="one.value" class="range" aria-hidden="true"><i :style="{ left: one.low * 100 + '%', right: (1 - one.high) * 100 + '%' }"></i><b :style="{ left: one.share * 100 + '%' }"></b></span>
      <small>{{ one.text }}</small>
    </div>
  </section>
  <section>
    <h3>{{ texts.progress }}</h3>
    <p class="figure"><b class="answers">{{ status.answers }}</b> {{ status.answers_text }}</p>
    <p class="figure"><b class="today">{{ today }}</b> {{ texts.today }}</p>
    <div class="track" aria-hidden="true" :class="{ running: status.training.running }"><i :style="{ width: status.training.share * 100 + '%' }"></i></div>
    <small class="training" :class="{ problem: status.training.works === false }">{{ status.training.text }}</small><br>
    <small>{{ status.waiting }}</small>
  </section>
  <section>
    <label class="who"><h3>{{ texts.annotator }}</h3>
      <input :value="annotator" maxlength="60" spellcheck="false" autocomplete="off" @change="rename($event.target.value)" @keydown.enter="$event.target.blur()" @keydown.escape="$event.target.blur()">
    </label>
    <small v-if="isGuest">{{ texts.name_hint }}</small>
  </section>
</aside>`;

const overlays = `
<aside v-if="panel === 'guidelines'" class="drawer" :aria-label="texts.guidelines">
  <header><h2>{{ texts.guidelines }}</h2><button type="button" class="close" @click="panel = null" :aria-label="texts.close">×</button></header>
  <p v-if="setup.goal" class="goal">{{ setup.goal }}</p>
  <section v-for="dimension in setup.dimensions">
    <h3>{{ dimension.name }}</h3><p class="quiet">{{ dimension.question }}</p>
    <dl><template v-for="label in dimension.labels"><dt><kbd>{{ label.key }}</kbd>{{ label.name }}</dt><dd>{{ label.guideline }}</dd></template></dl>
  </section>
</aside>
<dialog ref="keys" class="keys-dialog" :aria-label="texts.keys" @close="panel = panel === 'keys' ? null : panel" @click.self="$refs.keys.close()">
  <header><h2>{{ texts.keys }}</h2><button type="button" class="close" @click="$refs.keys.close()" :aria-label="texts.close">×</button></header>
  <dl><dt><kbd>↵</kbd></dt><dd>{{ texts.accept_all }}</dd>
    <template v-for="action in setup.actions"><dt><kbd>{{ action.key }}</kbd></dt><dd>{{ action.explained }}</dd></template></dl>
  <section class="group-section"><h3>{{ texts.group_open }}</h3>
    <dl><template v-for="one in setup.group_keys"><dt><kbd>{{ one.key }}</kbd></dt><dd>{{ one.explained }}</dd></template></dl></section>
  <section class="group-section"><h3>{{ texts.similar }}</h3>
    <dl><template v-for="one in setup.similar_keys"><dt><kbd>{{ one.key }}</kbd></dt><dd>{{ one.explained }}</dd></template></dl></section>
  <section v-for="dimension in setup.dimensions"><h3>{{ dimension.name }}</h3>
    <ul><li v-for="label in dimension.labels"><kbd>{{ label.key || "–" }}</kbd>{{ label.name }}</li></ul></section>
</dialog>`;

const similar = `
<dialog ref="similar" class="similar-dialog" aria-labelledby="similar-title" @close="panel = panel === 'similar' ? null : panel" @click.self="panel = null">
  <header><h2 id="similar-title">{{ texts.similar }}</h2><button type="button" class="close" @click="panel = null" :aria-label="texts.close">×</button></header>
  <pre v-if="current" class="similar-asked" dir="auto"><template v-for="part in current.parts"><mark v-if="part[1]" class="varies">{{ part[0] }}</mark><template v-else>{{ part[0] }}</template></template></pre>
  <p class="similar-labels"><span v-for="(label, name) in chosen" class="badge">{{ name }} <b>{{ label }}</b></span></p>
  <p v-if="similar.groups === null" class="quiet" role="status">{{ texts.similar_wait }}</p>
  <p v-else-if="!similar.groups.length" class="similar-none" role="status"><b>{{ texts.similar_none }}</b> {{ texts.similar_none_advice }}</p>
  <p v-else class="quiet">{{ texts.similar_rule }} {{ similar.progress }}</p>
  <ul ref="similarList" class="similar-list" role="listbox" aria-multiselectable="true" tabindex="0" :aria-label="texts.similar"
      :aria-busy="String(similar.groups === null)" :aria-activedescendant="activeGroup ? 'similar-' + activeGroup.id : undefined" :data-armed="similar.armed ? '' : undefined">
    <template v-for="(group, place) in similar.groups ?? []" :key="group.id">
    <li v-if="group.far && !similar.groups[place - 1]?.far" role="presentation" class="similar-far">{{ texts.similar_far }}</li>
    <li :id="'similar-' + group.id" role="option" class="similar-group"
        :aria-selected="String(isTicked(group))" :class="{ active: place === similar.active }" @click="tick(group, place)">
      <i class="tick" aria-hidden="true"></i>
      <pre dir="auto"><template v-for="part in group.parts"><mark v-if="part[1]" class="varies">{{ part[0] }}</mark><template v-else>{{ part[0] }}</template></template></pre>
      <p class="similar-about"><b>{{ group.covers }}</b><span class="alike"><span class="meter" aria-hidden="true"><i :style="{ width: group.share * 100 + '%' }"></i></span>{{ group.similarity }}</span>
        <span v-if="!group.model" class="doubt">{{ texts.similar_unknown }}</span>
        <span v-else-if="!doubts(group).length">{{ texts.similar_same }}</span>
        <span v-else v-for="doubt in doubts(group)" class="doubt" :class="{ differs: doubt.label !== doubt.chosen }">{{ doubt.dimension }} <b>{{ doubt.label ?? "–" }}</b> {{ doubt.text }}</span></p>
    </li>
    </template>
  </ul>
  <footer>
    <button type="button" class="action primary" :disabled="!similar.armed" @click="applySimilar()" aria-keyshortcuts="Enter"><kbd>↵</kbd>{{ texts.similar_apply }}</button>
    <span class="similar-total" role="status" aria-live="polite">{{ similar.armed ? similarTotal : "" }}</span>
    <small>{{ texts.similar_keys }}</small>
  </footer>
</dialog>`;

export const template = `
<div class="desk" :data-state="current ? 'asking' : 'waiting'" :style="{ '--rows': setup.dimensions.length, '--pane': pane + 'px' }" @click="dropFocus">
  <div class="desk-main">
    <p v-if="unsent" class="banner">{{ unsentText }}</p>
    <article v-if="current" class="question" :data-question="current.id" :data-armed="armed ? '' : undefined">
      <div class="asked" aria-live="polite">${message}</div>
      ${rows}
    </article>
    <section v-else class="nothing"><template v-if="status"><h2>{{ status.nothing.heading }}</h2><p>{{ status.nothing.advice }}</p></template></section>
    <div class="dock">${actions}</div>
  </div>
  ${margin}
  ${overlays}
  ${groupTemplate}
  ${similar}
  ${findTemplate}
</div>`;
