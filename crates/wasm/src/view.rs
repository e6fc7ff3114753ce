//! What is seen of a stage: a part of it, when it is zoomed.

use crate::{Lab, which};
use scene::{Layout, Rect};
use wasm_bindgen::prelude::*;

pub(crate) fn whole(layout: &Layout) -> Rect {
    Rect { x: 0.0, y: 0.0, w: layout.width, h: layout.height }
}

#[wasm_bindgen]
impl Lab {
    /// Lays a cluster out `zoom` times as large as the stage, of which a part of this size is seen, in CSS pixels. False if
    /// the document has no such cluster.
    #[wasm_bindgen(js_name = layoutZoomed)]
    pub fn layout_zoomed(&mut self, side: u8, width: f32, height: f32, zoom: f32) -> bool {
        let stage = &mut self.stages[usize::from(side != 0)];
        stage.layout = scene::layout_zoomed(&self.player, which(side), (width * zoom, height * zoom), zoom);
        stage.view = Some(Rect { x: 0.0, y: 0.0, w: width, h: height });
        stage.layout.is_some()
    }

    /// Moves what is seen of a zoomed stage: its left upper corner.
    #[wasm_bindgen(js_name = lookAt)]
    pub fn look_at(&mut self, side: u8, x: f32, y: f32) {
        if let Some(view) = &mut self.stages[usize::from(side != 0)].view {
            (view.x, view.y) = (x, y);
        }
    }
}
