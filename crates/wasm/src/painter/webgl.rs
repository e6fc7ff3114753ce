//! Flights with WebGL2: one instanced draw call; the rows are copied into bytes, since the house has no unsafe code.

use super::{HUES, theme};
use scene::FlightRow;
use wasm_bindgen::JsCast;
use web_sys::{
    CanvasRenderingContext2d, HtmlCanvasElement, WebGl2RenderingContext as Gl, WebGlBuffer, WebGlProgram,
    WebGlUniformLocation, WebGlVertexArrayObject, WebglLoseContext,
};

const ROW: i32 = size_of::<FlightRow>() as i32;

/// A context with all that is needed to draw.
pub(crate) struct WebGl {
    gl: Gl,
    program: WebGlProgram,
    array: WebGlVertexArrayObject,
    buffer: WebGlBuffer,
    uniforms: Uniforms,
}

struct Uniforms {
    stage: Option<WebGlUniformLocation>,
    after: Option<WebGlUniformLocation>,
    scale: Option<WebGlUniformLocation>,
    hues: Option<WebGlUniformLocation>,
    theme: Option<WebGlUniformLocation>,
}

impl WebGl {
    pub fn new(gl: Gl) -> Result<WebGl, String> {
        let program = link(&gl)?;
        let array = gl.create_vertex_array().ok_or("no vertex array")?;
        let buffer = gl.create_buffer().ok_or("no buffer")?;
        gl.bind_vertex_array(Some(&array));
        gl.bind_buffer(Gl::ARRAY_BUFFER, Some(&buffer));
        gl.vertex_attrib_pointer_with_i32(0, 4, Gl::FLOAT, false, ROW, 0);
        gl.vertex_attrib_pointer_with_i32(1, 4, Gl::FLOAT, false, ROW, 16);
        gl.vertex_attrib_i_pointer_with_i32(2, 1, Gl::UNSIGNED_INT, ROW, 32);
        gl.vertex_attrib_pointer_with_i32(3, 1, Gl::FLOAT, false, ROW, 36);
        for place in 0..4 {
            gl.enable_vertex_attrib_array(place);
            gl.vertex_attrib_divisor(place, 1);
        }
        digits(&gl);
        let uniform = |name: &str| gl.get_uniform_location(&program, name);
        let uniforms = Uniforms {
            stage: uniform("u_stage"),
            after: uniform("u_after"),
            scale: uniform("u_scale"),
            hues: uniform("u_hues"),
            theme: uniform("u_theme"),
        };
        Ok(WebGl { gl, program, array, buffer, uniforms })
    }

    pub fn paint(&mut self, rows: &[FlightRow], pixels: (u32, u32), stage: (f32, f32), scale: f32, dark: bool) {
        let gl = &self.gl;
        gl.viewport(0, 0, pixels.0 as i32, pixels.1 as i32);
        gl.clear_color(0.0, 0.0, 0.0, 0.0);
        gl.clear(Gl::COLOR_BUFFER_BIT);
        if rows.is_empty() {
            return;
        }
        gl.use_program(Some(&self.program));
        gl.bind_vertex_array(Some(&self.array));
        gl.bind_buffer(Gl::ARRAY_BUFFER, Some(&self.buffer));
        gl.buffer_data_with_u8_array(Gl::ARRAY_BUFFER, &bytes_of(rows), Gl::STREAM_DRAW);
        gl.enable(Gl::BLEND);
        gl.blend_func(Gl::ONE, Gl::ONE_MINUS_SRC_ALPHA);
        gl.uniform2f(self.uniforms.stage.as_ref(), stage.0, stage.1);
        gl.uniform1f(self.uniforms.after.as_ref(), 0.0);
        gl.uniform1f(self.uniforms.scale.as_ref(), scale);
        gl.uniform3fv_with_f32_array(self.uniforms.hues.as_ref(), &unit(&HUES));
        gl.uniform3fv_with_f32_array(self.uniforms.theme.as_ref(), &unit(&theme(dark)));
        gl.draw_arrays_instanced(Gl::TRIANGLE_STRIP, 0, 4, rows.len() as i32);
    }
}

impl Drop for WebGl {
    /// Gives the context back: browsers keep about sixteen of them.
    fn drop(&mut self) {
        if let Ok(Some(extension)) = self.gl.get_extension("WEBGL_lose_context") {
            extension.unchecked_into::<WebglLoseContext>().lose_context();
        }
    }
}

/// The rows as the bytes that the attributes above describe.
fn bytes_of(rows: &[FlightRow]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(size_of_val(rows));
    for row in rows {
        row.curve.iter().chain([&row.sent, &row.due]).for_each(|n| bytes.extend_from_slice(&n.to_le_bytes()));
        bytes.extend_from_slice(&row.look.to_le_bytes());
        bytes.extend_from_slice(&row.stopped.to_le_bytes());
    }
    bytes
}

fn unit(colours: &[[u8; 3]]) -> Vec<f32> {
    colours.iter().flatten().map(|part| f32::from(*part) / 255.0).collect()
}

fn link(gl: &Gl) -> Result<WebGlProgram, String> {
    let program = gl.create_program().ok_or("no program")?;
    let sources = [
        (Gl::VERTEX_SHADER, include_str!("../shaders/flight.vert")),
        (Gl::FRAGMENT_SHADER, include_str!("../shaders/flight.frag")),
    ];
    for (kind, source) in sources {
        let shader = gl.create_shader(kind).ok_or("no shader")?;
        gl.shader_source(&shader, source);
        gl.compile_shader(&shader);
        gl.attach_shader(&program, &shader);
        if !gl.get_shader_parameter(&shader, Gl::COMPILE_STATUS).as_bool().unwrap_or(false) {
            return Err(gl.get_shader_info_log(&shader).unwrap_or_default());
        }
    }
    gl.link_program(&program);
    if gl.get_program_parameter(&program, Gl::LINK_STATUS).as_bool().unwrap_or(false) {
        Ok(program)
    } else {
        Err(gl.get_program_info_log(&program).unwrap_or_default())
    }
}

/// The letters 0 to 9 and k in a row, as a texture, for the counts on capsules.
fn digits(gl: &Gl) {
    let Some(document) = web_sys::window().and_then(|window| window.document()) else { return };
    let Ok(element) = document.create_element("canvas") else { return };
    let Ok(canvas) = element.dyn_into::<HtmlCanvasElement>() else { return };
    let (width, height) = (32.0, 60.0);
    canvas.set_width(11 * 32);
    canvas.set_height(60);
    let context = canvas.get_context("2d").ok().flatten();
    let Some(context) = context.and_then(|context| context.dyn_into::<CanvasRenderingContext2d>().ok()) else { return };
    context.set_font("650 50px system-ui, sans-serif");
    context.set_text_align("center");
    for (place, letter) in "0123456789k".chars().enumerate() {
        let _ = context.fill_text(&letter.to_string(), (place as f64 + 0.5) * width, height * 0.8);
    }
    let texture = gl.create_texture();
    gl.bind_texture(Gl::TEXTURE_2D, texture.as_ref());
    let _ = gl.tex_image_2d_with_u32_and_u32_and_html_canvas_element(
        Gl::TEXTURE_2D,
        0,
        Gl::RGBA as i32,
        Gl::RGBA,
        Gl::UNSIGNED_BYTE,
        &canvas,
    );
    gl.generate_mipmap(Gl::TEXTURE_2D);
    gl.tex_parameteri(Gl::TEXTURE_2D, Gl::TEXTURE_MIN_FILTER, Gl::LINEAR_MIPMAP_LINEAR as i32);
    gl.tex_parameteri(Gl::TEXTURE_2D, Gl::TEXTURE_MAG_FILTER, Gl::LINEAR as i32);
    gl.tex_parameteri(Gl::TEXTURE_2D, Gl::TEXTURE_WRAP_S, Gl::CLAMP_TO_EDGE as i32);
    gl.tex_parameteri(Gl::TEXTURE_2D, Gl::TEXTURE_WRAP_T, Gl::CLAMP_TO_EDGE as i32);
}
