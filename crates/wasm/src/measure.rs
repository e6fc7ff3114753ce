//! What only benchmarks call: the parts of what is done for a frame, each by itself.

use crate::{Lab, painter, which};
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
impl Lab {
    /// Looks for what flies, with streams from `crowd` on a way. Answers how many rows and streams there are.
    pub fn fly(&mut self, side: u8, wrecks: f64, crowd: u32) -> Vec<u32> {
        let stage = &mut self.stages[usize::from(side != 0)];
        let Some(layout) = &stage.layout else { return Vec::new() };
        let sight = scene::Sight { crowd, ..painter::sight(wrecks) };
        scene::flights(&self.player, which(side), layout, sight, &mut stage.flying);
        vec![stage.flying.rows.len() as u32, stage.flying.streams.len() as u32]
    }

    /// Makes the picture, with the streams that [`Lab::fly`] found.
    pub fn faces(&self, side: u8) -> JsValue {
        self.stages[usize::from(side != 0)].picture(&self.player, which(side))
    }

    /// Paints what [`Lab::fly`] found.
    #[wasm_bindgen(js_name = paintAlone)]
    pub fn paint_alone(&mut self, side: u8, scale: f32, dark: bool) {
        let stage = &mut self.stages[usize::from(side != 0)];
        let (Some(layout), Some(painter)) = (&stage.layout, &mut stage.painter) else { return };
        painter.paint(&stage.flying, crate::view::whole(layout), scale, dark);
    }
}
