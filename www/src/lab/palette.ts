// The command palette: everything that the page can do, by name, from the keyboard.
import { html, LitElement } from 'lit';
import { words } from '../words';
import './palette.css';

export interface Command {
  name: string;
  /** Its key, if it has one. */
  key?: string;
  run(): void;
}

/** Commands whose names hold all letters of the text in order; those that begin a word with it first. */
export function matching(commands: readonly Command[], text: string): Command[] {
  const wanted = text.trim().toLowerCase();
  if (wanted === '') return [...commands];
  const rank = (command: Command): number => {
    const name = command.name.toLowerCase();
    const place = name.indexOf(wanted);
    if (place === 0 || name[place - 1] === ' ') return 0;
    if (place > 0) return 1;
    let from = 0;
    for (const letter of wanted) {
      from = name.indexOf(letter, from) + 1;
      if (from === 0) return 3;
    }
    return 2;
  };
  return commands
    .map((command) => ({ command, rank: rank(command) }))
    .filter(({ rank }) => rank < 3)
    .sort((a, b) => a.rank - b.rank)
    .map(({ command }) => command);
}

/** Commands that the list shows at the most. */
const SHOWN = 60;

export class BlPalette extends LitElement {
  static override properties = { commands: { attribute: false }, text: { state: true }, chosen: { state: true } };
  declare commands: readonly Command[];
  declare text: string;
  declare chosen: number;

  constructor() {
    super();
    this.commands = [];
    this.text = '';
    this.chosen = 0;
  }

  protected override createRenderRoot() {
    return this;
  }

  /** Opens with what was typed already; if Enter was among it, with the first command that it names. */
  open(commands: readonly Command[], keys = '') {
    const [typed = '', ...entered] = keys.split('\n');
    if (entered.length > 0) {
      matching(commands, typed)[0]?.run();
      return;
    }
    this.commands = commands;
    this.text = typed;
    this.chosen = 0;
    const dialog = this.querySelector('dialog');
    if (dialog && !dialog.open) dialog.showModal();
    const input = this.querySelector('input');
    if (input) {
      input.value = typed;
      input.focus();
    }
  }

  private run(command: Command | undefined) {
    // Where nothing had the focus before, a browser leaves it on the hidden field for a frame, and keys would go there.
    this.querySelector('input')?.blur();
    this.querySelector('dialog')?.close();
    command?.run();
  }

  private onKey(event: KeyboardEvent, found: Command[]) {
    event.stopPropagation();
    const move = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
    if (move !== 0) {
      event.preventDefault();
      this.chosen = (this.chosen + move + found.length) % Math.max(1, found.length);
      void this.updateComplete.then(() =>
        this.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: 'nearest' }),
      );
    } else if (event.key === 'Enter') {
      event.preventDefault();
      this.run(found[this.chosen]);
    }
  }

  override render() {
    const found = matching(this.commands, this.text).slice(0, SHOWN);
    return html`<dialog class="palette" aria-label=${words.palette.title}>
      <input role="combobox" aria-expanded="true" aria-controls="commands" aria-autocomplete="list" aria-activedescendant=${`command-${this.chosen}`}
        aria-label=${words.palette.title} placeholder=${words.palette.hint} autocomplete="off" spellcheck="false"
        @input=${(event: Event) => {
          if (event.target instanceof HTMLInputElement) this.text = event.target.value;
          this.chosen = 0;
        }} @keydown=${(event: KeyboardEvent) => this.onKey(event, found)} />
      <ul id="commands" role="listbox" aria-label=${words.palette.title}>${found.map(
        (command, place) => html`<li id=${`command-${place}`} role="option" aria-selected=${place === this.chosen}
          @click=${() => this.run(command)}><span>${command.name}</span>${command.key ? html`<kbd>${command.key}</kbd>` : ''}</li>`,
      )}</ul>${found.length === 0 ? html`<p class="quiet">${words.palette.none}</p>` : ''}</dialog>`;
  }
}

customElements.define('bl-palette', BlPalette);
