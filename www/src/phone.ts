/** A phone, as media queries know one: nothing hovers, and the screen is narrow. */
export const PHONE = '(hover: none) and (max-width: 760px)';
/** What is no phone: as a link's `media` it keeps a phone from fetching what it names, until boot.ts takes it off. */
export const NO_PHONE = `not all and ${PHONE}`;
