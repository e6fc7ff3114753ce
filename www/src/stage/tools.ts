// The head of a stage: buttons that zoom it.
import { html, LitElement } from 'lit';
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
  }

  override render() {
    const zoom = this.stage?.zoom ?? 1;
    const percent = `${Math.round(zoom * 100)} %`;
    return html`${
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
