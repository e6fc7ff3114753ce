// The stages as they stand, as a picture to keep.
import type { Session } from '../session';

/** Has the browser save both stages at the playhead as an SVG. */
export function save(session: Session): void {
  const text = session.run.figure(1440, 680, document.documentElement.classList.contains('dark'));
  const anchor = document.createElement('a');
  anchor.href = URL.createObjectURL(new Blob([text], { type: 'image/svg+xml' }));
  anchor.download = 'brokerlab.svg';
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(anchor.href), 1000);
}
