//! What there is to see: layout, faces, flights, SVG.
