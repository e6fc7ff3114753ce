//! What is seen of a stage: a part of it, when it is zoomed.

use crate::{Lab, to_js, which};
use scene::{Focus, Layout, Rect};
use wasm_bindgen::prelude::*;

pub(crate) fn whole(layout: &Layout) -> Rect {
    Rect { x: 0.0, y: 0.0, w: layout.width, h: layout.height }
}

#[wasm_bindgen]
impl Lab {
    /// What may be in focus in a cluster: `[{kind, name}]`, its topics and groups, or its queues.
    pub fn focuses(&self, side: u8) -> JsValue {
        to_js(&scene::focuses(&self.player, which(side)))
    }

    /// Lays a cluster out `zoom` times as large as the stage, of which a part of this size is seen, in CSS pixels; with
    /// something in focus, unless its name is empty. False if the document has no such cluster.
    #[wasm_bindgen(js_name = layoutOf)]
    pub fn layout_of(&mut self, side: u8, width: f32, height: f32, zoom: f32, kind: String, name: String) -> bool {
        let focus = (!name.is_empty()).then_some(Focus { kind, name });
        let stage = &mut self.stages[usize::from(side != 0)];
        stage.layout = scene::layout_of(&self.player, which(side), (width * zoom, height * zoom), zoom, focus);
        stage.flown = None;
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
