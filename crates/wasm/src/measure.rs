//! What only benchmarks call.

use crate::{Lab, painter, which};
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
impl Lab {
    /// What [`Lab::paint`] does before it paints: the rows of what flies, with streams from `crowd` on a way. Answers how
    /// many rows and streams there are.
    pub fn fly(&mut self, side: u8, wrecks: f64, crowd: u32) -> Vec<u32> {
        let Some(layout) = &self.stages[usize::from(side != 0)].layout else { return Vec::new() };
        let sight = scene::Sight { crowd, ..painter::sight(wrecks) };
        scene::flights(&self.player, which(side), layout, sight, &mut self.flying);
        vec![self.flying.rows.len() as u32, self.flying.streams.len() as u32]
    }

    /// Paints what [`Lab::fly`] found.
    #[wasm_bindgen(js_name = paintAlone)]
    pub fn paint_alone(&mut self, side: u8, scale: f32, dark: bool) {
        let stage = &mut self.stages[usize::from(side != 0)];
        let (Some(layout), Some(painter)) = (&stage.layout, &mut stage.painter) else { return };
        painter.paint(&self.flying, crate::view::whole(layout), scale, dark);
    }
}
