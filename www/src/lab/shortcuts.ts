// The dialog that lists all keys.
import { html, LitElement } from 'lit';
import { words } from '../words';
import './palette.css';

export class BlShortcuts extends LitElement {
  private tabs: string[] = [];

  protected override createRenderRoot() {
    return this;
  }

  /** Shows the keys; `tabs` are the names of the panels in their order. */
  async open(tabs: string[]) {
    this.tabs = tabs;
    this.requestUpdate();
    await this.updateComplete;
    const dialog = this.querySelector('dialog');
    if (dialog && !dialog.open) dialog.showModal();
  }

  override render() {
    const keys: [string, string][] = [
      ['Space', `${words.play} / ${words.pause}`],
      ['→', words.step],
      ['←', words.stepBack],
      ['N · P', `${words.next} · ${words.previous}`],
      ['L', words.loop],
      ['W', words.waits.title],
      ['B', words.breakIt],
      ['Z · Y', `${words.undo} · ${words.redo}`],
      ['M · A · X · G · C', words.byHand.keys],
      ['+ · − · 0', words.zoom.keys],
      ['1 … 9', this.tabs.join(', ')],
      ['Ctrl K · /', words.commands],
      ['?', words.shortcuts],
    ];
    return html`<dialog class="shortcuts" aria-label=${words.shortcuts}><form method="dialog"><h3>${words.shortcuts}</h3>
      <table><tbody>${keys.map(([key, what]) => html`<tr><th scope="row"><kbd>${key}</kbd></th><td>${what}</td></tr>`)}</tbody></table>
      <button class="filled" autofocus>${words.close}</button></form></dialog>`;
  }
}

customElements.define('bl-shortcuts', BlShortcuts);
