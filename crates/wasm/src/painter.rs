//! The painter: draws flights on a canvas, with WebGL2 where the browser has it, else in 2D.

mod flat;
mod webgl;

use scene::{CROWD, Flying, Rect, Sight};
use sim::Nanos;
use wasm_bindgen::JsCast;
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement, WebGl2RenderingContext, WebGlContextAttributes};

/// The colours that depend on the theme: neutral, text, warning, danger; as in `themes.css`.
pub(crate) fn theme(dark: bool) -> [[u8; 3]; 4] {
    if dark {
        [[0x8b, 0x96, 0xa8], [0xe7, 0xe9, 0xee], [0xe8, 0xb0, 0x4f], [0xf0, 0x71, 0x6b]]
    } else {
        [[0x6b, 0x72, 0x80], [0x1b, 0x1e, 0x24], [0x8f, 0x5a, 0x00], [0xb3, 0x26, 0x1e]]
    }
}

/// How much a stage shows: what was lost stays for so many nanoseconds.
pub(crate) fn sight(wrecks: f64) -> Sight {
    Sight { wrecks: Nanos(crate::time(wrecks).0), most: 100_000, crowd: CROWD }
}

/// A canvas and how it is painted.
pub(crate) struct Painter {
    canvas: HtmlCanvasElement,
    way: Way,
}

enum Way {
    WebGl(Box<webgl::WebGl>),
    Flat(CanvasRenderingContext2d),
}

impl Painter {
    /// Takes a canvas. It must not have a context of another kind yet.
    pub fn new(canvas: HtmlCanvasElement) -> Result<Painter, String> {
        // Shapes are smooth by their shaders, and lie in the order they are drawn in.
        let attributes = WebGlContextAttributes::new();
        attributes.set_antialias(false);
        attributes.set_depth(false);
        let context = canvas.get_context_with_context_options("webgl2", &attributes).ok().flatten();
        if let Some(gl) = context.and_then(|context| context.dyn_into::<WebGl2RenderingContext>().ok()) {
            let webgl = webgl::WebGl::new(gl)?;
            return Ok(Painter { canvas, way: Way::WebGl(Box::new(webgl)) });
        }
        let context = canvas.get_context("2d").ok().flatten();
        match context.and_then(|context| context.dyn_into::<CanvasRenderingContext2d>().ok()) {
            Some(context) => Ok(Painter { canvas, way: Way::Flat(context) }),
            None => Err("this browser gives no canvas to paint on".to_owned()),
        }
    }

    /// `webgl2` or `2d`.
    pub fn name(&self) -> &'static str {
        match self.way {
            Way::WebGl(_) => "webgl2",
            Way::Flat(_) => "2d",
        }
    }

    /// Whether it can paint yet.
    ///
    /// # Errors
    /// The driver's words, if it refused the shaders.
    pub fn is_ready(&mut self) -> Result<bool, String> {
        match &mut self.way {
            Way::WebGl(webgl) => webgl.is_ready(),
            Way::Flat(_) => Ok(true),
        }
    }

    /// Paints what flies on a part of a stage, in CSS pixels.
    pub fn paint(&mut self, flying: &Flying, view: Rect, scale: f32, dark: bool) {
        let (w, h) = ((view.w * scale) as u32, (view.h * scale) as u32);
        if self.canvas.width() != w || self.canvas.height() != h {
            self.canvas.set_width(w);
            self.canvas.set_height(h);
        }
        match &mut self.way {
            Way::WebGl(webgl) => webgl.paint(flying, (w, h), view, scale, dark),
            Way::Flat(context) => flat::paint(context, flying, ((w, h), view), scale, dark),
        }
    }
}
