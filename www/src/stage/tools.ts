// The head of a stage: what is in focus, and buttons that zoom it.
import { html, LitElement } from 'lit';
import type { Focus } from '../gen/Focus';
import { words } from '../words';
import { BlStage } from './stage';

export class BlStageTools extends LitElement {
  private stage: BlStage | undefined;
  private readonly onView = () => this.requestUpdate();

  protected override createRenderRoot() {
    return this;
  }

  override disconnectedCallback() {
    super.disconnectedCallback();
    this.stage?.removeEventListener('view-changed', this.onView);
    this.stage = undefined;
  }

  protected override updated() {
    const stage = this.closest('.side')?.querySelector('bl-stage');
    if (this.stage || !(stage instanceof BlStage)) return;
    this.stage = stage;
    stage.addEventListener('view-changed', this.onView);
    this.requestUpdate();
  }

  private choice(focuses: Focus[], chosen: Focus | undefined) {
    const named = ({ kind, name }: Focus) =>
      `${words.zoom.kinds[kind as keyof typeof words.zoom.kinds] ?? kind} ${name}`;
    const place = focuses.findIndex((one) => one.kind === chosen?.kind && one.name === chosen.name);
    return html`<select aria-label=${words.zoom.focus} .value=${String(place)} @change=${(event: Event) => {
      if (event.target instanceof HTMLSelectElement) this.stage?.bring(focuses[Number(event.target.value)]);
    }}><option value="-1" ?selected=${place < 0}>${words.zoom.all}</option>${focuses.map(
      (one, index) => html`<option value=${index} ?selected=${index === place}>${named(one)}</option>`,
    )}</select>`;
  }

  override render() {
    const zoom = this.stage?.zoom ?? 1;
    const focuses = this.stage?.focuses() ?? [];
    const chosen = this.stage?.inFocus;
    const percent = `${Math.round(zoom * 100)} %`;
    return html`${focuses.length > 1 ? this.choice(focuses, chosen) : ''}${
      zoom > 1
        ? html`<output aria-label=${words.zoom.now}>${percent}</output>
        <button title="0" @click=${() => this.stage?.fit()}>${words.zoom.fit}</button>`
        : ''
    }
      <button aria-label=${words.zoom.out} title=${`${words.zoom.out} (−)`} ?disabled=${zoom <= 1} @click=${() => this.stage?.zoomBy(1 / 1.5)}>−</button>
      <button aria-label=${words.zoom.in} title=${`${words.zoom.in} (+)`} @click=${() => this.stage?.zoomBy(1.5)}>+</button>`;
  }
}

customElements.define('bl-stage-tools', BlStageTools);
